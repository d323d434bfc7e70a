//! Stores webhook deliveries: one item per event and endpoint, in the index that the sweep reads.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::{Delivery, DeliveryState, EndpointId};
use domain::history::EventId;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::batch_get::Consistency;
use super::{Ledger, attributes_of};
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{number, text};

/// How long a delivery is kept, so that it can be replayed.
const TTL: Duration = Duration::from_hours(14 * 24);

#[derive(Serialize, Deserialize)]
struct DeliveryItem {
    pk: String,
    /// `deliveries` while it is due, `delivered` afterwards; then `due_at` is when it was created.
    due: String,
    due_at: Timestamp,
    ttl: i64,
    event: String,
    endpoint: EndpointId,
    body: String,
    created_at: Timestamp,
    n_attempts: u32,
    state: DeliveryState,
}

/// An endpoint's state, without its URL.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// The URL's host; the URL itself may contain a secret.
    pub host: String,
    pub disabled_at: Option<Timestamp>,
    pub last_failure: Option<String>,
}

/// The item that holds all endpoints, of which there are few.
const ENDPOINTS_PK: &str = "webhooks";
const ENDPOINT_PREFIX: &str = "endpoint_";

const DUE: &str = "deliveries";
const OVER: &str = "delivered";

impl Ledger {
    /// Returns the key of a delivery.
    pub fn delivery_key(event: EventId, endpoint: &EndpointId) -> String {
        format!("delivery#{event}#{endpoint}")
    }

