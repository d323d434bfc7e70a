//! Keeps the bytes that come over a socket, in a file without a name.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::path::Path;

use anyhow::Context as _;

/// Up to this size a stream is held in memory: making a file on the disk takes longer than writing a small
/// one.
const MAX_IN_MEMORY: u64 = 1 << 20;

/// Bytes that arrive.
#[derive(Debug)]
pub(crate) struct Streamed<'a> {
    file: File,
    n_bytes: u64,
    /// Where the file is to be made once it is too large for memory.
    disk: Option<&'a Path>,
}

impl<'a> Streamed<'a> {
    /// Nothing yet. What does not fit into memory will be in `directory`.
    pub(crate) fn new(directory: &'a Path) -> anyhow::Result<Self> {
        // Where a sandbox forbids files in memory, the disk takes their place.
        let (file, disk) = match in_memory() {
            Ok(file) => (file, Some(directory)),
            Err(_) => (unnamed_file(directory)?, None),
        };
        Ok(Self { file, n_bytes: 0, disk })
    }

    /// Adds all that `source` has, at most `length` bytes, and returns how many they were.
    pub(crate) fn add(&mut self, source: impl Read, length: u64) -> anyhow::Result<u64> {
        if self.n_bytes + length > MAX_IN_MEMORY
            && let Some(directory) = self.disk.take()
        {
            let mut on_disk = unnamed_file(directory)?;
            self.file.rewind()?;
            let moved = io::copy(&mut self.file, &mut on_disk)?;
            anyhow::ensure!(moved == self.n_bytes, "a file in memory changed");
            self.file = on_disk;
        }
        let copied = io::copy(&mut source.take(length), &mut self.file)?;
        self.n_bytes += copied;
        Ok(copied)
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

fn in_memory() -> io::Result<File> {
    // SAFETY: a new descriptor, or an error.
    let descriptor = unsafe { libc::memfd_create(c"stream".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

/// An unlinked file in a directory.
pub(crate) fn unnamed_file(directory: &Path) -> anyhow::Result<File> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(directory.as_os_str().as_bytes())?;
    // SAFETY: a new descriptor, or an error.
    let descriptor =
        unsafe { libc::open(path.as_ptr(), libc::O_TMPFILE | libc::O_RDWR | libc::O_CLOEXEC, 0o600) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error()).context("no temporary file");
    }
    // SAFETY: the descriptor is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_stream_moves_to_the_disk_when_it_is_too_large_for_memory_and_keeps_its_bytes() {
        let directory = std::env::temp_dir();
        let disk = std::fs::metadata(&directory).unwrap().dev();
        let bytes: Vec<u8> = (0..3 * MAX_IN_MEMORY).map(|n| n as u8).collect();
        for size in [0, 1, MAX_IN_MEMORY, MAX_IN_MEMORY + 1, 3 * MAX_IN_MEMORY] {
            let sent = &bytes[..size as usize];
            let mut streamed = Streamed::new(&directory).unwrap();
            for chunk in sent.chunks(100_000) {
                assert_eq!(streamed.add(chunk, chunk.len() as u64).unwrap(), chunk.len() as u64);
            }
            let mut file = streamed.into_file();
            assert_eq!(file.metadata().unwrap().dev() == disk, size > MAX_IN_MEMORY, "{size}");
            let mut kept = vec![];
            file.rewind().unwrap();
            file.read_to_end(&mut kept).unwrap();
            assert!(kept == sent, "{size}");
        }
        let mut streamed = Streamed::new(&directory).unwrap();
        assert_eq!(streamed.add(&b"short"[..], 9).unwrap(), 5, "a source that ends early");
    }
}
