//! How does the sweep ask for a scan?

use domain::id::{ObjectKey, Version};

use crate::error::StoreError;
use crate::events;

/// The queue that the scan function is fed from.
#[derive(Clone, Debug)]
pub struct ScanQueue {
    client: aws_sdk_sqs::Client,
    url: String,
    bucket: String,
}

impl ScanQueue {
    pub fn new(client: aws_sdk_sqs::Client, url: String, bucket: String) -> Self {
        Self { client, url, bucket }
    }

    /// Sends what S3 would have sent. Not idempotent; the scan function takes duplicates.
    pub async fn request_scan(&self, key: ObjectKey, version: &Version) -> Result<(), StoreError> {
        let body = events::stored_body(&self.bucket, key, version);
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| StoreError::of_sdk("queue a scan", error))
    }

    /// About how many messages wait.
    pub async fn depth(&self) -> Result<u64, StoreError> {
        let name = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(name.clone())
            .send()
            .await;
        let attributes = asked.map_err(|error| StoreError::of_sdk("measure the queue", error))?.attributes;
        Ok(attributes.and_then(|found| found.get(&name)?.parse().ok()).unwrap_or(0))
    }
}
