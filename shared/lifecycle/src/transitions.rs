//! Applies an event to a record: load, step, commit. After a conflict it retries, a bounded number of times.

use aws::{Committed, StoreError, StoreErrorKind, Stores};
use domain::id::FileId;
use domain::machine::{Effect, Event, MachinePolicy, NoChange, Step, step};
use domain::record::Record;
use domain::timestamp::Timestamp;

/// Changes records in `stores` as the state machine says under `policy`.
#[derive(Clone, Copy, Debug)]
pub struct Transitions<'a> {
    pub stores: &'a Stores,
    pub policy: &'a MachinePolicy,
}

/// The result of an event. The caller must run its effects.
#[derive(Clone, Debug)]
#[must_use = "the effects are not run yet"]
pub struct Applied {
    /// The record as it is now.
    pub record: Record,
    /// Why the record did not change, if it did not.
    pub kept: Option<NoChange>,
    /// The effects for [`Transitions::run_effects`], and the scan, which only a scanner can run.
    pub effects: Vec<Effect>,
}

/// Conflicts come from the few writers of one file: two scanners, the sweep, the owner. More than this is a
/// bug.
const MAX_CONFLICTS: usize = 20;

impl Transitions<'_> {
    /// Applies `event` to a file's record. `None` if there is no such record; none is created.
    ///
    /// Safe to repeat and to call concurrently: each attempt decides on the record stored at that moment.
    pub async fn apply(
        self,
        file: FileId,
        event: &Event,
        now: Timestamp,
    ) -> Result<Option<Applied>, StoreError> {
        for _ in 0..MAX_CONFLICTS {
            let Some(record) = self.stores.ledger.load(file).await? else { return Ok(None) };
            if let Some(applied) = self.attempt(record, event, now).await? {
                return Ok(Some(applied));
            }
        }
        Err(StoreError::new("commit a record", StoreErrorKind::Unavailable))
    }

    /// [`Transitions::apply`] without a read, if the record is still as `seen`: the commit's condition finds
    /// out. What `seen` alone would keep is decided on the stored record.
    pub async fn apply_to(
        self,
        seen: &Record,
        event: &Event,
        now: Timestamp,
    ) -> Result<Option<Applied>, StoreError> {
        if matches!(step(seen, event, self.policy, now), Step::Commit { .. })
            && let Some(applied) = self.attempt(seen.clone(), event, now).await?
        {
            return Ok(Some(applied));
        }
        self.apply(seen.file_id, event, now).await
    }

    /// Steps from `record` and commits. `None` after a conflict.
    async fn attempt(
        self,
        record: Record,
        event: &Event,
        now: Timestamp,
    ) -> Result<Option<Applied>, StoreError> {
        match step(&record, event, self.policy, now) {
            Step::Keep { why, effects } => Ok(Some(Applied { record, kept: Some(why), effects })),
            Step::Commit { next, effects } => {
                match self.stores.ledger.commit(&record, &next, &write_id()).await? {
                    Committed::Yes => Ok(Some(Applied { record: *next, kept: None, effects })),
                    Committed::Conflict => Ok(None),
                }
            }
        }
    }
}

/// A name for one write, by which its own retry recognises it.
pub(crate) fn write_id() -> String {
    aws::clock::random_uuid().simple().to_string()
}
