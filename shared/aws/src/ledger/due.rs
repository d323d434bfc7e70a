//! Finds the files that are due, in the order of their due times.

use domain::id::FileId;
use domain::record::Record;
use domain::timestamp::Timestamp;
use serde::Deserialize;

use super::{Committed, Ledger};
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Item, Replacement, active_key, due_key, file_of_pk, file_pk, number, planned_key, text};

/// What files are due for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DueList {
    /// Anything but a rescan: a lost event, a dead lease, the expiry, an outbox.
    Files,
    /// Rescans that are queued or running, and have not ended in time.
    ActiveRescans,
    /// Rescans that are planned. They stay in the list until there is room for them.
    PlannedRescans,
}

/// A file of a list, and where it is in there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DueFile {
    pub due_at: Timestamp,
    pub file_id: FileId,
}

/// The record of a file that an index says is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueRecord {
    pub record: Record,
    /// Whether the indexes have the record where this release looks for it.
    pub is_indexed: bool,
}

impl DueList {
    fn index(self) -> &'static str {
        match self {
            Self::Files => Ledger::DUE,
            Self::ActiveRescans | Self::PlannedRescans => Ledger::RESCAN,
        }
    }

    /// The names of the index's keys.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Files => ("due", "due_at"),
            Self::ActiveRescans | Self::PlannedRescans => ("rescan", "rescan_at"),
        }
    }

    fn shard_key(self, shard: u8) -> String {
        match self {
            Self::Files => due_key(shard),
            Self::ActiveRescans => active_key(shard),
            Self::PlannedRescans => planned_key(shard),
        }
    }
}

impl Ledger {
    /// Returns at most `limit` files of one shard that are due at `now`, the longest overdue first; with
    /// `after`, only those that follow it. Fewer than `limit` are the last ones. Eventually consistent: a
    /// file that has just changed may still be listed.
    pub async fn due(
        &self,
        list: DueList,
        shard: u8,
        now: Timestamp,
        after: Option<DueFile>,
        limit: u16,
    ) -> Result<Vec<DueFile>, StoreError> {
        let (hash, range) = list.keys();
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(list.index())
            .key_condition_expression(format!("{hash} = :shard AND {range} <= :now"))
            .expression_attribute_values(":shard", text(list.shard_key(shard)))
            .expression_attribute_values(":now", number(now.as_millis()))
            .limit(limit.into());
        if let Some(after) = after {
            query = query
                .exclusive_start_key("pk", text(file_pk(after.file_id)))
                .exclusive_start_key(hash, text(list.shard_key(shard)))
                .exclusive_start_key(range, number(after.due_at.as_millis()));
        }
        let page = query.send().await.map_err(|error| StoreError::of_sdk("find due files", error))?;
        let found = page.items.unwrap_or_default().into_iter().map(|keys| {
            let keys: Keys = serde_dynamo::from_item(keys)
                .map_err(|error| StoreError::caused("find due files", StoreErrorKind::Corrupt, error))?;
            let due_at = if range == "due_at" { keys.due_at } else { keys.rescan_at };
            let corrupt = || StoreError::new("find due files", StoreErrorKind::Corrupt);
            let file_id = file_of_pk(&keys.pk).ok_or_else(corrupt)?;
            Ok(DueFile { due_at: due_at.ok_or_else(corrupt)?, file_id })
        });
        found.collect()
    }

    /// Reads the record of a due file, strongly consistent; `None` if it does not exist.
    pub async fn load_due(&self, file: FileId) -> Result<Option<DueRecord>, StoreError> {
        let item = self.get(file_pk(file), "load a record").await?;
        let item = item.map(Item::from_attributes).transpose()?;
        Ok(item.map(|item| DueRecord { is_indexed: item.is_indexed(), record: item.into_record() }))
    }

    /// Stores the record again as it is, so that the indexes have it where this release looks for it. Does
    /// nothing if the record has changed meanwhile.
    pub async fn reindex(&self, record: &Record, write_id: &str) -> Result<Committed, StoreError> {
        let attributes = Item::of(record, write_id).into_attributes()?;
        let replacement = Replacement::of(&attributes.clone(), attributes);
        self.replace(record.file_id, record.revision, replacement, write_id).await
    }
}

#[derive(Deserialize)]
struct Keys {
    pk: String,
    due_at: Option<Timestamp>,
    rescan_at: Option<Timestamp>,
}
