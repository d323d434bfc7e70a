//! What happens to a file after its verdict? Other looks at the same bytes, an operator's release, the quarantine.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{OwnerId, Sha256};
use crate::record::{Lease, Record, State};
use crate::timestamp::Timestamp;
use crate::verdict::{Engine, Judgement, Verdict};

/// What has happened since the verdict.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Aftermath {
    #[serde(default)]
    pub rescan: Rescan,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<Release>,
    /// When a rescan last found nothing out: the file needs its password, and that is kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unopened_at: Option<Timestamp>,
}

/// Where the next look at bytes that have a verdict is on its way. The verdict stands meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Rescan {
    #[default]
    None,
    /// At this moment the sweep looks whether there are other definitions than those of the verdict.
    Planned {
        when: Timestamp,
    },
    /// A message is on the scan queue.
    Queued {
        n_attempts: u32,
        look_at: Timestamp,
        why: RescanReason,
    },
    Running {
        lease: Lease,
        why: RescanReason,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescanReason {
    /// Somebody wants to know.
    Asked,
    NewDefinitions,
}

impl Rescan {
    /// When the sweep must look after it.
    pub fn due_at(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Planned { when } => Some(when),
            Self::Queued { look_at, .. } => Some(look_at),
            Self::Running { lease, .. } => Some(lease.until),
        }
    }

    /// Whether one is on its way.
    pub fn is_on(self) -> bool {
        matches!(self, Self::Queued { .. } | Self::Running { .. })
    }

    pub(crate) fn is_asked_for(self) -> bool {
        matches!(
            self,
            Self::Queued { why: RescanReason::Asked, .. } | Self::Running { why: RescanReason::Asked, .. }
        )
    }
}

/// The next planned look at a file that is clean now; none after its end.
pub(crate) fn next_rescan(
    record: &Record,
    judgement: &Judgement,
    every: Option<Duration>,
    now: Timestamp,
) -> Rescan {
    let is_clean = matches!(judgement.verdict, Verdict::Clean(_));
    match every.map(|every| now + every) {
        Some(when) if is_clean && when < record.expires_at => Rescan::Planned { when },
        _ => Rescan::None,
    }
}

/// What the sweep knows when it looks whether a file should be scanned again.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Rescans {
    /// What would scan now; `None` when no engine has been heard of.
    pub engine: Option<Engine>,
    /// Whether there is room for another message that nobody is waiting for.
    pub has_room: bool,
}

/// An operator's word that a finding in exactly these bytes is wrong, or wanted. It is about one finding: another one in the same bytes
/// counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Release {
    pub sha256: Sha256,
    pub signature: String,
    pub reason: String,
    pub by: OwnerId,
    pub at: Timestamp,
}

impl Release {
    /// The longest reason, in bytes.
    pub const MAX_REASON_BYTES: usize = 1000;

    /// Whether it speaks of this verdict about these bytes.
    pub fn covers(&self, judgement: &Judgement) -> bool {
        let same_bytes = judgement.sha256 == Some(self.sha256);
        same_bytes
            && matches!(&judgement.verdict, Verdict::Infected { signature } if *signature == self.signature)
    }
}

/// What becomes of the bytes of an infected file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// They stay where they are, out of reach, until the file expires.
    #[default]
    Keep,
    /// The version is removed.
    Delete,
    /// They are copied to `quarantine/{file_id}`, and the version is removed.
    Move,
}

/// Why a file is not scanned again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RescanRefused {
    #[error("the file is gone")]
    Gone,
    #[error("the file has no verdict yet")]
    NotJudged,
    #[error("a finding stands; only an operator's release lifts it")]
    Infected,
}

/// Whether the owner can have the file scanned again. A finding is not asked about again and again until it goes away.
pub fn may_rescan(record: &Record, now: Timestamp) -> Result<(), RescanRefused> {
    match &record.state {
        _ if record.expires_at <= now => Err(RescanRefused::Gone),
        State::Expired | State::Deleted => Err(RescanRefused::Gone),
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => Err(RescanRefused::NotJudged),
        State::Judged { judgement, aftermath, .. } => match judgement.verdict {
            Verdict::Infected { .. } if aftermath.release.is_none() => Err(RescanRefused::Infected),
            _ => Ok(()),
        },
    }
}

/// Why a finding cannot be lifted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReleaseRefused {
    #[error("the file is gone")]
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

/// The release of a finding that stands, if this one can be released.
pub fn release(
    record: &Record,
    sha256: Sha256,
    reason: &str,
    by: OwnerId,
    now: Timestamp,
) -> Result<Release, ReleaseRefused> {
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > Release::MAX_REASON_BYTES {
        return Err(ReleaseRefused::InvalidReason);
    }
    let judgement = match &record.state {
        State::Expired | State::Deleted => return Err(ReleaseRefused::Gone),
        State::Judged { judgement, .. } => judgement,
        _ => return Err(ReleaseRefused::NotInfected),
    };
    let Verdict::Infected { signature } = &judgement.verdict else { return Err(ReleaseRefused::NotInfected) };
    if judgement.sha256 != Some(sha256) {
        return Err(ReleaseRefused::OtherBytes);
    }
    if record.quarantined.is_some() {
        return Err(ReleaseRefused::BytesRemoved);
    }
    Ok(Release { sha256, signature: signature.clone(), reason: reason.to_owned(), by, at: now })
}
