//! Finds objects in protected buckets whose event was lost, by listing one page of each place at a time.
//!
//! Objects that are older than the first listing of their place are left out: nothing asked for their scan,
//! and there may be millions of them.

use std::time::Duration;

use aws::{ContentsMark, IncomingCursor, StoreError, StoredVersion, Stores};
use domain::incoming::KeyMatch;
use domain::place::BucketPlace;
use domain::record::Record;

use crate::SweepContext;
use crate::incoming::{PAGE, is_due};

/// S3's clock and this one may differ, and S3 shows whole seconds.
const CLOCK_MARGIN: Duration = Duration::from_mins(1);

/// Requests a scan of each listed version that has no record, and returns how many. A place that cannot be
/// listed is logged, and does not keep the sweep from the others.
pub(crate) async fn look(context: &SweepContext, every: Duration) -> Result<u32, StoreError> {
    let mut n_requested = 0;
    for place in context.stores.protected.places() {
        match look_at(context, place, every).await {
            Ok(n) => n_requested += n,
            Err(error) => {
                let error = aws::log::chain(&error);
                tracing::error!(place = %place, error, "a protected bucket cannot be searched");
            }
        }
    }
    Ok(n_requested)
}

/// Whether the file is in a bucket that is no longer protected.
pub(crate) fn is_out_of_reach(stores: &Stores, record: &Record) -> bool {
    let (key, Some(version)) = (record.object_key(), record.state.version()) else { return false };
    key.bucket().is_some_and(|bucket| {
        let read = stores.protected.read(bucket.as_str(), &key.to_string(), version);
        !matches!(read, KeyMatch::File { .. })
    })
}

async fn look_at(context: &SweepContext, place: &BucketPlace, every: Duration) -> Result<u32, StoreError> {
    let (ledger, now) = (&context.stores.ledger, aws::clock::now());
    let last = ledger.incoming_cursor(Some(place)).await?;
    if !is_due(last.as_ref(), now) {
        return Ok(0);
    }
    let (after, since) = last.map_or((None, None), |last| (last.after, last.since));
    let since = since.unwrap_or(now);
    let after = after.map(|(key, version_id)| ContentsMark { key, version_id: Some(version_id) });
    let listed = context.stores.objects.place_contents(place, after, PAGE, now).await?;
    let mut n_requested = 0;
    for found in &listed.versions {
        let is_new = found.modified_at + CLOCK_MARGIN >= since;
        if is_new && request_if_unknown(context, place, found).await? {
            n_requested += 1;
        }
    }
    // Stored last: a sweep that is cut off before this lists the same page again.
    let after = listed.next.and_then(|next| Some((next.key, next.version_id?)));
    let cursor = IncomingCursor { after, due_at: now + every, since: Some(since) };
    ledger.keep_incoming_cursor(Some(place), cursor).await?;
    Ok(n_requested)
}

async fn request_if_unknown(
    context: &SweepContext,
    place: &BucketPlace,
    found: &StoredVersion,
) -> Result<bool, StoreError> {
    let Some(queue) = &context.stores.queues.scans else { return Ok(false) };
    let version = found.version()?;
    let read = context.stores.protected.read(place.bucket.as_str(), &found.key, &version);
    let KeyMatch::File { incoming, .. } = read else { return Ok(false) };
    if context.stores.ledger.load(incoming.file_id()).await?.is_some() {
        return Ok(false);
    }
    queue.enqueue(&incoming, &version).await?;
    Ok(true)
}
