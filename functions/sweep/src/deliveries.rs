//! Requests a new attempt for each webhook that is due, and postpones it so that one message is sent per
//! attempt.

use std::time::Duration;

use aws::{EventTask, Ledger, StoreError};

use crate::Context;

/// In one sweep; the rest stays due.
const MAX: i32 = 100;
/// A message that has not been handled by then is taken for lost.
const CHANCE: Duration = Duration::from_mins(5);

/// Returns how many attempts were requested.
pub(crate) async fn requeue(context: &Context) -> Result<u32, StoreError> {
    let Some(queue) = &context.stores.queues.events else { return Ok(0) };
    let (ledger, now) = (&context.stores.ledger, aws::clock::now());
    let mut n_requested = 0;
    for delivery in ledger.due_deliveries(now, MAX).await? {
        if !ledger.postpone_delivery(&delivery, now + CHANCE).await? {
            continue; // A sender, or a concurrent sweep, has changed it since.
        }
        let key = Ledger::delivery_key(delivery.event, &delivery.endpoint);
        queue.request(&EventTask::Deliver(key)).await?;
        n_requested += 1;
    }
    Ok(n_requested)
}
