//! May this link have these bytes?

use std::time::Duration;

use thiserror::Error;

use crate::content_type::ContentType;
use crate::file_name::FileName;
use crate::id::{FileId, ObjectKey, Version, VersionId};
use crate::record::{Record, State};
use crate::timestamp::Timestamp;
use crate::verdict::{ScanError, Unscannable, Verdict};

/// How long a presigned download lives at most: long enough to follow a redirect, too short to pass on.
pub const DOWNLOAD_URL_TTL: Duration = Duration::from_mins(1);

/// What a verified link token says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LinkClaims {
    pub file_id: FileId,
    /// The link is for these bytes only.
    pub version_id: VersionId,
    pub expires_at: Timestamp,
}

/// Permission to presign a download of exactly one version. Only [`grant`] makes one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DownloadGrant {
    key: ObjectKey,
    version: Version,
    filename: FileName,
    content_type: ContentType,
}

impl DownloadGrant {
    pub fn key(&self) -> ObjectKey {
        self.key
    }

    pub fn version(&self) -> &Version {
        &self.version
    }

    pub fn content_disposition(&self) -> String {
        self.filename.content_disposition()
    }

    pub fn content_type(&self) -> &'static str {
        self.content_type.for_download()
    }
}

/// Why there is no download.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    #[error("the link has expired")]
    LinkExpired,
    #[error("the file is gone")]
    Gone,
    #[error("the file has not been judged yet")]
    NotJudged,
    #[error("the file is infected with `{signature}`")]
    Infected { signature: String },
    #[error("the file could not be checked: {}", .0.code())]
    Unscannable(Unscannable),
    #[error("checking the file failed: {}", .0.code())]
    Error(ScanError),
    #[error("the link is for other bytes")]
    OtherVersion,
    #[error("the download limit is reached")]
    LimitReached,
}

/// Decides from the record as it is now. The caller must still count the download, atomically, before it presigns:
/// the count's own condition repeats status, version and limit, so that a verdict that changes in between wins.
pub fn grant(record: &Record, claims: &LinkClaims, now: Timestamp) -> Result<DownloadGrant, Denied> {
    if claims.expires_at <= now {
        return Err(Denied::LinkExpired);
    }
    if claims.file_id != record.file_id {
        return Err(Denied::OtherVersion);
    }
    let version = downloadable(record, now)?;
    if version.version_id != claims.version_id {
        return Err(Denied::OtherVersion);
    }
    Ok(DownloadGrant {
        key: ObjectKey::of(record.file_id),
        version: version.clone(),
        filename: record.filename.clone(),
        content_type: record.content_type.clone(),
    })
}

/// Whether one more download under `grant` may be counted against the record as it is now. The ledger evaluates this
/// same condition inside its atomic count; a URL is handed out only when it held there.
pub fn may_count(record: &Record, grant: &DownloadGrant) -> bool {
    let still_clean = matches!(&record.state, State::Judged { version, judgement }
        if version.version_id == grant.version.version_id && matches!(judgement.verdict, Verdict::Clean(_)));
    still_clean && record.max_downloads.is_none_or(|limit| record.download_count < limit)
}

/// The version whose verdict is clean and which may still be downloaded at `now`: what a new link is made for.
pub fn downloadable(record: &Record, now: Timestamp) -> Result<&Version, Denied> {
    if record.expires_at <= now {
        return Err(Denied::Gone);
    }
    match &record.state {
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => Err(Denied::NotJudged),
        State::Expired | State::Deleted => Err(Denied::Gone),
        State::Judged { version, judgement } => match &judgement.verdict {
            Verdict::Clean(_) if record.max_downloads.is_some_and(|limit| record.download_count >= limit) => {
                Err(Denied::LimitReached)
            }
            Verdict::Clean(_) => Ok(version),
            Verdict::Infected { signature } => Err(Denied::Infected { signature: signature.clone() }),
            Verdict::Unscannable { reason } => Err(Denied::Unscannable(*reason)),
            Verdict::Error { reason } => Err(Denied::Error(*reason)),
        },
    }
}
