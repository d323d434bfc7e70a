//! "Has everything ended?" Lost events, dead leases, expiry, left-over versions: whatever is due is moved on.
//!
//! Rescans for new definitions are spread out: each clean file is looked at once in a while, and no more are asked for than there is room.
//!
//! Invariant: idempotent. Two sweeps at once, or one that dies half-way, only repeat work.

mod config;
mod deliveries;
mod incoming;

use std::time::Duration;

use aws::{StoreError, Stores};
use domain::id::FileId;
use domain::machine::{Effect, Event, MachinePolicy};
use domain::post_verdict::Rescans;
use domain::record::State;
use domain::timestamp::Timestamp;
use domain::verdict::EngineVersion;
use lifecycle::Transitions;
use serde::Serialize;
use tokio::time::Instant;

pub use config::{SweepDeployment, SweepPace, SweepSettings};

/// What a sweep needs. Built once per process.
#[derive(Clone, Debug)]
pub struct Context {
    pub stores: Stores,
    pub machine: MachinePolicy,
    /// How many rescans that nobody asked for one sweep may queue.
    pub rescans_per_sweep: u32,
    /// How often to look for what others stored and no event told of.
    pub incoming_every: Duration,
}

impl Context {
    /// A hundred versions a minute are 144,000 a day.
    pub const INCOMING_EVERY: Duration = Duration::from_secs(50);
    /// Files that somebody waits for come first: with this many messages in the queue, no rescan is added.
    const BUSY: u64 = 10;
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    pub n_files: u32,
    /// Files that could not be moved on; the next sweep tries again.
    pub n_failed: u32,
    /// Files that have waited for their verdict for longer than [`LONG`].
    pub n_unscanned: u32,
    /// Rescans that were asked for because the definitions have changed.
    pub n_rescans: u32,
    /// Objects of others that no event told of.
    pub n_found: u32,
    /// Webhooks that are tried again.
    pub n_deliveries: u32,
}

/// Nobody should wait for longer for a verdict.
pub const LONG: Duration = Duration::from_mins(15);

/// Files per query: small, so that a long sweep sees what others have done meanwhile.
const PAGE: i32 = 25;

/// One sweep under way.
struct Sweep<'a> {
    context: &'a Context,
    deadline: Instant,
    engine: Option<EngineVersion>,
    rescans_left: u32,
    swept: SweepReport,
}

/// Moves on every file that is due, for at most `time_left`; what is left stays due.
pub async fn sweep(context: &Context, time_left: Duration) -> Result<SweepReport, StoreError> {
    let is_busy = is_busy(context).await;
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
    // With a queue that is full of events there is no telling which are lost.
    if !is_busy {
        sweep.swept.n_found = incoming::look(context, context.incoming_every).await?;
    }
    sweep.swept.n_deliveries = deliveries::requeue(context).await?;
    Ok(sweep.swept)
}

async fn is_busy(context: &Context) -> bool {
    let Some(queue) = &context.stores.queues.scans else { return true };
    // A queue that cannot be asked gets no more work from us.
    queue.backlog().await.map_or(true, |backlog| backlog.n_waiting >= Context::BUSY)
}

impl Sweep<'_> {
    async fn shard(&mut self, shard: u8) -> Result<(), StoreError> {
        while Instant::now() < self.deadline {
            let due = self.context.stores.ledger.due(shard, aws::clock::now(), PAGE).await?;
            let mut n_moved = 0;
            for file in due {
                self.swept.n_files += 1;
                match self.move_on(file, aws::clock::now()).await {
                    Ok(Moved { is_progress, waits }) => {
                        n_moved += u32::from(is_progress);
                        self.swept.n_unscanned += u32::from(waits == Waits::Long);
                    }
                    Err(error) => {
                        self.swept.n_failed += 1;
                        tracing::warn!(file.id = %file, error = aws::log::chain(&error), "file not moved on");
                    }
                }
            }
            // Files that fail, or that the index wrongly calls due, stay at the front of the index: without progress there is no use in asking again.
            if n_moved == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn move_on(&mut self, file: FileId, now: Timestamp) -> Result<Moved, StoreError> {
        let Context { stores, machine, .. } = self.context;
        let transitions = Transitions { stores, policy: machine };
        let nothing = Moved { is_progress: false, waits: Waits::NotLong };
        let Some(record) = stores.ledger.load(file).await? else { return Ok(nothing) };
        let is_stored = matches!(record.state, State::Queued { .. } | State::Scanning { .. });
        let waits =
            if is_stored && now.since(record.created_at) > LONG { Waits::Long } else { Waits::NotLong };
        let found = match record.state {
            State::Awaiting => stores.objects.current_version(&record.object_key()).await?,
            _ => None,
        };
        let rescans = Rescans { engine: self.engine.clone(), has_room: self.rescans_left > 0 };
        let Some(applied) = transitions.apply(file, &Event::Due { found, rescans }, now).await? else {
            return Ok(nothing);
        };
        if applied.kept.is_none() {
            aws::log::verdict(&applied.record, "given up", now);
            tracing::info!(file.id = %file, file.status = applied.record.status().as_str(), "swept");
        }
        let asks_for_scan = applied.effects.iter().any(|effect| matches!(effect, Effect::QueueScan { .. }));
        if asks_for_scan && applied.record.judgement().is_some() {
            self.swept.n_rescans += 1;
            self.rescans_left = self.rescans_left.saturating_sub(1);
        }
        transitions.run_effects(&applied, now).await?;
        Ok(Moved { is_progress: applied.kept.is_none() || !applied.effects.is_empty(), waits })
    }
}

/// What became of a file that was due.
struct Moved {
    /// Whether it is not due any more, or something was done that will make it so.
    is_progress: bool,
    waits: Waits,
}

/// How long a file that was stored has been without a verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    NotLong,
    Long,
}
