//! Another look at bytes that have a verdict. The verdict stands until the look is over; what it finds out replaces it, what it could not find
//! out changes nothing.

use super::first_scan::{conclude, judged};
use super::{Effect, MachinePolicy, Report, Step, Why, advanced, commit, keep};
use crate::aftermath::{Aftermath, Rescan, RescanReason, Rescans, next_rescan};
use crate::id::{ScanId, Version};
use crate::record::{Lease, Record, State};
use crate::timestamp::Timestamp;
use crate::verdict::{Judgement, Outcome, Unscannable, Verdict};

/// The state of a judged record, borrowed.
struct Judged<'a> {
    version: &'a Version,
    judgement: &'a Judgement,
    aftermath: &'a Aftermath,
}

fn of(record: &Record) -> Option<Judged<'_>> {
    match &record.state {
        State::Judged { version, judgement, aftermath } => Some(Judged { version, judgement, aftermath }),
        _ => None,
    }
}

pub(super) fn asked(record: &Record, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Some(judged) = of(record) else { return keep(Why::NotPossible) };
    if crate::aftermath::may_rescan(record, now).is_err() {
        return keep(Why::NotPossible);
    }
    if judged.aftermath.rescan.is_on() {
        return keep(Why::Leased);
    }
    queue(record, &judged, 0, RescanReason::Asked, policy, now)
}

/// The sweep looked, because the record's rescan was due.
pub(super) fn due(record: &Record, rescans: &Rescans, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Some(judged) = of(record) else { return keep(Why::NotDue) };
    match judged.aftermath.rescan {
        Rescan::None => keep(Why::NotDue),
        Rescan::Planned { .. } => match &rescans.engine {
            Some(engine) if judged.judgement.engine.as_ref() == Some(engine) => {
                with_rescan(record, &judged, next_rescan(record, judged.judgement, policy.rescan_every, now))
            }
            Some(_) if rescans.has_room => {
                queue(record, &judged, 0, RescanReason::NewDefinitions, policy, now)
            }
            _ => with_rescan(record, &judged, Rescan::Planned { when: now + policy.look_again }),
        },
        Rescan::Queued { n_attempts, why, .. } => queue(record, &judged, n_attempts, why, policy, now),
        Rescan::Running { lease, why } => queue(record, &judged, lease.epoch, why, policy, now),
    }
}

fn queue(
    record: &Record,
    judged: &Judged<'_>,
    n_attempts: u32,
    why: RescanReason,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    if n_attempts >= policy.max_attempts {
        return over(record, None, None, policy, now);
    }
    let version = judged.version.clone();
    let rescan = Rescan::Queued { n_attempts, look_at: now + policy.look_again, why };
    match with_rescan(record, judged, rescan) {
        Step::Commit { next, .. } => Step::Commit { next, effects: vec![Effect::QueueScan { version }] },
        kept @ Step::Keep { .. } => kept,
    }
}

/// A scanner was told of the bound version.
pub(super) fn claimed(record: &Record, holder: ScanId, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Some(judged) = of(record) else { return keep(Why::Fenced) };
    let (n_attempts, why) = match judged.aftermath.rescan {
        Rescan::Queued { n_attempts, why, .. } => (n_attempts, why),
        Rescan::Running { lease, .. } if lease.until > now => return keep(Why::Leased),
        Rescan::Running { lease, why } => (lease.epoch, why),
        Rescan::None | Rescan::Planned { .. } => {
            let effects = vec![Effect::Tag { version: judged.version.clone() }];
            return Step::Keep { why: Why::AlreadyJudged, effects };
        }
    };
    if n_attempts >= policy.max_attempts {
        return over(record, None, None, policy, now);
    }
    let lease = Lease { holder, epoch: n_attempts + 1, until: now + policy.lease };
    let version = judged.version.clone();
    match with_rescan(record, &judged, Rescan::Running { lease, why }) {
        Step::Commit { next, .. } => Step::Commit { next, effects: vec![Effect::Scan { version, lease }] },
        kept @ Step::Keep { .. } => kept,
    }
}

