//! Counts verdicts by the hour, with atomic increments that are spread over a few items so that none is hot.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::record::{Record, Status};
use domain::statistics::{Failure, Histogram, HourStatistics, SizeClass, failure_of, hour};
use domain::timestamp::Timestamp;

use super::batch_get::Consistency;
use super::{Ledger, attributes_of};
use crate::error::StoreError;
use crate::item::{Attributes, number, text};

const N_SPREAD: u8 = 4;
const TTL: Duration = Duration::from_hours(8 * 24);
/// The most failures that one item keeps; an hour has [`N_SPREAD`] such items.
const MAX_FAILURES: usize = 10;

impl Ledger {
    /// Counts one verdict. Not idempotent, which is acceptable for a statistic.
    pub async fn count_verdict(&self, record: &Record, now: Timestamp) -> Result<(), StoreError> {
        let Some(judgement) = record.judgement() else { return Ok(()) };
        let bytes = record.size_bytes().unwrap_or(0);
        let status = format!("n_{}", record.status().as_str());
        let duration = duration_name(SizeClass::of(bytes), Histogram::bucket_of(judgement.duration));
        let (hour, spread) = (hour(now), record.file_id.shard() % N_SPREAD);
        let update = self.client.update_item().table_name(&self.table).key("pk", text(pk(hour, spread)));
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
            Some(failure) => self.keep_failure(failures_pk(hour, spread), failure, now).await,
            None => Ok(()),
        }
    }

    /// Failures are in an item of their own, so that each count of a verdict takes one write unit.
    async fn keep_failure(&self, pk: String, failure: Failure, now: Timestamp) -> Result<(), StoreError> {
        let failure = AttributeValue::M(attributes_of(failure, "count a verdict")?);
        let update = self.client.update_item().table_name(&self.table).key("pk", text(pk));
        let kept = update
            .update_expression(
                "SET #ttl = :ttl, failures = list_append(if_not_exists(failures, :none), :new)",
            )
            .condition_expression("attribute_not_exists(failures) OR size(failures) < :most")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number((now + TTL).as_secs()))
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

    /// Returns the statistics of each of the last `n_hours` hours, the current one last. At most 24.
    pub async fn statistics(&self, n_hours: u8, now: Timestamp) -> Result<Vec<HourStatistics>, StoreError> {
        let n_hours = n_hours.clamp(1, 24);
        let first = hour(now) - i64::from(n_hours) + 1;
        let mut hours = vec![HourStatistics::default(); usize::from(n_hours)];
        let keys =
            (0..i64::from(n_hours)).flat_map(|offset| (0..N_SPREAD).map(move |spread| (offset, spread)));
        let pks = keys.flat_map(|(offset, spread)| [pk, failures_pk].map(|pk| pk(first + offset, spread)));
        let pks: Vec<String> = pks.collect();
        for item in self.batch_get(&pks, Consistency::Eventual, "read statistics").await? {
            let offset = hour_of(&item).and_then(|hour| usize::try_from(hour - first).ok());
            if let Some(hour) = offset.and_then(|offset| hours.get_mut(offset)) {
                hour.merge(read_hour(&item));
            }
        }
        Ok(hours)
    }
}

fn pk(hour: i64, spread: u8) -> String {
    format!("stats#{hour}#{spread}")
}

fn failures_pk(hour: i64, spread: u8) -> String {
    format!("failures#{hour}#{spread}")
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
