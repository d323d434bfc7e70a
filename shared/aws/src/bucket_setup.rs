//! Changes what another application's bucket reports and permits: its notifications and its policy.
//!
//! Both are replaced whole by S3's API, so each change starts from what is there.

use aws_sdk_s3::types::{EventBridgeConfiguration, NotificationConfiguration};

use crate::error::{StoreError, StoreErrorKind};
use crate::objects::Objects;

/// What a bucket reports, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Notifications(NotificationConfiguration);

impl Notifications {
    /// Whether events go to EventBridge.
    pub fn has_eventbridge(&self) -> bool {
        self.0.event_bridge_configuration().is_some()
    }

    /// The number of queues, topics and functions that get events.
    pub fn n_destinations(&self) -> usize {
        let NotificationConfiguration {
            topic_configurations,
            queue_configurations,
            lambda_function_configurations,
            ..
        } = &self.0;
        [
            topic_configurations.as_ref().map(Vec::len),
            queue_configurations.as_ref().map(Vec::len),
            lambda_function_configurations.as_ref().map(Vec::len),
        ]
        .into_iter()
        .flatten()
        .sum()
    }

    /// The same, with or without events to EventBridge.
    #[must_use]
    pub fn with_eventbridge(self, is_on: bool) -> Self {
        let mut changed = self.0;
        changed.event_bridge_configuration = is_on.then(|| EventBridgeConfiguration::builder().build());
        Self(changed)
    }
}

impl Objects {
    pub async fn notifications(&self) -> Result<Notifications, StoreError> {
        let asked = self.client.get_bucket_notification_configuration().bucket(&self.bucket).send().await;
        let found = asked.map_err(|error| StoreError::of_sdk("read the bucket's notifications", error))?;
        let configuration = NotificationConfiguration::builder()
            .set_topic_configurations(found.topic_configurations)
            .set_queue_configurations(found.queue_configurations)
            .set_lambda_function_configurations(found.lambda_function_configurations)
            .set_event_bridge_configuration(found.event_bridge_configuration);
        Ok(Notifications(configuration.build()))
    }

    /// Replaces what the bucket reports. S3 does not check the destinations: they are those of before, and
    /// one that no longer exists is none of ours.
    pub async fn set_notifications(&self, notifications: Notifications) -> Result<(), StoreError> {
        let put = self.client.put_bucket_notification_configuration().bucket(&self.bucket);
        let put = put.notification_configuration(notifications.0).skip_destination_validation(true);
        let changed = put.send().await;
        changed.map(drop).map_err(|error| StoreError::of_sdk("change the bucket's notifications", error))
    }

    /// Replaces the bucket's policy; `None` removes it.
    pub async fn set_bucket_policy(&self, policy: Option<&str>) -> Result<(), StoreError> {
        let operation = "change the bucket's policy";
        let Some(policy) = policy else {
            let removed = self.client.delete_bucket_policy().bucket(&self.bucket).send().await;
            return removed.map(drop).map_err(|error| StoreError::of_sdk(operation, error));
        };
        if policy.is_empty() {
            return Err(StoreError::new(operation, StoreErrorKind::Unexpected));
        }
        let changed = self.client.put_bucket_policy().bucket(&self.bucket).policy(policy).send().await;
        changed.map(drop).map_err(|error| StoreError::of_sdk(operation, error))
    }
}
