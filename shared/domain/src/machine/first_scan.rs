//! From the stored object to its first verdict: claims, leases, reports.

use std::time::Duration;

use super::{Effect, MachinePolicy, Report, Step, Why, advanced, commit, keep, rescan};
use crate::aftermath::{Aftermath, Quarantine, next_rescan};
use crate::id::{ScanId, Version, VersionId};
use crate::record::{Lease, Record, State, UploadMethod};
use crate::timestamp::Timestamp;
use crate::verdict::{Judgement, Outcome, ScanError, Unscannable, Verdict};

pub(super) fn claimed(
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
        State::Judged { .. } => return rescan::claimed(record, holder, policy, now),
        State::Scanning { lease, .. } if lease.until > now => return keep(Why::Leased),
        State::Scanning { lease, .. } => lease.epoch,
        State::Queued { n_attempts, .. } => *n_attempts,
    };
    if let Some(verdict) = verdict_unread(record, version, policy) {
        return conclude(record, version, unread(verdict, now), Aftermath::default(), policy, now);
    }
    if n_attempts >= policy.max_attempts {
        return give_up(record, version, policy, now);
    }
    let lease = Lease { holder, epoch: n_attempts + 1, until: now + policy.lease };
    let mut next = advanced(record);
    next.state = State::Scanning { version: version.clone(), lease };
    next.due_at = Some(lease.until);
    commit(next, vec![Effect::Scan { version: version.clone(), lease }])
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

pub(super) fn renewed(record: &Record, holder: ScanId, policy: &MachinePolicy, now: Timestamp) -> Step {
    match &record.state {
        State::Scanning { version, lease } if lease.holder == holder => {
            let lease = Lease { until: now + policy.lease, ..*lease };
            let mut next = advanced(record);
            next.state = State::Scanning { version: version.clone(), lease };
            next.due_at = Some(lease.until);
            commit(next, vec![])
        }
        State::Judged { .. } => rescan::renewed(record, holder, policy, now),
        _ => keep(Why::Fenced),
    }
}

/// The lease is given back, and the attempt with it. It ends like any wait: the sweep looks again, and the file expires in the end.
pub(super) fn postponed(
    record: &Record,
    version_id: &VersionId,
    holder: ScanId,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    match &record.state {
        State::Scanning { version, lease } if lease.holder == holder && version.version_id == *version_id => {
            let mut next = advanced(record);
            next.state =
                State::Queued { version: version.clone(), n_attempts: lease.epoch.saturating_sub(1) };
            next.due_at = Some(now + policy.look_again);
            commit(next, vec![])
        }
        State::Judged { .. } => rescan::postponed(record, holder, policy, now),
        _ => keep(Why::Fenced),
    }
}

pub(super) fn scanned(
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
    // A finding counts whoever made it and whatever was said before: infected is absorbing.
    if let Outcome::Decided(verdict @ Verdict::Infected { .. }) = &report.outcome {
        return found(record, version, holder, judged(verdict.clone(), report, now), report, policy, now);
    }
    let lease = match &record.state {
        State::Scanning { lease, .. } if lease.holder == holder => lease,
        State::Judged { .. } => return rescan::scanned(record, holder, report, policy, now),
        _ => return keep(Why::Fenced),
    };
    match &report.outcome {
        Outcome::Decided(verdict) => {
            let judgement = judged(verdict.clone(), report, now);
            let rescan = next_rescan(record, &judgement, policy.rescan_every, now);
            let aftermath = Aftermath { rescan, ..Aftermath::default() };
            conclude(record, version, judgement, aftermath, policy, now)
        }
        Outcome::Inconclusive(reason) if lease.epoch >= policy.max_attempts => {
            let judgement = judged(Verdict::Error { reason: *reason }, report, now);
            conclude(record, version, judgement, Aftermath::default(), policy, now)
        }
        Outcome::Inconclusive(_) => {
            let mut next = advanced(record);
            next.state = State::Queued { version: version.clone(), n_attempts: lease.epoch };
            next.due_at = Some(now + policy.look_again);
            commit(next, vec![])
        }
    }
}

