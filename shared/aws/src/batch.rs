//! How is a batch of messages handled? Each on its own: what fails comes again, and nothing else does.

use std::panic::AssertUnwindSafe;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsMessage};
use futures_util::FutureExt as _;

/// A message that must be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum BatchError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Failed(E),
    #[error("handling the message panicked")]
    Panicked,
}

/// Waits for the end of handling one message; names it if it must come again. A panic is a failure like any other.
pub async fn failure_of<E: std::error::Error + 'static>(
    message: &SqsMessage,
    handling: impl Future<Output = Result<(), E>>,
) -> Option<BatchItemFailure> {
    let handled = AssertUnwindSafe(handling).catch_unwind().await;
    let handled = handled.map_or(Err(BatchError::Panicked), |handled| handled.map_err(BatchError::Failed));
    let error = handled.err()?;
    tracing::warn!(message.id = message.message_id, error = crate::log::chain(&error), "message comes again");
    Some(named(message))
}

/// Names a message that must be delivered again.
pub fn named(message: &SqsMessage) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message.message_id.clone().unwrap_or_default();
    failure
}
