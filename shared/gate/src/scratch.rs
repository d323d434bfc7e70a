//! Keeps members that are too large for memory, each in a range of one unnamed file.
//!
//! One descriptor is enough for any file, so a process that may open nothing can still unpack. A range is
//! given back when its last [`crate::Blob`] is dropped: members are visited depth first, so the file is as
//! long as what is being looked at, and what is handed over.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::FallocateFlags;

use crate::blob::to_u64;

/// The file, from its start. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: File,
    /// Where the last range ends.
    end: Mutex<u64>,
}

/// Bytes of the scratch file that belong to one member.
#[derive(Debug)]
pub(crate) struct Range {
    scratch: Scratch,
    start: u64,
    n_bytes: u64,
}

impl Scratch {
    /// Uses `file`, which must be empty and used for nothing else.
    pub(crate) fn new(file: File) -> Self {
        Self(Arc::new(Shared { file, end: Mutex::new(0) }))
    }

    /// An empty range behind all others.
    pub(crate) fn begin(&self) -> Range {
        Range { scratch: self.clone(), start: *self.end(), n_bytes: 0 }
    }

    fn end(&self) -> MutexGuard<'_, u64> {
        self.0.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Range {
    /// Where it starts in the scratch file.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Writes behind what is there. Only the last range can grow: one member is written at a time.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut end = self.scratch.end();
        if *end != self.start + self.n_bytes {
            return Err(io::Error::other("two members are written at the same time"));
        }
        self.scratch.0.file.write_all_at(bytes, *end)?;
        self.n_bytes += to_u64(bytes.len());
        *end += to_u64(bytes.len());
        Ok(())
    }

    /// Reads at an offset into the scratch file.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.scratch.0.file.read_exact_at(buffer, offset)
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        let (file, mut end) = (&self.scratch.0.file, self.scratch.end());
        if self.n_bytes == 0 {
            return;
        }
        // Either only saves space.
        if *end == self.start + self.n_bytes {
            *end = self.start;
            let _ = file.set_len(self.start);
        } else {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = rustix::fs::fallocate(file, hole, self.start, self.n_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const MEGABYTE: usize = 1 << 20;

    fn filled(scratch: &Scratch, byte: u8) -> Range {
        let mut range = scratch.begin();
        range.append(&vec![byte; MEGABYTE]).unwrap();
        range
    }

    #[test]
    fn ranges_keep_their_bytes_and_give_their_room_back() {
        let file = tempfile::tempfile().unwrap();
        let scratch = Scratch::new(file.try_clone().unwrap());
        let [first, second, third] = [1, 2, 3].map(|byte| filled(&scratch, byte));
        let mut read = [0; 2];
        second.read_exact_at(&mut read, second.start() + to_u64(MEGABYTE) - 2).unwrap();
        assert_eq!(read, [2, 2]);
        drop(third);
        assert_eq!(file.metadata().unwrap().len(), 2 << 20);
        drop(first);
        assert!(file.metadata().unwrap().blocks() * 512 <= 3 << 19, "the hole is not given back");
        second.read_exact_at(&mut read, second.start()).unwrap();
        assert_eq!(read, [2, 2]);
    }

    #[test]
    fn only_the_last_range_grows() {
        let scratch = Scratch::new(tempfile::tempfile().unwrap());
        let (mut first, mut second) = (scratch.begin(), scratch.begin());
        first.append(b"first").unwrap();
        assert!(second.append(b"second").is_err());
        first.append(b" again").unwrap();
        let mut behind = scratch.begin();
        behind.append(b"behind").unwrap();
        assert!(first.append(b"!").is_err());
    }
}
