//! Runs a worker: loads the openers and waits. For each job it forks a copy of itself, which confines itself,
//! runs the gate, answers and ends.
//!
//! Invariant: a worker reads no byte of any upload, so that no file is read by a process that has read
//! another one.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use confine::{ConfineError, Forked, ResourceLimits};
use domain::password::Password;
use gate::{Gate, Inspection, Opener};
use rustix::process::{DumpableBehavior, WaitOptions, set_dumpable_behavior, waitpid};

use crate::descriptors;
use crate::protocol::{self, Answer, End, Job};

/// The argument that makes this program a worker.
pub(crate) const WORD: &str = "gate-worker";
/// The second argument, for one that only says which openers it has.
pub(crate) const OPENERS: &str = "openers";
/// The name of workers and their copies in a list of processes: among the arguments, and for a copy the
/// process name as well.
pub(crate) const NAME: &str = "airlock-gate";
const COPY_NAME: &CStr = c"airlock-inspect";
/// The exit code of a Rust program that panicked.
pub(crate) const PANICKED: i32 = 101;
/// The exit code of a worker that could not start.
const NOT_BEGUN: i32 = 2;

/// More than the largest decompressors and a parsed mail of the largest size need.
const MEMORY_BYTES: u64 = 1 << 30;
/// Parsers that recurse go as deep as a file says. A gigabyte is enough for the deepest mail of 64 MiB; what
/// is not touched costs nothing.
const STACK_BYTES: usize = 1 << 30;

/// Makes this process a worker if it was started as one, and then does not return. The first thing in `main`,
/// before threads and runtimes.
pub fn run_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|word| word == WORD) {
        // A panic's message may quote the file; the log gets the place alone.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(io::stderr(), "panicked at {place}");
        }));
        let is_asked_for_openers = std::env::args_os().nth(2).is_some_and(|word| word == OPENERS);
        let done = openers::installed()
            .map_err(io::Error::other)
            .and_then(|openers| if is_asked_for_openers { say_openers(&openers) } else { serve(openers) });
        std::process::exit(match done {
            Ok(()) => 0,
            Err(error) => {
                let _ = writeln!(io::stderr(), "{error}");
                NOT_BEGUN
            }
        })
    }
}

fn say_openers(openers: &[Box<dyn Opener>]) -> io::Result<()> {
    openers.iter().try_for_each(|opener| writeln!(io::stdout(), "{}", opener.name()))
}

/// Waits for one job after another, which may never come.
fn serve(openers: Vec<Box<dyn Opener>>) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    gate::prepare();
    let mut control = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    while let Some([file, scratch, answers, said]) = descriptors::receive(&control)? {
        let began = cpu_time();
        match confine::fork()? {
            Forked::Copy => {
                // The service would take what the copy writes there for the worker's own answer.
                drop(control);
                rustix::stdio::dup2_stdin(io::stdout())?;
                rustix::stdio::dup2_stderr(&said)?;
                return inspect(file, scratch, openers, answers.into());
            }
            Forked::Original(copy) => {
                drop((file, scratch, answers, said));
                let waited = waitpid(Some(copy), WaitOptions::empty())?;
                let (_, status) = waited.ok_or_else(|| io::Error::other("a copy has no end"))?;
                let cpu_time = cpu_time().saturating_sub(began);
                protocol::write(&mut control, &End { status: status.as_raw(), cpu_time })?;
            }
        }
    }
    Ok(())
}

/// Does one job, in a process that ends with it. The job is read only here, because it may hold a password.
fn inspect(
    file: OwnedFd,
    scratch: OwnedFd,
    openers: Vec<Box<dyn Opener>>,
    mut answers: File,
) -> io::Result<()> {
    rustix::thread::set_name(COPY_NAME)?;
    match confine::drop_root() {
        // Some containers do not let root change its user; the other layers hold there as well.
        Ok(_) | Err(ConfineError::User(_)) => {}
        Err(error) => return Err(io::Error::other(error)),
    }
    let Job { gate, cpu_limit, password } = protocol::read(&mut answers)?;
    let password = password.map(|text| Password::parse(&text)).transpose().map_err(io::Error::other)?;
    confine::limit_resources(ResourceLimits {
        cpu: cpu_limit,
        memory_bytes: MEMORY_BYTES + u64::try_from(STACK_BYTES).unwrap_or(u64::MAX),
        // Freed ranges are written again: twice as much as all members may have.
        file_bytes: gate.limits.max_total_bytes.saturating_mul(2),
    })
    .map_err(io::Error::other)?;
    confine::forbid_files().map_err(io::Error::other)?;
    let inspected = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        confine::forbid_calls().map_err(io::Error::other)?;
        answer(&gate, file, scratch, openers, password, &mut answers)
    })?;
    inspected.join().unwrap_or_else(|_| std::process::exit(PANICKED))
}

fn answer(
    gate: &Gate,
    file: OwnedFd,
    scratch: OwnedFd,
    openers: Vec<Box<dyn Opener>>,
    password: Option<Password>,
    socket: &mut File,
) -> io::Result<()> {
    let inspected = gate.inspect(&file.into(), scratch.into(), openers, password);
    let answer = match &inspected {
        Ok(Inspection { refusal, handed, is_text_like_program, decryption }) => {
            // The gate keeps every member in one of the files. One in memory alone would be missing from the
            // scan.
            let places = handed.iter().map(gate::Blob::place).collect::<Option<Vec<_>>>();
            let handed = places.ok_or_else(|| io::Error::other("a member is in memory"))?;
            Answer::Inspected {
                refusal: refusal.clone(),
                handed,
                is_text_like_program: *is_text_like_program,
                decryption: *decryption,
                cpu_time: cpu_time(),
            }
        }
        Err(error) => Answer::Storage {
            message: error.to_string(),
            is_full: error.kind() == io::ErrorKind::StorageFull,
        },
    };
    protocol::write(socket, &answer)?;
    // Immediately: dropping what was handed over would give its room in the scratch file back.
    std::process::exit(0)
}

/// Returns the processor time of this process so far.
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}
