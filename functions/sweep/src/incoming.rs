//! Finds objects below the incoming prefix whose event was lost, by listing the prefix one page at a time.
//!
//! S3 delivers events at least once, but a queue's messages expire, and a bucket elsewhere sends none. These
//! objects were not created through the API, so no record is due for them: only the listing has them.

use std::time::Duration;

use aws::{IncomingCursor, ListedVersions, StoreError};
use domain::incoming::{IncomingRules, KeyMatch};
use domain::timestamp::Timestamp;

use crate::SweepContext;

/// Versions per page; each costs a read of the ledger.
pub(crate) const PAGE: i32 = 100;

/// Requests a scan of each listed version that has no record, and returns how many. The scanner creates the
/// record, as it does for S3's own events.
pub(crate) async fn look(context: &SweepContext, every: Duration) -> Result<u32, StoreError> {
    let Some(rules) = &context.stores.incoming else { return Ok(0) };
    let (ledger, now) = (&context.stores.ledger, aws::clock::now());
    let last = ledger.incoming_cursor(None).await?;
    if !is_due(last.as_ref(), now) {
        return Ok(0);
    }
    let after = last.and_then(|last| last.after);
    let listed = context.stores.objects.list_versions(rules.prefix(), after, PAGE).await?;
    let n_requested = request_unknown(context, rules, &listed).await?;
    // Stored last: a sweep that is cut off before this lists the same page again.
    let cursor = IncomingCursor { after: listed.next, due_at: now + every, since: None };
    ledger.keep_incoming_cursor(None, cursor).await?;
    Ok(n_requested)
}

pub(crate) fn is_due(last: Option<&IncomingCursor>, now: Timestamp) -> bool {
    last.is_none_or(|last| last.due_at <= now)
}

async fn request_unknown(
    context: &SweepContext,
    rules: &IncomingRules,
    listed: &ListedVersions,
) -> Result<u32, StoreError> {
    let Some(queue) = &context.stores.queues.scans else { return Ok(0) };
    let mut n_requested = 0;
    for (key, version) in &listed.versions {
        let KeyMatch::File { incoming, .. } = rules.read(key, &version.version_id) else { continue };
        if context.stores.ledger.load(incoming.file_id()).await?.is_none() {
            queue.enqueue(&incoming, version).await?;
            n_requested += 1;
        }
    }
    Ok(n_requested)
}
