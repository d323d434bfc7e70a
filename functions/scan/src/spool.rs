//! Reads an object once, into a file without a name, and hashes it on the way.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use domain::id::Sha256;
use rustix::fs::MemfdFlags;
use sha2::Digest as _;
use thiserror::Error;

use aws::OpenObject;

/// The directory for objects that are too large for memory while they are scanned.
#[derive(Clone, Debug)]
pub struct SpoolDirectory(pub PathBuf);

/// An object's bytes, with their size and digest.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(crate) file: File,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: Sha256,
}

#[derive(Debug, Error)]
pub(crate) enum SpoolError {
    #[error("the object could not be read to its end")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the object could not be written to temporary space")]
    Disk(#[from] std::io::Error),
}

/// Up to this size an object is held in memory: it saves the disk, and six concurrent scans stay below 100
/// MB.
const MAX_IN_MEMORY: u64 = 16 * 1024 * 1024;

impl SpoolDirectory {
    /// Reads the whole object. The file has no name, so nothing is left behind even after a crash.
    pub(crate) async fn take(&self, mut object: OpenObject) -> Result<Spooled, SpoolError> {
        let mut file = if object.size_bytes <= MAX_IN_MEMORY {
            self.file_in(rustix::fs::memfd_create("airlock-spool", MemfdFlags::CLOEXEC))?
        } else {
            tempfile::tempfile_in(&self.0)?
        };
        let (mut hasher, mut size_bytes) = (sha2::Sha256::new(), 0u64);
        while let Some(chunk) = object.body.next().await {
            let chunk = chunk.map_err(|error| SpoolError::Body(error.into()))?;
            size_bytes += u64::try_from(chunk.len()).unwrap_or(0);
            // A chunk is at most a few hundred KiB: hashing it takes less time than handing it to a blocking
            // thread.
            hasher.update(&chunk);
            file.write_all(&chunk)?;
        }
        Ok(Spooled { file, size_bytes, sha256: Sha256::from_bytes(hasher.finalize().into()) })
    }

    /// The file in memory or, where a sandbox forbids those, one on the disk.
    fn file_in(&self, memory: rustix::io::Result<OwnedFd>) -> std::io::Result<File> {
        match memory {
            Ok(memory) => Ok(File::from(memory)),
            Err(error) => {
                tracing::debug!(%error, "no file in memory; the object is spooled to the disk");
                tempfile::tempfile_in(&self.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[tokio::test]
    async fn where_files_in_memory_are_forbidden_the_disk_takes_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let spool = SpoolDirectory(directory.path().to_owned());
        for error in [Errno::NOSYS, Errno::PERM, Errno::MFILE] {
            let mut file = spool.file_in(Err(error)).unwrap();
            file.write_all(b"bytes").unwrap();
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it has no name");
        }
        std::fs::remove_dir(directory.path()).unwrap();
        assert!(spool.file_in(Err(Errno::NOSYS)).is_err(), "there is no room for it anywhere");
    }
}
