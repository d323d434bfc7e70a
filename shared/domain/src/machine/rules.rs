//! The rules that a caller checks before it sends an event, and that a step applies again.

use thiserror::Error;

use super::change::Change;
use crate::history::EventKind;
use crate::id::{OwnerId, Sha256};
use crate::post_verdict::{Release, Rescan, Revocation};
use crate::record::{Record, State, Status};
use crate::timestamp::Timestamp;
use crate::verdict::{Judgement, Verdict};

/// Why a rescan is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RescanError {
    #[error("the file has expired or was deleted")]
    Gone,
    #[error("the file has no verdict yet")]
    NotJudged,
    #[error("the file is infected; only an operator can release it")]
    Infected,
}

/// Checks whether the owner may request a rescan. An infected file is not rescanned on request: repeated
/// rescans could otherwise replace the finding.
pub fn may_rescan(record: &Record, now: Timestamp) -> Result<(), RescanError> {
    match &record.state {
        _ if record.expires_at <= now => Err(RescanError::Gone),
        State::Expired | State::Deleted => Err(RescanError::Gone),
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => Err(RescanError::NotJudged),
        State::Judged { judgement, post_verdict, .. } => match judgement.verdict {
            Verdict::Infected { .. } if post_verdict.release.is_none() => Err(RescanError::Infected),
            _ => Ok(()),
        },
    }
}

/// Why a finding cannot be released.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReleaseError {
    #[error("the file has expired or was deleted")]
    Gone,
    #[error("the file is not infected")]
    NotInfected,
    #[error("`sha256` is not the digest of the bytes that were judged")]
    OtherBytes,
    #[error("the quarantine policy has removed the bytes")]
    BytesRemoved,
    #[error("`reason` must have 1 to {} bytes", Release::MAX_REASON_BYTES)]
    InvalidReason,
}

/// Makes the release of the file's current finding, if it can be released.
pub fn release(
    record: &Record,
    sha256: Sha256,
    reason: &str,
    by: OwnerId,
    now: Timestamp,
) -> Result<Release, ReleaseError> {
    let reason = checked_reason(reason)?;
    let judgement = match &record.state {
        State::Expired | State::Deleted => return Err(ReleaseError::Gone),
        State::Judged { judgement, .. } => judgement,
        _ => return Err(ReleaseError::NotInfected),
    };
    let Verdict::Infected { signature } = &judgement.verdict else { return Err(ReleaseError::NotInfected) };
    if judgement.sha256 != Some(sha256) {
        return Err(ReleaseError::OtherBytes);
    }
    if record.quarantined.is_some() {
        return Err(ReleaseError::BytesRemoved);
    }
    Ok(Release { sha256, signature: signature.clone(), reason, by, at: now })
}

/// Makes the revocation of the release of these bytes. Errors: [`ReleaseError::InvalidReason`].
pub fn revocation(
    sha256: Sha256,
    reason: &str,
    by: OwnerId,
    now: Timestamp,
) -> Result<Revocation, ReleaseError> {
    Ok(Revocation { sha256, reason: checked_reason(reason)?, by, at: now })
}

fn checked_reason(reason: &str) -> Result<String, ReleaseError> {
    Release::checked_reason(reason).ok_or(ReleaseError::InvalidReason)
}

/// The next planned rescan of a file that is clean now; none after it expires.
pub(super) fn next_rescan(change: Change<'_>, judgement: &Judgement) -> Rescan {
    let is_clean = matches!(judgement.verdict, Verdict::Clean(_));
    match change.policy.rescan_every.map(|every| change.now + every) {
        Some(when) if is_clean && when < change.record.expires_at => Rescan::Planned { when },
        _ => Rescan::None,
    }
}

/// The event that subscribers get for the step from `before` to `after`, if any.
pub(super) fn event_kind(before: &Record, after: &Record) -> Option<EventKind> {
    use Status as S;
    let (was, is) = (before.status(), after.status());
    match (was, is) {
        (S::Deleted, S::Deleted)
        | (S::Expired, S::Expired)
        | (S::Scanning, S::Scanning)
        | (_, S::Pending) => None,
        (_, S::Deleted) => Some(EventKind::Deleted),
        (_, S::Expired) => Some(EventKind::Expired),
        (_, S::Scanning) => Some(EventKind::ScanStarted),
        (S::Pending | S::Scanning, _) => Some(EventKind::ScanCompleted),
        _ if was != is => Some(EventKind::VerdictChanged),
        // Judged before and after, with the same verdict: an event only for a requested rescan.
        _ if before.judgement() != after.judgement() && asked_for_rescan(before) => {
            Some(EventKind::ScanCompleted)
        }
        _ => None,
    }
}

fn asked_for_rescan(record: &Record) -> bool {
    record.post_verdict().is_some_and(|post_verdict| post_verdict.rescan.is_asked_for())
}
