//! What people do to a file, and what has been told of it.

use super::{MachinePolicy, Step, Why, advanced, commit, keep};
use crate::aftermath::{Aftermath, Release};
use crate::record::{Record, State};
use crate::timestamp::Timestamp;

pub(super) fn published(record: &Record, seq: u32) -> Step {
    if !record.journal.outbox().any(|(entry, _)| entry.seq <= seq) {
        return keep(Why::AlreadyEnded);
    }
    let mut next = advanced(record);
    next.journal.mark_published(seq);
    if !next.journal.has_outbox() {
        next.publish_due_at = None;
    }
    commit(next, vec![])
}

pub(super) fn links_revoked(record: &Record, now: Timestamp) -> Step {
    if matches!(record.state, State::Expired | State::Deleted) {
        return keep(Why::AlreadyEnded);
    }
    let mut next = advanced(record);
    next.link_generation += 1;
    next.changed_at = now;
    commit(next, vec![])
}

/// The finding was looked at when the release was made; it must still be the one that stands.
pub(super) fn released(record: &Record, release: &Release, policy: &MachinePolicy, now: Timestamp) -> Step {
    let State::Judged { version, judgement, aftermath } = &record.state else {
        return keep(Why::NotPossible);
    };
    if !release.covers(judgement) || record.quarantined.is_some() {
        return keep(Why::NotPossible);
    }
    if aftermath.release.is_some() {
        return keep(Why::AlreadyEnded);
    }
    let aftermath = Aftermath { release: Some(release.clone()), ..aftermath.clone() };
    let concluded = super::first_scan::conclude(record, version, judgement.clone(), aftermath, policy, now);
    let Step::Commit { mut next, .. } = concluded else { return concluded };
    // The tag is the sweep's to write: what takes requests from outside may not call anything clean in storage's eyes.
    next.due_at = Some(now);
    Step::Commit { next, effects: vec![] }
}
