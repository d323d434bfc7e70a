//! Puts events on an EventBridge bus.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use domain::timestamp::Timestamp;

use crate::error::{StoreError, StoreErrorKind};
use crate::sdk::Sdk;

/// The bus on which events are published for EventBridge rules outside this service.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

/// The `source` of every event.
const SOURCE: &str = "airlock";

impl EventBus {
    pub fn new(sdk: &Sdk, name: String) -> Self {
        Self { client: sdk.event_bridge(), name }
    }

    /// Puts one event. Not idempotent: an event that is put twice is delivered twice, with the same id in its
    /// detail.
    pub async fn put(
        &self,
        detail_type: &str,
        detail: String,
        resource: Option<String>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail)
            .set_resources(resource.map(|resource| vec![resource]))
            .time(aws_sdk_eventbridge::primitives::DateTime::from_millis(at.as_millis()))
            .build();
        let put = self.client.put_events().entries(entry).send().await;
        let put = put.map_err(|error| StoreError::of_sdk("put an event", error))?;
        match put.entries().iter().find_map(|entry| entry.error_code()) {
            None => Ok(()),
            Some(code) => {
                Err(StoreError::caused("put an event", StoreErrorKind::Unavailable, code.to_owned()))
            }
        }
    }
}
