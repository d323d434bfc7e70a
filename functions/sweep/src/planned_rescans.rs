//! Queues planned rescans, the longest overdue first, as many as the sweep has room for.

use aws::{DueFile, DueList, Ledger, StoreError};
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::{Room, Sweep, SweepReport};

/// The most files that one query returns.
const PAGE: u32 = 1000;
/// Files that are processed concurrently.
const N_FILES: usize = 64;

impl Sweep<'_> {
    /// Visits only as many files as it may queue: the others are not read and stay due. Without an engine
    /// there is nothing to decide.
    pub(crate) async fn planned_rescans(&self) -> Result<SweepReport, StoreError> {
        let mut swept = SweepReport::default();
        let mut room = if self.engine.is_some() { self.context.rescans_per_sweep } else { 0 };
        while room > 0 && Instant::now() < self.deadline {
            let overdue = self.overdue(room).await?;
            let pending: Vec<_> =
                overdue.iter().map(|due| self.move_on(due.file_id, Room::ForRescan)).collect();
            let moved: Vec<_> = stream::iter(pending).buffer_unordered(N_FILES).collect().await;
            let mut is_progress = false;
            for (report, is_moved) in moved {
                swept += report;
                room = room.saturating_sub(report.n_rescans);
                is_progress |= is_moved;
            }
            // Files that need no rescan take no room: there may be more. Files that fail stay in front.
            if !is_progress {
                break;
            }
        }
        Ok(swept)
    }

    /// The longest overdue planned rescans of all shards, at most `room`.
    async fn overdue(&self, room: u32) -> Result<Vec<DueFile>, StoreError> {
        let (ledger, now) = (&self.context.stores.ledger, aws::clock::now());
        let limit = u16::try_from(room.min(PAGE)).unwrap_or(u16::MAX);
        let queries: Vec<_> = (0..Ledger::N_SHARDS)
            .map(|shard| ledger.due(DueList::PlannedRescans, shard, now, None, limit))
            .collect();
        let pages: Vec<_> = stream::iter(queries).buffer_unordered(Ledger::N_SHARDS.into()).collect().await;
        let mut overdue = vec![];
        for page in pages {
            overdue.extend(page?);
        }
        overdue.sort_unstable();
        overdue.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        Ok(overdue)
    }
}
