//! The steps of a file without a verdict: it is expected, its scan is queued, or a scanner holds a lease on
//! it.

use super::change::{Change, keep};
use super::conclude::{conclude, give_up, judgement_of, reported, surplus, unread};
use super::{Effect, Event, NoChange, ScanReport, Step};
use crate::id::{ScanId, Version};
use crate::post_verdict::PostVerdict;
use crate::record::{Lease, State};
use crate::verdict::{Outcome, ScanError, Unscannable, Verdict};

/// A step of a record in [`State::Awaiting`], [`State::Queued`] or [`State::Scanning`].
pub(super) fn step(change: Change<'_>, event: &Event) -> Step {
    match event {
        Event::Claimed { version, holder } => claimed(change, version, *holder),
        Event::Renewed { holder } => renewed(change, *holder),
        Event::Scanned { version_id, holder, report } => match change.record.state.version() {
            Some(bound) if bound.version_id == *version_id => scanned(change, bound, *holder, report),
            _ => keep(NoChange::Fenced),
        },
        Event::Postponed { version_id, holder } => match &change.record.state {
            State::Scanning { version, lease } if version.version_id == *version_id => {
                postponed(change, version, lease, *holder)
            }
            _ => keep(NoChange::Fenced),
        },
        Event::Arrived { version } => match change.record.state {
            State::Awaiting => queue(change, version, 0),
            _ => keep(NoChange::NotPossible),
        },
        Event::RescanAsked | Event::Released { .. } | Event::ReleaseRevoked { .. } => {
            keep(NoChange::NotPossible)
        }
        Event::Purged => keep(NoChange::NotDue),
        _ => keep(NoChange::AlreadyEnded),
    }
}

/// The sweep's step for a file that has not expired. `found` is the current version under its key.
pub(super) fn due(change: Change<'_>, found: Option<&Version>) -> Step {
    match &change.record.state {
        State::Awaiting => match found {
            Some(version) => queue(change, version, 0),
            None if change.last_arrival() <= change.now => change.end(State::Expired),
            None => {
                let due_at = change.next_due_at().min(change.last_arrival());
                change.to_state(State::Awaiting, due_at, vec![])
            }
        },
        State::Queued { version, n_attempts } => queue(change, version, *n_attempts),
        State::Scanning { version, lease } => queue(change, version, lease.epoch),
        State::Judged { .. } | State::Expired | State::Deleted => keep(NoChange::NotDue),
    }
}

fn claimed(change: Change<'_>, version: &Version, holder: ScanId) -> Step {
    let n_attempts = match &change.record.state {
        // The first version bound is the file; the sweep removes any other.
        State::Queued { version: bound, .. } | State::Scanning { version: bound, .. }
            if bound.version_id != version.version_id =>
        {
            return surplus(change);
        }
        State::Scanning { lease, .. } if lease.until > change.now => return keep(NoChange::Leased),
        State::Scanning { lease, .. } => lease.epoch,
        State::Queued { n_attempts, .. } => *n_attempts,
        _ => 0,
    };
    if let Some(verdict) = verdict_unread(change, version) {
        return conclude(change, version, unread(verdict, change.now), PostVerdict::default());
    }
    if n_attempts >= change.policy.max_attempts {
        return give_up(change, version);
    }
    let lease = Lease { holder, epoch: n_attempts + 1, until: change.now + change.policy.lease };
    let state = State::Scanning { version: version.clone(), lease };
    change.to_state(state, lease.until, vec![Effect::Scan { version: version.clone(), lease }])
}

/// The verdict on a version that need not be read.
fn verdict_unread(change: Change<'_>, version: &Version) -> Option<Verdict> {
    if version.size_bytes > change.policy.max_file_size {
        return Some(Verdict::Unscannable { reason: Unscannable::TooLarge });
    }
    if change.record.declared_size.is_some_and(|declared| declared != version.size_bytes) {
        return Some(Verdict::Error { reason: ScanError::ContentMismatch });
    }
    (version.size_bytes == 0).then_some(Verdict::Unscannable { reason: Unscannable::Empty })
}

fn renewed(change: Change<'_>, holder: ScanId) -> Step {
    match &change.record.state {
        State::Scanning { version, lease } if lease.holder == holder => {
            let lease = Lease { until: change.now + change.policy.lease, ..*lease };
            change.to_state(State::Scanning { version: version.clone(), lease }, lease.until, vec![])
        }
        _ => keep(NoChange::Fenced),
    }
}

/// Returns the lease and does not count the attempt. The sweep retries the scan; if none succeeds, the file
/// expires.
fn postponed(change: Change<'_>, version: &Version, lease: &Lease, holder: ScanId) -> Step {
    if lease.holder != holder {
        return keep(NoChange::Fenced);
    }
    let n_attempts = lease.epoch.saturating_sub(1);
    let state = State::Queued { version: version.clone(), n_attempts };
    change.to_state(state, change.retry_at(), vec![])
}

fn scanned(change: Change<'_>, version: &Version, holder: ScanId, report: &ScanReport) -> Step {
    // A finding counts even without the lease: `infected` is absorbing.
    if let Outcome::Decided(verdict @ Verdict::Infected { .. }) = &report.outcome {
        let judgement = judgement_of(verdict.clone(), report, change.now);
        let release = report.release.iter().find(|release| release.covers(&judgement)).cloned();
        return conclude(change, version, judgement, PostVerdict { release, ..PostVerdict::default() });
    }
    let lease = match &change.record.state {
        State::Scanning { lease, .. } if lease.holder == holder => lease,
        _ => return keep(NoChange::Fenced),
    };
    match &report.outcome {
        Outcome::Decided(verdict) => {
            let judgement = judgement_of(verdict.clone(), report, change.now);
            reported(change, version, judgement)
        }
        Outcome::Inconclusive(reason) if lease.epoch >= change.policy.max_attempts => {
            let judgement = judgement_of(Verdict::Error { reason: *reason }, report, change.now);
            conclude(change, version, judgement, PostVerdict::default())
        }
        Outcome::Inconclusive(_) => {
            let state = State::Queued { version: version.clone(), n_attempts: lease.epoch };
            change.to_state(state, change.retry_at(), vec![])
        }
    }
}

/// Queues a scan of the version, or gives up after too many attempts.
fn queue(change: Change<'_>, version: &Version, n_attempts: u32) -> Step {
    if n_attempts >= change.policy.max_attempts {
        return give_up(change, version);
    }
    let state = State::Queued { version: version.clone(), n_attempts };
    change.to_state(state, change.retry_at(), vec![Effect::QueueScan { version: version.clone() }])
}
