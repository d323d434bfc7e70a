//! Finds files by owner and by change.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{FileId, OwnerId};
use domain::record::{Record, State, Status};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::batch_get::Consistency;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Item, file_of_pk, file_pk, number, text};

/// One page of a listing.
#[derive(Clone, Debug)]
pub struct Listing {
    pub records: Vec<Record>,
    pub next: Option<PageStart>,
}

/// Where the next page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PageStart {
    pub created_at: Timestamp,
    pub file_id: FileId,
}

/// One page of changes.
#[derive(Clone, Debug)]
pub struct Changes {
    pub records: Vec<Record>,
    /// The newest time that the index has of them. The records may have changed since.
    pub newest: Option<Timestamp>,
    pub next: Option<Change>,
}

/// Where the next page of changes begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    pub changed_at: Timestamp,
    pub file_id: FileId,
}

impl Ledger {
    /// Returns the owner's files, newest first; with `status`, only those with it. A page may have fewer than
    /// `limit` files and still have a next page.
    pub async fn list(
        &self,
        owner: &OwnerId,
        status: Option<Status>,
        limit: i32,
        start: Option<PageStart>,
    ) -> Result<Listing, StoreError> {
        let operation = "list files";
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(Self::BY_OWNER)
            .key_condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(owner.as_str()))
            .scan_index_forward(false)
            .limit(limit);
        if let Some(start) = start {
            query = query
                .exclusive_start_key("pk", text(file_pk(start.file_id)))
                .exclusive_start_key("owner", text(owner.as_str()))
                .exclusive_start_key("listed_at", number(start.created_at.as_millis()));
        }
        let page = query.send().await.map_err(|error| StoreError::of_sdk(operation, error))?;
        let next = page.last_evaluated_key.map(|key| place(&key, "listed_at", operation)).transpose()?;
        let mut records = self.load_all(&files(page.items, operation)?, operation).await?;
        // The index may lag behind the records.
        records.retain(|record| {
            record.state != State::Deleted && status.is_none_or(|status| record.status() == status)
        });
        Ok(Listing { records, next: next.map(|(created_at, file_id)| PageStart { created_at, file_id }) })
    }

    /// Returns at most `limit` of the owner's files that changed at `since` or later, deleted ones included
    /// and files on demand left out, in the order of the changes that the index knows; with `after`, only
    /// those that follow it. The records may be newer than the index. It is eventually consistent, and
    /// ordered by the clocks of several machines: the caller must query again from a little earlier, or it
    /// may miss a change.
    pub async fn changes(
        &self,
        owner: &OwnerId,
        since: Timestamp,
        after: Option<Change>,
        limit: i32,
    ) -> Result<Changes, StoreError> {
        let operation = "find changed files";
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(Self::FEED)
            .key_condition_expression("#owner = :owner AND changed_at >= :since")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(owner.as_str()))
            .expression_attribute_values(":since", number(since.as_millis()))
            .limit(limit);
        if let Some(after) = after {
            query = query
                .exclusive_start_key("pk", text(file_pk(after.file_id)))
                .exclusive_start_key("owner", text(owner.as_str()))
                .exclusive_start_key("changed_at", number(after.changed_at.as_millis()));
        }
        let page = query.send().await.map_err(|error| StoreError::of_sdk(operation, error))?;
        let next = page.last_evaluated_key.map(|key| place(&key, "changed_at", operation)).transpose()?;
        let indexed = page.items.iter().flatten();
        let newest = indexed.filter_map(|item| millis(item, "changed_at")).max().map(Timestamp::from_millis);
        let mut records = self.load_all(&files(page.items, operation)?, operation).await?;
        records.retain(|record| !record.is_on_demand());
        Ok(Changes {
            records,
            newest,
            next: next.map(|(changed_at, file_id)| Change { changed_at, file_id }),
        })
    }

    /// Reads the records of these files, strongly consistent, in this order. Files without a record are left
    /// out.
    async fn load_all(&self, files: &[FileId], operation: &'static str) -> Result<Vec<Record>, StoreError> {
        let pks: Vec<String> = files.iter().map(|file| file_pk(*file)).collect();
        let items = self.batch_get(&pks, Consistency::Strong, operation).await?;
        let read = |item| Item::from_attributes(item).map(Item::into_record);
        let mut records: Vec<Record> = items.into_iter().map(read).collect::<Result<_, _>>()?;
        let places: HashMap<FileId, usize> = files.iter().copied().zip(0..).collect();
        records.sort_by_key(|record| places.get(&record.file_id).copied());
        Ok(records)
    }
}

/// The files of a page of an index.
fn files(
    items: Option<Vec<HashMap<String, AttributeValue>>>,
    operation: &'static str,
) -> Result<Vec<FileId>, StoreError> {
    let file = |item: &HashMap<String, AttributeValue>| file_of_pk(item.get("pk")?.as_s().ok()?);
    let corrupt = || StoreError::new(operation, StoreErrorKind::Corrupt);
    items.unwrap_or_default().iter().map(|item| file(item).ok_or_else(corrupt)).collect()
}

/// A time of an item of an index.
fn millis(item: &HashMap<String, AttributeValue>, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The place in an index from which the next page begins.
fn place(
    key: &HashMap<String, AttributeValue>,
    range: &str,
    operation: &'static str,
) -> Result<(Timestamp, FileId), StoreError> {
    let read = || {
        let at = millis(key, range)?;
        Some((Timestamp::from_millis(at), file_of_pk(key.get("pk")?.as_s().ok()?)?))
    };
    read().ok_or_else(|| StoreError::new(operation, StoreErrorKind::Corrupt))
}
