//! The queue of scan requests, and its dead letters.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, QueueAttributeName};
use domain::id::{FileId, ObjectKey, Version};
use domain::incoming::Incoming;
use domain::record::Record;

use crate::error::StoreError;
use crate::events;

/// The queue that the scan function is fed from.
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

    /// Asks for a scan of a version that is bound to a file. Not idempotent; the scan function takes duplicates.
    pub async fn request_scan(&self, record: &Record, version: &Version) -> Result<(), StoreError> {
        self.send(&record.object_key(), version, Some(record.file_id)).await
    }

    /// Queues a version whose event S3 has not delivered. Not idempotent; the scan function takes duplicates.
    pub async fn enqueue(&self, incoming: &Incoming, version: &Version) -> Result<(), StoreError> {
        self.send(&incoming.key(), version, None).await
    }

    async fn send(&self, key: &ObjectKey, version: &Version, file: Option<FileId>) -> Result<(), StoreError> {
        let body = events::stored_body(&self.bucket, key, version, file);
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| StoreError::of_sdk("queue a scan", error))
    }

    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        backlog(&self.client, &self.url).await
    }

    /// The queue that messages go to which could not be handled often enough.
    pub fn dead_letters(&self, url: String) -> DeadLetters {
        DeadLetters { client: self.client.clone(), url, source_url: self.url.clone() }
    }
}

/// Messages that were received too often.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    client: aws_sdk_sqs::Client,
    url: String,
    source_url: String,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub message_id: String,
    pub body: String,
}

/// SQS shows a sample at each look; this many looks are taken.
const MAX_LOOKS: usize = 10;

impl DeadLetters {
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        backlog(&self.client, &self.url).await
    }

    /// Some of the dead letters: all when they are few. They stay where they are.
    pub async fn list(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let mut found = BTreeMap::new();
        for _ in 0..MAX_LOOKS {
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

    /// Sends the dead letters that are there now to the queue that they came from; how many. Dying in between sends one twice, and loses none.
    pub async fn redrive(&self) -> Result<u64, StoreError> {
        // What comes back at once is not sent again: that would never end.
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
        let received = received.map_err(|error| StoreError::of_sdk("look at dead letters", error))?;
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
    let attributes = asked.map_err(|error| StoreError::of_sdk("measure the queue", error))?.attributes;
    let attributes = attributes.unwrap_or_default();
    let number = |name| attributes.get(&name).and_then(|value| value.parse().ok()).unwrap_or(0);
    Ok(Backlog { n_waiting: number(waiting), n_in_flight: number(in_flight) })
}
