//! Caches verdicts by owner and digest. Losing an item costs one scan and nothing else.

use std::time::Duration;

use domain::cached_verdict::CachedVerdict;
use domain::id::{OwnerId, Sha256};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

/// Verdicts are reused with the same definitions only, and those change every day.
const TTL: Duration = Duration::from_hours(48);

#[derive(Serialize, Deserialize)]
struct KnownItem {
    pk: String,
    known: CachedVerdict,
    ttl: i64,
}

impl Ledger {
    /// Returns the last verdict about these bytes for this owner, if it is still cached. The domain decides
    /// whether it still applies.
    pub async fn cached_verdict(
        &self,
        owner: &OwnerId,
        sha256: Sha256,
    ) -> Result<Option<CachedVerdict>, StoreError> {
        let item = self.get_as::<KnownItem>(pk(owner, sha256), "read a cached verdict").await?;
        Ok(item.map(|item| item.known))
    }

    /// Caches a verdict. The last writer wins: each verdict is correct for the engine that it names.
    pub async fn cache_verdict(
        &self,
        owner: &OwnerId,
        known: CachedVerdict,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = KnownItem { pk: pk(owner, known.sha256), known, ttl: (now + TTL).as_secs() };
        self.put(item, "cache a verdict").await
    }
}

fn pk(owner: &OwnerId, sha256: Sha256) -> String {
    // The digest's length is fixed, so no two pairs share a key.
    format!("known#{sha256}#{owner}")
}
