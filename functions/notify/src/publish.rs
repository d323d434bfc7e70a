//! Publishes one file's outbox: to the bus, and as a stored delivery for each endpoint.

use aws::StoreError;
use domain::delivery::Delivery;
use domain::history::EventId;
use domain::id::FileId;
use domain::machine::Event;
use lifecycle::Transitions;

use crate::{NotifyContext, deliver, event};

/// Publishes the events in the file's outbox, oldest first, and then removes them from it. Calls can be
/// repeated or concurrent: the bus may then have an event twice, under one id.
pub(crate) async fn publish(context: &NotifyContext, file: FileId) -> Result<(), StoreError> {
    let ledger = &context.stores.ledger;
    let Some(record) = ledger.load(file).await? else { return Ok(()) };
    let mut deliveries = Vec::new();
    let mut last_seq = None;
    for (entry, notice) in record.history.outbox() {
        let payload = event::EventPayload::of(&record, entry, notice, &context.bucket);
        if let Some(bus) = &context.bus {
            bus.put(payload.detail_type(context.profile), payload.detail(), None, entry.at).await?;
        }
        let id = EventId { file, seq: entry.seq };
        for endpoint in context.webhooks.endpoints() {
            let delivery = Delivery::new(id, endpoint.id.clone(), payload.webhook_body(), aws::clock::now());
            ledger.add_delivery(&delivery).await?;
            deliveries.push(delivery);
        }
        last_seq = Some(entry.seq);
    }
    let Some(seq) = last_seq else { return Ok(()) };
    let transitions = Transitions { stores: &context.stores, policy: &context.machine };
    let _no_effects = transitions.apply(file, &Event::Published { seq }, aws::clock::now()).await?;
    // The deliveries are stored: the sweep retries what fails here.
    for delivery in &deliveries {
        deliver::deliver(context, delivery).await?;
    }
    Ok(())
}
