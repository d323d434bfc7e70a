//! Sends the planned versions to the scan queue, the newest first, at a rate and not more than the queue
//! should hold.
//!
//! New uploads wait in the same queue, so a backfill that filled it would delay them by hours.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use aws::{MAX_BATCH, Objects, ScanQueue, StoreError, StoreErrorKind};
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::interrupt::Interrupt;
use super::plan::{Plan, Planned};
use super::progress::Progress;
use super::state::State;

/// Requests to the queue that run concurrently.
const CONCURRENT: usize = 8;
/// How soon a full queue is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Failures in a row after which the backfill ends: about five minutes.
const MAX_FAILURES: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How fast versions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) per_second: u32,
    /// None are sent while this many messages wait.
    pub(crate) max_waiting: u32,
}

/// Sends until nothing is left or Ctrl-C, and returns how many versions were sent.
pub(crate) async fn send(
    plan: &mut Plan,
    (objects, queue): (&Objects, &ScanQueue),
    pace: Pace,
    interrupt: &Interrupt,
    progress: &Progress,
) -> anyhow::Result<u64> {
    let (mut n_sent, mut n_failures) = (0, 0);
    while !interrupt.is_set() {
        let began = Instant::now();
        let turn = turn(plan, (objects, queue), pace, progress).await;
        let (n_taken, failure) = match turn? {
            Turn::Done => break,
            Turn::Full => {
                interrupt.sleep(LOOK_AGAIN).await;
                continue;
            }
            Turn::Sent { n_taken, failure } => (n_taken, failure),
        };
        n_sent += u64::from(n_taken);
        progress.add(n_taken.into());
        let Some(failure) = failure else {
            n_failures = 0;
            let planned = Duration::from_secs(1).mul_f64(f64::from(n_taken) / f64::from(pace.per_second));
            interrupt.sleep(planned.saturating_sub(began.elapsed())).await;
            continue;
        };
        n_failures += 1;
        if n_failures >= MAX_FAILURES || failure.is_lasting() {
            let said = "the queue takes no more; what it took is in the plan, and the same command resumes";
            return Err(match failure {
                Failure::Partial => anyhow::anyhow!(said),
                Failure::Request(error) => anyhow::Error::new(error).context(said),
            });
        }
        progress.waits("the queue fails");
        interrupt.sleep(LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.pow(n_failures - 1))).await;
        progress.goes_on();
    }
    Ok(n_sent)
}

enum Turn {
    Done,
    /// Enough messages wait.
    Full,
    Sent {
        n_taken: u32,
        failure: Option<Failure>,
    },
}

/// Why the queue did not take all.
enum Failure {
    /// It left messages of a batch.
    Partial,
    Request(StoreError),
}

impl Failure {
    fn is_lasting(&self) -> bool {
        match self {
            Self::Partial => false,
            Self::Request(error) => is_lasting(error),
        }
    }
}

/// Sends at most what belongs to one second, and commits what the queue took.
async fn turn(
    plan: &mut Plan,
    (objects, queue): (&Objects, &ScanQueue),
    pace: Pace,
    progress: &Progress,
) -> anyhow::Result<Turn> {
    let backlog = match queue.backlog().await {
        Ok(backlog) => backlog,
        Err(error) if !is_lasting(&error) => {
            return Ok(Turn::Sent { n_taken: 0, failure: Some(Failure::Request(error)) });
        }
        Err(error) => {
            return Err(error).context("the queue's length cannot be read (sqs:GetQueueAttributes)");
        }
    };
    let room = u64::from(pace.max_waiting).saturating_sub(backlog.n_waiting);
    let n_most = room.min(pace.per_second.into());
    let planned = plan.unsent(usize::try_from(n_most.max(1))?)?;
    if planned.is_empty() {
        return Ok(Turn::Done);
    }
    if n_most == 0 {
        progress.waits(&format!("{} wait in the queue", backlog.n_waiting));
        return Ok(Turn::Full);
    }
    progress.goes_on();
    let batches = planned.chunks(MAX_BATCH).map(|batch| send_batch(objects, queue, batch));
    let mut batches = stream::iter(batches).buffer_unordered(CONCURRENT);
    let (mut taken, mut failure) = (vec![], None);
    while let Some((ids, failed)) = batches.next().await {
        taken.extend(ids);
        failure = failure.or(failed);
    }
    drop(batches);
    plan.keep(taken.iter().map(|id| (*id, State::Sent)))?;
    Ok(Turn::Sent { n_taken: u32::try_from(taken.len())?, failure })
}

/// Sends some versions in one request. Returns the ids of those that the queue took, and why it did not take
/// all.
async fn send_batch(objects: &Objects, queue: &ScanQueue, batch: &[Planned]) -> (Vec<i64>, Option<Failure>) {
    let bodies: Vec<_> = batch.iter().map(|planned| objects.stored_event(&planned.version)).collect();
    match queue.send_batch(&bodies).await {
        Ok(places) => {
            let places: BTreeSet<_> = places.into_iter().collect();
            let taken = batch.iter().enumerate().filter(|(place, _)| places.contains(place));
            let taken: Vec<_> = taken.map(|(_, planned)| planned.id).collect();
            let is_whole = taken.len() == batch.len();
            (taken, (!is_whole).then_some(Failure::Partial))
        }
        Err(error) => (vec![], Some(Failure::Request(error))),
    }
}

/// Whether another attempt would fail in the same way.
fn is_lasting(error: &StoreError) -> bool {
    error.kind != StoreErrorKind::Unavailable
}
