//! Reads a snapshot's bytes from a file that is complete, or still being written from its beginning to its
//! end.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A snapshot's file.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// Its size now or when it is complete.
    size: u64,
    /// How long a file that is still being written may stay unchanged.
    patience: Duration,
}

impl Source {
    /// `size` is the final size of a file that is still being written; without it, the file is complete.
    pub(crate) fn open(path: &Path, size: Option<u64>, patience: Duration) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("`{}`", path.display()))?;
        let size = size.map_or_else(|| Ok(file.metadata()?.len()), anyhow::Ok)?;
        Ok(Self { file, size, patience })
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
        let (mut length, mut changed_at) = (0, Instant::now());
        loop {
            let now = self.file.metadata()?.len();
            if now >= end {
                return Ok(());
            }
            if now != length {
                (length, changed_at) = (now, Instant::now());
            }
            if changed_at.elapsed() > self.patience {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
