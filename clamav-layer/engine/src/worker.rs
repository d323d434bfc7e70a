//! Scans each file in a child of its own, forked from the loaded engine: a failure in a parser ends that
//! scan, and nothing passes from one file to the next.

use std::ffi::c_int;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::clamav::{Engine, ScanOptions};
use crate::directories::{self, Directory};
use crate::pass;
use crate::snapshot::restore::{DAMAGED, Restored};

/// The parameters of a scan.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) engine: Engine,
    pub(crate) scan: ScanOptions,
    pub(crate) max_scan_time: Duration,
}

/// A child that waits for its only file.
#[derive(Debug)]
pub(crate) struct Worker {
    /// `None` once it has ended: the number may be another process's by then.
    pid: Option<libc::pid_t>,
    socket: UnixStream,
    directory: Directory,
    patience: Duration,
}

/// How a scan ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// clamd's reply after the file's name.
    Reply(String),
    /// The snapshot is damaged; nothing is known about the file.
    Damaged,
}

/// A reply is a line.
const MAX_REPLY: usize = 4096;
/// For all work outside libclamav, which has a time limit of its own.
const GRACE: Duration = Duration::from_secs(5);
/// Memory beyond the engine's: the largest file mapped, unpacked, and a lot more.
const MAX_MEMORY: u64 = 16 << 30;

impl Worker {
    /// Forks a child; `restored` is held meanwhile.
    pub(crate) fn fork(
        job: &Job,
        directory: Directory,
        restored: Option<&'static Restored>,
    ) -> anyhow::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let hold = restored.map(Restored::hold);
        // SAFETY: the child uses nothing that another thread could have locked, except the allocator, which
        // glibc makes usable after a fork.
        let pid = unsafe { libc::fork() };
        drop(hold);
        match pid {
            -1 => bail!("no child: {}", std::io::Error::last_os_error()),
            0 => {
                let kept = [Some(theirs.as_raw_fd()), restored.map(Restored::descriptor)];
                if let Some(restored) = restored {
                    restored.become_child();
                }
                close_all_but(&kept.map(|descriptor| descriptor.unwrap_or(0)));
                std::mem::forget(ours);
                let code = scan_one(job, &directory.path, theirs).map_or(1, |()| 0);
                // SAFETY: the child ends here, without the parent's exit handlers.
                unsafe { libc::_exit(code) }
            }
            pid => Ok(Self { pid: Some(pid), socket: ours, directory, patience: job.max_scan_time + GRACE }),
        }
    }

    /// Has the file scanned. Afterwards the child has ended and its unpacked files are removed, whatever
    /// happens.
    pub(crate) fn scan(mut self, file: BorrowedFd<'_>) -> Ended {
        let reply = self.ask(file);
        let status = self.end();
        match reply {
            Ok(reply) if !reply.is_empty() => Ended::Reply(reply),
            _ if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == DAMAGED => Ended::Damaged,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Ended::Reply("Time limit exceeded ERROR".to_owned())
            }
            _ if libc::WIFSIGNALED(status) => {
                Ended::Reply(format!("The scan was ended by signal {} ERROR", libc::WTERMSIG(status)))
            }
            _ => Ended::Reply("The scan has ended without a verdict ERROR".to_owned()),
        }
    }

    fn ask(&mut self, file: BorrowedFd<'_>) -> std::io::Result<String> {
        let deadline = Instant::now() + self.patience;
        pass::send(&self.socket, file)?;
        let (mut reply, mut buffer) = (vec![], [0; 512]);
        loop {
            // Bytes of a slow reply do not extend the deadline.
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left))?;
            let n_read = match self.socket.read(&mut buffer) {
                // After a stop and a SIGCONT (signal(7)).
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            reply.extend_from_slice(&buffer[..n_read]);
            if n_read == 0 || reply.len() > MAX_REPLY {
                break;
            }
        }
        // A reply is complete only with its terminator.
        let reply = String::from_utf8(reply).unwrap_or_default();
        Ok(reply.strip_suffix('\n').unwrap_or_default().to_owned())
    }

    /// Ends the child if it still runs, and returns its exit status.
    fn end(&mut self) -> c_int {
        let mut status = 0;
        if let Some(pid) = self.pid.take() {
            // SAFETY: the child is ours, and has not been waited for.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, &raw mut status, 0);
            }
            self.directory.clear();
        }
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A worker that was never used; the others have ended already.
        self.end();
    }
}

/// Runs the child.
fn scan_one(job: &Job, directory: &Path, socket: UnixStream) -> anyhow::Result<()> {
    // SAFETY: the child dies with its parent.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let file = pass::receive(&socket)?;
    directories::make(directory).context("the temporary directory")?;
    job.engine.work_in(directory)?;
    limit(libc::RLIMIT_CORE, 0)?;
    limit(libc::RLIMIT_AS, MAX_MEMORY)?;
    limit(libc::RLIMIT_CPU, (job.max_scan_time + GRACE).as_secs())?;
    crate::sandbox::confine(directory)?;
    let reply = match job.engine.scan(file.as_raw_fd(), job.scan) {
        Ok(None) => "OK".to_owned(),
        Ok(Some(name)) => format!("{name} FOUND"),
        Err(error) => format!("{error} ERROR"),
    };
    // As a file, because the call that writes to a socket is forbidden now.
    std::fs::File::from(OwnedFd::from(socket)).write_all(format!("{reply}\n").as_bytes())?;
    Ok(())
}

/// Closes other connections above all: their peers wait for an end that would not come while a child has them
/// open.
fn close_all_but(kept: &[c_int]) {
    let mut kept: Vec<c_int> = [0, 1, 2].iter().chain(kept).copied().collect();
    kept.sort_unstable();
    kept.dedup();
    let ends = kept.iter().skip(1).map(|next| next - 1).chain([c_int::MAX]);
    for (first, last) in kept.iter().map(|kept| kept + 1).zip(ends).filter(|(first, last)| first <= last) {
        // SAFETY: descriptors that this process will not use any more.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

fn limit(resource: libc::__rlimit_resource_t, most: u64) -> anyhow::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a limit of this process.
    let code = unsafe { libc::setrlimit(resource, &raw const limit) };
    anyhow::ensure!(code == 0, "a limit could not be set");
    Ok(())
}
