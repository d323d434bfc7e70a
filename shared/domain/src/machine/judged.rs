//! The steps of a file that has a verdict: rescans, releases and the quarantine.
//!
//! The verdict stands until a rescan ends. A conclusive rescan replaces it; an inconclusive one changes
//! nothing.

use super::change::{Change, commit, keep};
use super::conclude::{conclude, judgement_of, quarantine, reported, surplus};
use super::rules::{may_rescan, next_rescan};
use super::{Effect, Event, NoChange, ScanReport, Step};
use crate::id::{ScanId, Version, VersionId};
use crate::post_verdict::{PostVerdict, Quarantine, Release, Rescan, RescanReason, Rescans, Revocation};
use crate::record::{Lease, State};
use crate::timestamp::Timestamp;
use crate::verdict::{Judgement, Outcome, Unscannable, Verdict};

/// A change of a record in [`State::Judged`], with what that state holds.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) change: Change<'a>,
    pub(super) version: &'a Version,
    pub(super) judgement: &'a Judgement,
    pub(super) post_verdict: &'a PostVerdict,
}

impl<'a> Judged<'a> {
    /// `None` for a record in another state.
    pub(super) fn of(change: Change<'a>) -> Option<Self> {
        match &change.record.state {
            State::Judged { version, judgement, post_verdict } => {
                Some(Self { change, version, judgement, post_verdict })
            }
            _ => None,
        }
    }
}

