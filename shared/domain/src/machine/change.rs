//! The inputs of one step, and the ways in which a step can end.

use super::{Effect, MachinePolicy, NoChange, Step};
use crate::record::{Record, State, UploadMethod};
use crate::timestamp::Timestamp;

/// The inputs of a step: the stored record, the policy and the time.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) record: &'a Record,
    pub(super) policy: &'a MachinePolicy,
    pub(super) now: Timestamp,
}

impl Change<'_> {
    /// A copy of the record with the next revision, for the caller to change.
    pub(super) fn advanced(&self) -> Record {
        Record { revision: self.record.revision + 1, ..self.record.clone() }
    }

    /// Moves the record to `state`; the sweep looks at it again at `due_at`.
    pub(super) fn to_state(self, state: State, due_at: Timestamp, effects: Vec<Effect>) -> Step {
        commit(Record { state, due_at: Some(due_at), ..self.advanced() }, effects)
    }

    /// Ends the file: its bytes are removed. A record that is due already keeps its due time, so that it does
    /// not move in the index.
    pub(super) fn end(&self, state: State) -> Step {
        let due_at = self.record.due_at.map_or(self.now, |due_at| due_at.min(self.now));
        self.to_state(state, due_at, vec![Effect::Purge])
    }

    /// When the sweep retries an effect that is requested now.
    pub(super) fn retry_at(&self) -> Timestamp {
        self.now + self.policy.sweep_retry
    }

    /// The last moment at which an upload that began before its deadline can arrive.
    pub(super) fn last_arrival(&self) -> Timestamp {
        self.record.upload_deadline + self.policy.upload_grace
    }

    /// When the sweep next checks for bytes that have not arrived. After the deadline few uploads still
    /// arrive, and the grace may be hours, so the sweep checks only four times.
    pub(super) fn next_due_at(&self) -> Timestamp {
        if self.now < self.record.upload_deadline {
            return self.retry_at();
        }
        self.now + self.policy.sweep_retry.max(self.policy.upload_grace / 4)
    }

    /// When the sweep must look for bytes that arrive after a purge; `None` when none can.
    pub(super) fn next_arrival(&self) -> Option<Timestamp> {
        let method = &self.record.upload_method;
        let can_be_replayed =
            matches!(method, UploadMethod::Put | UploadMethod::Post | UploadMethod::Multipart(_));
        Some(self.last_arrival()).filter(|at| can_be_replayed && *at > self.now)
    }

    /// Records that a purge is complete.
    pub(super) fn purged(&self, due_at: Option<Timestamp>) -> Step {
        commit(Record { due_at, has_surplus: false, ..self.advanced() }, vec![])
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.record.state, State::Expired | State::Deleted)
    }
}

pub(super) fn commit(next: Record, effects: Vec<Effect>) -> Step {
    Step::Commit { next: Box::new(next), effects }
}

pub(super) fn keep(why: NoChange) -> Step {
    Step::Keep { why, effects: vec![] }
}
