//! The temporary directories of scans, which are used again: to make and remove one for each file costs more
//! than scanning a small one.
//!
//! Invariant: a scan finds its directory empty, and as a new one would be.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The directories below one.
#[derive(Clone, Debug)]
pub(crate) struct Directories {
    parent: PathBuf,
    free: Arc<Mutex<Free>>,
}

#[derive(Debug, Default)]
struct Free {
    names: Vec<u64>,
    next: u64,
}

/// The directory of one scan. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    name: u64,
    free: Arc<Mutex<Free>>,
}

impl Directories {
    pub(crate) fn below(parent: PathBuf) -> Self {
        Self { parent, free: Arc::default() }
    }

    /// Takes one that no other scan has. It need not exist.
    pub(crate) fn take(&self) -> Directory {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let name = free.names.pop().unwrap_or_else(|| {
            free.next += 1;
            free.next
        });
        Directory { path: self.parent.join(name.to_string()), name, free: Arc::clone(&self.free) }
    }
}

impl Directory {
    /// Removes what a scan left, and the directory itself unless it is as a new one would be. No process
    /// writes to it any longer.
    pub(crate) fn clear(&self) {
        if !is_as_new(&self.path).unwrap_or(false) {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).names.push(self.name);
    }
}

const MODE: u32 = 0o700;

/// Makes a scan's directory, unless it is there.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if is_as_new(path)? {
                Ok(())
            } else {
                Err(error)
            }
        }
        made => made,
    }
}

/// Whether it is an empty directory that this user can use. A scan may change its mode.
fn is_as_new(path: &Path) -> io::Result<bool> {
    let there = std::fs::symlink_metadata(path)?;
    // SAFETY: a number of this process.
    let user = unsafe { libc::geteuid() };
    let is_usable = there.is_dir() && there.mode() & 0o7777 == MODE && there.uid() == user;
    Ok(is_usable && std::fs::read_dir(path)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn below(name: &str) -> (PathBuf, Directories) {
        let parent = std::env::temp_dir().join(format!("airlock-directories-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&parent).unwrap();
        (parent.clone(), Directories::below(parent))
    }

    #[test]
    fn no_two_scans_have_the_same_directory_and_one_that_is_given_back_is_used_again() {
        let (parent, directories) = below("taken");
        let (first, second) = (directories.take(), directories.take());
        assert_ne!(first.path, second.path);
        make(&first.path).unwrap();
        let path = first.path.clone();
        first.clear();
        drop(first);
        assert!(path.is_dir(), "it is as a new one");
        let again = directories.take();
        assert_eq!(again.path, path);
        make(&again.path).unwrap();
        std::fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn what_a_scan_leaves_or_changes_meets_no_other_scan() {
        let (parent, directories) = below("changed");
        let changes: [fn(&Path); 5] = [
            |path| std::fs::write(path.join("left"), b"").unwrap(),
            |path| std::fs::create_dir_all(path.join("a/b")).unwrap(),
            |path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o500)).unwrap(),
            |path| {
                std::fs::remove_dir(path).unwrap();
                std::fs::write(path, b"a file in its place").unwrap();
            },
            |path| {
                std::fs::remove_dir(path).unwrap();
                std::os::unix::fs::symlink("/", path).unwrap();
            },
        ];
        for change in changes {
            let directory = directories.take();
            make(&directory.path).unwrap();
            change(&directory.path);
            assert!(make(&directory.path).is_err(), "it is not as a new one");
            directory.clear();
            if directory.path.is_symlink() || directory.path.is_file() {
                std::fs::remove_file(&directory.path).unwrap();
            }
            make(&directory.path).unwrap();
        }
        std::fs::remove_dir_all(parent).unwrap();
    }
}
