//! Finds files by owner, by due time and by change.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{FileId, OwnerId};
use domain::record::{Record, Status};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Item, file_pk, number, shard_name, text};

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
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(Self::BY_OWNER)
            .key_condition_expression("by_owner = :owner")
            .expression_attribute_values(":owner", text(owner.as_str()))
            .scan_index_forward(false)
            .limit(limit);
        if let Some(status) = status {
            query = query
                .filter_expression("#status = :status")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":status", text(status.as_str()));
        }
        if let Some(start) = start {
            query = query
                .exclusive_start_key("pk", text(file_pk(start.file_id)))
                .exclusive_start_key("by_owner", text(owner.as_str()))
                .exclusive_start_key("created_at", number(start.created_at.as_millis()));
        }
        let page = query.send().await.map_err(|error| StoreError::of_sdk("list files", error))?;
        let next = page.last_evaluated_key.map(page_start).transpose()?;
        Ok(Listing { records: records(page.items)?, next })
    }

    /// Returns at most `limit` of the owner's files that changed at `since` or later, deleted ones included,
    /// in the order of their changes; with `after`, only those that follow it. Eventually consistent, and
    /// ordered by the clocks of several machines: the caller must query again from a little earlier, or it
    /// may miss a change.
    pub async fn changes(
        &self,
        owner: &OwnerId,
        since: Timestamp,
        after: Option<Change>,
        limit: i32,
    ) -> Result<Vec<Record>, StoreError> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(Self::FEED)
            .key_condition_expression("feed = :owner AND changed_at >= :since")
            .expression_attribute_values(":owner", text(owner.as_str()))
            .expression_attribute_values(":since", number(since.as_millis()))
            .limit(limit);
        if let Some(after) = after {
            query = query
                .exclusive_start_key("pk", text(file_pk(after.file_id)))
                .exclusive_start_key("feed", text(owner.as_str()))
                .exclusive_start_key("changed_at", number(after.changed_at.as_millis()));
        }
        let page = query.send().await.map_err(|error| StoreError::of_sdk("find changed files", error))?;
        records(page.items)
    }

    /// Returns at most `limit` files of one shard that are due at `now`, the longest overdue first.
    pub async fn due(&self, shard: u8, now: Timestamp, limit: i32) -> Result<Vec<FileId>, StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(Self::ATTENTION)
            .key_condition_expression("attention = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":now", number(now.as_millis()))
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::of_sdk("find due files", error))?;
        Ok(records(page.items)?.into_iter().map(|record| record.file_id).collect())
    }
}

fn records(items: Option<Vec<HashMap<String, AttributeValue>>>) -> Result<Vec<Record>, StoreError> {
    let items = items.unwrap_or_default().into_iter();
    items.map(|item| Item::from_attributes(item).map(Item::into_record)).collect()
}

fn page_start(key: HashMap<String, AttributeValue>) -> Result<PageStart, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        pk: String,
        created_at: Timestamp,
    }
    let corrupt = || StoreError::new("list files", StoreErrorKind::Corrupt);
    let key: Key = serde_dynamo::from_item(key).map_err(|_| corrupt())?;
    let id = key.pk.strip_prefix("file#").ok_or_else(corrupt)?;
    Ok(PageStart { created_at: key.created_at, file_id: FileId::parse(id).map_err(|_| corrupt())? })
}
