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
        let (ledger, mut event) = (&self.stores.ledger, Cow::Borrowed(event));
        for _ in 0..MAX_CONFLICTS {
            let Some(record) = ledger.load(file).await? else { return Ok(None) };
            match step(&record, &event, self.policy, now) {
                Step::Keep { why, effects } => return Ok(Some(Applied { record, kept: Some(why), effects })),
                Step::Commit { next, effects } => match ledger.commit(&record, &next, &write_id()).await? {
                    Committed::Yes => return Ok(Some(Applied { record: *next, kept: None, effects })),
                    Committed::Conflict => {}
                    // It was revoked after the caller read it.
                    Committed::ReleaseNotInForce => {
                        let Some(rest) = without_release(&event) else {
                            let kept = Some(NoChange::NotPossible);
                            return Ok(Some(Applied { record, kept, effects: vec![] }));
                        };
                        event = Cow::Owned(rest);
                    }
                },
            }
        }
        Err(StoreError::new("commit a record", StoreErrorKind::Unavailable))
    }
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

/// A name for one write, by which its own retry recognises it.
pub(crate) fn write_id() -> String {
    aws::clock::random_uuid().simple().to_string()
}
