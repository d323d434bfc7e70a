//! Counts each owner's usage, in items that change only in transactions with the records that they count.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    ConditionCheck, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::id::OwnerId;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::usage::{QuotaError, Quotas, Usage, day, scan_time};
use serde::Deserialize;

use super::{Committed, Ledger};
use crate::clock;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, Replacement, file_pk, number, text};

/// The result of a transaction.
pub(super) enum Transaction {
    Done,
    /// The conditions of the writes with these indices do not hold.
    Refused(Vec<usize>),
}

/// Of concurrent transactions on one owner's items, DynamoDB cancels all but one; the others retry so many
/// times.
const MAX_COLLISIONS: u32 = 40;

/// How long a day's scan time is kept; it counts on that day only.
const SCAN_TTL: Duration = Duration::from_hours(48);

#[derive(Deserialize, Default)]
struct UsageItem {
    #[serde(default, rename = "n_pending")]
    pending: i64,
    #[serde(default, rename = "n_objects")]
    objects: i64,
    #[serde(default, rename = "n_bytes")]
    bytes: i64,
}

#[derive(Deserialize, Default)]
struct ScanTimeItem {
    #[serde(default)]
    scan_millis: u64,
}

impl Ledger {
    /// Returns the current usage of an owner's metered files.
    pub async fn usage(&self, owner: &OwnerId) -> Result<Usage, StoreError> {
        let found = self.get_as::<UsageItem>(usage_pk(owner), "read a quota").await?;
        let item = found.unwrap_or_default();
        Ok(Usage { pending: item.pending, objects: item.objects, bytes: item.bytes })
    }

    /// Returns the time for which an owner's metered files have been scanned today.
    pub async fn scanned_today(&self, owner: &OwnerId, now: Timestamp) -> Result<Duration, StoreError> {
        let found = self.get_as::<ScanTimeItem>(scan_time_pk(owner, now), "read a quota").await?;
        Ok(Duration::from_millis(found.unwrap_or_default().scan_millis))
    }

    /// Returns the quota that a new file would exceed now, if any.
    pub(super) async fn exceeded(
        &self,
        record: &Record,
        quotas: &Quotas,
    ) -> Result<Option<QuotaError>, StoreError> {
        let used = self.usage(&record.owner).await?;
        let scanned = self.scanned_today(&record.owner, record.created_at).await?;
        let bytes = u64::try_from(Usage::of(record).bytes).unwrap_or(0);
        Ok(quotas.broken_by(bytes, used, scanned.as_secs()))
    }

    /// Returns the writes that count a new record, on the condition that no quota is exceeded:
    /// [`Quotas::broken_by`] as expressions. No writes if the record is not metered.
    pub(super) fn reservation(
        &self,
        record: &Record,
        quotas: &Quotas,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        if record.metered.is_none() {
            return Ok(vec![]);
        }
        let usage = Usage::of(record);
        let (mut conditions, mut values) = (vec![], Attributes::new());
        let mut at_most = |name: &str, limit: Option<u64>, added: i64| {
            let Some(limit) = limit else { return };
            let room = i64::try_from(limit).unwrap_or(i64::MAX).saturating_sub(added);
            // An attribute that does not exist yet counts as zero.
            let is_first =
                if room >= 0 { format!("attribute_not_exists({name}) OR ") } else { String::new() };
            conditions.push(format!("({is_first}{name} <= :most_{name})"));
            values.insert(format!(":most_{name}"), number(room));
        };
        at_most("n_pending", quotas.pending, usage.pending);
        at_most("n_objects", quotas.objects, usage.objects);
        at_most("n_bytes", quotas.bytes, usage.bytes);
        let mut writes = vec![self.add_usage(&record.owner, usage, &conditions.join(" AND "), values)?];
        if let Some(seconds) = quotas.scan_seconds {
            writes.push(self.scan_time_below(&record.owner, seconds, record.created_at)?);
        }
        Ok(writes)
    }

    /// Returns the writes that count a change of a record; none if its usage and scan time stay the same.
    pub(super) fn usage_updates(
        &self,
        before: &Record,
        next: &Record,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = vec![];
        let difference = Usage::of(next) - Usage::of(before);
        if difference != Usage::NONE {
            writes.push(self.add_usage(&next.owner, difference, "", Attributes::new())?);
        }
        let scanned = scan_time(before, next);
        if scanned >= Duration::from_millis(1) {
            writes.push(self.add_scan_time(&next.owner, scanned, next.changed_at)?);
        }
        Ok(writes)
    }

