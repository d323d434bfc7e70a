//! Stores how far the sweep has listed the objects below the incoming prefix.

use domain::id::VersionId;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

const PK: &str = "incoming-look";

/// Where the last listing ended, and when the next one is due.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IncomingCursor {
    /// The last key and version that were listed; `None` to start from the beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<(String, VersionId)>,
    pub due_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct LookItem {
    pk: String,
    look: IncomingCursor,
}

impl Ledger {
    pub async fn incoming_cursor(&self) -> Result<Option<IncomingCursor>, StoreError> {
        let item = self.get_as::<LookItem>(PK.to_owned(), "read the cursor of incoming objects").await?;
        Ok(item.map(|item| item.look))
    }

    /// Stores the cursor. The last writer wins: two concurrent sweeps have both listed the objects.
    pub async fn keep_incoming_cursor(&self, look: IncomingCursor) -> Result<(), StoreError> {
        self.put(LookItem { pk: PK.to_owned(), look }, "store the cursor of incoming objects").await
    }
}
