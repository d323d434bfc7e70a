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
        let ledger = &self.stores.ledger;
        for _ in 0..MAX_CONFLICTS {
            let Some(record) = ledger.load(file).await? else { return Ok(None) };
            match step(&record, event, self.policy, now) {
                Step::Keep { why, effects } => return Ok(Some(Applied { record, kept: Some(why), effects })),
                Step::Commit { next, effects } => match ledger.commit(&record, &next, &write_id()).await? {
                    Committed::Yes => return Ok(Some(Applied { record: *next, kept: None, effects })),
                    Committed::Conflict => {}
                },
            }
        }
        Err(StoreError::new("commit a record", StoreErrorKind::Unavailable))
    }
}

impl Transitions<'_> {
    /// Stores a record again as it is, so that the indexes of this release have it. Does nothing if the
    /// record has changed meanwhile.
    pub async fn reindex(self, record: &Record) -> Result<(), StoreError> {
        self.stores.ledger.reindex(record, &write_id()).await.map(drop)
    }
}

/// A name for one write, by which its own retry recognises it. Short, because every record stores it; it is
/// compared only with those of other writers of the same revision.
pub(crate) fn write_id() -> String {
    let (random, _) = aws::clock::random_uuid().as_u64_pair();
    format!("{random:016x}")
}
