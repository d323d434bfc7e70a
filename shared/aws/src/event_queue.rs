//! How does the function that tells people things learn that there is something to tell?

use domain::id::FileId;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// The queue that the notify function is fed from. Its messages carry no news, only where to look: what they name is read again.
#[derive(Clone, Debug)]
pub struct EventQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// What a message asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTask {
    /// This file's history has something to tell.
    Publish(FileId),
    /// This webhook delivery is due.
    Deliver(String),
}

impl EventQueue {
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Not idempotent; the notify function takes duplicates. A message that is lost is sent again by the sweep.
    pub async fn request(&self, task: &EventTask) -> Result<(), StoreError> {
        let body = serde_json::to_string(task).unwrap_or_default();
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| StoreError::of_sdk("queue an event", error))
    }
}
