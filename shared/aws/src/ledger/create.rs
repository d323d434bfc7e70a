//! Creates files: the record, its idempotency key and its share of the owner's quotas, atomically.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::id::{FileId, OwnerId};
use domain::record::Record;
use domain::usage::{QuotaError, Quotas};
use serde::{Deserialize, Serialize};

use super::meter::Transaction;
use super::{Ledger, attributes_of};
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, Item, text};

/// The result of a creation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Created {
    New,
    /// The idempotency key was used before, for the same request, which created this file.
    Replay(FileId),
    /// The idempotency key was used before, for a different request.
    KeyReused,
    /// The file would exceed a quota of its owner.
    Exceeded(QuotaError),
}

/// A client's `Idempotency-Key`, with its owner and the hash of the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey {
    pub owner: OwnerId,
    pub key: String,
    pub request_hash: String,
}

/// A record to create.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    pub record: &'a Record,
    pub once: Option<&'a IdempotencyKey>,
    /// Checked for a metered record only.
    pub quotas: &'a Quotas,
}

/// How long an idempotency key is remembered.
const IDEMPOTENCY_TTL: Duration = Duration::from_hours(24);

#[derive(Serialize, Deserialize)]
struct IdempotencyItem {
    pk: String,
    file_id: FileId,
    request_hash: String,
    ttl: i64,
}

impl Ledger {
    /// Stores a new record with its idempotency key and counts it against its owner's quotas, atomically.
    /// Fails with [`StoreErrorKind::PreconditionFailed`] if the id exists. Quotas are exact: of two creations
    /// that race for the last place, one succeeds. Idempotent under the SDK's retries: in a transaction by
    /// its client request token, else by `write_id`.
    pub async fn create(&self, new: NewFile<'_>, write_id: &str) -> Result<Created, StoreError> {
        let NewFile { record, once, quotas } = new;
        // A transaction costs twice as much.
        if once.is_none() && record.metered.is_none() {
            return self.put_new(record, write_id).await;
        }
        let mut writes = vec![self.put_if_absent(Item::of(record, write_id).into_attributes()?)?];
        if let Some(once) = once {
            let item = IdempotencyItem {
                pk: idempotency_pk(once),
                file_id: record.file_id,
                request_hash: once.request_hash.clone(),
                ttl: (record.created_at + IDEMPOTENCY_TTL).as_secs(),
            };
            writes.push(self.put_if_absent(attributes_of(item, "create a record")?)?);
        }
        let n_own = writes.len();
        writes.extend(self.reservation(record, quotas)?);
        match self.transact(writes, "create a record").await? {
            Transaction::Done => {
                self.announce(record);
                Ok(Created::New)
            }
            Transaction::Refused(at) if at.iter().any(|index| *index < n_own) => match once {
                Some(once) => self.replay(once).await,
                None => Err(StoreError::new("create a record", StoreErrorKind::PreconditionFailed)),
            },
            Transaction::Refused(_) => match self.exceeded(record, quotas).await? {
                Some(exceeded) => Ok(Created::Exceeded(exceeded)),
                // A quota was exceeded during the transaction, but no longer is: the caller may retry.
                None => Err(StoreError::new("create a record", StoreErrorKind::Unavailable)),
            },
        }
    }

    async fn put_new(&self, record: &Record, write_id: &str) -> Result<Created, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(Item::of(record, write_id).into_attributes()?))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => {}
            Err(error) => match stored_instead(&error) {
                // This write was applied earlier, and its response was lost.
                Some(stored) if stored.get("write_id") == Some(&text(write_id)) => {}
                Some(_) => {
                    return Err(StoreError::new("create a record", StoreErrorKind::PreconditionFailed));
                }
                None => return Err(StoreError::of_sdk("create a record", error)),
            },
        }
        self.announce(record);
        Ok(Created::New)
    }

    /// Returns the result of the earlier request with this idempotency key. Fails with
    /// [`StoreErrorKind::Unavailable`] if the key is not stored.
    async fn replay(&self, once: &IdempotencyKey) -> Result<Created, StoreError> {
        let found = self.get_as::<IdempotencyItem>(idempotency_pk(once), "read an idempotency key").await?;
        let Some(item) = found else {
            return Err(StoreError::new("create a record", StoreErrorKind::Unavailable));
        };
        let is_same = item.request_hash == once.request_hash;
        Ok(if is_same { Created::Replay(item.file_id) } else { Created::KeyReused })
    }

    fn put_if_absent(&self, attributes: Attributes) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(attributes))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|error| StoreError::caused("create a record", StoreErrorKind::Unexpected, error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// Returns the stored item if `error` is a failed condition.
fn stored_instead<R>(error: &SdkError<PutItemError, R>) -> Option<Attributes> {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => {
            Some(failed.item.clone().unwrap_or_default())
        }
        _ => None,
    }
}

fn idempotency_pk(once: &IdempotencyKey) -> String {
    // The owner's length gives ("a", "b#c") and ("a#b", "c") different keys.
    format!("idem#{}#{}#{}", once.owner.as_str().len(), once.owner, once.key)
}
