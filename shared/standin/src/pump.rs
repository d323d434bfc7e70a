//! Lambda's event source mapping for SQS: receives, invokes, acknowledges successes, and releases failures.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use serde_json::json;

use crate::queue::{Queue, Received};

/// The parameters of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryOptions {
    pub visibility: Duration,
    pub max_receives: u32,
    /// The delay before a failed message is redelivered, unless the function changed it; grows with every
    /// receive.
    pub retry_delay: Duration,
    /// Without workers, no message is delivered.
    pub n_workers: usize,
    pub faults: Faults,
}

/// Faults that a test injects between S3 and the function; none by default. There is no setting for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Faults {
    #[default]
    None,
    /// Every message is acknowledged and never delivered.
    DropAll,
    /// S3's own events are lost in that way; the sweep's messages are delivered.
    DropFromS3,
    /// Every message is delivered this many times, concurrently.
    Duplicate(usize),
    /// Messages are delayed, each by another amount, so that their order is lost.
    Shuffle,
}

/// Runs until the task is dropped. `invoke` is the function's handler; after an `Err`, a failed invocation,
/// the whole batch is redelivered.
pub async fn run<F, E>(
    queue: Queue,
    delivery: DeliveryOptions,
    invoke: impl Fn(SqsEvent) -> F + Send + Sync + 'static,
) where
    F: Future<Output = Result<SqsBatchResponse, E>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    run_while(queue, delivery, || true, invoke).await;
}

/// The same, receiving only while `may_receive` returns true: waiting messages do not count as received and
/// become no dead letters.
pub async fn run_while<F, E>(
    queue: Queue,
    delivery: DeliveryOptions,
    may_receive: impl Fn() -> bool + Send + Sync + 'static,
    invoke: impl Fn(SqsEvent) -> F + Send + Sync + 'static,
) where
    F: Future<Output = Result<SqsBatchResponse, E>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    const LOOK_AGAIN: Duration = Duration::from_secs(1);
    let (invoke, may_receive) = (Arc::new(invoke), Arc::new(may_receive));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..delivery.n_workers {
        let (queue, invoke, may_receive) = (queue.clone(), Arc::clone(&invoke), Arc::clone(&may_receive));
        workers.spawn(async move {
            loop {
                if !may_receive() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                let received = queue.receive(delivery.visibility, delivery.max_receives).await;
                let looked = match received {
                    Ok(Some(received)) => {
                        queue.wake(); // There may be more: let another worker look.
                        deliver(&queue, delivery, &*invoke, received).await;
                        Ok(())
                    }
                    Ok(None) => queue.wait().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = looked {
                    tracing::error!(error = &error as &dyn std::error::Error, "the queue failed");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
}

async fn deliver<F, E>(
    queue: &Queue,
    delivery: DeliveryOptions,
    invoke: &(impl Fn(SqsEvent) -> F + Sync),
    received: Received,
) where
    F: Future<Output = Result<SqsBatchResponse, E>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let n_copies = match delivery.faults {
        Faults::DropAll => 0,
        Faults::DropFromS3 => usize::from(!received.body.contains("\"aws:s3\"")),
        Faults::Duplicate(n_copies) => n_copies,
        Faults::Shuffle => {
            let lateness = received.message_id.bytes().map(u64::from).sum::<u64>() % 200;
            tokio::time::sleep(Duration::from_millis(lateness)).await;
            1
        }
        Faults::None => 1,
    };
    let copies: Vec<_> = (0..n_copies).map(|_| invoke(event(&received))).map(tokio::spawn).collect();
    let mut has_failed = false;
    for copy in copies {
        has_failed |= match copy.await {
            Ok(Ok(response)) => !response.batch_item_failures.is_empty(),
            Ok(Err(error)) => {
                tracing::warn!(message.id = received.message_id, %error, "the invocation failed");
                true
            }
            Err(error) => {
                tracing::error!(message.id = received.message_id, %error, "the invocation panicked");
                true
            }
        };
    }
    let settled = if has_failed {
        queue.release(&received, delivery.retry_delay * received.n_received).await
    } else {
        queue.acknowledge(&received).await
    };
    if let Err(error) = settled {
        tracing::error!(error = &error as &dyn std::error::Error, "a message could not be settled");
    }
}

/// Makes the event that Lambda would pass, through JSON, so that the function decodes the same as on AWS.
fn event(received: &Received) -> SqsEvent {
    let record = json!({
        "messageId": received.message_id,
        "receiptHandle": received.receipt,
        "body": received.body,
        "attributes": { "ApproximateReceiveCount": received.n_received.to_string() },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:airlock-scan",
        "awsRegion": "us-east-1",
    });
    serde_json::from_value(json!({ "Records": [record] })).unwrap_or_default()
}
