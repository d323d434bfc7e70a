//! Visits every file that is due for anything but a planned rescan, once, shards and files concurrently.

use aws::{DueList, Ledger, StoreError};
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use crate::{Room, Sweep, SweepReport};

/// Files per query.
const PAGE: u16 = 100;
/// Files of one list that are processed concurrently. With [`N_LISTS`] that makes 64; a file that expires
/// takes seven requests one after the other.
const N_FILES: usize = 4;
/// Lists that are read concurrently: all shards.
const N_LISTS: usize = Ledger::N_SHARDS as usize;

impl Sweep<'_> {
    /// Fails if a list cannot be read, after all other lists were visited.
    pub(crate) async fn due_files(&self) -> Result<SweepReport, StoreError> {
        let mut visits = vec![];
        for list in [DueList::Files, DueList::ActiveRescans] {
            for shard in 0..Ledger::N_SHARDS {
                visits.push(self.visit(list, shard));
            }
        }
        let visited: Vec<_> = stream::iter(visits).buffer_unordered(N_LISTS).collect().await;
        let mut swept = SweepReport::default();
        for report in visited {
            swept += report?;
        }
        Ok(swept)
    }

    /// Visits the files of one list from the longest overdue on. Files that fail stay in front of the list
    /// and do not keep the sweep from those behind them.
    async fn visit(&self, list: DueList, shard: u8) -> Result<SweepReport, StoreError> {
        let (mut swept, mut after, now) = (SweepReport::default(), None, aws::clock::now());
        while Instant::now() < self.deadline {
            let page = self.context.stores.ledger.due(list, shard, now, after, PAGE).await?;
            let pending: Vec<_> = page.iter().map(|due| self.move_on(due.file_id, Room::None)).collect();
            let moved: Vec<_> = stream::iter(pending).buffer_unordered(N_FILES).collect().await;
            for (report, _) in moved {
                swept += report;
            }
            if page.len() < usize::from(PAGE) {
                break;
            }
            after = page.last().copied();
        }
        Ok(swept)
    }
}
