//! Sends scan requests to their queue, and lists and redrives its dead letters.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use aws_sdk_sqs::types::{
    Message, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use domain::id::{BucketName, FileId, ObjectKey, Version};
use domain::incoming::Incoming;
use domain::record::Record;

use crate::error::{StoreError, StoreErrorKind};
use crate::events;

/// The queue that triggers the scan function.
#[derive(Clone, Debug)]
pub struct ScanQueue {
    client: aws_sdk_sqs::Client,
    url: String,
    bucket: String,
}

/// The approximate number of messages in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Backlog {
    pub n_waiting: u64,
    pub n_in_flight: u64,
}

impl ScanQueue {
    pub fn new(client: aws_sdk_sqs::Client, url: String, bucket: String) -> Self {
        Self { client, url, bucket }
    }

    /// Queues a scan of a version that is bound to a file. Not idempotent; the scan function accepts
    /// duplicates.
    pub async fn request_scan(&self, record: &Record, version: &Version) -> Result<(), StoreError> {
        self.send(&record.object_key(), version, Some(record.file_id)).await
    }

    /// Queues a version whose event S3 has not delivered. Not idempotent; the scan function accepts
    /// duplicates.
    pub async fn enqueue(&self, incoming: &Incoming, version: &Version) -> Result<(), StoreError> {
        self.send(&incoming.key(), version, None).await
    }

    async fn send(&self, key: &ObjectKey, version: &Version, file: Option<FileId>) -> Result<(), StoreError> {
        let bucket = key.bucket().map_or(self.bucket.as_str(), BucketName::as_str);
        let body = events::stored_body(bucket, key, version, file);
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| StoreError::of_sdk("queue a scan", error))
    }

    /// Sends at most [`MAX_BATCH`] messages in one request. Returns which of them the queue took, by their
    /// place; the others may be sent again. Not idempotent; the scan function accepts duplicates.
    pub async fn send_batch(&self, bodies: &[String]) -> Result<Vec<usize>, StoreError> {
        let operation = "queue scans";
        let unexpected = |error| StoreError::caused(operation, StoreErrorKind::Unexpected, error);
        let entry = |(at, body): (usize, &String)| {
            SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(body).build()
        };
        let entries = bodies.iter().enumerate().map(entry).collect::<Result<_, _>>().map_err(unexpected)?;
        let batch = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let sent = batch.send().await.map_err(|error| StoreError::of_sdk(operation, error))?;
        if let Some(refused) = sent.failed().iter().find(|failed| failed.sender_fault()) {
            let why = format!("{}: {}", refused.code(), refused.message().unwrap_or_default());
            return Err(StoreError::caused(operation, StoreErrorKind::Unexpected, why));
        }
        Ok(sent.successful().iter().filter_map(|sent| sent.id().parse().ok()).collect())
    }

    /// Makes a received message visible after `delay`, rounded up to seconds, instead of at the end of its
    /// visibility timeout. An error leaves it to the timeout.
    pub async fn retry_in(&self, receipt_handle: &str, delay: Duration) -> Result<(), StoreError> {
        let seconds = i32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        let change = self.client.change_message_visibility().queue_url(&self.url);
        let changed = change.receipt_handle(receipt_handle).visibility_timeout(seconds).send().await;
        changed.map(drop).map_err(|error| StoreError::of_sdk("retry a scan", error))
    }

    /// Waits for a message for at most 15 seconds, and returns it as Lambda would
    /// deliver it: an event with at most one record. The message is hidden from other receivers for
    /// `visibility`, and then received again unless it was acknowledged.
    pub async fn receive(&self, visibility: Duration) -> Result<SqsEvent, StoreError> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(1)
            .wait_time_seconds(LONGEST_WAIT_SECS)
            .visibility_timeout(i32::try_from(visibility.as_secs()).unwrap_or(i32::MAX))
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await;
        let received = received.map_err(|error| StoreError::of_sdk("receive a scan", error))?;
        let records: Vec<_> = received.messages.unwrap_or_default().into_iter().map(record_of).collect();
        serde_json::from_value(serde_json::json!({ "Records": records }))
            .map_err(|error| StoreError::caused("receive a scan", StoreErrorKind::Corrupt, error))
    }

    /// Removes a message that was handled. Idempotent. An error has it delivered again.
    pub async fn acknowledge(&self, receipt_handle: &str) -> Result<(), StoreError> {
        let removed = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt_handle);
        let removed = removed.send().await;
        removed.map(drop).map_err(|error| StoreError::of_sdk("acknowledge a scan", error))
    }

    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        backlog(&self.client, &self.url).await
    }

    /// Returns the dead-letter queue at `url`, which redrives to this queue.
    pub fn dead_letters(&self, url: String) -> DeadLetters {
        DeadLetters { client: self.client.clone(), url, source_url: self.url.clone() }
    }
}

