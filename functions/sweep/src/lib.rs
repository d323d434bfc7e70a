//! "Has everything ended?" Lost events, dead leases, expiry, left-over versions: whatever is due is moved on.
//!
//! Invariant: idempotent. Two sweeps at once, or one that dies half-way, only repeat work.

mod config;

use std::time::Duration;

use aws::{ScanQueue, StoreError, Stores};
use domain::id::{FileId, ObjectKey};
use domain::machine::{Effect, Event, MachinePolicy};
use domain::record::State;
use domain::timestamp::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

pub use config::Config;

/// What a sweep needs. Built once per process.
#[derive(Clone, Debug)]
pub struct Context {
    pub stores: Stores,
    pub queue: ScanQueue,
    pub machine: MachinePolicy,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    pub n_files: u32,
    /// Files that could not be moved on; the next sweep tries again.
    pub n_failed: u32,
    /// Files that have waited for their verdict for longer than [`LONG`].
    pub n_unscanned: u32,
}

/// Nobody should wait for longer for a verdict.
pub const LONG: Duration = Duration::from_mins(15);

/// Files per query: small, so that a long sweep sees what others have done meanwhile.
const PAGE: i32 = 25;

/// Moves on every file that is due, for at most `time_left`; what is left stays due.
pub async fn sweep(context: &Context, time_left: Duration) -> Result<Swept, StoreError> {
    let (deadline, mut swept) = (Instant::now() + time_left, Swept::default());
    for shard in 0..aws::Ledger::N_SHARDS {
        sweep_shard(context, shard, deadline, &mut swept).await?;
    }
    Ok(swept)
}

async fn sweep_shard(
    context: &Context,
    shard: u8,
    deadline: Instant,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    while Instant::now() < deadline {
        let due = context.stores.ledger.due(shard, aws::clock::now(), PAGE).await?;
        let mut n_moved = 0;
        for file in due {
            swept.n_files += 1;
            match move_on(context, file, aws::clock::now()).await {
                Ok(waits) => {
                    n_moved += 1;
                    swept.n_unscanned += u32::from(waits == Waits::Long);
                }
                Err(error) => {
                    swept.n_failed += 1;
                    tracing::warn!(file.id = %file, error = aws::log::chain(&error), "file not moved on");
                }
            }
        }
        // Files that fail stay at the front of the index: without progress there is no use in asking again.
        if n_moved == 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// How long a file that was stored has been without a verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    NotLong,
    Long,
}

async fn move_on(context: &Context, file: FileId, now: Timestamp) -> Result<Waits, StoreError> {
    let Some(record) = context.stores.ledger.load(file).await? else { return Ok(Waits::NotLong) };
    let is_stored = matches!(record.state, State::Queued { .. } | State::Scanning { .. });
    let waits = if is_stored && now.since(record.created_at) > LONG { Waits::Long } else { Waits::NotLong };
    let found = match record.state {
        State::Awaiting => context.stores.objects.current_version(ObjectKey::of(file)).await?,
        _ => None,
    };
    let due = Event::Due { found };
    let Some(applied) = context.stores.ledger.apply(file, &due, &context.machine, now).await? else {
        return Ok(waits);
    };
    if applied.kept.is_none() {
        tracing::info!(file.id = %file, file.status = applied.record.status().as_str(), "swept");
    }
    for effect in &applied.effects {
        if let Effect::QueueScan { version } = effect {
            context.queue.request_scan(ObjectKey::of(file), version).await?;
        }
    }
    context.stores.settle(&applied, &context.machine, now).await?;
    Ok(waits)
}
