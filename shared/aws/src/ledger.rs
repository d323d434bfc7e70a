//! Stores the records of all files in one DynamoDB table; every write states its condition.

mod batch_get;
mod cached_verdicts;
mod changes;
mod create;
mod definition_serial;
mod deliveries;
mod downloads;
mod due;
mod heartbeat;
mod incoming_cursor;
mod listed;
mod meter;
mod queries;
mod releases;
mod samples;
mod statistics;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::id::FileId;
use domain::record::Record;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::batch_get::Consistency;
use self::changes::Announcer;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, Item, Replacement, file_pk, number, text};

pub use changes::RecordWatch;
pub use create::{Created, IdempotencyKey, NewFile};
pub use deliveries::EndpointRecord;
pub use due::{DueFile, DueList, DueRecord};
pub use heartbeat::Heartbeat;
pub use incoming_cursor::IncomingCursor;
pub use queries::{Change, Changes, Listing, PageStart};
pub use releases::{ReleaseEntry, ReleasePageStart};
pub use samples::SamplePageStart;

/// The records of all files, and the few other items of the table.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) client: Client,
    pub(crate) table: String,
    announcer: Announcer,
}

/// The result of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    Yes,
    /// Another writer committed first: load, step and commit again.
    Conflict,
    /// The next record is `released` by a release that is not in force: step again without it.
    ReleaseNotInForce,
}

impl Ledger {
    pub const BY_OWNER: &'static str = "by_owner";
    pub const DUE: &'static str = "due";
    pub const RESCAN: &'static str = "rescan";
    pub const FEED: &'static str = "feed";
    pub const N_SHARDS: u8 = 16;

    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, announcer: Announcer::new() }
    }

    /// Reads a record, strongly consistent; `None` if it does not exist.
    pub async fn load(&self, file: FileId) -> Result<Option<Record>, StoreError> {
        let item = self.get(file_pk(file), "load a record").await?;
        item.map(|attributes| Item::from_attributes(attributes).map(Item::into_record)).transpose()
    }

    /// Reads the records of these files, strongly consistent, in no particular order; those that do not exist
    /// are left out. Fails with [`StoreErrorKind::Unavailable`] if DynamoDB keeps leaving keys unread.
    pub async fn load_many(&self, files: &[FileId]) -> Result<Vec<Record>, StoreError> {
        let pks: Vec<_> = files.iter().map(|file| file_pk(*file)).collect();
        let found = self.batch_get(&pks, Consistency::Strong, "load records").await?;
        found.into_iter().map(|attributes| Item::from_attributes(attributes).map(Item::into_record)).collect()
    }

    /// Replaces `before` by `next`, whose revision is one more; the download count stays as it is. For a
    /// metered file, the same transaction updates its owner's usage. For a file that becomes `released`, or
    /// no longer is, it updates the set of released files.
    ///
    /// Idempotent in `write_id`: the retry of a write that was applied, but whose response was lost, returns
    /// `Yes`, not `Conflict`.
    pub async fn commit(
        &self,
        before: &Record,
        next: &Record,
        write_id: &str,
    ) -> Result<Committed, StoreError> {
        let stored = Item::of(before, write_id).into_attributes()?;
        let replacement = Replacement::of(&stored, Item::of(next, write_id).into_attributes()?);
        let updates = [self.usage_updates(before, next)?, self.release_updates(before, next)?].concat();
        let committed = if updates.is_empty() {
            self.replace(next.file_id, before.revision, replacement, write_id).await?
        } else {
            self.replace_with(next, replacement, write_id, updates).await?
        };
        if committed == Committed::Yes {
            self.announce(next);
        }
        Ok(committed)
    }

    /// Deletes a record for good, if it is still as `seen`; otherwise it stays, and stays due. Only for files
    /// on demand, of which nothing may be kept. Idempotent: a record that does not exist is no error.
    pub async fn remove(&self, seen: &Record) -> Result<(), StoreError> {
        let removed = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(file_pk(seen.file_id)))
            .condition_expression("#revision = :seen")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":seen", number(seen.revision))
            .send()
            .await;
        match removed {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(StoreError::of_sdk("remove a record", error)),
            },
        }
    }

    async fn replace(
        &self,
        file: FileId,
        expected_revision: u64,
        replacement: Replacement,
        write_id: &str,
    ) -> Result<Committed, StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(file_pk(file)))
            .update_expression(replacement.expression)
            .condition_expression("#revision = :expected_revision")
            .set_expression_attribute_names(Some(replacement.names))
            .set_expression_attribute_values(Some(replacement.values))
            .expression_attribute_values(":expected_revision", number(expected_revision))
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

    /// Reads an item that is not a record.
    pub(crate) async fn get_as<T: DeserializeOwned>(
        &self,
        pk: String,
        operation: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let found = self.get(pk, operation).await?;
        let read = found.map(serde_dynamo::from_item).transpose();
        read.map_err(|error| StoreError::caused(operation, StoreErrorKind::Corrupt, error))
    }

    /// Writes an item that is not a record. The last writer wins.
    pub(crate) async fn put(&self, item: impl Serialize, operation: &'static str) -> Result<(), StoreError> {
        let attributes = attributes_of(item, operation)?;
        let written = self.client.put_item().table_name(&self.table).set_item(Some(attributes)).send().await;
        written.map(drop).map_err(|error| StoreError::of_sdk(operation, error))
    }
}

pub(crate) fn attributes_of(item: impl Serialize, operation: &'static str) -> Result<Attributes, StoreError> {
    serde_dynamo::to_item(item)
        .map_err(|error| StoreError::caused(operation, StoreErrorKind::Unexpected, error))
}

/// Returns the stored item if `error` is a failed condition.
pub(crate) fn condition_failure<R>(error: &SdkError<UpdateItemError, R>) -> Option<Attributes> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Some(failed.item.clone().unwrap_or_default())
        }
        _ => None,
    }
}
