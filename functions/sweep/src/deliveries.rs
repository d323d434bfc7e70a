//! Webhooks that are due again: a message for each, and not another one until that had its chance.

use std::time::Duration;

use aws::{EventTask, Ledger, StoreError};

use crate::Context;

/// In one sweep; the rest stays due.
const MAX: i32 = 100;
/// A message is handled within this, or lost.
const CHANCE: Duration = Duration::from_mins(5);

/// How many were asked for.
pub(crate) async fn requeue(context: &Context) -> Result<u32, StoreError> {
    let Some(queue) = &context.stores.queues.events else { return Ok(0) };
    let (ledger, now) = (&context.stores.ledger, aws::clock::now());
    let mut n_asked = 0;
    for delivery in ledger.due_deliveries(now, MAX).await? {
        if !ledger.postpone_delivery(&delivery, now + CHANCE).await? {
            continue; // Somebody is at it.
        }
        let key = Ledger::delivery_key(delivery.event, &delivery.endpoint);
        queue.request(&EventTask::Deliver(key)).await?;
        n_asked += 1;
    }
    Ok(n_asked)
}
