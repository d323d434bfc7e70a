//! Stores the last heartbeat of any scan engine.

use domain::timestamp::Timestamp;
use domain::verdict::EngineVersion;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

/// A scan engine's report that it is running.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    pub engine: EngineVersion,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct HeartbeatItem {
    pk: String,
    heartbeat: Heartbeat,
}

impl Ledger {
    const HEARTBEAT_PK: &'static str = "engine#heartbeat";

    /// Records that an engine is running. The last writer wins: one running engine is enough.
    pub async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        let item = HeartbeatItem { pk: Self::HEARTBEAT_PK.to_owned(), heartbeat };
        self.put(item, "write the heartbeat").await
    }

    /// Returns the last heartbeat; `None` before the first.
    pub async fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError> {
        let item = self.get_as::<HeartbeatItem>(Self::HEARTBEAT_PK.to_owned(), "read the heartbeat").await?;
        Ok(item.map(|item| item.heartbeat))
    }
}
