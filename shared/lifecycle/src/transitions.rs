//! Applies an event to a record: load, step, commit. After a conflict it retries, a bounded number of times.

use std::borrow::Cow;

use aws::{Committed, StoreError, StoreErrorKind, Stores};
use domain::id::FileId;
use domain::machine::{Effect, Event, MachinePolicy, NoChange, ScanReport, Step, step};
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
        let mut event = Cow::Borrowed(event);
        for _ in 0..MAX_CONFLICTS {
            let Some(record) = self.stores.ledger.load(file).await? else { return Ok(None) };
            match self.attempt(record, &event, now).await? {
                Attempt::Applied(applied) => return Ok(Some(applied)),
                Attempt::Conflict => {}
                // It was revoked after the caller read it.
                Attempt::ReleaseNotInForce(record) => {
                    let Some(rest) = without_release(&event) else {
                        let kept = Some(NoChange::NotPossible);
                        return Ok(Some(Applied { record, kept, effects: vec![] }));
                    };
                    event = Cow::Owned(rest);
                }
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
            && let Attempt::Applied(applied) = self.attempt(seen.clone(), event, now).await?
        {
            return Ok(Some(applied));
        }
        self.apply(seen.file_id, event, now).await
    }

    /// Steps from `record` and commits.
    async fn attempt(self, record: Record, event: &Event, now: Timestamp) -> Result<Attempt, StoreError> {
        match step(&record, event, self.policy, now) {
            Step::Keep { why, effects } => Ok(Attempt::Applied(Applied { record, kept: Some(why), effects })),
            Step::Commit { next, effects } => {
                Ok(match self.stores.ledger.commit(&record, &next, &write_id()).await? {
                    Committed::Yes => Attempt::Applied(Applied { record: *next, kept: None, effects }),
                    Committed::Conflict => Attempt::Conflict,
                    Committed::ReleaseNotInForce => Attempt::ReleaseNotInForce(record),
                })
            }
        }
    }
}

/// What one step from a record came to.
enum Attempt {
    Applied(Applied),
    /// The record was changed meanwhile.
    Conflict,
    /// The event rests on a release that is not in force. The record was not changed.
    ReleaseNotInForce(Record),
}

/// What remains of an event without the release that it contains; `None` if nothing does.
fn without_release(event: &Event) -> Option<Event> {
    match event {
        Event::Scanned { version_id, holder, report } if report.release.is_some() => Some(Event::Scanned {
            version_id: version_id.clone(),
            holder: *holder,
            report: ScanReport { release: None, ..report.clone() },
        }),
        _ => None,
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
