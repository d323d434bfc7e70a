//! The status machine, as one pure function.
//!
//! The caller loads a record, calls [`step`], commits the returned record if the revision is unchanged, and
//! on a conflict loads and steps again. After the commit it runs the effects. Effects are idempotent: the
//! same event returns them again until the state records that they are done. If no event arrives, the sweep
//! finds the record by `due_at`.

mod change;
mod conclude;
mod due;
mod ended;
mod judged;
mod owner;
mod rules;
mod unjudged;

use std::time::Duration;

use self::change::{Change, commit, keep};
use self::judged::Judged;
use crate::history::OutboxPayload;
use crate::id::{ScanId, Sha256, Version, VersionId};
use crate::post_verdict::{Quarantine, Release, Rescans, Revocation};
use crate::protected::ProtectedChanges;
use crate::record::{Lease, Record, State};
use crate::timestamp::Timestamp;
use crate::upload::UploadPolicy;
use crate::verdict::{EngineVersion, Outcome};

pub use owner::{Edit, EditError, EditRequest, MAX_TAGS, edit};
pub use rules::{ReleaseError, RescanError, may_rescan, release, revocation};

/// The machine's limits and delays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MachinePolicy {
    /// How long a scanner may be silent before another takes over. Scanners renew at a third of it.
    pub lease: Duration,
    /// How often a scan is tried before the file ends in `error`.
    pub max_attempts: u32,
    /// How long the sweep waits for an event or a queued message before it retries.
    pub sweep_retry: Duration,
    /// How long the sweep waits before it writes a tag again that storage did not take.
    pub tag_retry: Duration,
    /// How long after its deadline an upload may still arrive, because it began just before the deadline: the
    /// time that the largest file takes over a slow line.
    pub upload_grace: Duration,
    /// Larger objects are not read; they become `unscannable`.
    pub max_file_size: u64,
    /// Whether events are published; without subscribers the outbox stays empty.
    pub publishes: bool,
    /// How long after its verdict a clean file is scanned again, if the definitions have changed by then;
    /// `None` for never.
    pub rescan_every: Option<Duration>,
    /// How the sweep treats infected bytes.
    pub quarantine: Quarantine,
    /// What may be done to objects in protected buckets.
    pub protected: ProtectedChanges,
}

impl MachinePolicy {
    /// Bytes a second of the slowest upload that is waited for: 0.5 Mbit/s, the uplink of a bad mobile
    /// connection. Storage accepts a request that begins before its URL expires, however long it takes.
    const SLOWEST_UPLOAD: u64 = 62_500;

    /// The time that the largest file takes over a slow line, and at least five minutes.
    pub fn upload_grace_of(max_file_size: u64) -> Duration {
        Duration::from_secs(max_file_size / Self::SLOWEST_UPLOAD).max(Duration::from_mins(5))
    }

    /// Whether the file's bytes may be removed when it ends. A file whose bytes may not be removed neither
    /// expires nor can be deleted: its bytes would stay readable without further rescans.
    pub fn may_remove(&self, record: &Record) -> bool {
        self.protected.deletes || !record.is_protected()
    }

    /// What happens to the file's bytes if they are infected.
    pub(crate) fn quarantine_of(&self, record: &Record) -> Quarantine {
        if record.is_protected() && !self.protected.quarantines { Quarantine::Keep } else { self.quarantine }
    }
}

impl Default for MachinePolicy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            max_attempts: 8,
            sweep_retry: Duration::from_mins(5),
            tag_retry: Duration::from_mins(1),
            upload_grace: Self::upload_grace_of(UploadPolicy::DEFAULT_MAX_FILE_SIZE),
            max_file_size: UploadPolicy::DEFAULT_MAX_FILE_SIZE,
            publishes: false,
            rescan_every: Some(Duration::from_hours(24)),
            quarantine: Quarantine::Keep,
            protected: ProtectedChanges::default(),
        }
    }
}

/// An event that may change a record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A scanner received a message about a stored version and claims it.
    Claimed { version: Version, holder: ScanId },
    /// The scanner is still scanning and renews its lease.
    Renewed { holder: ScanId },
    /// The scanner has finished scanning this version.
    Scanned { version_id: VersionId, holder: ScanId, report: ScanReport },
    /// The scanner has no capacity now. This says nothing about the file, so no attempt is counted; a later
    /// message requests the scan again.
    Postponed { version_id: VersionId, holder: ScanId },
    /// The sweep found the record due. `found` is the current version under the key of a file that is still
    /// expected.
    Due { found: Option<Version>, rescans: Rescans },
    /// The API saw this version under the key; its event may never come.
    Arrived { version: Version },
    /// The bound version does not exist any longer: another application removed it from its bucket.
    VersionLost { version_id: VersionId },
    /// All versions that had to be removed are removed.
    Purged,
    /// The quarantine policy has been carried out on the bound version.
    Quarantined { version_id: VersionId, how: Quarantine },
    /// The verdict's tag could not be written on this version.
    TagFailed { version_id: VersionId },
    /// The tag that was due at this moment is written.
    Tagged { due_at: Timestamp },
    /// Everything in the history up to this number has been published.
    Published { seq: u32 },
    /// The owner changed the file's name, tags, limits or expiry; [`edit`] checked it.
    Edited { edit: Edit },
    /// The owner deleted the file.
    OwnerDeleted,
    /// The owner revoked every link made so far.
    LinksRevoked,
    /// The owner or an operator requested a rescan; [`may_rescan`] allowed it.
    RescanAsked,
    /// An operator released a finding; [`release`] made the release.
    Released { release: Release },
    /// An operator revoked the release of these bytes; [`revocation`] made the revocation.
    ReleaseRevoked { revocation: Revocation },
}

