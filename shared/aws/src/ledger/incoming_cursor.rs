//! Stores how far the sweep has listed the objects below the incoming prefix, and in each protected place.

use domain::id::VersionId;
use domain::place::BucketPlace;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

/// The item of the incoming prefix; those of protected places have the place behind it.
const PK: &str = "incoming-look";

fn pk(place: Option<&BucketPlace>) -> String {
    place.map_or_else(|| PK.to_owned(), |place| format!("{PK}#{place}"))
}

/// Where the last listing ended, and when the next one is due.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IncomingCursor {
    /// The last key and version that were listed; `None` to start from the beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<(String, VersionId)>,
    pub due_at: Timestamp,
    /// When the first listing of a protected place began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct LookItem {
    pk: String,
    look: IncomingCursor,
}

impl Ledger {
    /// Returns the cursor of a protected place, or of the incoming prefix.
    pub async fn incoming_cursor(
        &self,
        place: Option<&BucketPlace>,
    ) -> Result<Option<IncomingCursor>, StoreError> {
        let item = self.get_as::<LookItem>(pk(place), "read the cursor of incoming objects").await?;
        Ok(item.map(|item| item.look))
    }

    /// Stores the cursor. The last writer wins: two concurrent sweeps have both listed the objects.
    pub async fn keep_incoming_cursor(
        &self,
        place: Option<&BucketPlace>,
        look: IncomingCursor,
    ) -> Result<(), StoreError> {
        self.put(LookItem { pk: pk(place), look }, "store the cursor of incoming objects").await
    }
}
