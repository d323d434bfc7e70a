//! Decides which bytes an operator may take out of the service, to examine them.
//!
//! A sample leaves the service in an encrypted archive, so that nothing on the way opens it by accident, and
//! never through a download link: those are for files that are clean or released.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{FileId, ObjectKey, OwnerId, Sha256, VersionId};
use crate::post_verdict::{Quarantine, Release};
use crate::record::{Record, State};
use crate::timestamp::Timestamp;
use crate::verdict::Verdict;

/// The password of every archive with a sample. It is no secret: it keeps mail filters, previews and double
/// clicks away, and people who exchange malware expect it.
pub const SAMPLE_PASSWORD: &str = "infected";

/// What an operator asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SampleRequest {
    /// The digest of the bytes, so that the operator takes no other bytes than those of the verdict.
    pub sha256: Sha256,
    pub reason: String,
    pub by: OwnerId,
}

/// An operator's download of a sample, as it is kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SampleDownload {
    pub file_id: FileId,
    pub owner: OwnerId,
    pub sha256: Sha256,
    /// The name of the finding, or the code of the reason for which there was no verdict.
    pub finding: String,
    pub reason: String,
    pub by: OwnerId,
    pub at: Timestamp,
}

/// Permission to read the bytes of one verdict for an operator. Only [`sample`] makes one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SampleGrant {
    place: SamplePlace,
    sha256: Sha256,
}

/// Where the bytes of a sample are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SamplePlace {
    /// The version that was judged.
    Version(ObjectKey, VersionId),
    /// The copy that the quarantine policy made of it.
    Quarantine(FileId),
}

impl SampleGrant {
    pub fn place(&self) -> &SamplePlace {
        &self.place
    }

    /// The digest that the bytes must have.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }
}

/// Why an operator gets no sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SampleError {
    #[error("the file has expired or was deleted")]
    Gone,
    #[error("the file has not been judged yet")]
    NotJudged,
    #[error("the file is clean; samples are for files that cannot be downloaded, or were released")]
    Clean,
    #[error("`sha256` is not the digest of the bytes that were judged")]
    OtherBytes,
    #[error("the quarantine policy has removed the bytes")]
    BytesRemoved,
    #[error("`reason` must have 1 to {} bytes", Release::MAX_REASON_BYTES)]
    InvalidReason,
    #[error("the sample is too large: {size_bytes} bytes; the limit is {limit_bytes} bytes")]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
}

/// Grants an operator the bytes of a file's verdict, unless that is clean. The caller must store the
/// [`SampleDownload`] before it reads any of them, and must compare their digest with the grant's.
pub fn sample(
    record: &Record,
    request: SampleRequest,
    limit_bytes: u64,
    now: Timestamp,
) -> Result<(SampleGrant, SampleDownload), SampleError> {
    let SampleRequest { sha256, reason, by } = request;
    let reason = Release::checked_reason(&reason).ok_or(SampleError::InvalidReason)?;
    let (version, judgement) = match &record.state {
        _ if record.expires_at <= now => return Err(SampleError::Gone),
        State::Expired | State::Deleted => return Err(SampleError::Gone),
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => {
            return Err(SampleError::NotJudged);
        }
        State::Judged { version, judgement, .. } => (version, judgement),
    };
    let finding = match &judgement.verdict {
        Verdict::Clean(_) => return Err(SampleError::Clean),
        Verdict::Infected { signature } => signature.clone(),
        Verdict::Unscannable { reason } => reason.code().to_owned(),
        Verdict::Error { reason } => reason.code().to_owned(),
    };
    if judgement.sha256 != Some(sha256) {
        return Err(SampleError::OtherBytes);
    }
    let place = match record.quarantined {
        None | Some(Quarantine::Keep) => {
            SamplePlace::Version(record.object_key(), version.version_id.clone())
        }
        Some(Quarantine::Move) => SamplePlace::Quarantine(record.file_id),
        Some(Quarantine::Delete) => return Err(SampleError::BytesRemoved),
    };
    let size_bytes = version.size_bytes;
    if size_bytes > limit_bytes {
        return Err(SampleError::TooLarge { size_bytes, limit_bytes });
    }
    let (file_id, owner) = (record.file_id, record.owner.clone());
    let download = SampleDownload { file_id, owner, sha256, finding, reason, by, at: now };
    Ok((SampleGrant { place, sha256 }, download))
}

#[cfg(test)]
mod tests;
