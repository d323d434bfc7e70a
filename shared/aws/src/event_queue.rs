//! Queues work for the notify function: events to publish and webhooks to deliver.

use domain::id::FileId;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// The queue that triggers the notify function. Its messages hold no event data: they name a file or a
/// delivery, which the function reads from the ledger.
#[derive(Clone, Debug)]
pub struct EventQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// The task that a message requests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTask {
    /// Publish this file's unpublished events.
    Publish(FileId),
    /// Make the webhook delivery with this key.
    Deliver(String),
}

impl EventQueue {
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Queues a task. Not idempotent; the notify function accepts duplicates. The sweep sends a lost message
    /// again.
    pub async fn request(&self, task: &EventTask) -> Result<(), StoreError> {
        let body = serde_json::to_string(task).unwrap_or_default();
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| StoreError::of_sdk("queue an event", error))
    }
}
