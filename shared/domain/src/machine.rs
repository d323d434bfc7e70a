//! What happens next? The status machine, as one pure function.
//!
//! The caller loads a record, calls [`step`], commits what it says on the record's revision, and on a conflict loads and
//! steps again. Only then does it run the effects. Effects are idempotent, and the same event asks for them again until
//! the state says that they are done; what is never asked for again, the sweep finds by `due_at`.

use std::time::Duration;

use crate::id::{ScanId, Version, VersionId};
use crate::record::{Lease, Record, State, UploadMethod};
use crate::timestamp::Timestamp;
use crate::verdict::{Judgement, Outcome, ScanError, Unscannable, Verdict};

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
}

impl Default for MachinePolicy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            max_attempts: 5,
            look_again: Duration::from_mins(5),
            upload_grace: Duration::from_mins(5),
            max_file_size: crate::upload::UploadPolicy::DEFAULT_MAX_FILE_SIZE,
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
    /// The sweep looked, because the record was due. `found` is the current version under the key, when it had to look.
    Due { found: Option<Version> },
    /// All versions that had to go are gone.
    Purged,
    /// The owner wants the file gone.
    OwnerDeleted,
}

/// What a scanner says at the end of a scan.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub duration: Duration,
    pub sha256: Option<crate::id::Sha256>,
    pub engine: Option<crate::verdict::Engine>,
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
    /// Remove every version under the key, then report [`Event::Purged`].
    Purge,
    /// Remove every version under the key but this one, then report [`Event::Purged`].
    PurgeOthers { keep: Version },
}

/// One step of a record. Pure; see the module for what the caller owes.
pub fn step(record: &Record, event: &Event, policy: &MachinePolicy, now: Timestamp) -> Step {
    match event {
        Event::Claimed { version, holder } => claimed(record, version, *holder, policy, now),
        Event::Renewed { holder } => renewed(record, *holder, policy, now),
        Event::Scanned { version_id, holder, report } => {
            scanned(record, version_id, *holder, report, policy, now)
        }
        Event::Due { found } => due(record, found.as_ref(), policy, now),
        Event::Purged => purged(record, policy, now),
        Event::OwnerDeleted => match record.state {
            State::Deleted => keep(Why::AlreadyEnded),
            _ => end(record, State::Deleted, now),
        },
    }
}

fn claimed(
    record: &Record,
    version: &Version,
    holder: ScanId,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let n_attempts = match &record.state {
        // Somebody stored bytes under a dead key: the sweep removes them.
        State::Expired | State::Deleted => return surplus(record, now),
        State::Awaiting => 0,
        // The first version bound is the file; any other is removed by the sweep.
        State::Queued { version: bound, .. }
        | State::Scanning { version: bound, .. }
        | State::Judged { version: bound, .. }
            if bound.version_id != version.version_id =>
        {
            return surplus(record, now);
        }
        State::Judged { version, .. } => {
            return Step::Keep {
                why: Why::AlreadyJudged,
                effects: vec![Effect::Tag { version: version.clone() }],
            };
        }
        State::Scanning { lease, .. } if lease.until > now => return keep(Why::Leased),
        State::Scanning { lease, .. } => lease.epoch,
        State::Queued { n_attempts, .. } => *n_attempts,
    };
    if let Some(verdict) = verdict_unread(record, version, policy) {
        return conclude(record, version, unread(verdict, now), policy, now);
    }
    if n_attempts >= policy.max_attempts {
        return conclude(record, version, gave_up(ScanError::EngineTrouble, now), policy, now);
    }
    let lease = Lease { holder, epoch: n_attempts + 1, until: now + policy.lease };
    let mut next = advanced(record);
    next.state = State::Scanning { version: version.clone(), lease };
    next.due_at = Some(lease.until);
    Step::Commit { next: Box::new(next), effects: vec![Effect::Scan { version: version.clone(), lease }] }
}

/// What can be said of a version without reading it.
fn verdict_unread(record: &Record, version: &Version, policy: &MachinePolicy) -> Option<Verdict> {
    if version.size_bytes > policy.max_file_size {
        return Some(Verdict::Unscannable { reason: Unscannable::TooLarge });
    }
    if record.declared_size.is_some_and(|declared| declared != version.size_bytes) {
        return Some(Verdict::Error { reason: ScanError::ContentMismatch });
    }
    (version.size_bytes == 0).then_some(Verdict::Unscannable { reason: Unscannable::Empty })
}

fn renewed(record: &Record, holder: ScanId, policy: &MachinePolicy, now: Timestamp) -> Step {
    match &record.state {
        State::Scanning { version, lease } if lease.holder == holder => {
            let lease = Lease { until: now + policy.lease, ..*lease };
            let mut next = advanced(record);
            next.state = State::Scanning { version: version.clone(), lease };
            next.due_at = Some(lease.until);
            Step::Commit { next: Box::new(next), effects: vec![] }
        }
        _ => keep(Why::Fenced),
    }
}

