//! "Who must be told?" A file's history becomes events on a bus and requests to webhooks.
//!
//! Invariant: what is in an outbox leaves it only when the bus has it and every endpoint's delivery is stored, so that an event is told
//! at least once, under one id, whatever dies in between.
//! Invariant: a webhook never reaches an address that is not public, unless the operator has named that very host and port.

mod address;
mod config;
mod deliver;
mod event;
mod publish;
mod webhook;

use std::time::Duration;

use aws::{EventBus, EventTask, StoreError, Stores};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::machine::MachinePolicy;
use thiserror::Error;

pub use config::{NotifyDeployment, NotifySettings};
pub use webhook::{Endpoint, Webhooks};

/// What telling needs. Built once per process.
#[derive(Debug)]
pub struct Context {
    pub stores: Stores,
    pub machine: MachinePolicy,
    /// Where the bytes are: events name it.
    pub bucket: String,
    pub bus: Option<EventBus>,
    pub webhooks: Webhooks,
}

/// Why a message must be delivered again.
#[derive(Debug, Error)]
pub enum DeliverError {
    #[error("the message is not a task")]
    BadMessage(#[source] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the time for this batch is over")]
    OutOfTime,
}

/// Kept back from the invocation's time, to report failures before the platform ends it.
const RESERVE: Duration = Duration::from_secs(5);

/// Handles one batch within `time_left`. Never fails as a whole: each message that must come again is named.
pub async fn handle(context: &Context, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
    let deadline = tokio::time::Instant::now() + time_left.saturating_sub(RESERVE);
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        let told = async {
            let told = tokio::time::timeout_at(deadline, tell(context, message));
            told.await.unwrap_or(Err(DeliverError::OutOfTime))
        };
        response.batch_item_failures.extend(aws::batch::failure_of(message, told).await);
    }
    response
}

async fn tell(context: &Context, message: &SqsMessage) -> Result<(), DeliverError> {
    let body = message.body.as_deref().unwrap_or_default();
    match serde_json::from_str(body).map_err(DeliverError::BadMessage)? {
        EventTask::Publish(file) => publish::publish(context, file).await?,
        EventTask::Deliver(key) => deliver::deliver_by_key(context, &key).await?,
    }
    Ok(())
}
