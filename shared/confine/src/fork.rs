//! Makes a copy of this process: it has what was loaded already, and starts in a fraction of the time.

use std::io;

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

/// Which of the two a process is, after [`fork`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forked {
    /// The copy. The kernel kills it when the original ends.
    Copy,
    /// The original process, with the copy's id. It must wait for the copy's end (waitpid(2)).
    Original(Pid),
}

/// Forks this process (fork(2)), which must have one thread: with more of them it is an error, because what
/// another one holds locked would stay locked in the copy. The copy has the same open files.
pub fn fork() -> io::Result<Forked> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with several threads is not forked"));
    }
    let original = getpid();
    #[expect(unsafe_code, reason = "a copy of memory that another thread changes is undefined")]
    // SAFETY: there is no other thread.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The original may have ended before the copy could ask for the signal.
            if getppid() != Some(original) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(Forked::Copy)
        }
        pid => Pid::from_raw(pid).map(Forked::Original).ok_or_else(|| io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_with_several_threads_is_not_forked() {
        // The tests' own main thread waits for this one.
        assert!(super::fork().is_err());
    }
}