fn scanned(
    record: &Record,
    version_id: &VersionId,
    holder: ScanId,
    report: &Report,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let Some(version) = record.state.version().filter(|bound| bound.version_id == *version_id) else {
        return keep(Why::Fenced);
    };
    let judged = |verdict: Verdict| Judgement {
        verdict,
        judged_at: now,
        duration: report.duration,
        sha256: report.sha256,
        engine: report.engine.clone(),
    };
    // A finding counts whoever made it and whatever was said before: infected is absorbing.
    if let Outcome::Decided(verdict @ Verdict::Infected { .. }) = &report.outcome {
        let already =
            record.judgement().is_some_and(|judgement| matches!(judgement.verdict, Verdict::Infected { .. }));
        return if already {
            keep(Why::AlreadyJudged)
        } else {
            conclude(record, version, judged(verdict.clone()), policy, now)
        };
    }
    let lease = match &record.state {
        State::Scanning { lease, .. } if lease.holder == holder => lease,
        State::Judged { .. } => return keep(Why::AlreadyJudged),
        _ => return keep(Why::Fenced),
    };
    match &report.outcome {
        Outcome::Decided(verdict) => conclude(record, version, judged(verdict.clone()), policy, now),
        Outcome::Inconclusive(reason) if lease.epoch >= policy.max_attempts => {
            conclude(record, version, judged(Verdict::Error { reason: *reason }), policy, now)
        }
        Outcome::Inconclusive(_) => {
            let mut next = advanced(record);
            next.state = State::Queued { version: version.clone(), n_attempts: lease.epoch };
            next.due_at = Some(now + policy.look_again);
            Step::Commit { next: Box::new(next), effects: vec![] }
        }
    }
}

fn due(record: &Record, found: Option<&Version>, policy: &MachinePolicy, now: Timestamp) -> Step {
    if record.due_at.is_none_or(|due_at| due_at > now) {
        return keep(Why::NotDue);
    }
    if record.expires_at <= now && !matches!(record.state, State::Expired | State::Deleted) {
        return end(record, State::Expired, now);
    }
    match &record.state {
        State::Awaiting => match found {
            Some(version) => queue(record, version, 0, policy, now),
            None if record.upload_deadline + policy.upload_grace <= now => end(record, State::Expired, now),
            None => {
                let mut next = advanced(record);
                next.due_at =
                    Some((now + policy.look_again).min(record.upload_deadline + policy.upload_grace));
                Step::Commit { next: Box::new(next), effects: vec![] }
            }
        },
        State::Queued { version, n_attempts } => queue(record, version, *n_attempts, policy, now),
        State::Scanning { version, lease } => queue(record, version, lease.epoch, policy, now),
        State::Judged { version, .. } => {
            Step::Keep { why: Why::EffectsOnly, effects: vec![Effect::PurgeOthers { keep: version.clone() }] }
        }
        State::Expired | State::Deleted => Step::Keep { why: Why::EffectsOnly, effects: vec![Effect::Purge] },
    }
}

/// Asks for a scan of a version that nobody is scanning, or gives up on it.
fn queue(
    record: &Record,
    version: &Version,
    n_attempts: u32,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    if n_attempts >= policy.max_attempts {
        return conclude(record, version, gave_up(ScanError::EngineTrouble, now), policy, now);
    }
    let mut next = advanced(record);
    next.state = State::Queued { version: version.clone(), n_attempts };
    next.due_at = Some(now + policy.look_again);
    Step::Commit { next: Box::new(next), effects: vec![Effect::QueueScan { version: version.clone() }] }
}

/// What had to go is gone. What may still arrive until the upload's deadline is looked for once more.
fn purged(record: &Record, policy: &MachinePolicy, now: Timestamp) -> Step {
    let last_arrival = record.upload_deadline + policy.upload_grace;
    let more_may_arrive = last_arrival > now && record.upload_method != UploadMethod::Form;
    let due_at = match &record.state {
        State::Judged { .. } if more_may_arrive => Some(last_arrival.min(record.expires_at)),
        State::Judged { .. } => Some(record.expires_at),
        State::Expired | State::Deleted => more_may_arrive.then_some(last_arrival),
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => return keep(Why::NotDue),
    };
    let mut next = advanced(record);
    next.due_at = due_at;
    next.has_surplus = false;
    Step::Commit { next: Box::new(next), effects: vec![] }
}

/// The file has a verdict.
fn conclude(
    record: &Record,
    version: &Version,
    judgement: Judgement,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let mut next = advanced(record);
    next.state = State::Judged { version: version.clone(), judgement };
    let last_arrival = record.upload_deadline + policy.upload_grace;
    next.due_at = Some(match record.upload_method {
        _ if record.has_surplus => now,
        // A POST policy can be replayed until its deadline, and the replay's event can be lost: look once after that.
        UploadMethod::Post => last_arrival.max(now).min(record.expires_at),
        UploadMethod::Put | UploadMethod::Form => record.expires_at,
    });
    Step::Commit { next: Box::new(next), effects: vec![Effect::Tag { version: version.clone() }] }
}

/// The file is over; its bytes go.
fn end(record: &Record, state: State, now: Timestamp) -> Step {
    let mut next = advanced(record);
    next.state = state;
    next.due_at = Some(now);
    Step::Commit { next: Box::new(next), effects: vec![Effect::Purge] }
}

/// There are bytes under the key that nobody will judge: the sweep removes them, at once when nothing else comes first.
fn surplus(record: &Record, now: Timestamp) -> Step {
    let already_known = record.has_surplus;
    let mut next = advanced(record);
    next.has_surplus = true;
    if matches!(record.state, State::Judged { .. } | State::Expired | State::Deleted) {
        next.due_at = Some(record.due_at.map_or(now, |due_at| due_at.min(now)));
    }
    if already_known && next.due_at == record.due_at {
        return keep(Why::AlreadyEnded);
    }
    Step::Commit { next: Box::new(next), effects: vec![] }
}

fn unread(verdict: Verdict, now: Timestamp) -> Judgement {
    Judgement { verdict, judged_at: now, duration: Duration::ZERO, sha256: None, engine: None }
}

fn gave_up(reason: ScanError, now: Timestamp) -> Judgement {
    unread(Verdict::Error { reason }, now)
}

fn keep(why: Why) -> Step {
    Step::Keep { why, effects: vec![] }
}

fn advanced(record: &Record) -> Record {
    Record { revision: record.revision + 1, ..record.clone() }
}
