//! Reads a snapshot's bytes from a file that is complete, or still being written from its beginning to its
//! end.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A snapshot's file.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// Its size now or when it is complete.
    size: u64,
    /// How many looks in a row may find a file that is still being written unchanged. Looks are counted, not
    /// time, because Lambda freezes the process between two invocations, and its downloads with it.
    max_looks: u128,
}

impl Source {
    /// `size` is the final size of a file that is still being written; without it, the file is complete.
    /// `patience` is how long this process looks for missing bytes without any progress.
    pub(crate) fn open(path: &Path, size: Option<u64>, patience: Duration) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("`{}`", path.display()))?;
        let size = size.map_or_else(|| Ok(file.metadata()?.len()), anyhow::Ok)?;
        Ok(Self { file, size, max_looks: patience.as_nanos() / LOOK_EVERY.as_nanos() })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn descriptor(&self) -> c_int {
        self.file.as_raw_fd()
    }

    /// Fills `bytes`, and waits for them if they have not arrived yet.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.wait_for(offset + bytes.len() as u64)?;
        self.file.read_exact_at(bytes, offset)
    }

    /// Waits until the first `end` bytes have arrived. Allocates nothing, because the signal handler calls it
    /// too.
    pub(crate) fn wait_for(&self, end: u64) -> io::Result<()> {
        if end > self.size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let (mut length, mut n_looks) = (0, 0);
        loop {
            let now = self.file.metadata()?.len();
            if now >= end {
                return Ok(());
            }
            if now != length {
                (length, n_looks) = (now, 0);
            }
            if n_looks > self.max_looks {
                return Err(ErrorKind::TimedOut.into());
            }
            n_looks += 1;
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
