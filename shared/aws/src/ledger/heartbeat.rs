//! When was an engine last heard of?

use domain::timestamp::Timestamp;
use domain::verdict::EngineVersion;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::error::StoreError;

/// The last sign of life of a scan engine.
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

    /// Says that an engine is alive. The last writer wins, which is right: any live engine will do.
    pub async fn beat(&self, heartbeat: Heartbeat) -> Result<(), StoreError> {
        let item = HeartbeatItem { pk: Self::HEARTBEAT_PK.to_owned(), heartbeat };
        self.put(item, "write the heartbeat").await
    }

    /// The last heartbeat, if there ever was one.
    pub async fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError> {
        let item = self.get_as::<HeartbeatItem>(Self::HEARTBEAT_PK.to_owned(), "read the heartbeat").await?;
        Ok(item.map(|item| item.heartbeat))
    }
}
