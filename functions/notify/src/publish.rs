//! One file's outbox: to the bus, to a stored delivery per endpoint, and then out of the outbox.

use aws::StoreError;
use domain::delivery::Delivery;
use domain::history::EventId;
use domain::id::FileId;
use domain::machine::Event;
use lifecycle::Transitions;

use crate::{Context, deliver, event};

/// Tells what is in the file's outbox, oldest first. Safe to call twice and to race: the bus may then have an event twice, under one id.
pub(crate) async fn publish(context: &Context, file: FileId) -> Result<(), StoreError> {
    let ledger = &context.stores.ledger;
    let Some(record) = ledger.load(file).await? else { return Ok(()) };
    let mut deliveries = Vec::new();
    let mut last_seq = None;
    for (entry, notice) in record.history.outbox() {
        let told = event::EventPayload::of(&record, entry, notice, &context.bucket);
        if let Some(bus) = &context.bus {
            bus.put(told.detail_type(), told.detail(), None, entry.at).await?;
        }
        let id = EventId { file, seq: entry.seq };
        for endpoint in context.webhooks.endpoints() {
            let delivery = Delivery::new(id, endpoint.id.clone(), told.webhook_body(), aws::clock::now());
            ledger.add_delivery(&delivery).await?;
            deliveries.push(delivery);
        }
        last_seq = Some(entry.seq);
    }
    let Some(seq) = last_seq else { return Ok(()) };
    let transitions = Transitions { stores: &context.stores, policy: &context.machine };
    let _no_effects = transitions.apply(file, &Event::Published { seq }, aws::clock::now()).await?;
    // They are stored: whatever fails here is tried again when it is due.
    for delivery in &deliveries {
        deliver::deliver(context, delivery).await?;
    }
    Ok(())
}
