//! Where do a snapshot's bytes come from? From a file that is there, or that somebody is still writing, from its beginning to its end.

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
    /// What it has, or will have.
    size: u64,
    /// How long a file that is still being written may stay as it is.
    patience: Duration,
}

impl Source {
    /// `size` is what it will have when it is whole; without it, it is whole.
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

    /// Fills `bytes`, and waits for them if they have not come yet.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.wait_for(offset + bytes.len() as u64)?;
        self.file.read_exact_at(bytes, offset)
    }

    /// Returns when the first `end` bytes have come. Allocates nothing: it is for a signal's handler too.
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
