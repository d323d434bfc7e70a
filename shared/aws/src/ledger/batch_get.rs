//! Reads items by key, in batches.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::Ledger;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, text};

/// DynamoDB's limit for one request.
const MAX_KEYS: usize = 100;
/// How often keys that DynamoDB left unread are requested again.
const MAX_REQUESTS: usize = 20;

/// How consistent a read is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Consistency {
    Strong,
    /// Half as expensive, for statistics.
    Eventual,
}

impl Ledger {
    /// Reads the items with these keys, in no particular order; those that do not exist are left out. A key
    /// may be given twice, as indexes have an item twice whose key changes during the query. Fails
    /// with [`StoreErrorKind::Unavailable`] if DynamoDB keeps leaving keys unread.
    pub(super) async fn batch_get(
        &self,
        pks: &[String],
        consistency: Consistency,
        operation: &'static str,
    ) -> Result<Vec<Attributes>, StoreError> {
        let mut found = vec![];
        // DynamoDB refuses a batch that has a key twice.
        let pks: Vec<_> = BTreeSet::from_iter(pks).into_iter().collect();
        for pks in pks.chunks(MAX_KEYS) {
            let mut unread: Vec<Attributes> =
                pks.iter().map(|pk| HashMap::from([("pk".to_owned(), text(*pk))])).collect();
            for _ in 0..MAX_REQUESTS {
                let request = KeysAndAttributes::builder()
                    .consistent_read(consistency == Consistency::Strong)
                    .set_keys(Some(std::mem::take(&mut unread)))
                    .build()
                    .map_err(|error| StoreError::caused(operation, StoreErrorKind::Unexpected, error))?;
                let read = self.client.batch_get_item().request_items(&self.table, request).send().await;
                let read = read.map_err(|error| StoreError::of_sdk(operation, error))?;
                found.extend(read.responses.unwrap_or_default().into_values().flatten());
                let left = read.unprocessed_keys.unwrap_or_default();
                unread = left.into_values().flat_map(|request| request.keys).collect();
                if unread.is_empty() {
                    break;
                }
            }
            if !unread.is_empty() {
                return Err(StoreError::new(operation, StoreErrorKind::Unavailable));
            }
        }
        Ok(found)
    }
}
