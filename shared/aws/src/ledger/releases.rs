//! Which findings has an operator released? By digest, for every owner and every later upload of the same bytes.

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
    /// Keeps a release. It has no end: it is also the record of who answered for these bytes, and why. The last one counts.
    pub async fn keep_release(&self, release: Release) -> Result<(), StoreError> {
        self.put(ReleaseItem { pk: pk(release.sha256), release }, "keep a release").await
    }

    /// The release of these bytes, if there is one. Whether it covers a finding is the domain's to say.
    pub async fn release(&self, sha256: Sha256) -> Result<Option<Release>, StoreError> {
        let item = self.get_as::<ReleaseItem>(pk(sha256), "read a release").await?;
        Ok(item.map(|item| item.release))
    }
}

fn pk(sha256: Sha256) -> String {
    format!("release#{sha256}")
}