    /// Stores a new delivery. Idempotent: an existing delivery stays as it is, so that an event that is
    /// published twice is sent once.
    pub async fn add_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let attributes = attributes_of(DeliveryItem::of(delivery), "add a delivery")?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(attributes));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(()),
            Err(error) => match StoreError::of_sdk("add a delivery", error) {
                error if error.kind == StoreErrorKind::PreconditionFailed => Ok(()),
                error => Err(error),
            },
        }
    }

    pub async fn delivery(&self, key: &str) -> Result<Option<Delivery>, StoreError> {
        let item = self.get_as::<DeliveryItem>(key.to_owned(), "read a delivery").await?;
        item.map(DeliveryItem::into_delivery).transpose()
    }

    /// Replaces a delivery. The last writer wins: two concurrent senders have both sent it, and receivers
    /// deduplicate it by its id.
    pub async fn update_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.put(DeliveryItem::of(delivery), "update a delivery").await
    }

    /// Makes a due delivery due later, on the condition that it has not changed since it was read: of several
    /// concurrent callers, one may make the attempt. Returns whether this caller may.
    pub async fn postpone_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, StoreError> {
        let Some(due_at) = delivery.due_at() else { return Ok(false) };
        let postponed = attributes_of(DeliveryItem::of(&delivery.postponed(until)), "postpone a delivery")?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(postponed))
            .condition_expression("due = :queue AND due_at = :due_at AND n_attempts = :n_attempts")
            .expression_attribute_values(":queue", text(DUE))
            .expression_attribute_values(":due_at", number(due_at.as_millis()))
            .expression_attribute_values(":n_attempts", number(delivery.n_attempts));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) => match StoreError::of_sdk("postpone a delivery", error) {
                error if error.kind == StoreErrorKind::PreconditionFailed => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Returns due deliveries, the longest overdue first.
    pub async fn due_deliveries(&self, now: Timestamp, limit: i32) -> Result<Vec<Delivery>, StoreError> {
        let condition = "due = :queue AND due_at <= :at";
        self.deliveries(DUE, condition, now, None, limit).await.map(|page| page.0)
    }

    /// Returns one page of the finished deliveries that were created at `since` or later, the oldest first,
    /// with the start of the next page.
    pub async fn past_deliveries(
        &self,
        since: Timestamp,
        start: Option<HashMap<String, AttributeValue>>,
        limit: i32,
    ) -> Result<(Vec<Delivery>, Option<HashMap<String, AttributeValue>>), StoreError> {
        self.deliveries(OVER, "due = :queue AND due_at >= :at", since, start, limit).await
    }

    async fn deliveries(
        &self,
        queue: &str,
        condition: &str,
        at: Timestamp,
        start: Option<HashMap<String, AttributeValue>>,
        limit: i32,
    ) -> Result<(Vec<Delivery>, Option<HashMap<String, AttributeValue>>), StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(Self::DUE)
            .key_condition_expression(condition)
            .expression_attribute_values(":queue", text(queue))
            .expression_attribute_values(":at", number(at.as_millis()))
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::of_sdk("find deliveries", error))?;
        let pks: Vec<String> = page.items.unwrap_or_default().into_iter().filter_map(pk_of).collect();
        let found = self.batch_get(&pks, Consistency::Strong, "find deliveries").await?;
        let mut deliveries = HashMap::new();
        for attributes in found {
            let item: DeliveryItem = serde_dynamo::from_item(attributes)
                .map_err(|error| StoreError::caused("find deliveries", StoreErrorKind::Corrupt, error))?;
            // The index may lag behind the items.
            if item.due == queue {
                deliveries.insert(item.pk.clone(), item.into_delivery()?);
            }
        }
        let found = pks.iter().filter_map(|pk| deliveries.remove(pk)).collect();
        Ok((found, page.last_evaluated_key))
    }

    /// Returns the recorded endpoints.
    pub async fn endpoints(&self) -> Result<BTreeMap<EndpointId, EndpointRecord>, StoreError> {
        let Some(item) = self.get(ENDPOINTS_PK.to_owned(), "read endpoints").await? else {
            return Ok(BTreeMap::new());
        };
        let corrupt = |error| StoreError::caused("read endpoints", StoreErrorKind::Corrupt, error);
        let mut endpoints = BTreeMap::new();
        for (name, value) in item {
            if let (Some(Ok(id)), AttributeValue::M(fields)) =
                (name.strip_prefix(ENDPOINT_PREFIX).map(EndpointId::parse), value)
            {
                endpoints.insert(id, serde_dynamo::from_item(fields).map_err(corrupt)?);
            }
        }
        Ok(endpoints)
    }

    /// Records an endpoint's state. The last writer wins.
    pub async fn note_endpoint(&self, id: &EndpointId, endpoint: &EndpointRecord) -> Result<(), StoreError> {
        let value = AttributeValue::M(attributes_of(endpoint, "record an endpoint")?);
        let update = self.client.update_item().table_name(&self.table).key("pk", text(ENDPOINTS_PK));
        let noted = update
            .update_expression("SET #endpoint = :endpoint")
            .expression_attribute_names("#endpoint", format!("{ENDPOINT_PREFIX}{id}"))
            .expression_attribute_values(":endpoint", value)
            .send()
            .await;
        noted.map(drop).map_err(|error| StoreError::of_sdk("record an endpoint", error))
    }
}

fn pk_of(mut keys: HashMap<String, AttributeValue>) -> Option<String> {
    match keys.remove("pk")? {
        AttributeValue::S(pk) => Some(pk),
        _ => None,
    }
}

impl DeliveryItem {
    fn of(delivery: &Delivery) -> Self {
        let (queue, due_at) = match delivery.due_at() {
            Some(due_at) => (DUE, due_at),
            None => (OVER, delivery.created_at),
        };
        Self {
            pk: Ledger::delivery_key(delivery.event, &delivery.endpoint),
            due: queue.to_owned(),
            due_at,
            ttl: (delivery.created_at + TTL).as_secs(),
            event: delivery.event.to_string(),
            endpoint: delivery.endpoint.clone(),
            body: delivery.body.clone(),
            created_at: delivery.created_at,
            n_attempts: delivery.n_attempts,
            state: delivery.state.clone(),
        }
    }

    fn into_delivery(self) -> Result<Delivery, StoreError> {
        let event = EventId::parse(&self.event);
        Ok(Delivery {
            event: event
                .map_err(|error| StoreError::caused("read a delivery", StoreErrorKind::Corrupt, error))?,
            endpoint: self.endpoint,
            body: self.body,
            created_at: self.created_at,
            n_attempts: self.n_attempts,
            state: self.state,
        })
    }
}
