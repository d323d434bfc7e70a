//! The files that `upload` is asked for: paths, directories, and standard input.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempPath;

use crate::{failure, upload_parts};

/// Where an upload's bytes are, and the name under which they are uploaded.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) size: u64,
    /// A copy of standard input, removed when this is dropped.
    spooled: Option<TempPath>,
}

impl Source {
    /// Checks that `path` is a file, and reads standard input for `-`.
    pub(crate) fn open(path: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let name = name.context("standard input has no file name: add --name NAME")?;
            return Self::spool(name);
        }
        let metadata = std::fs::metadata(path).map_err(|error| failure::unreadable(&error))?;
        if metadata.is_dir() {
            bail!("it is a directory: add --recursive to upload the files in it");
        }
        let own = || path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.map(ToOwned::to_owned).or_else(own).context("this path names no file")?;
        Ok(Self { path: path.to_owned(), name, size: metadata.len(), spooled: None })
    }

    /// An upload announces its size and digest, so standard input is read to its end first.
    fn spool(name: &str) -> anyhow::Result<Self> {
        let directory = std::env::temp_dir();
        let failed = |error| failure::of_path("write a copy of standard input to", &directory, &error);
        let mut copy = tempfile::NamedTempFile::new().map_err(failed)?;
        let size = std::io::copy(&mut std::io::stdin().lock(), &mut copy).map_err(failed)?;
        let spooled = copy.into_temp_path();
        Ok(Self { path: spooled.to_path_buf(), name: name.to_owned(), size, spooled: Some(spooled) })
    }

    /// Whether another command can read the same bytes and send the missing parts.
    pub(crate) fn can_resume(&self) -> bool {
        self.size > upload_parts::WHOLE_BYTES && self.spooled.is_none()
    }
}

/// Replaces directories by the regular files below them, in the order of their paths.
///
/// Links are not followed, so that a directory is left neither for another nor without end. A directory that
/// cannot be read is an error in its place.
pub(crate) fn expand(paths: &[PathBuf]) -> Vec<Result<PathBuf, (PathBuf, anyhow::Error)>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() { walk(path, &mut found) } else { found.push(Ok(path.clone())) }
    }
    found
}

fn walk(directory: &Path, found: &mut Vec<Result<PathBuf, (PathBuf, anyhow::Error)>>) {
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            let error = failure::unreadable(&error);
            return found.push(Err((directory.to_owned(), error)));
        }
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(Ok(entry.path())),
            Ok(_) => {}
            Err(error) => found.push(Err((entry.path(), failure::unreadable(&error)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_become_their_files_in_order_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z.txt", "b/2.txt", "b/1.txt", "b/c/3.txt"] {
            std::fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(root.path(), at("b/loop")).unwrap();
        let found = expand(&[root.path().to_owned(), at("missing")]);
        let found: Vec<_> = found.into_iter().map(|one| one.unwrap()).collect();
        let expected = ["b/1.txt", "b/2.txt", "b/c/3.txt", "z.txt", "missing"].map(at);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_be_uploaded_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        for (path, expected) in [(root.path(), "--recursive"), (Path::new("-"), "--name")] {
            let error = Source::open(path, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = Source::open(&root.path().join("missing"), None).unwrap_err().to_string();
        assert!(error.ends_with("there is no such file or directory"), "{error}");
    }
}
