//! Records the highest serial number of a definition set that any scanner has taken, so that a new scanner
//! takes no older set.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

use super::Ledger;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{number, text};

const PK: &str = "definitions";
const SERIAL: &str = "serial";

impl Ledger {
    /// Returns the highest recorded serial number; 0 if none is recorded.
    pub async fn seen_definition_serial(&self) -> Result<u64, StoreError> {
        let corrupt = || StoreError::new("read the definitions' serial number", StoreErrorKind::Corrupt);
        let Some(item) = self.get(PK.to_owned(), "read the definitions' serial number").await? else {
            return Ok(0);
        };
        let value = item.get(SERIAL).and_then(|value| value.as_n().ok()).ok_or_else(corrupt)?;
        value.parse().map_err(|_| corrupt())
    }

    /// Records that a set was taken. Idempotent. Fails with [`StoreErrorKind::PreconditionFailed`] if a
    /// higher serial number is recorded.
    pub async fn note_definition_serial(&self, serial: u64) -> Result<(), StoreError> {
        let update = self.client.update_item().table_name(&self.table).key("pk", text(PK.to_owned()));
        let noted = update
            .update_expression("SET serial = :serial")
            .condition_expression("attribute_not_exists(serial) OR serial <= :serial")
            .expression_attribute_values(":serial", number(serial))
            .send()
            .await;
        let noted = noted.map(drop);
        noted.map_err(|error| {
            StoreError::of_sdk::<UpdateItemError, _>("record the definitions' serial number", error)
        })
    }
}
