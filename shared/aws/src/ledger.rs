//! What do we remember? One DynamoDB table; every write states its condition.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use domain::access::DownloadGrant;
use domain::id::{FileId, OwnerId};
use domain::record::{Record, Status};
use domain::timestamp::Timestamp;
use domain::verdict::Engine;
use serde::{Deserialize, Serialize};

use crate::error::{Kind, StoreError};
use crate::item::{Attributes, Item, file_pk, number, replacement, shard_name, text};

/// The records of all files, and the few other things that are remembered.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) client: Client,
    pub(crate) table: String,
}

/// What became of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    Yes,
    /// Somebody else committed first: load, step and commit again.
    Conflict,
}

/// What became of a creation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Created {
    New,
    /// The idempotency key was used before, for the same request: this file is the answer.
    Replay(FileId),
    /// The idempotency key was used before, for another request.
    KeyReused,
}

/// A client's `Idempotency-Key`, and what it was sent with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey {
    pub owner: OwnerId,
    pub key: String,
    pub request_hash: String,
}

/// How long an idempotency key is remembered.
const IDEMPOTENCY_TTL: Duration = Duration::from_hours(24);

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

/// The last sign of life of a scan engine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    pub engine: Engine,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct HeartbeatItem {
    pk: String,
    heartbeat: Heartbeat,
}

#[derive(Serialize, Deserialize)]
struct IdempotencyItem {
    pk: String,
    file_id: FileId,
    request_hash: String,
    ttl: i64,
}

impl Ledger {
    pub const BY_OWNER: &'static str = "by_owner";
    pub const ATTENTION: &'static str = "attention";
    pub const N_SHARDS: u8 = 16;
    const HEARTBEAT_PK: &'static str = "engine#heartbeat";

    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads a record, strongly consistent; `None` when there is none.
    pub async fn load(&self, file: FileId) -> Result<Option<Record>, StoreError> {
        let item = self.get(file_pk(file), "load a record").await?;
        item.map(|attributes| Item::from_attributes(attributes).map(Item::into_record)).transpose()
    }

    /// Stores a new record; with an idempotency key, both or neither. Fails with [`Kind::PreconditionFailed`] when the id
    /// exists. The SDK's client request token makes a retried transaction count once.
    pub async fn create(
        &self,
        record: &Record,
        write_id: &str,
        once: Option<&IdempotencyKey>,
    ) -> Result<Created, StoreError> {
        let mut puts = vec![self.put_if_absent(Item::of(record, write_id).into_attributes()?)?];
        if let Some(once) = once {
            let item = IdempotencyItem {
                pk: idempotency_pk(once),
                file_id: record.file_id,
                request_hash: once.request_hash.clone(),
                ttl: (record.created_at + IDEMPOTENCY_TTL).as_secs(),
            };
            let attributes = serde_dynamo::to_item(item);
            let attributes =
                attributes.map_err(|error| StoreError::caused("create a record", Kind::Unexpected, error))?;
            puts.push(self.put_if_absent(attributes)?);
        }
        let written = self.client.transact_write_items().set_transact_items(Some(puts)).send().await;
        match (written, once) {
            (Ok(_), _) => Ok(Created::New),
            (Err(error), Some(once)) if is_cancelled(&error) => self.replay(once).await,
            (Err(error), None) if is_cancelled(&error) => {
                Err(StoreError::new("create a record", Kind::PreconditionFailed))
            }
            (Err(error), _) => Err(StoreError::of_sdk("create a record", error)),
        }
    }

    /// What the idempotency key was used for before. An unfinished transaction of a twin is [`Kind::Unavailable`].
    async fn replay(&self, once: &IdempotencyKey) -> Result<Created, StoreError> {
        let found = self.get(idempotency_pk(once), "read an idempotency key").await?;
        let Some(attributes) = found else {
            return Err(StoreError::new("create a record", Kind::Unavailable));
        };
        let item: IdempotencyItem = serde_dynamo::from_item(attributes)
            .map_err(|error| StoreError::caused("read an idempotency key", Kind::Corrupt, error))?;
        let is_same = item.request_hash == once.request_hash;
        Ok(if is_same { Created::Replay(item.file_id) } else { Created::KeyReused })
    }