pub(super) fn renewed(record: &Record, holder: ScanId, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Some(judged) = of(record) else { return keep(Why::Fenced) };
    match judged.aftermath.rescan {
        Rescan::Running { lease, why } if lease.holder == holder => {
            let lease = Lease { until: now + policy.lease, ..lease };
            with_rescan(record, &judged, Rescan::Running { lease, why })
        }
        _ => keep(Why::Fenced),
    }
}

pub(super) fn postponed(record: &Record, holder: ScanId, policy: &MachinePolicy, now: Timestamp) -> Step {
    let Some(judged) = of(record) else { return keep(Why::Fenced) };
    match judged.aftermath.rescan {
        Rescan::Running { lease, why } if lease.holder == holder => {
            let (n_attempts, look_at) = (lease.epoch.saturating_sub(1), now + policy.look_again);
            with_rescan(record, &judged, Rescan::Queued { n_attempts, look_at, why })
        }
        _ => keep(Why::Fenced),
    }
}

/// Any report but a finding, which has gone its own way.
pub(super) fn scanned(
    record: &Record,
    holder: ScanId,
    report: &Report,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let Some(old) = of(record) else { return keep(Why::Fenced) };
    let (lease, why) = match old.aftermath.rescan {
        Rescan::Running { lease, why } if lease.holder == holder => (lease, why),
        _ => return keep(Why::AlreadyJudged),
    };
    match &report.outcome {
        // Says nothing about the bytes.
        Outcome::Decided(Verdict::Unscannable { reason: Unscannable::StaleDefinitions }) => {
            over(record, Some(holder), None, policy, now)
        }
        // Nor does this: the first scan had the password.
        Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Encrypted })
            if old.judgement.needed_password =>
        {
            match over(record, Some(holder), None, policy, now) {
                Step::Commit { mut next, effects } => {
                    if let State::Judged { aftermath, .. } = &mut next.state {
                        aftermath.unopened_at = Some(now);
                    }
                    Step::Commit { next, effects }
                }
                kept @ Step::Keep { .. } => kept,
            }
        }
        Outcome::Decided(verdict) => {
            let judgement = judged(verdict.clone(), report, now);
            let rescan = next_rescan(record, &judgement, policy.rescan_every, now);
            conclude(
                record,
                old.version,
                judgement,
                Aftermath { rescan, ..Aftermath::default() },
                policy,
                now,
            )
        }
        Outcome::Inconclusive(_) if lease.epoch < policy.max_attempts => {
            let look_at = now + policy.look_again;
            with_rescan(record, &old, Rescan::Queued { n_attempts: lease.epoch, look_at, why })
        }
        Outcome::Inconclusive(_) => over(record, Some(holder), None, policy, now),
    }
}

/// The look is over, and the verdict stands: `again` is the judgement that repeats it, if there is one. Only for the holder of the lease,
/// where there is one.
pub(super) fn over(
    record: &Record,
    holder: impl Into<Option<ScanId>>,
    again: impl Into<Option<Judgement>>,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let Some(old) = of(record) else { return keep(Why::Fenced) };
    let is_holder = match (old.aftermath.rescan, holder.into()) {
        (Rescan::Running { lease, .. }, Some(holder)) => lease.holder == holder,
        (Rescan::None | Rescan::Planned { .. }, _) => false,
        (_, holder) => holder.is_none(),
    };
    if !is_holder {
        return keep(Why::AlreadyJudged);
    }
    let judgement = again.into().unwrap_or_else(|| old.judgement.clone());
    let rescan = next_rescan(record, &judgement, policy.rescan_every, now);
    let aftermath = Aftermath { rescan, ..old.aftermath.clone() };
    let mut next = advanced(record);
    next.state = State::Judged { version: old.version.clone(), judgement, aftermath };
    commit(next, vec![])
}

fn with_rescan(record: &Record, judged: &Judged<'_>, rescan: Rescan) -> Step {
    let aftermath = Aftermath { rescan, ..judged.aftermath.clone() };
    let mut next = advanced(record);
    next.state =
        State::Judged { version: judged.version.clone(), judgement: judged.judgement.clone(), aftermath };
    commit(next, vec![])
}
