//! Stores operators' downloads of samples, each as an item of its own that never expires.

use std::cmp::Reverse;

use domain::sample::SampleDownload;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Ledger;
use super::listed::ListedKeys;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::Attributes;

/// Where the next page of samples begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SamplePageStart {
    pub downloaded_at: Timestamp,
    pub id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct SampleItem {
    pk: String,
    sample: SampleDownload,
    /// The key of the index `due` (with `due_at`), which lists all samples by their time.
    due: String,
    due_at: Timestamp,
}

/// The value of `due` that all samples share.
const LISTED: &str = "samples";
const PREFIX: &str = "sample#";
const OPERATION: &str = "list samples";

impl Ledger {
    /// Stores a download, under a random id. It never expires, because it documents which operator took the
    /// bytes, and why.
    pub async fn keep_sample(&self, id: Uuid, sample: SampleDownload) -> Result<(), StoreError> {
        let due_at = sample.at;
        let item = SampleItem { pk: pk(id), due: LISTED.to_owned(), due_at, sample };
        self.put(item, "store a sample's download").await
    }

    /// Returns at most `limit` downloads, the newest first, with the start of the next page. Eventually
    /// consistent.
    pub async fn samples(
        &self,
        start: Option<SamplePageStart>,
        limit: i32,
    ) -> Result<(Vec<SampleDownload>, Option<SamplePageStart>), StoreError> {
        let start = start.map(|start| ListedKeys { pk: pk(start.id), due_at: start.downloaded_at });
        let (items, next) = self.listed(LISTED, start, limit, OPERATION).await?;
        let mut found = items.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|sample| Reverse(sample.at));
        Ok((found, next.as_ref().map(page_start).transpose()?))
    }
}

fn read(attributes: Attributes) -> Result<SampleDownload, StoreError> {
    let item: SampleItem = serde_dynamo::from_item(attributes)
        .map_err(|error| StoreError::caused(OPERATION, StoreErrorKind::Corrupt, error))?;
    Ok(item.sample)
}

fn page_start(last: &ListedKeys) -> Result<SamplePageStart, StoreError> {
    let id = last.pk.strip_prefix(PREFIX).and_then(|id| Uuid::try_parse(id).ok());
    let id = id.ok_or_else(|| StoreError::new(OPERATION, StoreErrorKind::Corrupt))?;
    Ok(SamplePageStart { downloaded_at: last.due_at, id })
}

fn pk(id: Uuid) -> String {
    format!("{PREFIX}{id}")
}
