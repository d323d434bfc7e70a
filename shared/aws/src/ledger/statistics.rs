//! Counts verdicts by the hour, with atomic increments that are spread over a few items so that none is hot.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::record::{Record, Status};
use domain::statistics::{Failure, Histogram, HourStatistics, SizeClass, failure_of, hour};
use domain::timestamp::Timestamp;

use super::{Ledger, attributes_of};
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, number, text};

const N_SPREAD: u8 = 4;
const TTL: Duration = Duration::from_hours(8 * 24);
/// The most failures that one item keeps; an hour has [`N_SPREAD`] items.
const MAX_FAILURES: usize = 10;

impl Ledger {
    /// Counts one verdict. Not idempotent, which is acceptable for a statistic.
    pub async fn count_verdict(&self, record: &Record, now: Timestamp) -> Result<(), StoreError> {
        let Some(judgement) = record.judgement() else { return Ok(()) };
        let bytes = record.size_bytes().unwrap_or(0);
        let status = format!("n_{}", record.status().as_str());
        let duration = duration_name(SizeClass::of(bytes), Histogram::bucket_of(judgement.duration));
        let pk = text(pk(hour(now), record.file_id.shard() % N_SPREAD));
        let update = self.client.update_item().table_name(&self.table).key("pk", pk.clone());
        let counted = update
            .update_expression("SET #ttl = :ttl ADD #status :one, #duration :one, n_bytes :bytes")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#status", status)
            .expression_attribute_names("#duration", duration)
            .expression_attribute_values(":ttl", number((now + TTL).as_secs()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":bytes", number(bytes))
            .send()
            .await;
        counted.map_err(|error| StoreError::of_sdk("count a verdict", error))?;
        match failure_of(record) {
            Some(failure) => self.keep_failure(pk, failure).await,
            None => Ok(()),
        }
    }

    async fn keep_failure(&self, pk: AttributeValue, failure: Failure) -> Result<(), StoreError> {
        let failure = AttributeValue::M(attributes_of(failure, "count a verdict")?);
        let update = self.client.update_item().table_name(&self.table).key("pk", pk);
        let kept = update
            .update_expression("SET failures = list_append(if_not_exists(failures, :none), :new)")
            .condition_expression("attribute_not_exists(failures) OR size(failures) < :most")
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":new", AttributeValue::L(vec![failure]))
            .expression_attribute_values(":most", number(MAX_FAILURES))
            .send()
            .await;
        match kept {
            Ok(_) => Ok(()),
            Err(error) if super::condition_failure(&error).is_some() => Ok(()),
            Err(error) => Err(StoreError::of_sdk("count a verdict", error)),
        }
    }

    /// Returns the statistics of each of the last `n_hours` hours, the current one last. At most 24, because
    /// one request reads at most 100 items.
    pub async fn statistics(&self, n_hours: u8, now: Timestamp) -> Result<Vec<HourStatistics>, StoreError> {
        let n_hours = n_hours.clamp(1, 24);
        let first = hour(now) - i64::from(n_hours) + 1;
        let mut hours = vec![HourStatistics::default(); usize::from(n_hours)];
        let keys =
            (0..i64::from(n_hours)).flat_map(|offset| (0..N_SPREAD).map(move |spread| (offset, spread)));
        let mut wanted: Vec<Attributes> = keys
            .map(|(offset, spread)| HashMap::from([("pk".to_owned(), text(pk(first + offset, spread)))]))
            .collect();
        while !wanted.is_empty() {
            let request = KeysAndAttributes::builder().set_keys(Some(std::mem::take(&mut wanted))).build();
            let request = request
                .map_err(|error| StoreError::caused("read statistics", StoreErrorKind::Unexpected, error))?;
            let read = self.client.batch_get_item().request_items(&self.table, request).send().await;
            let read = read.map_err(|error| StoreError::of_sdk("read statistics", error))?;
            for item in read.responses.unwrap_or_default().into_values().flatten() {
                let offset = hour_of(&item).and_then(|hour| usize::try_from(hour - first).ok());
                if let Some(hour) = offset.and_then(|offset| hours.get_mut(offset)) {
                    hour.merge(read_hour(&item));
                }
            }
            let unread = read.unprocessed_keys.unwrap_or_default();
            wanted = unread.into_values().flat_map(|request| request.keys).collect();
        }
        Ok(hours)
    }
}

fn pk(hour: i64, spread: u8) -> String {
    format!("stats#{hour}#{spread}")
}

fn hour_of(item: &Attributes) -> Option<i64> {
    item.get("pk")?.as_s().ok()?.split('#').nth(1)?.parse().ok()
}

fn duration_name(class: SizeClass, bucket: usize) -> String {
    format!("t_{}_{bucket}", class.name())
}

/// Reads an item's counters; those that are missing or unreadable count as zero.
fn read_hour(item: &Attributes) -> HourStatistics {
    let count = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0);
    let mut hour = HourStatistics { n_bytes: count("n_bytes"), ..HourStatistics::default() };
    for status in Status::ALL {
        let n = count(&format!("n_{}", status.as_str()));
        if n > 0 {
            hour.by_status.insert(status.as_str(), n);
        }
    }
    for (class, histogram) in SizeClass::ALL.into_iter().zip(&mut hour.durations) {
        for bucket in 0..=domain::statistics::BUCKET_ENDS_MS.len() {
            histogram.add(bucket, count(&duration_name(class, bucket)));
        }
    }
    if let Some(AttributeValue::L(failures)) = item.get("failures") {
        let read = |value: &AttributeValue| serde_dynamo::from_item(value.as_m().ok()?.clone()).ok();
        hour.failures = failures.iter().filter_map(read).collect();
    }
    hour
}
