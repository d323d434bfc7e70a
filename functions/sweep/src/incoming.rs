//! What others stored, and no event told of: looked through a little at a time, round and round.
//!
//! S3 delivers events at least once, but a queue's messages expire, and a bucket elsewhere sends none. Nobody announced these objects, so no
//! record is due for them: only the listing knows them.

use std::time::Duration;

use aws::{IncomingCursor, ListedVersions, StoreError};
use domain::incoming::{IncomingRules, KeyMatch};

use crate::Context;

/// Versions in one look; each costs a read of the ledger.
const PAGE: i32 = 100;

/// Asks for scans of versions that have no record; how many. The scan's message makes the record, as S3's own would.
pub(crate) async fn look(context: &Context, every: Duration) -> Result<u32, StoreError> {
    let Some(rules) = &context.stores.incoming else { return Ok(0) };
    let (ledger, now) = (&context.stores.ledger, aws::clock::now());
    let last = ledger.incoming_cursor().await?;
    if last.as_ref().is_some_and(|last| last.due_at > now) {
        return Ok(0);
    }
    let after = last.and_then(|last| last.after);
    let listed = context.stores.objects.list_versions(rules.prefix(), after, PAGE).await?;
    let n_asked = ask_for_unknown(context, rules, &listed).await?;
    // Noted afterwards: who dies before this looks again.
    ledger.keep_incoming_cursor(IncomingCursor { after: listed.next, due_at: now + every }).await?;
    Ok(n_asked)
}

async fn ask_for_unknown(
    context: &Context,
    rules: &IncomingRules,
    listed: &ListedVersions,
) -> Result<u32, StoreError> {
    let Some(queue) = &context.stores.queues.scans else { return Ok(0) };
    let mut n_asked = 0;
    for (key, version) in &listed.versions {
        let KeyMatch::File { incoming, .. } = rules.read(key, &version.version_id) else { continue };
        if context.stores.ledger.load(incoming.file_id()).await?.is_none() {
            queue.enqueue(&incoming, version).await?;
            n_asked += 1;
        }
    }
    Ok(n_asked)
}