impl Judged<'_> {
    pub(super) fn step(self, event: &Event) -> Step {
        match event {
            Event::Claimed { version, .. } if version.version_id != self.version.version_id => {
                surplus(self.change)
            }
            Event::Claimed { holder, .. } => self.claimed(*holder),
            Event::Renewed { holder } => self.renewed(*holder),
            Event::Scanned { version_id, holder, report } if *version_id == self.version.version_id => {
                self.scanned(*holder, report)
            }
            Event::Scanned { .. } => keep(NoChange::Fenced),
            Event::Postponed { holder, .. } => self.postponed(*holder),
            Event::Purged => self.purged(),
            Event::Quarantined { version_id, how } => self.quarantined(version_id, *how),
            Event::TagFailed { version_id } => self.tag_failed(version_id),
            Event::Tagged { due_at } => self.tagged(*due_at),
            Event::RescanAsked => self.asked(),
            Event::Released { release } => self.released(release),
            Event::ReleaseRevoked { revocation } => self.release_revoked(revocation),
            Event::Arrived { .. } => keep(NoChange::NotPossible),
            _ => keep(NoChange::AlreadyEnded),
        }
    }

    /// The sweep's step when the record's state is due: removes other versions, and finishes a release,
    /// its revocation and the quarantine.
    pub(super) fn due(self) -> Step {
        let mut effects = vec![];
        // First: it stays due until the other versions are removed, so that no tag is left out.
        if self.post_verdict.release.is_some() || self.post_verdict.revocation.is_some() {
            effects.push(Effect::Tag { version: self.version.clone() });
        }
        effects.push(Effect::PurgeOthers { keep: self.version.clone() });
        effects.extend(quarantine(self.change.record, self.change.policy));
        Step::Keep { why: NoChange::EffectsOnly, effects }
    }

    /// The sweep's step when the tag is due.
    pub(super) fn tag_due(self) -> Step {
        let effects = vec![Effect::Tag { version: self.version.clone() }];
        Step::Keep { why: NoChange::EffectsOnly, effects }
    }

    fn tag_failed(self, version_id: &VersionId) -> Step {
        if self.version.version_id != *version_id {
            return keep(NoChange::NotPossible);
        }
        self.with_tag_due_at(Some(self.change.now + self.change.policy.tag_retry))
    }

    /// Does nothing if the tag is due again, because it failed once more or the verdict changed.
    fn tagged(self, due_at: Timestamp) -> Step {
        if self.post_verdict.tag_due_at != Some(due_at) {
            return keep(NoChange::AlreadyEnded);
        }
        self.with_tag_due_at(None)
    }

    fn with_tag_due_at(self, tag_due_at: Option<Timestamp>) -> Step {
        let post_verdict = PostVerdict { tag_due_at, ..self.post_verdict.clone() };
        self.with(self.judgement.clone(), post_verdict, vec![])
    }

    /// The sweep's step when the rescan is due.
    pub(super) fn rescan_due(self, rescans: &Rescans) -> Step {
        match self.post_verdict.rescan {
            Rescan::None => keep(NoChange::NotDue),
            Rescan::Planned { .. } if rescans.is_out_of_reach => {
                self.with_rescan(next_rescan(self.change, self.judgement), vec![])
            }
            Rescan::Planned { .. } => match &rescans.engine {
                Some(engine) if self.judgement.engine.as_ref() == Some(engine) => {
                    self.with_rescan(next_rescan(self.change, self.judgement), vec![])
                }
                Some(_) if rescans.has_room => self.queue(0, RescanReason::NewDefinitions),
                // It stays due: to postpone it would cost a write for each sweep.
                Some(_) | None => keep(NoChange::NotDue),
            },
            Rescan::Queued { n_attempts, why, .. } => self.queue(n_attempts, why),
            Rescan::Running { lease, why, .. } => self.queue(lease.epoch, why),
        }
    }

    fn asked(self) -> Step {
        if may_rescan(self.change.record, self.change.now).is_err() {
            return keep(NoChange::NotPossible);
        }
        if self.post_verdict.rescan.is_on() {
            return keep(NoChange::Leased);
        }
        self.queue(0, RescanReason::Asked)
    }

    fn queue(self, n_attempts: u32, why: RescanReason) -> Step {
        if n_attempts >= self.change.policy.max_attempts {
            return self.rescan_over(None, None);
        }
        let rescan = Rescan::Queued { n_attempts, next_due_at: self.change.retry_at(), why };
        self.with_rescan(rescan, vec![Effect::QueueScan { version: self.version.clone() }])
    }

    fn claimed(self, holder: ScanId) -> Step {
        let now = self.change.now;
        let (n_attempts, next_due_at, why) = match self.post_verdict.rescan {
            Rescan::Queued { n_attempts, next_due_at, why } => (n_attempts, Some(next_due_at), why),
            Rescan::Running { lease, .. } if lease.until > now => return keep(NoChange::Leased),
            Rescan::Running { lease, next_due_at, why } => (lease.epoch, next_due_at, why),
            Rescan::None | Rescan::Planned { .. } => {
                let effects = vec![Effect::Tag { version: self.version.clone() }];
                return Step::Keep { why: NoChange::AlreadyJudged, effects };
            }
        };
        if n_attempts >= self.change.policy.max_attempts {
            return self.rescan_over(None, None);
        }
        let lease = Lease { holder, epoch: n_attempts + 1, until: now + self.change.policy.lease };
        let scan = Effect::Scan { version: self.version.clone(), lease };
        self.with_rescan(Rescan::Running { lease, next_due_at, why }, vec![scan])
    }

    fn renewed(self, holder: ScanId) -> Step {
        match self.post_verdict.rescan {
            Rescan::Running { lease, next_due_at, why } if lease.holder == holder => {
                let lease = Lease { until: self.change.now + self.change.policy.lease, ..lease };
                self.with_rescan(Rescan::Running { lease, next_due_at, why }, vec![])
            }
            _ => keep(NoChange::Fenced),
        }
    }

    fn postponed(self, holder: ScanId) -> Step {
        match self.post_verdict.rescan {
            Rescan::Running { lease, why, .. } if lease.holder == holder => {
                let n_attempts = lease.epoch.saturating_sub(1);
                let next_due_at = self.change.retry_at();
                self.with_rescan(Rescan::Queued { n_attempts, next_due_at, why }, vec![])
            }
            _ => keep(NoChange::Fenced),
        }
    }

    fn scanned(self, holder: ScanId, report: &ScanReport) -> Step {
        // A finding counts even without the lease: `infected` is absorbing.
        if let Outcome::Decided(verdict @ Verdict::Infected { .. }) = &report.outcome {
            return self.found(holder, report, judgement_of(verdict.clone(), report, self.change.now));
        }
        let (lease, why) = match self.post_verdict.rescan {
            Rescan::Running { lease, why, .. } if lease.holder == holder => (lease, why),
            _ => return keep(NoChange::AlreadyJudged),
        };
        match &report.outcome {
            // Stale definitions say nothing about the bytes.
            Outcome::Decided(Verdict::Unscannable { reason: Unscannable::StaleDefinitions }) => {
                self.rescan_over(Some(holder), None)
            }
            // `encrypted` says nothing either: the first scan had the password, the rescan does not.
            Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Encrypted })
                if self.judgement.needed_password =>
            {
                self.rescan_without_password(holder)
            }
            Outcome::Decided(verdict) => {
                let judgement = judgement_of(verdict.clone(), report, self.change.now);
                reported(self.change, self.version, judgement)
            }
            Outcome::Inconclusive(_) if lease.epoch < self.change.policy.max_attempts => {
                let next_due_at = self.change.retry_at();
                self.with_rescan(Rescan::Queued { n_attempts: lease.epoch, next_due_at, why }, vec![])
            }
            Outcome::Inconclusive(_) => self.rescan_over(Some(holder), None),
        }
    }

    /// A finding replaces the verdict, unless it repeats the current finding. A release that covers it is
    /// kept, or taken from the report.
    fn found(self, holder: ScanId, report: &ScanReport, judgement: Judgement) -> Step {
        let known = self.post_verdict.release.as_ref();
        let release =
            known.into_iter().chain(&report.release).find(|release| release.covers(&judgement)).cloned();
        let stands = matches!(self.judgement.verdict, Verdict::Infected { .. });
        let is_new = !stands || (known.is_some() && release.as_ref() != known);
        if !is_new {
            return self.rescan_over(Some(holder), Some(judgement));
        }
        conclude(self.change, self.version, judgement, PostVerdict { release, ..PostVerdict::default() })
    }

    fn rescan_without_password(self, holder: ScanId) -> Step {
        match self.rescan_over(Some(holder), None) {
            Step::Commit { mut next, effects } => {
                if let State::Judged { post_verdict, .. } = &mut next.state {
                    post_verdict.unopened_at = Some(self.change.now);
                }
                Step::Commit { next, effects }
            }
            kept @ Step::Keep { .. } => kept,
        }
    }

    /// Ends the rescan without changing the verdict; `again` is the judgement that repeats it, if there is
    /// one. Does nothing if another scanner holds the lease.
    fn rescan_over(self, holder: Option<ScanId>, again: Option<Judgement>) -> Step {
        let is_holder = match (self.post_verdict.rescan, holder) {
            (Rescan::Running { lease, .. }, Some(holder)) => lease.holder == holder,
            (Rescan::None | Rescan::Planned { .. }, _) => false,
            (_, holder) => holder.is_none(),
        };
        if !is_holder {
            return keep(NoChange::AlreadyJudged);
        }
        let judgement = again.unwrap_or_else(|| self.judgement.clone());
        let rescan = next_rescan(self.change, &judgement);
        self.with(judgement, PostVerdict { rescan, ..self.post_verdict.clone() }, vec![])
    }

    fn with_rescan(self, rescan: Rescan, effects: Vec<Effect>) -> Step {
        let post_verdict = PostVerdict { rescan, ..self.post_verdict.clone() };
        self.with(self.judgement.clone(), post_verdict, effects)
    }

    fn with(self, judgement: Judgement, post_verdict: PostVerdict, effects: Vec<Effect>) -> Step {
        let mut next = self.change.advanced();
        next.state = State::Judged { version: self.version.clone(), judgement, post_verdict };
        commit(next, effects)
    }

    /// The release was checked when it was made; it must still cover the current finding.
    fn released(self, release: &Release) -> Step {
        if !release.covers(self.judgement) || self.change.record.quarantined.is_some() {
            return keep(NoChange::NotPossible);
        }
        if self.post_verdict.release.is_some() {
            return keep(NoChange::AlreadyEnded);
        }
        let release = Some(release.clone());
        self.tagged_by_sweep(PostVerdict { release, revocation: None, ..self.post_verdict.clone() })
    }

    /// Removes the release, whichever finding it covers, and ends a rescan: no scan that was requested for a
    /// released file may replace the finding. Does nothing for a file without a release, so that the first
    /// revocation is kept.
    fn release_revoked(self, revocation: &Revocation) -> Step {
        if self.post_verdict.release.is_none() || self.judgement.sha256 != Some(revocation.sha256) {
            return keep(NoChange::AlreadyEnded);
        }
        let revocation = Some(revocation.clone());
        let rescan = Rescan::None;
        self.tagged_by_sweep(PostVerdict { release: None, revocation, rescan, ..self.post_verdict.clone() })
    }

    /// Concludes again with the same judgement. The sweep writes the tag: a function that takes requests from
    /// outside may not tag anything as clean.
    fn tagged_by_sweep(self, post_verdict: PostVerdict) -> Step {
        let concluded = conclude(self.change, self.version, self.judgement.clone(), post_verdict);
        let Step::Commit { mut next, .. } = concluded else { return concluded };
        next.due_at = Some(self.change.now);
        Step::Commit { next, effects: vec![] }
    }

    /// Schedules one more look after the upload's deadline, for bytes that arrive until then.
    fn purged(self) -> Step {
        let Change { record, policy, .. } = self.change;
        let due_at = if quarantine(record, policy).is_some() {
            self.change.retry_at()
        } else {
            self.change.next_arrival().map_or(record.expires_at, |at| at.min(record.expires_at))
        };
        self.change.purged(Some(due_at))
    }

    fn quarantined(self, version_id: &VersionId, how: Quarantine) -> Step {
        if self.version.version_id != *version_id || self.change.record.quarantined.is_some() {
            return keep(NoChange::AlreadyEnded);
        }
        let mut next = self.change.advanced();
        next.quarantined = Some(how);
        commit(next, vec![])
    }
}

#[cfg(test)]
mod tests;
