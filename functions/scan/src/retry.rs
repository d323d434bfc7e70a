//! Decides when a message whose handling failed is delivered again, and tells its queue.
//!
//! Without that, it would come after its visibility timeout, which is as long as six invocations.

use std::time::Duration;

use aws::ScanQueue;
use aws_lambda_events::event::sqs::SqsMessage;

/// When failed messages are delivered again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// The delay after the first attempt. It doubles with every attempt.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
}

impl RetryPolicy {
    /// For failures of one scan. All eight attempts together take at least five minutes, so that a short
    /// outage ends no file in an error.
    pub const SCAN: Self = Self { first: Duration::from_secs(10), longest: Duration::from_mins(1) };
    /// While the function cannot scan, because there are no definitions yet, for example: the receives
    /// until the dead-letter queue take over an hour.
    pub(crate) const NOT_READY: Self =
        Self { first: Duration::from_mins(1), longest: Duration::from_mins(10) };

    /// The delay after a message was received for the `n_received`th time.
    pub(crate) fn delay(self, n_received: u32) -> Duration {
        let doubled = 1u32.checked_shl(n_received.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

/// Has `queue` deliver the failed `message` again after a delay. If that fails, the queue delivers it after
/// its visibility timeout.
pub(crate) async fn schedule(queue: &ScanQueue, message: &SqsMessage, policy: RetryPolicy) {
    let Some(receipt_handle) = message.receipt_handle.as_deref() else { return };
    let n_received = message.attributes.get("ApproximateReceiveCount");
    let n_received = n_received.and_then(|count| count.parse().ok()).unwrap_or(1);
    if let Err(error) = queue.retry_in(receipt_handle, policy.delay(n_received)).await {
        tracing::warn!(
            message.id = message.message_id,
            error = aws::log::chain(&error),
            "the message is delivered again only after its visibility timeout"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_ten_seconds_up_to_a_minute() {
        let delays = [0, 1, 2, 3, 4, 8, 40, u32::MAX].map(|n| RetryPolicy::SCAN.delay(n).as_secs());
        assert_eq!(delays, [10, 10, 20, 40, 60, 60, 60, 60]);
    }
}
