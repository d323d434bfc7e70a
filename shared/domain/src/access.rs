//! Decides whether a link may download a version.

use std::time::Duration;

use thiserror::Error;

use crate::content_type::ContentType;
use crate::file_name::FileName;
use crate::id::{FileId, ObjectKey, Version, VersionId};
use crate::post_verdict::Release;
use crate::record::{Record, State, Status};
use crate::timestamp::Timestamp;
use crate::verdict::{ScanError, Unscannable, Verdict};

/// How long a presigned download lives at most: long enough to follow a redirect, too short to pass on.
pub const DOWNLOAD_URL_TTL: Duration = Duration::from_mins(1);

/// The claims of a verified link token.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LinkClaims {
    pub file_id: FileId,
    /// The link is for this version only.
    pub version_id: VersionId,
    pub expires_at: Timestamp,
    /// The record's link generation when the link was made; raising the record's generation revokes it.
    pub generation: u32,
}

/// Permission to presign a download of exactly one version. Only [`grant`] makes one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DownloadGrant {
    file_id: FileId,
    key: ObjectKey,
    version: Version,
    filename: FileName,
    content_type: ContentType,
    generation: u32,
}

impl DownloadGrant {
    pub fn file_id(&self) -> FileId {
        self.file_id
    }

    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The record's link generation for which the grant is valid.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    pub fn content_disposition(&self) -> String {
        self.filename.content_disposition()
    }

    pub fn content_type(&self) -> &'static str {
        self.content_type.for_download()
    }
}

/// Why a download is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessError {
    #[error("the link has expired")]
    LinkExpired,
    #[error("the link has been revoked")]
    LinkRevoked,
    #[error("the file has expired or was deleted")]
    Gone,
    #[error("the file has not been judged yet")]
    NotJudged,
    #[error("storage has not taken the verdict's tag yet")]
    NotTagged,
    #[error("the file is infected with {signature}")]
    Infected { signature: String },
    #[error("the file could not be checked: {}", .0.code())]
    Unscannable(Unscannable),
    #[error("checking the file failed: {}", .0.code())]
    Error(ScanError),
    #[error("the link is for another version of the file")]
    OtherVersion,
    #[error("the download limit is reached")]
    LimitReached,
}

/// Decides on the record as it is now. Before it presigns, the caller must still count the download
/// atomically: the count's condition repeats status, version and limit, so that a verdict that changes in
/// between wins. `release` is the release of the file's bytes that is in force, as for [`downloadable`].
pub fn grant(
    record: &Record,
    release: Option<&Release>,
    claims: &LinkClaims,
    now: Timestamp,
) -> Result<DownloadGrant, AccessError> {
    if claims.expires_at <= now {
        return Err(AccessError::LinkExpired);
    }
    if claims.file_id != record.file_id {
        return Err(AccessError::OtherVersion);
    }
    let version = downloadable(record, release, now)?;
    if version.version_id != claims.version_id {
        return Err(AccessError::OtherVersion);
    }
    if record.link_generation != claims.generation {
        return Err(AccessError::LinkRevoked);
    }
    Ok(DownloadGrant {
        file_id: record.file_id,
        key: record.object_key(),
        version: version.clone(),
        filename: record.filename.clone(),
        content_type: record.content_type.clone(),
        generation: record.link_generation,
    })
}

/// Whether one more download under `grant` may be counted against the record as it is now. The ledger
/// evaluates this same condition inside its atomic count; a URL is handed out only if the condition held
/// there.
pub fn may_count(record: &Record, grant: &DownloadGrant) -> bool {
    let still_granted = record.status().is_downloadable()
        && record.link_generation == grant.generation
        && record.state.version().is_some_and(|version| version.version_id == grant.version.version_id);
    still_granted && record.max_downloads.is_none_or(|limit| record.download_count < limit)
}

/// Returns the version that may be downloaded at `now`, because its verdict is clean or an operator has
/// released it. New links are made for this version.
///
/// `release` is the release of the file's bytes that is in force, which only a `released` file needs. Files
/// are changed one after the other when their release is revoked; without one that is in force, none of them
/// can be downloaded meanwhile.
pub fn downloadable<'a>(
    record: &'a Record,
    release: Option<&Release>,
    now: Timestamp,
) -> Result<&'a Version, AccessError> {
    if record.expires_at <= now {
        return Err(AccessError::Gone);
    }
    match &record.state {
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => Err(AccessError::NotJudged),
        State::Expired | State::Deleted => Err(AccessError::Gone),
        State::Judged { version, judgement, post_verdict } => {
            let denied = match &judgement.verdict {
                Verdict::Clean(_) => None,
                Verdict::Infected { .. } if is_released(record, release) => None,
                Verdict::Infected { signature } => {
                    Some(AccessError::Infected { signature: signature.clone() })
                }
                Verdict::Unscannable { reason } => Some(AccessError::Unscannable(*reason)),
                Verdict::Error { reason } => Some(AccessError::Error(*reason)),
            };
            let is_used_up = record.max_downloads.is_some_and(|limit| record.download_count >= limit);
            match denied {
                Some(denied) => Err(denied),
                None if is_used_up => Err(AccessError::LimitReached),
                // A bucket policy would refuse the download after it was counted.
                None if post_verdict.tag_due_at.is_some() => Err(AccessError::NotTagged),
                None => Ok(version),
            }
        }
    }
}

fn is_released(record: &Record, release: Option<&Release>) -> bool {
    let digest = record.judgement().and_then(|judgement| judgement.sha256);
    record.status() == Status::Released && release.is_some_and(|release| Some(release.sha256) == digest)
}
