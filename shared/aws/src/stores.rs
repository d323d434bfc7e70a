//! The two stores together, and the effects that concern both.

use domain::id::{ObjectKey, Version};
use domain::machine::{Effect, Event, MachinePolicy};
use domain::record::Status;
use domain::timestamp::Timestamp;

use crate::env::{ConfigError, Env};
use crate::error::{Kind, StoreError};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::sdk::Sdk;
use crate::transition::Applied;

/// Objects and their records.
#[derive(Clone, Debug)]
pub struct Stores {
    pub objects: Objects,
    pub ledger: Ledger,
}

/// The tag that shows a version's status to people and bucket policies. It is written after the verdict, never read.
const STATUS_TAG: &str = "scan-status";

impl Stores {
    /// Environment variables that name the stores on AWS.
    pub const SETTINGS: [&'static str; 1] = ["AIRLOCK_TABLE"];

    /// AWS's stores, as the environment names them.
    pub fn from_env(env: &Env, sdk: &Sdk) -> Result<Self, ConfigError> {
        let objects = Objects::new(sdk, env.required("S3_BUCKET_NAME")?.to_owned());
        let ledger = Ledger::new(sdk.dynamodb(None), env.required("AIRLOCK_TABLE")?.to_owned());
        Ok(Self { objects, ledger })
    }

    /// Runs the effects that need nothing but the stores: purging and tagging. Idempotent. A tag that cannot be written is
    /// an error, because bucket policies may go by it: the scan's message comes again, and with it the tag. Bytes that cannot be removed are an
    /// error as well, and stay due for the sweep.
    pub async fn settle(
        &self,
        applied: &Applied,
        policy: &MachinePolicy,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (file, status) = (applied.record.file_id, applied.record.status());
        let key = ObjectKey::of(file);
        for effect in &applied.effects {
            match effect {
                Effect::Purge => {
                    self.objects.purge(key, None).await?;
                    self.ledger.apply(file, &Event::Purged, policy, now).await?;
                }
                Effect::PurgeOthers { keep } => {
                    self.objects.purge(key, Some(&keep.version_id)).await?;
                    self.ledger.apply(file, &Event::Purged, policy, now).await?;
                }
                Effect::Tag { version } => self.tag(key, version, status).await?,
                Effect::Scan { .. } | Effect::QueueScan { .. } => {}
            }
        }
        Ok(())
    }

    async fn tag(&self, key: ObjectKey, version: &Version, status: Status) -> Result<(), StoreError> {
        let value = status.as_str().to_uppercase();
        match self.objects.tag(key, &version.version_id, STATUS_TAG, &value).await {
            // Deleted meanwhile: there is nothing to tag.
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            tagged => tagged,
        }
    }
}
