//! Publishes a set: files first, then the manifest, then the pointer, so that a reader of the pointer finds
//! everything.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::{DefinitionBucket, Pointer, StoreError};
use domain::freshness::Definitions;
use domain::id::Sha256;
use domain::timestamp::Timestamp;
use thiserror::Error;

use crate::install::measure;
use crate::manifest::{DatabaseName, DatabaseNameError, Manifest, SetFile, SetSnapshot};
use crate::signature::SigningKey;

/// A set to publish.
#[derive(Clone, Debug)]
pub struct Draft {
    pub engine: String,
    pub definitions: Definitions,
    pub files: Vec<SetFile>,
    pub snapshot: Option<SetSnapshot>,
    pub withdrawn: Vec<String>,
    /// How long scanners may use it without a newer set.
    pub ttl: Duration,
}

#[derive(Debug, Error)]
pub enum PublishError {
    /// [`aws::StoreErrorKind::PreconditionFailed`] if another publisher was faster.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{0}` cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    /// The directory holds something that no manifest may name.
    #[error(transparent)]
    File(#[from] DatabaseNameError),
}

/// Describes all files of `directory`. Any file but a database or its signature is an error.
pub fn describe_files(directory: &Path) -> Result<Vec<SetFile>, PublishError> {
    let unreadable = |error| PublishError::Unreadable(directory.to_owned(), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = DatabaseName::parse(&entry.file_name().to_string_lossy())?;
        let measured = measure(&entry.path());
        let (size_bytes, sha256) = measured.map_err(|error| PublishError::Unreadable(entry.path(), error))?;
        files.push(SetFile { name, size_bytes, sha256 });
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// The paths of a draft's files.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub directory: &'a Path,
    /// `None` if it is in the bucket already.
    pub snapshot: Option<&'a Path>,
}

/// Describes a snapshot that `airlock-engine` of this `build` wrote to `path`, with the digest of its
/// `contents`.
pub fn describe_snapshot(path: &Path, contents: Sha256, build: String) -> Result<SetSnapshot, PublishError> {
    let measured = measure(path).map_err(|error| PublishError::Unreadable(path.to_owned(), error));
    measured.map(|(size_bytes, sha256)| SetSnapshot { size_bytes, sha256, contents, build })
}

/// Publishes `draft`, whose files are in `sources` unless they are in the bucket already. `before` is the
/// pointer that was read before the work began: if another publisher has changed it since, the pointer stays.
pub async fn publish(
    bucket: &DefinitionBucket,
    key: &SigningKey,
    draft: Draft,
    sources: Option<Sources<'_>>,
    before: Option<(&Pointer, u64)>,
    now: Timestamp,
) -> Result<Manifest, PublishError> {
    if let Some(sources) = sources {
        for file in &draft.files {
            bucket.put_file(file.sha256, &sources.directory.join(file.name.as_str())).await?;
        }
        if let (Some(snapshot), Some(path)) = (&draft.snapshot, sources.snapshot) {
            bucket.put_file(snapshot.sha256, path).await?;
        }
    }
    // Milliseconds, so that serial numbers grow even if the bucket is lost.
    let since_epoch = u64::try_from(now.as_millis()).unwrap_or(0);
    let serial = since_epoch.max(before.map_or(0, |(_, serial)| serial + 1));
    let manifest = Manifest {
        format: Manifest::FORMAT,
        serial,
        created_at: now,
        expires_at: now + draft.ttl,
        engine: draft.engine,
        definitions: draft.definitions,
        files: draft.files,
        snapshot: draft.snapshot,
        withdrawn: draft.withdrawn,
    };
    let payload = serde_json::to_vec(&manifest)
        .map_err(|error| PublishError::Unreadable(PathBuf::from("manifest"), io::Error::other(error)))?;
    let sealed = key.seal(&payload);
    bucket.keep_manifest(serial, sealed.clone()).await?;
    bucket.replace_current(sealed, before.map(|(pointer, _)| pointer)).await?;
    Ok(manifest)
}
