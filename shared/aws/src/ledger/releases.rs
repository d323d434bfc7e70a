//! Stores operators' releases by digest: they apply to every owner and every later upload of the same bytes.

use domain::id::Sha256;
use domain::post_verdict::Release;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

#[derive(Serialize, Deserialize)]
struct ReleaseItem {
    pk: String,
    release: Release,
}

impl Ledger {
    /// Stores a release. It never expires, because it also documents which operator released these bytes, and
    /// why. The last writer wins.
    pub async fn keep_release(&self, release: Release) -> Result<(), StoreError> {
        self.put(ReleaseItem { pk: pk(release.sha256), release }, "store a release").await
    }

    /// Returns the release of these bytes, if any. The domain decides whether it covers a finding.
    pub async fn release(&self, sha256: Sha256) -> Result<Option<Release>, StoreError> {
        let item = self.get_as::<ReleaseItem>(pk(sha256), "read a release").await?;
        Ok(item.map(|item| item.release))
    }
}

fn pk(sha256: Sha256) -> String {
    format!("release#{sha256}")
}
