//! The state of a file after its verdict: rescans of the same bytes, an operator's release, the quarantine.

use serde::{Deserialize, Serialize};

use crate::id::{OwnerId, Sha256};
use crate::lease::Lease;
use crate::timestamp::Timestamp;
use crate::verdict::{EngineVersion, Judgement, Verdict};

/// The rescans and the release since the verdict.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct PostVerdict {
    #[serde(default)]
    pub rescan: Rescan,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<Release>,
    /// The revocation of the release that the file had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revocation: Option<Revocation>,
    /// When a rescan last failed to open the file, which needs its password; passwords are not kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unopened_at: Option<Timestamp>,
    /// When the sweep must write the verdict's tag again, because storage did not take it. Until then the
    /// file cannot be downloaded: bucket policies may depend on the tag.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tag_due_at: Option<Timestamp>,
}

/// The progress of the next scan of bytes that have a verdict. The verdict stands meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Rescan {
    #[default]
    None,
    /// At this moment the sweep compares the definitions with those of the verdict.
    Planned { when: Timestamp },
    /// A message is on the scan queue.
    Queued {
        n_attempts: u32,
        /// When the sweep sends the message again.
        #[serde(rename = "look_at")]
        next_due_at: Timestamp,
        why: RescanReason,
    },
    Running {
        lease: Lease,
        /// When the sweep sends the message again: not before the lease ends. Kept from the queued rescan,
        /// so that a claim does not move the record in the index of rescans.
        #[serde(rename = "look_at", skip_serializing_if = "Option::is_none", default)]
        next_due_at: Option<Timestamp>,
        why: RescanReason,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescanReason {
    /// The owner or an operator requested it.
    Asked,
    NewDefinitions,
}

impl Rescan {
    /// When the sweep must act on the rescan.
    pub fn due_at(self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Planned { when } => Some(when),
            Self::Queued { next_due_at, .. } => Some(next_due_at),
            Self::Running { lease, next_due_at, .. } => {
                Some(next_due_at.map_or(lease.until, |at| at.max(lease.until)))
            }
        }
    }

    /// Whether a rescan is queued or running.
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

/// The sweep's inputs when it decides on a rescan.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Rescans {
    /// The engine that would scan now; `None` when no engine has reported.
    pub engine: Option<EngineVersion>,
    /// Whether the sweep may queue another rescan.
    pub has_room: bool,
    /// Whether the file is in a bucket that is no longer protected: its bytes are out of the service's reach,
    /// unless the bucket is protected again.
    pub is_out_of_reach: bool,
}

/// An operator's decision that a finding in exactly these bytes does not count. It covers one finding: any
/// other finding in the same bytes counts.
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

    /// Returns an operator's reason without the space around it, if its length is allowed.
    pub(crate) fn checked_reason(reason: &str) -> Option<String> {
        let reason = reason.trim();
        let is_valid = !reason.is_empty() && reason.len() <= Self::MAX_REASON_BYTES;
        is_valid.then(|| reason.to_owned())
    }

    /// Whether the release covers this judgement: the same bytes and the same finding.
    pub fn covers(&self, judgement: &Judgement) -> bool {
        let same_bytes = judgement.sha256 == Some(self.sha256);
        same_bytes
            && matches!(&judgement.verdict, Verdict::Infected { signature } if *signature == self.signature)
    }
}

/// An operator's decision that the finding in exactly these bytes counts again.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Revocation {
    pub sha256: Sha256,
    pub reason: String,
    pub by: OwnerId,
    pub at: Timestamp,
}

/// How the sweep treats the bytes of an infected file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// They stay in place, not downloadable, until the file expires.
    #[default]
    Keep,
    /// The version is removed.
    Delete,
    /// They are copied to `quarantine/{file_id}`, and the version is removed.
    Move,
}
