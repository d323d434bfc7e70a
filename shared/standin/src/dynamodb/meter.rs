//! Counts the write units that DynamoDB would bill, by kind of item.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::AttributeValue;
use dynoxide::types::ConsumedCapacity;

/// Write units by kind of item: the beginning of the key, before `#`.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Mutex<BTreeMap<String, u64>>>);

/// The kind of the items that a transaction writes, because its answer does not tell them apart.
const TRANSACTION: &str = "transaction";

impl Meter {
    /// The value of `ReturnConsumedCapacity` for requests that are counted.
    pub(super) fn every_index() -> String {
        "INDEXES".to_owned()
    }

    /// Counts a write of one item with this key among its attributes.
    pub(super) fn add(&self, attributes: &HashMap<String, AttributeValue>, consumed: &[ConsumedCapacity]) {
        let kind = match attributes.get("pk") {
            Some(AttributeValue::S(pk)) => pk.split('#').next().unwrap_or_default(),
            _ => "",
        };
        self.add_to(kind, consumed);
    }

    pub(super) fn add_transaction(&self, consumed: &[ConsumedCapacity]) {
        self.add_to(TRANSACTION, consumed);
    }

    fn add_to(&self, kind: &str, consumed: &[ConsumedCapacity]) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "write units are whole and few"
        )]
        let units: u64 = consumed.iter().map(|consumed| consumed.capacity_units as u64).sum();
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry(kind.to_owned()).or_default() += units;
    }

    pub(super) fn write_units(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
