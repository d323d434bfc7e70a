//! Starts a worker, gives it one job after another, and ends it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::protocol::{self, Answer, End, Job};
use crate::{InspectorError, WorkerProgram, descriptors, worker};

/// A worker's process. Dropping it kills the process and its copy.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    control: UnixStream,
}

/// A job that was given. Only its copy has the sockets: nothing that another copy wrote can be in them.
#[derive(Debug)]
pub(crate) struct Given {
    answers: UnixStream,
    said: UnixStream,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With what the worker itself spent on it.
    Answered(Answer, Duration),
    /// Without a complete answer; `said` is what it wrote to stderr.
    Failed { status: ExitStatus, said: String },
}

const MAX_SAID: u64 = 4096;
/// A copy that has answered ends immediately. A compromised one may not.
const TIME_TO_END: Duration = Duration::from_secs(2);

/// Returns the openers that a worker has, by name and version.
pub(crate) async fn openers(program: &WorkerProgram) -> io::Result<Vec<String>> {
    let output = command(program).arg(worker::OPENERS).stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(format!("{}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect())
}

fn command(program: &WorkerProgram) -> Command {
    let mut command = Command::new(&program.path);
    command
        .arg0(worker::NAME)
        .args(&program.arguments)
        .arg(worker::WORD)
        .env_clear()
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true);
    command
}

impl Worker {
    /// Starts `program` as a worker. It gets none of this process's environment: no credentials, no secrets.
    pub(crate) fn start(program: &WorkerProgram) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = command(program)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Self { child, control: UnixStream::from_std(ours)? })
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives the worker a job. It gets copies of the descriptors: the same open files.
    pub(crate) async fn give(&mut self, job: &Job, file: &File, scratch: &File) -> io::Result<Given> {
        let (mut answers, their_answers) = socket_pair()?;
        let (said, their_stderr) = socket_pair()?;
        let files = [file.as_fd(), scratch.as_fd(), their_answers.as_fd(), their_stderr.as_fd()];
        descriptors::send(&self.control, files)?;
        answers.write_all(&protocol::encode(job)?).await?;
        Ok(Given { answers, said })
    }

    /// Waits for the answer, or for the end without one. The copy has ended afterwards; the worker is
    /// returned if it is ready for another job.
    pub(crate) async fn answer(mut self, mut given: Given) -> Result<(Ended, Option<Self>), InspectorError> {
        // An incomplete answer does not count.
        if let Ok(answer) = protocol::read_async(&mut given.answers).await {
            let end = tokio::time::timeout(TIME_TO_END, self.end()).await;
            return Ok(match end {
                Ok(Ok(end)) => (Ended::Answered(answer, end.cpu_time), Some(self)),
                Ok(Err(_)) | Err(_) => (Ended::Answered(answer, Duration::ZERO), None),
            });
        }
        let (status, worker) = match self.end().await {
            Ok(end) => (ExitStatus::from_raw(end.status), Some(self)),
            Err(_) => (self.child.wait().await.map_err(InspectorError::Socket)?, None),
        };
        let mut said = Vec::new();
        let _ = given.said.take(MAX_SAID).read_to_end(&mut said).await;
        Ok((Ended::Failed { status, said: String::from_utf8_lossy(&said).trim().to_owned() }, worker))
    }

    async fn end(&mut self) -> io::Result<End> {
        protocol::read_async(&mut self.control).await
    }
}

/// Returns a socket for this process, and the other end for a process that blocks on it.
fn socket_pair() -> io::Result<(UnixStream, std::os::unix::net::UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}