    /// Replaces the record whose revision is one less than `next`'s, all but the download count.
    ///
    /// Idempotent in `write_id`: a retry of a write that was applied, but whose answer was lost, is `Yes`, not `Conflict`.
    pub async fn commit(&self, next: &Record, write_id: &str) -> Result<Committed, StoreError> {
        let replacement = replacement(Item::of(next, write_id).into_attributes()?);
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(file_pk(next.file_id)))
            .update_expression(replacement.expression)
            .condition_expression("#revision = :expected_revision")
            .set_expression_attribute_names(Some(replacement.names))
            .set_expression_attribute_values(Some(replacement.values))
            .expression_attribute_values(":expected_revision", number(next.revision - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match written {
            Ok(_) => Ok(Committed::Yes),
            Err(error) => match condition_failure(&error) {
                Some(old) if old.get("write_id") == Some(&text(write_id)) => Ok(Committed::Yes),
                Some(_) => Ok(Committed::Conflict),
                None => Err(StoreError::of_sdk("commit a record", error)),
            },
        }
    }

    /// Counts one download, atomically: only while the granted version is the clean one and the limit is not reached
    /// ([`domain::access::may_count`] is this condition). `None` when it does not hold. Not idempotent: a retry after a
    /// lost answer counts twice, which gives one download fewer than allowed, never one more.
    pub async fn count_download(&self, grant: &DownloadGrant) -> Result<Option<u32>, StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(file_pk(grant.key().file_id())))
            .update_expression("ADD download_count :one")
            .condition_expression(
                "#status = :clean AND version_id = :version \
                 AND (attribute_not_exists(max_downloads) OR download_count < max_downloads)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":clean", text(Status::Clean.as_str()))
            .expression_attribute_values(":version", text(grant.version().version_id.as_str()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match written {
            Ok(output) => {
                let count =
                    output.attributes.and_then(|new| new.get("download_count")?.as_n().ok()?.parse().ok());
                Ok(Some(count.unwrap_or(0)))
            }
            Err(error) if condition_failure(&error).is_some() => Ok(None),
            Err(error) => Err(StoreError::of_sdk("count a download", error)),
        }
    }

    /// The owner's files, newest first; with `status`, only those. May give fewer than `limit` and still have a next page.
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
        let items = page.items.unwrap_or_default().into_iter();
        let records =
            items.map(|item| Item::from_attributes(item).map(Item::into_record)).collect::<Result<_, _>>()?;
        Ok(Listing { records, next })
    }

    /// Files of one shard that are due at `now`, the longest overdue first, at most `limit`.
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
        let items = page.items.unwrap_or_default().into_iter();
        items.map(|item| Item::from_attributes(item).map(|item| item.into_record().file_id)).collect()
    }

    /// Says that an engine is alive. The last writer wins, which is right: any live engine will do.
    pub async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        let item = HeartbeatItem { pk: Self::HEARTBEAT_PK.to_owned(), heartbeat };
        let attributes: Attributes = serde_dynamo::to_item(item)
            .map_err(|error| StoreError::caused("write the heartbeat", Kind::Unexpected, error))?;
        let written = self.client.put_item().table_name(&self.table).set_item(Some(attributes)).send().await;
        written.map(drop).map_err(|error| StoreError::of_sdk("write the heartbeat", error))
    }

    /// The last heartbeat, if there ever was one.
    pub async fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError> {
        let found = self.get(Self::HEARTBEAT_PK.to_owned(), "read the heartbeat").await?;
        let read = |attributes| serde_dynamo::from_item::<_, HeartbeatItem>(attributes);
        let item = found.map(read).transpose();
        let item = item.map_err(|error| StoreError::caused("read the heartbeat", Kind::Corrupt, error))?;
        Ok(item.map(|item| item.heartbeat))
    }

    pub(crate) async fn get(
        &self,
        pk: String,
        operation: &'static str,
    ) -> Result<Option<Attributes>, StoreError> {
        let request =
            self.client.get_item().table_name(&self.table).key("pk", text(pk)).consistent_read(true);
        let output = request.send().await.map_err(|error| StoreError::of_sdk(operation, error))?;
        Ok(output.item)
    }

    fn put_if_absent(&self, attributes: Attributes) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(attributes))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|error| StoreError::caused("create a record", Kind::Unexpected, error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn idempotency_pk(once: &IdempotencyKey) -> String {
    // The owner's length keeps ("a", "b#c") and ("a#b", "c") apart.
    format!("idem#{}#{}#{}", once.owner.as_str().len(), once.owner, once.key)
}

fn page_start(key: HashMap<String, AttributeValue>) -> Result<PageStart, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        pk: String,
        created_at: Timestamp,
    }
    let corrupt = || StoreError::new("list files", Kind::Corrupt);
    let key: Key = serde_dynamo::from_item(key).map_err(|_| corrupt())?;
    let id = key.pk.strip_prefix("file#").ok_or_else(corrupt)?;
    Ok(PageStart { created_at: key.created_at, file_id: FileId::parse(id).map_err(|_| corrupt())? })
}

/// The stored item, when `error` is a failed condition.
fn condition_failure<R>(error: &SdkError<UpdateItemError, R>) -> Option<Attributes> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Some(failed.item.clone().unwrap_or_default())
        }
        _ => None,
    }
}

fn is_cancelled<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    matches!(error.as_service_error(), Some(TransactWriteItemsError::TransactionCanceledException(cancelled))
        if cancelled.cancellation_reasons().iter().any(|reason| reason.code() == Some("ConditionalCheckFailed")))
}
