//! What happens next? The status machine, as one pure function.
//!
//! The caller loads a record, calls [`step`], commits what it says on the record's revision, and on a conflict loads and
//! steps again. Only then does it run the effects. Effects are idempotent, and the same event asks for them again until
//! the state says that they are done; what is never asked for again, the sweep finds by `due_at`.

mod first_scan;
mod ownership;
mod rescan;
mod sweep;

use std::time::Duration;

use crate::aftermath::{Quarantine, Release, Rescans};
use crate::id::{ScanId, Sha256, Version, VersionId};
use crate::journal::{self, Notice};
use crate::record::{Lease, Record, State};
use crate::timestamp::Timestamp;
use crate::verdict::{Engine, Outcome};

/// The machine's limits and delays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MachinePolicy {
    /// How long a scanner may be silent before another takes over. Scanners renew at a third of it.
    pub lease: Duration,
    /// How often a scan is tried before the file ends in `error`.
    pub max_attempts: u32,
    /// How long the sweep waits for an event, for a queued message, and between two looks.
    pub look_again: Duration,
    /// How long after its deadline an upload may still arrive: one that began just before it.
    pub upload_grace: Duration,
    /// Larger objects are not read.
    pub max_file_size: u64,
    /// Whether anybody is told of events; without it the journal's outbox stays empty.
    pub publishes: bool,
    /// How long after its verdict a clean file is looked at again, if there are other definitions by then; `None` for never.
    pub rescan_every: Option<Duration>,
    /// What becomes of infected bytes.
    pub quarantine: Quarantine,
}

impl Default for MachinePolicy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            max_attempts: 5,
            look_again: Duration::from_mins(5),
            upload_grace: Duration::from_mins(5),
            max_file_size: crate::upload::UploadPolicy::DEFAULT_MAX_FILE_SIZE,
            publishes: false,
            rescan_every: Some(Duration::from_hours(24)),
            quarantine: Quarantine::Keep,
        }
    }
}

/// What has happened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A scanner was told of a stored version and wants to judge it.
    Claimed { version: Version, holder: ScanId },
    /// The scanner is still at work.
    Renewed { holder: ScanId },
    /// The scanner is done with this version.
    Scanned { version_id: VersionId, holder: ScanId, report: Report },
    /// The scanner has no room for a scan now. Says nothing about the file, so it costs no attempt; another message asks again.
    Postponed { version_id: VersionId, holder: ScanId },
    /// The sweep looked, because the record was due. `found` is the current version under the key, when it had to look.
    Due { found: Option<Version>, rescans: Rescans },
    /// Somebody saw this version under the key, and no event of it may come.
    Arrived { version: Version },
    /// All versions that had to go are gone.
    Purged,
    /// The quarantine policy has been carried out on the bound version.
    Quarantined { version_id: VersionId, how: Quarantine },
    /// Everything in the journal up to this number has been told.
    Published { seq: u32 },
    /// The owner wants the file gone.
    OwnerDeleted,
    /// The owner wants every link that was made so far dead.
    LinksRevoked,
    /// The owner or an operator wants another look, which [`crate::aftermath::may_rescan`] allows.
    RescanAsked,
    /// An operator answers for a finding; [`crate::aftermath::release`] made it.
    Released { release: Release },
}

/// What a scanner says at the end of a scan.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub duration: Duration,
    pub sha256: Option<Sha256>,
    pub engine: Option<Engine>,
    /// The file could only be opened with the uploader's password.
    pub needed_password: bool,
    /// An operator's release of these bytes, if there is one; it counts when it covers what was found.
    pub release: Option<Release>,
}

/// What to do about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// The record stays as it is.
    Keep { why: Why, effects: Vec<Effect> },
    /// Commit `next` on the record's revision, then run the effects.
    Commit { next: Box<Record>, effects: Vec<Effect> },
}

