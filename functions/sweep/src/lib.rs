//! Moves on every file that is due: after a lost event, a dead lease, its expiry, or for its next rescan.
//!
//! Rescans for new definitions are spread out: each clean file is rescanned after an interval, and a sweep
//! queues only as many as its budget allows. Those without room wait in an index of their own, in which they
//! cost nothing and delay nothing else.
//!
//! Invariant: idempotent. Two concurrent sweeps, or one that is cut off, only repeat work.

mod config;
mod deliveries;
mod due_files;
mod incoming;
mod planned_rescans;
mod protected;

use std::time::Duration;

use aws::{Backlog, DueRecord, StoreError, Stores};
use domain::id::FileId;
use domain::machine::{Effect, Event, MachinePolicy, NoChange};
use domain::post_verdict::Rescans;
use domain::record::{Record, State};
use domain::timestamp::Timestamp;
use domain::verdict::EngineVersion;
use lifecycle::{Applied, Transitions};
use serde::Serialize;
use tokio::time::Instant;

pub use config::{SweepDeployment, SweepPace, SweepSettings};

/// What a sweep needs. Built once per process.
#[derive(Clone, Debug)]
pub struct SweepContext {
    pub stores: Stores,
    pub machine: MachinePolicy,
    /// How many automatic rescans one sweep may queue.
    pub rescans_per_sweep: u32,
    /// How often the incoming prefix and each protected place are searched for objects without an event.
    pub incoming_every: Duration,
}

impl SweepContext {
    /// A hundred versions a minute are 144,000 a day.
    pub const INCOMING_EVERY: Duration = Duration::from_secs(50);
    /// First scans come first: with this many messages in the queue, no rescan is added.
    const BUSY: u64 = 10;
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    pub n_files: u32,
    /// Files that could not be moved on; the next sweep retries them.
    pub n_failed: u32,
    /// Files that have waited for their verdict for longer than [`LONG`].
    pub n_unscanned: u32,
    /// Rescans that were queued.
    pub n_rescans: u32,
    /// Objects below the incoming prefix and in protected buckets whose event was lost.
    pub n_found: u32,
    /// Webhooks that are retried.
    pub n_deliveries: u32,
}

impl std::ops::AddAssign for SweepReport {
    fn add_assign(&mut self, more: Self) {
        self.n_files += more.n_files;
        self.n_failed += more.n_failed;
        self.n_unscanned += more.n_unscanned;
        self.n_rescans += more.n_rescans;
        self.n_found += more.n_found;
        self.n_deliveries += more.n_deliveries;
    }
}

/// A file that waits longer for its verdict is counted, for an alarm.
pub const LONG: Duration = Duration::from_mins(15);

/// Whether a planned rescan may be queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    ForRescan,
    None,
}

/// A running sweep.
struct Sweep<'a> {
    context: &'a SweepContext,
    deadline: Instant,
    engine: Option<EngineVersion>,
}

/// Moves on every file that is due, for at most `time_left`; what is left stays due. Fails only if the ledger
/// or a queue cannot be read; a file that fails is counted and retried by the next sweep.
pub async fn sweep(context: &SweepContext, time_left: Duration) -> Result<SweepReport, StoreError> {
    let backlog = match &context.stores.queues.scans {
        Some(queue) => queue.backlog().await.ok(),
        None => None,
    };
    let sweep = Sweep {
        context,
        deadline: Instant::now() + time_left,
        engine: context.stores.ledger.heartbeat().await?.map(|heartbeat| heartbeat.engine),
    };
    let mut swept = sweep.due_files().await?;
    // First scans come first. With a full queue it cannot be known which events are lost, either.
    if !is_busy(backlog) {
        swept += sweep.planned_rescans().await?;
        swept.n_found = incoming::look(context, context.incoming_every).await?;
        swept.n_found += protected::look(context, context.incoming_every).await?;
    }
    swept.n_deliveries = deliveries::requeue(context).await?;
    Ok(swept)
}

/// Whether the scan queue has enough work. A queue that is missing, or cannot be read, gets no more.
fn is_busy(backlog: Option<Backlog>) -> bool {
    backlog.is_none_or(|backlog| backlog.n_waiting >= SweepContext::BUSY)
}

impl Sweep<'_> {
    /// Takes one file a step further. Returns what was done, and whether that was progress.
    async fn move_on(&self, file: FileId, rescan: Room) -> (SweepReport, bool) {
        match self.try_to_move_on(file, rescan, aws::clock::now()).await {
            Ok(moved) => moved,
            Err(error) => {
                tracing::warn!(file.id = %file, error = aws::log::chain(&error), "file not moved on");
                (SweepReport { n_files: 1, n_failed: 1, ..SweepReport::default() }, false)
            }
        }
    }

    async fn try_to_move_on(
        &self,
        file: FileId,
        rescan: Room,
        now: Timestamp,
    ) -> Result<(SweepReport, bool), StoreError> {
        let SweepContext { stores, machine, .. } = self.context;
        let mut swept = SweepReport { n_files: 1, ..SweepReport::default() };
        let transitions = Transitions { stores, policy: machine };
        let Some(DueRecord { record, is_indexed }) = stores.ledger.load_due(file).await? else {
            return Ok((swept, false));
        };
        let found = match record.state {
            State::Awaiting => stores.objects.current_version(&record.object_key()).await?,
            _ => None,
        };
        let rescans = Rescans {
            engine: self.engine.clone(),
            has_room: rescan == Room::ForRescan,
            is_out_of_reach: protected::is_out_of_reach(stores, &record),
        };
        let Some(applied) = transitions.apply(file, &Event::Due { found, rescans }, now).await? else {
            return Ok((swept, false));
        };
        if applied.kept.is_none() {
            aws::log::verdict(&applied.record, "given up", now);
            tracing::info!(file.id = %file, file.status = applied.record.status().as_str(), "swept");
        }
        swept.n_rescans = u32::from(queues_rescan(&applied));
        transitions.run_effects(&applied, now).await?;
        swept.n_unscanned = u32::from(waits_long(&record, now));
        if applied.kept == Some(NoChange::NotDue) && !is_indexed {
            transitions.reindex(&applied.record).await?;
        }
        Ok((swept, is_progress(&applied)))
    }
}

/// Whether the file has been stored, and without a verdict, for longer than [`LONG`].
fn waits_long(record: &Record, now: Timestamp) -> bool {
    let is_stored = matches!(record.state, State::Queued { .. } | State::Scanning { .. });
    is_stored && now.since(record.created_at) > LONG
}

/// Whether the step asks for a scan of a file that has its verdict.
fn queues_rescan(applied: &Applied) -> bool {
    let asks_for_scan = applied.effects.iter().any(|effect| matches!(effect, Effect::QueueScan { .. }));
    asks_for_scan && applied.record.judgement().is_some()
}

/// Whether the file is no longer due, or something is done by which it soon will not be.
fn is_progress(applied: &Applied) -> bool {
    applied.kept.is_none() || !applied.effects.is_empty()
}

#[cfg(test)]
mod tests;
