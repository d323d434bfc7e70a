//! Finds the regular files below the watched directory; symbolic links are not followed.

use std::path::{Path, PathBuf};

use super::fingerprint::Fingerprint;
use super::mark;
use crate::failure;

/// A file that may have to be judged.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) fingerprint: Fingerprint,
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
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    found.push(Err(failure::of_path("read", &directory, &error)));
                    continue;
                }
            };
            let metadata = match std::fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                // A file that is gone by now needs no verdict.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    found.push(Err(failure::of_path("read", &path, &error)));
                    continue;
                }
            };
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
}
