//! Collects the engine's error lines. Some failures show on clamd's stderr and nowhere else.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::pipe::Receiver;
use tokio::task::AbortHandle;

/// clamd's stderr, read continuously. clamd writes an error before it replies, so after a reply
/// [`Complaints::take`] sees every error of that scan.
#[derive(Debug)]
pub(crate) struct Complaints {
    shared: Arc<Shared>,
    reader: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    pipe: Receiver,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    n_errors: usize,
}

impl Complaints {
    /// Takes the read end of the pipe. Needs a Tokio runtime.
    pub(crate) fn watch(pipe: OwnedFd) -> io::Result<Self> {
        let shared = Arc::new(Shared { pipe: Receiver::from_owned_fd(pipe)?, lines: Mutex::default() });
        let reader = tokio::spawn(read_as_it_comes(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, reader })
    }

    /// Returns how many errors were printed since the last call.
    pub(crate) fn take(&self) -> usize {
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Bypasses the runtime, which may not have noticed yet that there is something to read.
        lines.drain(|chunk| Ok(rustix::io::read(&self.shared.pipe, chunk)?));
        std::mem::take(&mut lines.n_errors)
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Keeps the pipe empty, so that clamd never blocks on it.
async fn read_as_it_comes(shared: Arc<Shared>) {
    while shared.pipe.readable().await.is_ok() {
        let mut lines = shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = lines.drain(|chunk| shared.pipe.try_read(chunk));
        if !is_open {
            return;
        }
    }
}

impl Lines {
    /// Reads all available bytes; returns `false` at the end of the pipe.
    fn drain(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut chunk = [0; 4096];
        loop {
            match read(&mut chunk) {
                Ok(0) => return false,
                Ok(length) => self.push(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                // An endless line is not worth keeping; its beginning says what it is.
                _ if self.partial.len() < 1000 => self.partial.push(*byte),
                _ => {}
            }
        }
        // An error is counted as soon as its beginning is there, not when its line ends.
        if is_error(&self.partial) {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&line);
        if is_error(&line) {
            self.n_errors += 1;
            tracing::warn!(clamd.stderr = %text, "clamd reports an error");
        } else if line.starts_with(b"WARNING:") {
            // For example, that a snapshot is not used.
            tracing::warn!(clamd.stderr = %text, "the engine warns");
        } else if !text.trim().is_empty() {
            tracing::debug!(clamd.stderr = %text, "clamd says");
        }
    }
}

fn is_error(line: &[u8]) -> bool {
    line.starts_with(b"LibClamAV Error") || line.starts_with(b"ERROR:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errors_are_counted_once_however_they_arrive() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let error_lines = Complaints::watch(read).unwrap();
        let say = |text: &str| rustix::io::write(&write, text.as_bytes()).unwrap();
        say("LibClamAV Warning: x\nLibClamAV Error: cli_writen: write error\nLibClamAV Err");
        assert_eq!(error_lines.take(), 1);
        say("or: no newline");
        assert_eq!(error_lines.take(), 1);
        say(" yet\n");
        assert_eq!(error_lines.take(), 0);
        tokio::task::yield_now().await;
        say("LibClamAV Error: a\nLibClamAV Error: b\n");
        assert_eq!(error_lines.take(), 2);
    }
}