/// Something was found. It replaces whatever was said before, but for the same finding again; a release that covers it stands, or is taken
/// from the report.
fn found(
    record: &Record,
    version: &Version,
    holder: ScanId,
    judgement: Judgement,
    report: &Report,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let known = record.aftermath().and_then(|aftermath| aftermath.release.as_ref());
    let release =
        known.into_iter().chain(&report.release).find(|release| release.covers(&judgement)).cloned();
    let stands = record.judgement().is_some_and(|old| matches!(old.verdict, Verdict::Infected { .. }));
    let is_news = !stands || (known.is_some() && release.is_none());
    if !is_news {
        return rescan::over(record, holder, judgement, policy, now);
    }
    let aftermath = Aftermath { release, ..Aftermath::default() };
    conclude(record, version, judgement, aftermath, policy, now)
}

pub(super) fn judged(verdict: Verdict, report: &Report, now: Timestamp) -> Judgement {
    Judgement {
        verdict,
        judged_at: now,
        duration: report.duration,
        sha256: report.sha256,
        engine: report.engine.clone(),
        needed_password: report.needed_password,
    }
}

/// The engine failed too often.
pub(super) fn give_up(record: &Record, version: &Version, policy: &MachinePolicy, now: Timestamp) -> Step {
    let judgement = unread(Verdict::Error { reason: ScanError::EngineTrouble }, now);
    conclude(record, version, judgement, Aftermath::default(), policy, now)
}

/// The file has a verdict.
pub(super) fn conclude(
    record: &Record,
    version: &Version,
    judgement: Judgement,
    aftermath: Aftermath,
    policy: &MachinePolicy,
    now: Timestamp,
) -> Step {
    let mut next = advanced(record);
    next.state = State::Judged { version: version.clone(), judgement, aftermath };
    let last_arrival = record.upload_deadline + policy.upload_grace;
    let mut due_at = match &record.upload_method {
        _ if record.has_surplus => now,
        // A POST policy can be replayed until its deadline, and the replay's event can be lost: look once after that.
        UploadMethod::Post => last_arrival.max(now).min(record.expires_at),
        UploadMethod::Put | UploadMethod::Form | UploadMethod::Multipart(_) | UploadMethod::Incoming(_) => {
            record.expires_at
        }
    };
    // The sweep's work: what reads hostile bytes should not be allowed to remove any.
    if quarantine(&next, policy).is_some() {
        due_at = due_at.min(now);
    }
    next.due_at = Some(due_at);
    commit(next, vec![Effect::Tag { version: version.clone() }])
}

/// What the policy still wants done with the bytes.
pub(super) fn quarantine(record: &Record, policy: &MachinePolicy) -> Option<Effect> {
    let State::Judged { version, judgement, aftermath } = &record.state else { return None };
    let is_infected = matches!(judgement.verdict, Verdict::Infected { .. }) && aftermath.release.is_none();
    let is_left = policy.quarantine != Quarantine::Keep && record.quarantined.is_none();
    (is_infected && is_left).then(|| Effect::Quarantine { version: version.clone(), how: policy.quarantine })
}

/// There are bytes under the key that nobody will judge: the sweep removes them, at once when nothing else comes first.
fn surplus(record: &Record, now: Timestamp) -> Step {
    let already_known = record.has_surplus;
    // Other versions under a key that is not ours are other files.
    let is_other_file =
        record.incoming_version().is_some() && !matches!(record.state, State::Expired | State::Deleted);
    if is_other_file {
        return keep(Why::NotPossible);
    }
    let mut next = advanced(record);
    next.has_surplus = true;
    if matches!(record.state, State::Judged { .. } | State::Expired | State::Deleted) {
        next.due_at = Some(record.due_at.map_or(now, |due_at| due_at.min(now)));
    }
    if already_known && next.due_at == record.due_at {
        return keep(Why::AlreadyEnded);
    }
    commit(next, vec![])
}

fn unread(verdict: Verdict, now: Timestamp) -> Judgement {
    Judgement {
        verdict,
        judged_at: now,
        duration: Duration::ZERO,
        sha256: None,
        engine: None,
        needed_password: false,
    }
}
