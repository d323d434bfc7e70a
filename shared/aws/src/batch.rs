//! Handles each message of a batch on its own, so that only failed messages are redelivered.

use std::panic::AssertUnwindSafe;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsMessage};
use futures_util::FutureExt as _;

/// Why a message must be redelivered.
#[derive(Debug, thiserror::Error)]
pub enum BatchError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Failed(E),
    #[error("handling the message panicked")]
    Panicked,
}

/// Awaits the handling of one message. Returns the message's failure entry if it must be redelivered: after
/// an error or a panic, which is logged.
pub async fn failure_of<E: std::error::Error + 'static>(
    message: &SqsMessage,
    handling: impl Future<Output = Result<(), E>>,
) -> Option<BatchItemFailure> {
    let handled = AssertUnwindSafe(handling).catch_unwind().await;
    let handled = handled.map_or(Err(BatchError::Panicked), |handled| handled.map_err(BatchError::Failed));
    let error = handled.err()?;
    tracing::warn!(
        message.id = message.message_id,
        error = crate::log::chain(&error),
        "handling a message failed; it will be redelivered"
    );
    Some(named(message))
}

/// Returns the failure entry that makes SQS redeliver a message.
pub fn named(message: &SqsMessage) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id.clone().unwrap_or_default();
    failure
}
