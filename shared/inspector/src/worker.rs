//! A worker, as it sees itself: gets one job, confines itself, runs the gate, answers, ends.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use confine::ResourceLimits;
use gate::{Gate, Inspection, Opener};

use crate::descriptors;
use crate::protocol::{self, Answer, Job};

/// The argument that makes this program a worker.
pub(crate) const WORD: &str = "gate-worker";
/// The second argument, for one that only says which openers it has.
pub(crate) const OPENERS: &str = "openers";
/// How a worker shows in a list of processes.
pub(crate) const NAME: &str = "airlock-gate";
/// The exit code of a Rust program that panicked.
pub(crate) const PANICKED: i32 = 101;
/// The exit code of one that could not begin.
const NOT_BEGUN: i32 = 2;

/// Beside what the largest decompressors and a parsed mail of the largest size need.
const MEMORY_BYTES: u64 = 1 << 30;
/// Parsers that recurse go as deep as a file says. A gigabyte is enough for the deepest mail of 64 MiB; what is not touched costs nothing.
const STACK_BYTES: usize = 1 << 30;

/// Makes this process a worker if it was started as one, and then does not return. The first thing in `main`, before threads and runtimes.
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

/// Waits for a job, which may never come.
fn serve(openers: Vec<Box<dyn Opener>>) -> io::Result<()> {
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let Some([file, scratch]) = descriptors::receive(&socket)? else { return Ok(()) };
    let job: Job = protocol::read(&mut socket)?;
    confine::limit_resources(ResourceLimits {
        cpu: job.cpu_limit,
        memory_bytes: MEMORY_BYTES + u64::try_from(STACK_BYTES).unwrap_or(u64::MAX),
        // What is given back is written again: twice as much as all members may have.
        file_bytes: job.gate.limits.max_total_bytes.saturating_mul(2),
    })
    .map_err(io::Error::other)?;
    confine::forbid_files().map_err(io::Error::other)?;
    let inspected = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        confine::forbid_calls().map_err(io::Error::other)?;
        answer(&job.gate, file, scratch, openers, &mut socket)
    })?;
    inspected.join().unwrap_or_else(|_| std::process::exit(PANICKED))
}

fn answer(
    gate: &Gate,
    file: OwnedFd,
    scratch: OwnedFd,
    openers: Vec<Box<dyn Opener>>,
    socket: &mut File,
) -> io::Result<()> {
    let inspected = gate.inspect(&file.into(), scratch.into(), openers);
    let answer = match &inspected {
        Ok(Inspection { refusal, handed, is_text_like_program }) => {
            // The gate keeps all of them in one of the files. One that is not would be missing from the scan.
            let places = handed.iter().map(gate::Blob::place).collect::<Option<Vec<_>>>();
            let handed = places.ok_or_else(|| io::Error::other("a member is in memory"))?;
            Answer::Inspected {
                refusal: refusal.clone(),
                handed,
                is_text_like_program: *is_text_like_program,
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

/// Of this process, so far.
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}
