//! The free space of the disk, part of which is kept for scans.

use std::io;
use std::path::PathBuf;

/// The file system of a directory, some of whose space is kept for scans.
#[derive(Clone, Debug)]
pub struct Room {
    directory: PathBuf,
    kept_free_bytes: u64,
}

impl Room {
    /// Uploads may use the free space beyond `kept_free_bytes`.
    pub fn new(directory: PathBuf, kept_free_bytes: u64) -> Self {
        Self { directory, kept_free_bytes }
    }

    pub fn kept_free_bytes(&self) -> u64 {
        self.kept_free_bytes
    }

    /// Returns the bytes that this process may still write.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::statvfs(&self.directory)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Returns whether `n_bytes` can be written without using the space that is kept free; false if the free
    /// space cannot be read.
    pub fn has(&self, n_bytes: u64) -> bool {
        match self.free_bytes() {
            Ok(free_bytes) => free_bytes >= self.kept_free_bytes.saturating_add(n_bytes),
            Err(error) => {
                tracing::error!(%error, "the disk's free space is not known");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_free_is_no_room() {
        let here = |kept_free_bytes| Room::new(std::env::temp_dir(), kept_free_bytes);
        assert!(here(0).has(1));
        assert!(!here(u64::MAX).has(0));
        assert!(!here(1).has(u64::MAX));
        assert!(!Room::new("/nonexistent".into(), 0).has(0));
    }
}
