//! One delivery: one attempt, and what comes of it.

use aws::{EndpointRecord, Ledger, StoreError};
use domain::delivery::{Answer, Delivery, EndpointFate};

use crate::Context;

/// Makes the attempt that is due, if it still is: another message may have made it meanwhile.
pub(crate) async fn deliver_by_key(context: &Context, key: &str) -> Result<(), StoreError> {
    match context.stores.ledger.delivery(key).await? {
        Some(delivery) if delivery.due_at().is_some() => deliver(context, &delivery).await,
        _ => Ok(()),
    }
}

/// Makes one attempt. That it failed is no error: when it is tried again is stored.
pub(crate) async fn deliver(context: &Context, delivery: &Delivery) -> Result<(), StoreError> {
    let ledger = &context.stores.ledger;
    // The list may be older than an attempt that somebody else has made since.
    let key = Ledger::delivery_key(delivery.event, &delivery.endpoint);
    let Some(delivery) = ledger.delivery(&key).await?.filter(|stored| stored.due_at().is_some()) else {
        return Ok(());
    };
    let known = ledger.endpoints().await?.remove(&delivery.endpoint);
    let is_disabled = known.as_ref().is_some_and(|known| known.disabled_at.is_some());
    let answer =
        if is_disabled { Answer::Gone } else { context.webhooks.send(&delivery, aws::clock::now()).await };
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
            event.id = %delivery.event, endpoint.id = %delivery.endpoint, delivery.attempt = next.n_attempts, why, "not delivered"
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
