//! Makes one attempt at a delivery and stores its result.

use std::time::Duration;

use aws::{EndpointRecord, Ledger, StoreError};
use domain::delivery::{Answer, Delivery, EndpointFate};

use crate::NotifyContext;

/// How long an attempt is protected from other senders; longer than one can take.
const CHANCE: Duration = Duration::from_mins(5);

/// Makes an attempt that the sweep requested, unless the delivery is over. Does not compare the due time: the
/// sweep postpones a delivery before it requests the attempt.
pub(crate) async fn deliver_by_key(context: &NotifyContext, key: &str) -> Result<(), StoreError> {
    match context.stores.ledger.delivery(key).await? {
        Some(delivery) if delivery.due_at().is_some() => attempt(context, &delivery).await,
        _ => Ok(()),
    }
}

/// Makes the first attempt at a delivery, unless another sender has begun it.
pub(crate) async fn deliver(context: &NotifyContext, delivery: &Delivery) -> Result<(), StoreError> {
    let key = Ledger::delivery_key(delivery.event, &delivery.endpoint);
    match context.stores.ledger.delivery(&key).await? {
        Some(stored) if stored.due_at().is_some_and(|due_at| due_at <= aws::clock::now()) => {
            attempt(context, &stored).await
        }
        _ => Ok(()),
    }
}

/// Makes one attempt. A failed attempt is not an error: the delivery is stored with the time of its retry.
/// Of several senders, only the one that postpones the delivery makes the attempt.
async fn attempt(context: &NotifyContext, delivery: &Delivery) -> Result<(), StoreError> {
    let ledger = &context.stores.ledger;
    // If the process dies after this, the delivery becomes due again.
    if !ledger.postpone_delivery(delivery, aws::clock::now() + CHANCE).await? {
        return Ok(()); // Another sender makes this attempt.
    }
    let known = ledger.endpoints().await?.remove(&delivery.endpoint);
    let is_disabled = known.as_ref().is_some_and(|known| known.disabled_at.is_some());
    let answer =
        if is_disabled { Answer::Gone } else { context.webhooks.send(delivery, aws::clock::now()).await };
    let now = aws::clock::now();
    let (next, fate) = delivery.answered(&answer, now);
    ledger.update_delivery(&next).await?;
    if is_disabled {
        return Ok(());
    }
    let last_failure = match &answer {
        Answer::Accepted => None,
        Answer::Gone => Some("410 Gone".to_owned()),
        Answer::Failed(why) => Some(why.clone()),
    };
    if let Some(why) = &last_failure {
        tracing::warn!(
            event.id = %delivery.event,
            endpoint.id = %delivery.endpoint,
            delivery.attempt = next.n_attempts,
            why,
            "webhook delivery failed"
        );
    }
    let noted = EndpointRecord {
        host: context.webhooks.host_of(&delivery.endpoint),
        disabled_at: (fate == EndpointFate::Disabled).then_some(now),
        last_failure,
    };
    if Some(&noted) == known.as_ref() {
        return Ok(());
    }
    ledger.note_endpoint(&delivery.endpoint, &noted).await
}
