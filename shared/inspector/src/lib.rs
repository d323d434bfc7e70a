//! Inspects hostile files in processes of their own: whatever the bytes do to the gate, they do it to one
//! confined child.
//!
//! A worker is this program's own executable, with one argument, started in advance: it loads the openers and
//! reads no upload. For each file it forks a fresh copy of itself, which gets the file to read, one file
//! without a name to keep members in, and a limit of processor time; the copy confines itself ([`confine`]),
//! runs the gate, answers, and ends. A crash, or the limit, is a [`Refusal`] of that file, and affects
//! nothing else.
//!
//! Invariant: the service's own process parses no byte of an upload.
//! Invariant: no file is read by a process that has read another one.
//! Invariant: a copy that did not answer is never taken for one that found nothing.

mod descriptors;
mod process;
mod protocol;
mod scratch;
pub mod worker;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::password::Password;
use domain::verdict::{Decryption, Unscannable};
use gate::{Blob, Gate, Inspection, PlaceIn, Refusal};
use rustix::process::Signal;
use thiserror::Error;

use process::{Ended, Given, Worker};
use protocol::{Answer, Job};
use scratch::ScratchFiles;

/// Starts workers and gives them files. One per service; shared by all scans.
#[derive(Debug)]
pub struct Inspector {
    program: WorkerProgram,
    /// Their names and versions.
    openers: Vec<String>,
    /// Workers that wait for a file, so that no scan waits for a start: as many as were needed concurrently.
    ready: Mutex<Vec<Worker>>,
    scratch_files: ScratchFiles,
}

/// What is run as a worker: a program that calls [`worker::run_if_asked`] first, by itself or through a
/// loader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerProgram {
    pub path: PathBuf,
    /// Arguments in front of the worker's own.
    pub arguments: Vec<OsString>,
    /// The whole environment of the worker.
    pub environment: Vec<(OsString, OsString)>,
}

impl Default for WorkerProgram {
    /// Returns the executable of this process, even if its path holds another file by now.
    fn default() -> Self {
        Self { path: "/proc/self/exe".into(), arguments: vec![], environment: vec![] }
    }
}

/// What a worker found, and what it cost.
#[derive(Debug)]
pub struct Inspected {
    pub inspection: Inspection,
    /// Processor time.
    pub cpu_time: Duration,
}

/// The file was not inspected, which says nothing about it: try again.
#[derive(Debug, Error)]
pub enum InspectorError {
    #[error("the gate's process could not be started")]
    Spawn(#[source] io::Error),
    #[error("the gate's files could not be used")]
    Files(#[source] io::Error),
    #[error("the gate's process could not be asked")]
    Socket(#[source] io::Error),
    #[error("the gate could not read or keep the file: {message}")]
    Storage { message: String, is_full: bool },
    #[error("the gate's process ended without an answer ({0})")]
    NoAnswer(String),
    #[error("the gate's answer makes no sense")]
    BadAnswer,
}

impl InspectorError {
    /// Returns whether there was no room for what a file unpacks to.
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Files(error) => error.kind() == io::ErrorKind::StorageFull,
            Self::Storage { is_full, .. } => *is_full,
            Self::Spawn(_) | Self::Socket(_) | Self::NoAnswer(_) | Self::BadAnswer => false,
        }
    }
}

impl Inspector {
    /// Returns an inspector whose workers run `program`. Runs one to check that it starts, and to list its
    /// openers.
    pub async fn start(program: WorkerProgram, scratch_directory: PathBuf) -> Result<Self, InspectorError> {
        let openers = process::openers(&program).await.map_err(InspectorError::Spawn)?;
        let scratch_files = ScratchFiles::in_directory(scratch_directory);
        Ok(Self { program, openers, scratch_files, ready: Mutex::default() })
    }

    /// The programs that the gate asks what is inside a file, with their versions, in the order in which they
    /// are asked.
    pub fn openers(&self) -> &[String] {
        &self.openers
    }