/// A scanner's report at the end of a scan.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScanReport {
    pub outcome: Outcome,
    pub duration: Duration,
    pub sha256: Option<Sha256>,
    pub engine: Option<EngineVersion>,
    /// The file could only be opened with the uploader's password.
    pub needed_password: bool,
    /// An operator's release of these bytes, if there is one; it counts if it covers the finding.
    pub release: Option<Release>,
}

/// The result of one event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// The record stays as it is.
    Keep { why: NoChange, effects: Vec<Effect> },
    /// Commit `next` on the record's revision, then run the effects.
    Commit { next: Box<Record>, effects: Vec<Effect> },
}

/// Why nothing changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NoChange {
    AlreadyJudged,
    AlreadyEnded,
    /// Another scanner holds a valid lease.
    Leased,
    /// The scanner's lease was taken over; its result does not count.
    Fenced,
    NotDue,
    /// Only effects remain to be run.
    EffectsOnly,
    /// The event does not apply to the file's state.
    NotPossible,
}

/// Work that the caller does after the commit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Read and scan this version under this lease, then report [`Event::Scanned`].
    Scan { version: Version, lease: Lease },
    /// Put a message for this version on the scan queue.
    QueueScan { version: Version },
    /// Tag the version with its status, and report [`Event::TagFailed`] if that fails. Tags are for people
    /// and policies; no decision depends on them.
    Tag { version: Version },
    /// Remove every version under the key, and what the quarantine holds, then report [`Event::Purged`].
    Purge,
    /// Remove every version under the key but this one, then report [`Event::Purged`].
    PurgeOthers { keep: Version },
    /// Apply the quarantine policy to these bytes, then report [`Event::Quarantined`].
    Quarantine { version: Version, how: Quarantine },
    /// Publish the outbox, then report [`Event::Published`].
    Publish,
}

/// Returns the next record and its effects. Pure; the module documentation says what the caller must do.
pub fn step(record: &Record, event: &Event, policy: &MachinePolicy, now: Timestamp) -> Step {
    let change = Change { record, policy, now };
    let step = match event {
        Event::Due { found, rescans } => due::due(change, found.as_ref(), rescans),
        Event::Published { seq } => published(change, *seq),
        Event::Edited { edit } => owner::edited(change, edit),
        Event::LinksRevoked => owner::links_revoked(change),
        Event::VersionLost { version_id } => version_lost(change, version_id),
        Event::OwnerDeleted if !policy.may_remove(record) => keep(NoChange::NotPossible),
        Event::OwnerDeleted if !change.has_ended() => change.end(State::Deleted),
        _ => match &record.state {
            State::Awaiting | State::Queued { .. } | State::Scanning { .. } => unjudged::step(change, event),
            State::Judged { version, judgement, post_verdict } => {
                Judged { change, version, judgement, post_verdict }.step(event)
            }
            State::Expired | State::Deleted => ended::step(change, event),
        },
    };
    with_history(record, step, policy, now)
}

/// Writes the change to the history and, with subscribers, to the outbox. Leaving a downloadable status also
/// revokes all links: a file that becomes downloadable again needs new ones.
fn with_history(before: &Record, step: Step, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Step::Commit { mut next, mut effects } = step else { return step };
    // The password was kept for the scan only.
    if next.status().is_terminal() {
        next.password = None;
    }
    if let Some(kind) = rules::event_kind(before, &next) {
        let payload = (policy.publishes && !next.is_on_demand()).then(|| OutboxPayload {
            version: next.state.version().or(before.state.version()).cloned(),
            judgement: next.judgement().cloned(),
            before: before.status(),
        });
        if payload.is_some() {
            next.publish_due_at = Some(next.publish_due_at.unwrap_or(now + policy.sweep_retry));
            effects.push(Effect::Publish);
        }
        let status = next.status();
        next.history.write(kind, status, payload, now);
        next.changed_at = now;
    }
    if before.status().is_downloadable() && !next.status().is_downloadable() {
        next.link_generation += 1;
    }
    Step::Commit { next, effects }
}

/// Ends the file. The service's own versions are never removed by others: their loss is a failed scan. An
/// infected version that the quarantine policy removes, or has removed, stays infected.
fn version_lost(change: Change<'_>, version_id: &VersionId) -> Step {
    let Change { record, policy, .. } = change;
    let is_quarantined = record.quarantined.is_some() || conclude::quarantine(record, policy).is_some();
    match record.state.version() {
        None => keep(NoChange::AlreadyEnded),
        Some(bound) if bound.version_id == *version_id && record.is_protected() && !is_quarantined => {
            // The sweep removes what the quarantine may hold.
            change.to_state(State::Deleted, change.now, vec![])
        }
        Some(_) => keep(NoChange::NotPossible),
    }
}

/// Notes that the outbox was published up to `seq`.
fn published(change: Change<'_>, seq: u32) -> Step {
    if !change.record.history.outbox().any(|(entry, _)| entry.seq <= seq) {
        return keep(NoChange::AlreadyEnded);
    }
    let mut next = change.advanced();
    next.history.mark_published(seq);
    if !next.history.has_outbox() {
        next.publish_due_at = None;
    }
    commit(next, vec![])
}

#[cfg(test)]
mod protected_tests;
