//! Moves on every file that is due: after a lost event, a dead lease, its expiry, or for its next rescan.
//!
//! Rescans for new definitions are spread out: each clean file is rescanned after an interval, and a sweep
//! queues only as many as its budget allows.
//!
//! Invariant: idempotent. Two concurrent sweeps, or one that is cut off, only repeat work.

mod config;
mod deliveries;
mod incoming;

use std::time::Duration;

use aws::{Backlog, StoreError, Stores};
use domain::id::FileId;
use domain::machine::{Effect, Event, MachinePolicy};
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
pub struct Context {
    pub stores: Stores,
    pub machine: MachinePolicy,
    /// How many automatic rescans one sweep may queue.
    pub rescans_per_sweep: u32,
    /// How often the incoming prefix is searched for objects without an event.
    pub incoming_every: Duration,
}

impl Context {
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
    /// Objects below the incoming prefix whose event was lost.
    pub n_found: u32,
    /// Webhooks that are retried.
    pub n_deliveries: u32,
}

/// A file that waits longer for its verdict is counted, for an alarm.
pub const LONG: Duration = Duration::from_mins(15);

/// Files per query: small, so that a long sweep sees what concurrent writers have changed.
const PAGE: i32 = 25;

/// A running sweep.
struct Sweep<'a> {
    context: &'a Context,
    deadline: Instant,
    engine: Option<EngineVersion>,
    rescans_left: u32,
    swept: SweepReport,
}

/// Moves on every file that is due, for at most `time_left`; what is left stays due. Fails only if the ledger
/// or a queue cannot be read; a file that fails is counted and retried by the next sweep.
pub async fn sweep(context: &Context, time_left: Duration) -> Result<SweepReport, StoreError> {
    let backlog = match &context.stores.queues.scans {
        Some(queue) => queue.backlog().await.ok(),
        None => None,
    };
    let is_busy = is_busy(backlog);
    let mut sweep = Sweep {
        context,
        deadline: Instant::now() + time_left,
        engine: context.stores.ledger.heartbeat().await?.map(|heartbeat| heartbeat.engine),
        rescans_left: if is_busy { 0 } else { context.rescans_per_sweep },
        swept: SweepReport::default(),
    };
    for shard in 0..aws::Ledger::N_SHARDS {
        sweep.shard(shard).await?;
    }
    // With a full queue it cannot be known which events are lost.
    if !is_busy {
        sweep.swept.n_found = incoming::look(context, context.incoming_every).await?;
    }
    sweep.swept.n_deliveries = deliveries::requeue(context).await?;
    Ok(sweep.swept)
}

/// Whether the scan queue has enough work. A queue that is missing, or cannot be read, gets no more.
fn is_busy(backlog: Option<Backlog>) -> bool {
    backlog.is_none_or(|backlog| backlog.n_waiting >= Context::BUSY)
}

impl Sweep<'_> {
    async fn shard(&mut self, shard: u8) -> Result<(), StoreError> {
        while Instant::now() < self.deadline {
            let due = self.context.stores.ledger.due(shard, aws::clock::now(), PAGE).await?;
            let mut n_moved = 0;
            for file in due {
                self.swept.n_files += 1;
                match self.move_on(file, aws::clock::now()).await {
                    Ok(is_progress) => n_moved += u32::from(is_progress),
                    Err(error) => {
                        self.swept.n_failed += 1;
                        tracing::warn!(file.id = %file, error = aws::log::chain(&error), "file not moved on");
                    }
                }
            }
            // Files that fail, or that the index wrongly lists, stay at the front of the index: without
            // progress the next query would return them again.
            if n_moved == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes one file a step further. Returns whether that was progress.
    async fn move_on(&mut self, file: FileId, now: Timestamp) -> Result<bool, StoreError> {
        let Context { stores, machine, .. } = self.context;
        let transitions = Transitions { stores, policy: machine };
        let Some(record) = stores.ledger.load(file).await? else { return Ok(false) };
        let found = match record.state {
            State::Awaiting => stores.objects.current_version(&record.object_key()).await?,
            _ => None,
        };
        let rescans = Rescans { engine: self.engine.clone(), has_room: self.rescans_left > 0 };
        let due = Event::Due { found, rescans };
        let Some(applied) = transitions.apply(file, &due, now).await? else {
            return Ok(false);
        };
        if applied.kept.is_none() {
            aws::log::verdict(&applied.record, "given up", now);
            tracing::info!(file.id = %file, file.status = applied.record.status().as_str(), "swept");
        }
        if queues_rescan(&applied) {
            self.swept.n_rescans += 1;
            self.rescans_left = self.rescans_left.saturating_sub(1);
        }
        transitions.run_effects(&applied, now).await?;
        self.swept.n_unscanned += u32::from(waits_long(&record, now));
        Ok(is_progress(&applied))
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
