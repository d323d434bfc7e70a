//! Verdicts by digest, for the same owner's same bytes. A cache: losing an item costs a scan and nothing else.

use std::time::Duration;

use domain::cached_verdict::CachedVerdict;
use domain::id::{OwnerId, Sha256};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

/// Definitions change every day, and with them every answer.
const TTL: Duration = Duration::from_hours(48);

#[derive(Serialize, Deserialize)]
struct KnownItem {
    pk: String,
    known: CachedVerdict,
    ttl: i64,
}

impl Ledger {
    /// What was last decided about these bytes for this owner, if it is still there. Whether it still counts is the domain's to say.
    pub async fn cached_verdict(
        &self,
        owner: &OwnerId,
        sha256: Sha256,
    ) -> Result<Option<CachedVerdict>, StoreError> {
        let item = self.get_as::<KnownItem>(pk(owner, sha256), "recall a verdict").await?;
        Ok(item.map(|item| item.known))
    }

    /// Remembers a verdict. The last writer wins: each is right about the engine that it names.
    pub async fn cache_verdict(
        &self,
        owner: &OwnerId,
        known: CachedVerdict,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = KnownItem { pk: pk(owner, known.sha256), known, ttl: (now + TTL).as_secs() };
        self.put(item, "remember a verdict").await
    }
}

fn pk(owner: &OwnerId, sha256: Sha256) -> String {
    // The digest's length is fixed, so no two pairs share a key.
    format!("known#{sha256}#{owner}")
}
