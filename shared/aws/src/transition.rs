//! How does an event become a committed change? Load, step, commit; on a conflict again, a bounded number of times.

use domain::id::FileId;
use domain::machine::{Effect, Event, MachinePolicy, Step, Why, step};
use domain::record::Record;
use domain::timestamp::Timestamp;

use crate::clock;
use crate::error::{Kind, StoreError};
use crate::ledger::{Committed, Ledger};

/// What an event came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The record as it is now.
    pub record: Record,
    /// Why it did not change, if it did not.
    pub kept: Option<Why>,
    /// What the caller does next.
    pub effects: Vec<Effect>,
}

/// Conflicts come from the few writers of one file: two scanners, the sweep, the owner. More than this is a bug.
const MAX_CONFLICTS: usize = 20;

impl Ledger {
    /// Applies `event` to a file's record. `None` when there is no such record: none is ever made here.
    ///
    /// Safe to repeat and to race: each attempt decides afresh on what is stored at that moment.
    pub async fn apply(
        &self,
        file: FileId,
        event: &Event,
        policy: &MachinePolicy,
        now: Timestamp,
    ) -> Result<Option<Applied>, StoreError> {
        for _ in 0..MAX_CONFLICTS {
            let Some(record) = self.load(file).await? else { return Ok(None) };
            match step(&record, event, policy, now) {
                Step::Keep { why, effects } => return Ok(Some(Applied { record, kept: Some(why), effects })),
                Step::Commit { next, effects } => match self.commit(&record, &next, &write_id()).await? {
                    Committed::Yes => return Ok(Some(Applied { record: *next, kept: None, effects })),
                    Committed::Conflict => {}
                },
            }
        }
        Err(StoreError::new("commit a record", Kind::Unavailable))
    }
}

/// A name for one write, by which its own retry recognises it.
pub(crate) fn write_id() -> String {
    clock::random_uuid().simple().to_string()
}
