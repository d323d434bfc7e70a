//! Moves files out of the watched directory, each under the digest of its bytes with a note beside it.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::bail;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::json;

use super::fingerprint::Fingerprint;
use super::look::Candidate;
use super::mark::Mark;
use super::{canonical, failure};

/// A directory on the same file system as the watched one, so that a move is atomic.
#[derive(Clone, Debug)]
pub(super) struct QuarantineDirectory(PathBuf);

impl QuarantineDirectory {
    /// Errors: the directory does not exist, lies within `root` or around it, or is on another file system.
    pub(super) fn open(path: &Path, root: &Path) -> anyhow::Result<Self> {
        let directory = canonical(path)?;
        if directory.starts_with(root) || root.starts_with(&directory) {
            bail!(
                "the quarantine `{}` and the watched directory must not contain each other",
                path.display()
            );
        }
        let device = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.is_dir()));
        let failed = |error| failure::of_path("open", path, &error);
        let (here, is_directory) = device(&directory).map_err(failed)?;
        if !is_directory {
            bail!("the quarantine `{}` is not a directory", path.display());
        }
        if here != device(root).map_err(failed)?.0 {
            bail!(
                "the quarantine `{}` must be on the file system of the watched directory, so that files are \
                 moved whole",
                path.display()
            );
        }
        Ok(Self(directory))
    }

    /// Moves the judged file here and returns its new path; `None` if the path leads to another file by now,
    /// which is left where it is.
    pub(super) fn take(
        &self,
        candidate: &Candidate,
        file: &File,
        mark: &Mark,
    ) -> anyhow::Result<Option<PathBuf>> {
        let name = format!("{}-{}", aws::clock::now().as_millis(), mark.sha256);
        let moved_to = self.0.join(&name);
        let failed = |error: Errno| failure::of_path("move", &candidate.path, &error.into());
        // First, so that a file that was moved always has its path on record.
        let note_path = self.0.join(format!("{name}.json"));
        let note = json!({ "path": candidate.path.to_string_lossy(), "verdict": mark });
        std::fs::write(&note_path, note.to_string())
            .map_err(|error| failure::of_path("write", &note_path, &error))?;
        let moved = move_file(candidate, &moved_to);
        if !matches!(moved, Ok(true)) {
            let _ = std::fs::remove_file(&note_path);
        }
        if !moved.map_err(failed)? {
            return Ok(None);
        }
        // So that it is neither run nor changed by accident. Only its owner may set this.
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o400));
        Ok(Some(moved_to))
    }
}

/// Returns false if the path leads to another file or to changed bytes by now, which stay where they are.
fn move_file(candidate: &Candidate, moved_to: &Path) -> Result<bool, Errno> {
    match renameat_with(CWD, &candidate.path, CWD, moved_to, RenameFlags::NOREPLACE) {
        Ok(()) if is_same_file(moved_to, &candidate.fingerprint) => Ok(true),
        Ok(()) => {
            // The path was given to another file just before: it goes back, unless there is a third one.
            renameat_with(CWD, moved_to, CWD, &candidate.path, RenameFlags::NOREPLACE)?;
            Ok(false)
        }
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_same_file(path: &Path, fingerprint: &Fingerprint) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| {
        // A move sets the time of the last change.
        let found = Fingerprint { ctime_ns: fingerprint.ctime_ns, ..Fingerprint::of(&metadata) };
        metadata.is_file() && found == *fingerprint
    })
}

#[cfg(test)]
mod tests {
    use super::super::mark::tests::mark;
    use super::*;

    #[test]
    fn only_the_judged_file_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().canonicalize().unwrap().join(name);
        for name in ["in", "out"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        let quarantine = QuarantineDirectory::open(&at("out"), &at("in")).unwrap();
        let path = at("in/bad");
        std::fs::write(&path, "evil").unwrap();
        let file = File::open(&path).unwrap();
        let fingerprint = Fingerprint::of(&file.metadata().unwrap());
        let candidate = Candidate { path: path.clone(), fingerprint };
        // Another file takes its place.
        std::fs::write(at("in/good"), "good").unwrap();
        std::fs::rename(at("in/good"), &path).unwrap();
        assert_eq!(quarantine.take(&candidate, &file, &mark()).unwrap(), None);
        assert_eq!(std::fs::read(&path).unwrap(), b"good");
        let file = File::open(&path).unwrap();
        let fingerprint = Fingerprint::of(&file.metadata().unwrap());
        let candidate = Candidate { path: path.clone(), fingerprint };
        let moved = quarantine.take(&candidate, &file, &mark()).unwrap().unwrap();
        assert_eq!(std::fs::read(&moved).unwrap(), b"good");
        assert!(std::fs::symlink_metadata(&path).is_err());
        let note = std::fs::read_to_string(format!("{}.json", moved.display())).unwrap();
        assert!(note.contains("in/bad") && note.contains("clean"), "{note}");
        assert_eq!(quarantine.take(&candidate, &file, &mark()).unwrap(), None, "it is gone");
    }

    #[test]
    fn a_quarantine_within_the_watched_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("inside")).unwrap();
        for path in [root.clone(), root.join("inside"), root.join("missing")] {
            assert!(QuarantineDirectory::open(&path, &root).is_err(), "{}", path.display());
        }
        assert!(QuarantineDirectory::open(&root, &root.join("inside")).is_err());
    }
}