    /// Inspects `file` from its start, for at most `cpu_limit` of processor time; what is encrypted, with
    /// `password`. Dropping the future kills the process that reads it.
    ///
    /// An error is no verdict. What the file did to the worker is a refusal: [`Unscannable::ScanTimeout`]
    /// beyond the limit, [`Unscannable::ExpandsTooMuch`] beyond the room for members,
    /// [`Unscannable::InspectionFailed`] for any other end.
    pub async fn inspect(
        &self,
        gate: &Gate,
        file: &File,
        password: Option<&Password>,
        cpu_limit: Duration,
    ) -> Result<Inspected, InspectorError> {
        let (began, readable) = (Instant::now(), read_only(file).map_err(InspectorError::Files)?);
        let scratch = self.scratch_files.take().map_err(InspectorError::Files)?;
        let workers_scratch = scratch::for_worker(&scratch).map_err(InspectorError::Files)?;
        let password = password.map(|password| password.exposed().to_owned());
        let job = Job { gate: gate.clone(), cpu_limit, password };
        let (worker, given) = self.worker_with(&job, &readable, &workers_scratch).await?;
        let (ended, worker) = worker.answer(given).await?;
        let has_ended = worker.is_some();
        self.ready().extend(worker);
        match ended {
            Ended::Answered(
                Answer::Inspected { refusal, handed, is_text_like_program, decryption, cpu_time },
                workers_cpu_time,
            ) => {
                let cpu_time = cpu_time + workers_cpu_time;
                let has_members = handed.iter().any(|place| place.place_in == PlaceIn::Scratch);
                let (file, scratch) = (Arc::new(readable), Arc::new(scratch));
                let blob = |place: gate::Place| {
                    let file = match place.place_in {
                        PlaceIn::Inspected => &file,
                        PlaceIn::Scratch => &scratch,
                    };
                    Blob::in_file(Arc::clone(file), place.offset, place.size_bytes)
                };
                let handed = handed.into_iter().map(blob).collect::<io::Result<_>>();
                let handed = handed.map_err(|_| InspectorError::BadAnswer)?;
                if has_ended
                    && !has_members
                    && let Some(scratch) = Arc::into_inner(scratch)
                {
                    self.scratch_files.give_back(scratch);
                }
                let inspection = Inspection { refusal, handed, is_text_like_program, decryption };
                Ok(Inspected { inspection, cpu_time })
            }
            Ended::Answered(Answer::Storage { message, is_full }, _) => {
                Err(InspectorError::Storage { message, is_full })
            }
            Ended::Failed { status, said } => {
                tracing::warn!(%status, said, "the gate's process ended early");
                let Some(refusal) = refusal_of(status) else {
                    return Err(InspectorError::NoAnswer(status.to_string()));
                };
                let inspection = Inspection {
                    refusal: Some(refusal),
                    handed: vec![],
                    is_text_like_program: false,
                    decryption: Decryption::None,
                };
                // How much of it was processor time is unknown.
                Ok(Inspected { inspection, cpu_time: began.elapsed().min(cpu_limit) })
            }
        }
    }

    /// Starts a worker for the next file, unless one waits already. A failure shows when it is needed.
    pub fn prepare(&self) {
        let mut ready = self.ready();
        if ready.is_empty() {
            ready.extend(Worker::start(&self.program));
        }
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the job to a worker that waits, or to a new one if that has died.
    async fn worker_with(
        &self,
        job: &Job,
        file: &File,
        scratch: &File,
    ) -> Result<(Worker, Given), InspectorError> {
        let ready = self.ready().pop();
        if let Some(mut worker) = ready
            && worker.is_alive()
            && let Ok(given) = worker.give(job, file, scratch).await
        {
            return Ok((worker, given));
        }
        let mut worker = Worker::start(&self.program).map_err(InspectorError::Spawn)?;
        let given = worker.give(job, file, scratch).await.map_err(InspectorError::Socket)?;
        Ok((worker, given))
    }
}

/// Opens the same file for reading alone: not even a compromised worker can write to it through this
/// descriptor.
fn read_only(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Returns what the end of a worker says about its file; `None` if another process killed the worker, or it
/// could not begin.
fn refusal_of(status: std::process::ExitStatus) -> Option<Refusal> {
    use std::os::unix::process::ExitStatusExt as _;
    let (reason, seen) = match (status.signal().and_then(Signal::from_named_raw), status.code()) {
        (Some(Signal::KILL | Signal::TERM | Signal::INT), _) => return None,
        (Some(Signal::XCPU), _) => {
            (Unscannable::ScanTimeout, "looking inside takes more processor time than the limit")
        }
        (Some(Signal::XFSZ), _) => (Unscannable::ExpandsTooMuch, "members take more room than the limit"),
        (Some(_), _) => (Unscannable::InspectionFailed, "the gate's process was ended by a signal"),
        (None, Some(worker::PANICKED)) => (Unscannable::InspectionFailed, "the gate panicked"),
        (None, _) => return None,
    };
    Some(Refusal { reason, seen: seen.into() })
}
