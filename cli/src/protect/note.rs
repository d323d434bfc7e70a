//! The file that says what a bucket was like before `protect`, so that `unprotect` can leave it the same.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::id::BucketName;
use serde::{Deserialize, Serialize};

/// What a bucket was like before, and what was added to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) bucket: BucketName,
    pub(super) had_eventbridge: bool,
    /// The policy before, byte for byte.
    pub(super) policy_before: Option<String>,
    /// The policy that `protect` left, as S3 returned it. If it is still there, the one before is restored;
    /// otherwise only the statements that were added are removed.
    pub(super) policy_after: Option<String>,
    /// The names of the statements that were added.
    pub(super) added: Vec<String>,
}

impl Note {
    fn path(directory: &Path, bucket: &BucketName) -> PathBuf {
        directory.join(format!("airlock-protect-{bucket}.json"))
    }

    pub(super) fn load(directory: &Path, bucket: &BucketName) -> anyhow::Result<Option<Self>> {
        let path = Self::path(directory, bucket);
        let unreadable = || format!("`{}` cannot be read", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(unreadable)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(unreadable),
        }
    }

    /// Replaces the file, durably and as a whole, and returns its path.
    pub(super) fn store(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let path = Self::path(directory, &self.bucket);
        let unwritable = || format!("`{}` cannot be written", path.display());
        let mut file = tempfile::NamedTempFile::new_in(directory).with_context(unwritable)?;
        serde_json::to_writer_pretty(&mut file, self).with_context(unwritable)?;
        file.write_all(b"\n").and_then(|()| file.as_file().sync_all()).with_context(unwritable)?;
        file.persist(&path).with_context(unwritable)?;
        Ok(path)
    }

    pub(super) fn remove(&self, directory: &Path) -> anyhow::Result<()> {
        let path = Self::path(directory, &self.bucket);
        std::fs::remove_file(&path).with_context(|| format!("`{}` cannot be removed", path.display()))
    }
}
