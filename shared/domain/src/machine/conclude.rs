//! Binds a verdict to a file's version and schedules the work that follows it.

use std::time::Duration;

use super::change::{Change, commit, keep};
use super::rules::next_rescan;
use super::{Effect, MachinePolicy, NoChange, ScanReport, Step};
use crate::id::Version;
use crate::post_verdict::{PostVerdict, Quarantine};
use crate::record::{Record, State, UploadMethod};
use crate::timestamp::Timestamp;
use crate::verdict::{Judgement, ScanError, Verdict};

/// Binds `judgement` to `version`.
pub(super) fn conclude(
    change: Change<'_>,
    version: &Version,
    judgement: Judgement,
    post_verdict: PostVerdict,
) -> Step {
    let Change { record, policy, now } = change;
    let mut next = change.advanced();
    next.state = State::Judged { version: version.clone(), judgement, post_verdict };
    let mut due_at = match &record.upload_method {
        _ if record.has_surplus => now,
        // A POST policy can be replayed until its deadline, and the replay's event can be lost: look once
        // after that.
        UploadMethod::Post => change.last_arrival().max(now).min(record.expires_at),
        UploadMethod::Put
        | UploadMethod::Form
        | UploadMethod::Multipart(_)
        | UploadMethod::Incoming(_)
        | UploadMethod::OnDemand => record.expires_at,
    };
    // The sweep applies the quarantine: the scanner reads hostile bytes and should not be allowed to remove
    // any.
    if quarantine(&next, policy).is_some() {
        due_at = due_at.min(now);
    }
    next.due_at = Some(due_at);
    commit(next, vec![Effect::Tag { version: version.clone() }])
}

/// Binds a verdict other than `infected`, and plans the next rescan.
pub(super) fn reported(change: Change<'_>, version: &Version, judgement: Judgement) -> Step {
    let rescan = next_rescan(change, &judgement);
    conclude(change, version, judgement, PostVerdict { rescan, ..PostVerdict::default() })
}

/// Ends the file in `error`, because the engine failed too often.
pub(super) fn give_up(change: Change<'_>, version: &Version) -> Step {
    let judgement = unread(Verdict::Error { reason: ScanError::EngineTrouble }, change.now);
    conclude(change, version, judgement, PostVerdict::default())
}

/// The judgement with `verdict` and the details of a scanner's report.
pub(super) fn judgement_of(verdict: Verdict, report: &ScanReport, now: Timestamp) -> Judgement {
    Judgement {
        verdict,
        judged_at: now,
        duration: report.duration,
        sha256: report.sha256,
        engine: report.engine.clone(),
        needed_password: report.needed_password,
    }
}

/// The judgement on bytes that were not read.
pub(super) fn unread(verdict: Verdict, now: Timestamp) -> Judgement {
    Judgement {
        verdict,
        judged_at: now,
        duration: Duration::ZERO,
        sha256: None,
        engine: None,
        needed_password: false,
    }
}

/// The quarantine effect that the policy requires and that is not done yet.
pub(super) fn quarantine(record: &Record, policy: &MachinePolicy) -> Option<Effect> {
    let State::Judged { version, judgement, post_verdict } = &record.state else { return None };
    let is_infected = matches!(judgement.verdict, Verdict::Infected { .. }) && post_verdict.release.is_none();
    let how = policy.quarantine_of(record);
    let is_left = how != Quarantine::Keep && record.quarantined.is_none();
    // The bytes of a file on demand are removed in any case, and kept nowhere else.
    (is_infected && is_left && !record.is_on_demand())
        .then(|| Effect::Quarantine { version: version.clone(), how })
}

/// Records that versions other than the bound one are under the key. The sweep removes them: immediately, or
/// after the verdict if there is none yet.
pub(super) fn surplus(change: Change<'_>) -> Step {
    let Change { record, now, .. } = change;
    let already_known = record.has_surplus;
    // Other versions under a key of an uploader outside the API are other files.
    if record.incoming_version().is_some() && !change.has_ended() {
        return keep(NoChange::NotPossible);
    }
    let mut next = change.advanced();
    next.has_surplus = true;
    if matches!(record.state, State::Judged { .. } | State::Expired | State::Deleted) {
        next.due_at = Some(record.due_at.map_or(now, |due_at| due_at.min(now)));
    }
    if already_known && next.due_at == record.due_at {
        return keep(NoChange::AlreadyEnded);
    }
    commit(next, vec![])
}

#[cfg(test)]
mod tests;
