//! Lists what operators did, the newest first: items that share one value of the index `due`.

use std::collections::HashMap;

use domain::timestamp::Timestamp;
use serde::Deserialize;

use super::Ledger;
use super::batch_get::Consistency;
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, number, text};

/// An item's keys in the index. As the last of a page, they are where the next page begins.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct ListedKeys {
    pub(super) pk: String,
    pub(super) due_at: Timestamp,
}

impl Ledger {
    /// Returns at most `limit` items whose `due` is `list`, in no particular order, with the start of the
    /// next page. Their keys are eventually consistent, the items themselves strongly.
    pub(super) async fn listed(
        &self,
        list: &'static str,
        start: Option<ListedKeys>,
        limit: i32,
        operation: &'static str,
    ) -> Result<(Vec<Attributes>, Option<ListedKeys>), StoreError> {
        let start = start.map(|start| {
            HashMap::from([
                ("pk".to_owned(), text(start.pk)),
                ("due".to_owned(), text(list)),
                ("due_at".to_owned(), number(start.due_at.as_millis())),
            ])
        });
        let query = self.client.query().table_name(&self.table).index_name(Self::DUE);
        let page = query
            .key_condition_expression("due = :listed")
            .expression_attribute_values(":listed", text(list))
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::of_sdk(operation, error))?;
        let read = |keys: Attributes| {
            serde_dynamo::from_item::<_, ListedKeys>(keys)
                .map_err(|error| StoreError::caused(operation, StoreErrorKind::Corrupt, error))
        };
        let next = page.last_evaluated_key.map(read).transpose()?;
        let keys = page.items.unwrap_or_default().into_iter();
        let pks: Vec<String> = keys.map(|keys| Ok(read(keys)?.pk)).collect::<Result<_, StoreError>>()?;
        Ok((self.batch_get(&pks, Consistency::Strong, operation).await?, next))
    }
}
