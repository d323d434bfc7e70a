//! Publishes the events of files: puts them on an event bus and sends them to webhooks.
//!
//! Invariant: an event leaves its outbox only when the bus has it and a delivery to every endpoint is stored,
//! so that it is published at least once, under one id, even if a process dies in between.
//! Invariant: a webhook never connects to an address that is not public, unless the operator has configured
//! its host and port.

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
use settings::EventProfile;
use thiserror::Error;

pub use config::{NotifyDeployment, NotifySettings};
pub use webhook::{Endpoint, Webhooks};

/// What publishing needs. Built once per process.
#[derive(Debug)]
pub struct NotifyContext {
    pub stores: Stores,
    pub machine: MachinePolicy,
    /// The bucket of the files, which events name.
    pub bucket: String,
    pub profile: EventProfile,
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
    #[error("the invocation has no time left for this message")]
    OutOfTime,
}

/// Kept back from the invocation's time, to report failures before the platform ends it.
const RESERVE: Duration = Duration::from_secs(5);

/// Handles one batch within `time_left`. The batch never fails as a whole: the response names each message
/// that must be redelivered.
pub async fn handle(context: &NotifyContext, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
    let deadline = tokio::time::Instant::now() + time_left.saturating_sub(RESERVE);
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        let handled = async {
            let handled = tokio::time::timeout_at(deadline, run_task(context, message));
            handled.await.unwrap_or(Err(DeliverError::OutOfTime))
        };
        response.batch_item_failures.extend(aws::batch::failure_of(message, handled).await);
    }
    response
}

async fn run_task(context: &NotifyContext, message: &SqsMessage) -> Result<(), DeliverError> {
    let body = message.body.as_deref().unwrap_or_default();
    match serde_json::from_str(body).map_err(DeliverError::BadMessage)? {
        EventTask::Publish(file) => publish::publish(context, file).await?,
        EventTask::Deliver(key) => deliver::deliver_by_key(context, &key).await?,
    }
    Ok(())
}