    /// Replaces the record in one transaction with other writes, of which only the check of a release has a
    /// condition.
    pub(super) async fn replace_with(
        &self,
        next: &Record,
        replacement: Replacement,
        write_id: &str,
        mut writes: Vec<TransactWriteItem>,
    ) -> Result<Committed, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(file_pk(next.file_id)))
            .update_expression(replacement.expression)
            .condition_expression("#revision = :expected_revision")
            .set_expression_attribute_names(Some(replacement.names))
            .set_expression_attribute_values(Some(replacement.values))
            .expression_attribute_values(":expected_revision", number(next.revision - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None);
        writes.insert(0, wrapped(update.build(), |update, item| item.update(update))?);
        match self.transact(writes, "commit a record").await? {
            Transaction::Done => Ok(Committed::Yes),
            // This write may have been applied earlier, if its response was lost and its request token has
            // expired.
            Transaction::Refused(at) => {
                let stored = self.get(file_pk(next.file_id), "load a record").await?;
                let is_ours = stored.is_some_and(|item| item.get("write_id") == Some(&text(write_id)));
                Ok(match at.first() {
                    _ if is_ours => Committed::Yes,
                    Some(0) => Committed::Conflict,
                    _ => Committed::ReleaseNotInForce,
                })
            }
        }
    }

    /// Runs a transaction, and retries it while it collides with others. Fails with
    /// [`StoreErrorKind::Unavailable`] after [`MAX_COLLISIONS`].
    pub(super) async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        operation: &'static str,
    ) -> Result<Transaction, StoreError> {
        for n_collisions in 0..MAX_COLLISIONS {
            let sent = self.client.transact_write_items().set_transact_items(Some(writes.clone()));
            match sent.send().await {
                Ok(_) => return Ok(Transaction::Done),
                Err(error) => match refusal(&error) {
                    Some(Refusal::Conditions(at)) => return Ok(Transaction::Refused(at)),
                    Some(Refusal::Collision) => tokio::time::sleep(pause(n_collisions)).await,
                    None => return Err(StoreError::of_sdk(operation, error)),
                },
            }
        }
        Err(StoreError::new(operation, StoreErrorKind::Unavailable))
    }

    fn add_usage(
        &self,
        owner: &OwnerId,
        usage: Usage,
        condition: &str,
        mut values: Attributes,
    ) -> Result<TransactWriteItem, StoreError> {
        for (name, value) in [(":p", usage.pending), (":o", usage.objects), (":b", usage.bytes)] {
            values.insert(name.to_owned(), number(value));
        }
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(usage_pk(owner)))
            .update_expression("ADD n_pending :p, n_objects :o, n_bytes :b")
            .set_condition_expression((!condition.is_empty()).then(|| condition.to_owned()))
            .set_expression_attribute_values(Some(values));
        wrapped(update.build(), |update, item| item.update(update))
    }

    fn add_scan_time(
        &self,
        owner: &OwnerId,
        scanned: Duration,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(scan_time_pk(owner, now)))
            .update_expression("SET #ttl = :ttl ADD scan_millis :millis")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number((now + SCAN_TTL).as_secs()))
            .expression_attribute_values(":millis", number(scanned.as_millis()));
        wrapped(update.build(), |update, item| item.update(update))
    }

    fn scan_time_below(
        &self,
        owner: &OwnerId,
        seconds: u64,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", text(scan_time_pk(owner, now)))
            .condition_expression("attribute_not_exists(scan_millis) OR scan_millis < :limit")
            .expression_attribute_values(":limit", number(seconds.saturating_mul(1000)));
        wrapped(check.build(), |check, item| item.condition_check(check))
    }
}

fn usage_pk(owner: &OwnerId) -> String {
    format!("usage#{owner}")
}

fn scan_time_pk(owner: &OwnerId, now: Timestamp) -> String {
    // The day comes first and contains no `#`, so no two pairs share a key.
    format!("scanned#{}#{owner}", day(now))
}

/// Puts a write into a transaction.
pub(super) fn wrapped<T>(
    built: Result<T, aws_sdk_dynamodb::error::BuildError>,
    put: impl FnOnce(
        T,
        aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
    ) -> aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
) -> Result<TransactWriteItem, StoreError> {
    let built = built
        .map_err(|error| StoreError::caused("build a transaction", StoreErrorKind::Unexpected, error))?;
    Ok(put(built, TransactWriteItem::builder()).build())
}

enum Refusal {
    Conditions(Vec<usize>),
    Collision,
}

fn refusal<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Refusal> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons();
    let with_code = |code: &str| {
        let found = reasons.iter().enumerate().filter(|(_, reason)| reason.code() == Some(code));
        found.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let refused = with_code("ConditionalCheckFailed");
    if !refused.is_empty() {
        return Some(Refusal::Conditions(refused));
    }
    (!with_code("TransactionConflict").is_empty()).then_some(Refusal::Collision)
}

/// Returns a random pause, whose limit grows with each collision, so that colliding transactions spread out.
fn pause(n_collisions: u32) -> Duration {
    let random = u64::from(clock::random_uuid().as_fields().0);
    let limit_ms = 10 << n_collisions.min(5);
    Duration::from_millis(5 + random % limit_ms)
}