/// The most messages that SQS takes in one request.
pub const MAX_BATCH: usize = 10;

/// SQS lets a receiver wait for 20 seconds. The SDK's read timeout must not be over before the answer: a
/// message that was handed out in an answer that is not read stays hidden.
const LONGEST_WAIT_SECS: i32 = 15;

/// The record that Lambda's event has for a message.
fn record_of(message: Message) -> serde_json::Value {
    let attributes = message.attributes.unwrap_or_default();
    let attributes: BTreeMap<_, _> =
        attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    serde_json::json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
    })
}

/// The queue of messages whose handling failed too often.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    url: String,
    source_url: String,
}

/// A message in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub message_id: String,
    pub body: String,
}

/// Each request to SQS returns a sample of the messages, so a listing makes at most so many requests.
const MAX_REQUESTS: usize = 10;

impl DeadLetters {
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        backlog(&self.client, &self.url).await
    }

    /// Returns some of the dead letters, or all if there are few. They stay in the queue.
    pub async fn list(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let mut found = BTreeMap::new();
        for _ in 0..MAX_REQUESTS {
            let n_before = found.len();
            for message in self.receive(0).await? {
                let letter = DeadLetter {
                    message_id: message.message_id.unwrap_or_default(),
                    body: message.body.unwrap_or_default(),
                };
                found.insert(letter.message_id.clone(), letter);
            }
            if found.len() == n_before {
                break;
            }
        }
        Ok(found.into_values().collect())
    }

    /// Moves the present dead letters to the queue that they came from and returns their number. A crash may
    /// send one message twice, but loses none.
    pub async fn redrive(&self) -> Result<u64, StoreError> {
        // Messages that fail again meanwhile are not moved again, or this loop would never end.
        let n_now = self.backlog().await?.n_waiting;
        let mut n_moved = 0;
        while n_moved < n_now {
            let messages = self.receive(30).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let body = message.body.unwrap_or_default();
                let sent = self.client.send_message().queue_url(&self.source_url).message_body(body);
                sent.send().await.map_err(|error| StoreError::of_sdk("redrive a message", error))?;
                let handle = message.receipt_handle.unwrap_or_default();
                let removed = self.client.delete_message().queue_url(&self.url).receipt_handle(handle);
                removed.send().await.map_err(|error| StoreError::of_sdk("remove a dead letter", error))?;
                n_moved += 1;
            }
        }
        Ok(n_moved)
    }

    async fn receive(&self, visibility_secs: i32) -> Result<Vec<Message>, StoreError> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10)
            .visibility_timeout(visibility_secs)
            .send()
            .await;
        let received = received.map_err(|error| StoreError::of_sdk("receive dead letters", error))?;
        Ok(received.messages.unwrap_or_default())
    }
}

async fn backlog(client: &aws_sdk_sqs::Client, url: &str) -> Result<Backlog, StoreError> {
    let (waiting, in_flight) = (
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    );
    let asked = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(waiting.clone())
        .attribute_names(in_flight.clone())
        .send()
        .await;
    let attributes = asked.map_err(|error| StoreError::of_sdk("read the queue's length", error))?.attributes;
    let attributes = attributes.unwrap_or_default();
    let number = |name| attributes.get(&name).and_then(|value| value.parse().ok()).unwrap_or(0);
    Ok(Backlog { n_waiting: number(waiting), n_in_flight: number(in_flight) })
}
