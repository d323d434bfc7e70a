//! What the sweep moves on: whatever is due, for whatever reason.

use super::first_scan::{give_up, quarantine};
use super::{Effect, MachinePolicy, Step, Why, advanced, commit, end, keep, rescan};
use crate::aftermath::{Quarantine, Rescans};
use crate::id::{Version, VersionId};
use crate::record::{Record, State, UploadMethod};
use crate::timestamp::Timestamp;

/// Looks at the one of the record's appointments that comes first, and renews the outbox's with it.
pub(super) fn due(
    record: &Record,
    found: Option<&Version>,
    rescans: &Rescans,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let rescan_due_at = record.aftermath().and_then(|aftermath| aftermath.rescan.due_at());
    let step = if is_due(record.due_at) {
        state_due(record, found, policy, now)
    } else if is_due(rescan_due_at) {
        rescan::due(record, rescans, policy, now)
    } else {
        keep(Why::NotDue)
    };
    if is_due(record.publish_due_at) { with_outbox(record, step, policy, now) } else { step }
}

/// Somebody must look at the outbox, and the sweep again if nobody does.
fn with_outbox(record: &Record, step: Step, policy: &MachinePolicy, now: Timestamp) -> Step {
    let (mut next, mut effects) = match step {
        Step::Commit { next, effects } => (*next, effects),
        Step::Keep { effects, .. } => (advanced(record), effects),
    };
    next.publish_due_at = Some(now + policy.look_again);
    effects.push(Effect::Publish);
    commit(next, effects)
}

fn state_due(record: &Record, found: Option<&Version>, policy: &MachinePolicy, now: Timestamp) -> Step {
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
                commit(next, vec![])
            }
        },
        State::Queued { version, n_attempts } => queue(record, version, *n_attempts, policy, now),
        State::Scanning { version, lease } => queue(record, version, lease.epoch, policy, now),
        State::Judged { version, aftermath, .. } => {
            let mut effects = vec![Effect::PurgeOthers { keep: version.clone() }];
            if aftermath.release.is_some() {
                effects.push(Effect::Tag { version: version.clone() });
            }
            effects.extend(quarantine(record, policy));
            Step::Keep { why: Why::EffectsOnly, effects }
        }
        State::Expired | State::Deleted => Step::Keep { why: Why::EffectsOnly, effects: vec![Effect::Purge] },
    }
}

pub(super) fn arrived(record: &Record, version: &Version, policy: &MachinePolicy, now: Timestamp) -> Step {
    match record.state {
        State::Awaiting => queue(record, version, 0, policy, now),
        _ => keep(Why::NotPossible),
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
        return give_up(record, version, policy, now);
    }
    let mut next = advanced(record);
    next.state = State::Queued { version: version.clone(), n_attempts };
    next.due_at = Some(now + policy.look_again);
    commit(next, vec![Effect::QueueScan { version: version.clone() }])
}

/// What had to go is gone. What may still arrive until the upload's deadline is looked for once more.
pub(super) fn purged(record: &Record, policy: &MachinePolicy, now: Timestamp) -> Step {
    let last_arrival = record.upload_deadline + policy.upload_grace;
    let can_be_replayed =
        matches!(record.upload_method, UploadMethod::Put | UploadMethod::Post | UploadMethod::Multipart(_));
    let more_may_arrive = can_be_replayed && last_arrival > now;
    let due_at = match &record.state {
        State::Judged { .. } if quarantine(record, policy).is_some() => Some(now + policy.look_again),
        State::Judged { .. } if more_may_arrive => Some(last_arrival.min(record.expires_at)),
        State::Judged { .. } => Some(record.expires_at),
        State::Expired | State::Deleted => more_may_arrive.then_some(last_arrival),
        State::Awaiting | State::Queued { .. } | State::Scanning { .. } => return keep(Why::NotDue),
    };
    let mut next = advanced(record);
    next.due_at = due_at;
    next.has_surplus = false;
    commit(next, vec![])
}

pub(super) fn quarantined(record: &Record, version_id: &VersionId, how: Quarantine) -> Step {
    let is_bound = record.state.version().is_some_and(|bound| bound.version_id == *version_id);
    if !is_bound || record.quarantined.is_some() {
        return keep(Why::AlreadyEnded);
    }
    let mut next = advanced(record);
    next.quarantined = Some(how);
    commit(next, vec![])
}