/// Why nothing changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Why {
    AlreadyJudged,
    AlreadyEnded,
    /// Another scanner holds a live lease.
    Leased,
    /// The scanner's lease was taken over; its result does not count.
    Fenced,
    NotDue,
    /// Only the effects are left to do.
    EffectsOnly,
    /// The file is not in a state that this could be done to.
    NotPossible,
}

/// What the caller does after the commit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Read and scan this version under this lease, then report [`Event::Scanned`].
    Scan { version: Version, lease: Lease },
    /// Put a message for this version on the scan queue.
    QueueScan { version: Version },
    /// Tag the version with its status. Tags are for people and policies; they are never read back.
    Tag { version: Version },
    /// Remove every version under the key, and what the quarantine holds, then report [`Event::Purged`].
    Purge,
    /// Remove every version under the key but this one, then report [`Event::Purged`].
    PurgeOthers { keep: Version },
    /// Do with these bytes what the policy says, then report [`Event::Quarantined`].
    Quarantine { version: Version, how: Quarantine },
    /// Tell everybody who wants to know what the journal's outbox holds, then report [`Event::Published`].
    Publish,
}

/// One step of a record. Pure; see the module for what the caller owes.
pub fn step(record: &Record, event: &Event, policy: &MachinePolicy, now: Timestamp) -> Step {
    let step = match event {
        Event::Claimed { version, holder } => first_scan::claimed(record, version, *holder, policy, now),
        Event::Renewed { holder } => first_scan::renewed(record, *holder, policy, now),
        Event::Scanned { version_id, holder, report } => {
            first_scan::scanned(record, version_id, *holder, report, policy, now)
        }
        Event::Postponed { version_id, holder } => {
            first_scan::postponed(record, version_id, *holder, policy, now)
        }
        Event::Due { found, rescans } => sweep::due(record, found.as_ref(), rescans, policy, now),
        Event::Arrived { version } => sweep::arrived(record, version, policy, now),
        Event::Purged => sweep::purged(record, policy, now),
        Event::Quarantined { version_id, how } => sweep::quarantined(record, version_id, *how),
        Event::Published { seq } => ownership::published(record, *seq),
        Event::OwnerDeleted => match record.state {
            State::Deleted => keep(Why::AlreadyEnded),
            _ => end(record, State::Deleted, now),
        },
        Event::LinksRevoked => ownership::links_revoked(record, now),
        Event::RescanAsked => rescan::asked(record, policy, now),
        Event::Released { release } => ownership::released(record, release, policy, now),
    };
    journaled(record, step, policy, now)
}

/// Writes down what the step means to others. Leaving a downloadable status also kills the links: should it ever come back, new ones are
/// made.
fn journaled(before: &Record, step: Step, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Step::Commit { mut next, mut effects } = step else { return step };
    // It was for one scan.
    if next.status().is_terminal() {
        next.password = None;
    }
    if let Some(kind) = journal::kind_of(before, &next) {
        let notice = policy.publishes.then(|| Notice {
            version: next.state.version().or(before.state.version()).cloned(),
            judgement: next.judgement().cloned(),
            before: before.status(),
        });
        if notice.is_some() {
            next.publish_due_at = Some(next.publish_due_at.unwrap_or(now + policy.look_again));
            effects.push(Effect::Publish);
        }
        let status = next.status();
        next.journal.write(kind, status, notice, now);
        next.changed_at = now;
    }
    if before.status().is_downloadable() && !next.status().is_downloadable() {
        next.link_generation += 1;
    }
    Step::Commit { next, effects }
}

/// The file is over; its bytes go.
fn end(record: &Record, state: State, now: Timestamp) -> Step {
    let mut next = advanced(record);
    next.state = state;
    next.due_at = Some(now);
    commit(next, vec![Effect::Purge])
}

fn commit(next: Record, effects: Vec<Effect>) -> Step {
    Step::Commit { next: Box::new(next), effects }
}

fn keep(why: Why) -> Step {
    Step::Keep { why, effects: vec![] }
}

fn advanced(record: &Record) -> Record {
    Record { revision: record.revision + 1, ..record.clone() }
}
