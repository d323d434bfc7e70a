//! The files without a name that workers keep members in.
//!
//! To make one costs more than to inspect a small file, and most files have no members: a file in which
//! nothing was kept is used again.
//!
//! Invariant: a worker's file is empty, and no worker has a descriptor of it that another one had.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Makes the files, and holds those that can be used again: as many as were needed concurrently.
#[derive(Debug)]
pub(crate) struct ScratchFiles {
    directory: PathBuf,
    unused: Mutex<Vec<File>>,
}

impl ScratchFiles {
    /// For files in `directory`.
    pub(crate) fn in_directory(directory: PathBuf) -> Self {
        Self { directory, unused: Mutex::default() }
    }

    /// Returns an empty file.
    pub(crate) fn take(&self) -> io::Result<File> {
        let unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner).pop();
        unused.map_or_else(|| tempfile::tempfile_in(&self.directory), Ok)
    }

    /// Gives a file back that no process but this one has open. One that is not empty is removed.
    pub(crate) fn give_back(&self, file: File) {
        let is_as_new = file.metadata().is_ok_and(|there| there.len() == 0 && there.blocks() == 0);
        if is_as_new {
            self.unused.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        }
    }
}

/// Opens the file once more, for a worker: what that does to its descriptor, such as to have every write
/// appended, it does to no other one.
pub(crate) fn for_worker(file: &File) -> io::Result<File> {
    File::options().read(true).write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl, fcntl_setfl};

    use super::*;

    #[test]
    fn only_a_file_that_is_as_new_is_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let files = ScratchFiles::in_directory(directory.path().to_owned());
        let inode = |file: &File| file.metadata().unwrap().ino();
        let left: [fn(&File); 3] = [
            |file| file.write_all_at(b"member", 0).unwrap(),
            |file| file.set_len(1).unwrap(),
            |file| fallocate(file, FallocateFlags::KEEP_SIZE, 0, 4096).unwrap(),
        ];
        for leave in left {
            let file = files.take().unwrap();
            leave(&for_worker(&file).unwrap());
            files.give_back(file);
            assert!(files.unused.lock().unwrap().is_empty());
        }
        let (first, second) = (files.take().unwrap(), files.take().unwrap());
        let used = [inode(&first), inode(&second)];
        assert_ne!(used[0], used[1]);
        files.give_back(first);
        assert_eq!(inode(&files.take().unwrap()), used[0]);
    }

    #[test]
    fn a_worker_changes_its_own_descriptor_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = ScratchFiles::in_directory(directory.path().to_owned());
        let file = files.take().unwrap();
        let worker = for_worker(&file).unwrap();
        fcntl_setfl(&worker, OFlags::APPEND).unwrap();
        files.give_back(file);
        let again = files.take().unwrap();
        assert!(!fcntl_getfl(&again).unwrap().contains(OFlags::APPEND));
        assert!(!fcntl_getfl(for_worker(&again).unwrap()).unwrap().contains(OFlags::APPEND));
    }
}
