//! Finds the regular files below the watched directory; symbolic links are not followed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mark;
use crate::failure;

/// A file that may have to be judged.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) fingerprint: Fingerprint,
}

/// What changes with a file's bytes. The kernel sets the time of the last change (`ctime`) at every write,
/// and no program can set it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fingerprint {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size_bytes: u64,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
}

impl Fingerprint {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file has not been changed for this long.
    pub(super) fn has_rested(&self, settle: Duration) -> bool {
        let age_ms = aws::clock::now().as_millis().saturating_sub(self.ctime_ns / 1_000_000);
        u64::try_from(age_ms).is_ok_and(|age_ms| Duration::from_millis(age_ms) >= settle)
    }
}

/// The regular files below `root`, without the verdicts that are kept beside them. `entered` is called for
/// each directory before it is read, so that no change after that is missed.
pub(super) fn files(root: &Path, mut entered: impl FnMut(&Path)) -> Vec<anyhow::Result<Candidate>> {
    let (mut found, mut directories) = (vec![], vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        entered(&directory);
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && directory != root => continue,
            Err(error) => {
                found.push(Err(failure::of_path("read", &directory, &error)));
                continue;
            }
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            // A file that is gone by now needs no verdict.
            let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                directories.push(path);
            } else if metadata.is_file() && !mark::is_sidecar(&path, metadata.len()) {
                found.push(Ok(Candidate { path, fingerprint: Fingerprint::of(&metadata) }));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_verdicts_are_no_files_to_judge_and_all_others_are() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        let forged = ".forged.airlock.json";
        for name in ["z", ".hidden", "a/b/c", forged] {
            std::fs::write(at(name), name).unwrap();
        }
        let sidecar = serde_json::to_string(&mark::tests::mark()).unwrap();
        std::fs::write(at(".z.airlock.json"), sidecar).unwrap();
        std::os::unix::fs::symlink(at("z"), at("link")).unwrap();
        std::os::unix::fs::symlink(root.path(), at("a/loop")).unwrap();
        let mut entered = vec![];
        let found = files(root.path(), |directory| entered.push(directory.to_owned()));
        let mut found: Vec<_> = found.into_iter().map(|file| file.unwrap().path).collect();
        found.sort();
        assert_eq!(found, [forged, ".hidden", "a/b/c", "z"].map(at));
        assert_eq!(entered.len(), 3, "{entered:?}");
    }

    #[test]
    fn a_file_rests_when_it_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fingerprint = Fingerprint::of(&file.as_file().metadata().unwrap());
        assert!(!fingerprint.has_rested(Duration::from_hours(1)));
        let earlier = Fingerprint { ctime_ns: fingerprint.ctime_ns - 7_200_000_000_000, ..fingerprint };
        assert!(earlier.has_rested(Duration::from_hours(1)));
        let future = Fingerprint { ctime_ns: i64::MAX, ..fingerprint };
        assert!(!future.has_rested(Duration::ZERO));
    }
}
