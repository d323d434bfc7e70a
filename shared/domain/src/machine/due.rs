//! Decides what the sweep does with a record that is due.

use super::change::{Change, commit, keep};
use super::judged::Judged;
use super::{Effect, NoChange, Step, ended, unjudged};
use crate::id::Version;
use crate::post_verdict::Rescans;
use crate::protected::ProtectedChanges;
use crate::record::State;
use crate::timestamp::Timestamp;

/// Handles the due time of the record's state or, if that has not come, of its tag or of its rescan. A due
/// publication is requested in addition.
pub(super) fn due(change: Change<'_>, found: Option<&Version>, rescans: &Rescans) -> Step {
    let record = change.record;
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= change.now);
    let tag_due_at = record.post_verdict().and_then(|post_verdict| post_verdict.tag_due_at);
    let step = if is_due(record.due_at) {
        state_due(change, found)
    } else if is_due(tag_due_at) {
        Judged::of(change).map_or_else(|| keep(NoChange::NotDue), Judged::tag_due)
    } else if is_due(record.rescan().due_at()) {
        Judged::of(change).map_or_else(|| keep(NoChange::NotDue), |judged| judged.rescan_due(rescans))
    } else {
        keep(NoChange::NotDue)
    };
    if is_due(record.publish_due_at) { with_outbox(change, step) } else { step }
}

fn state_due(change: Change<'_>, found: Option<&Version>) -> Step {
    if change.record.expires_at <= change.now && !change.has_ended() {
        return if change.policy.may_remove(change.record) {
            change.end(State::Expired)
        } else {
            kept_forever(change)
        };
    }
    match Judged::of(change) {
        Some(judged) => judged.due(),
        None if change.has_ended() => ended::due(),
        None => unjudged::due(change, found),
    }
}

/// Keeps a file whose bytes may not be removed. It was to expire if that was allowed when it was created.
fn kept_forever(change: Change<'_>) -> Step {
    let mut next = change.advanced();
    next.expires_at = change.now + ProtectedChanges::FOREVER;
    // The next sweep does what else is due.
    next.due_at = Some(change.now);
    commit(next, vec![])
}

/// Adds a request to publish the outbox, and schedules the sweep's retry.
fn with_outbox(change: Change<'_>, step: Step) -> Step {
    let (mut next, mut effects) = match step {
        Step::Commit { next, effects } => (*next, effects),
        Step::Keep { effects, .. } => (change.advanced(), effects),
    };
    next.publish_due_at = Some(change.retry_at());
    effects.push(Effect::Publish);
    commit(next, effects)
}
