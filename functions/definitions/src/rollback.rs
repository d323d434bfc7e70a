//! What if new definitions do harm? An operator publishes an earlier set again.

use aws::StoreError;
use definition_set::{Draft, ManifestError, PublishError, open, publish};
use domain::timestamp::Timestamp;
use thiserror::Error;

use crate::update::Before;
use crate::{Context, UpdateReport};

#[derive(Debug, Error)]
pub enum RollbackError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no manifest with serial number {0}")]
    Unknown(u64),
    #[error("the earlier manifest is not to be used")]
    Refused(#[from] ManifestError),
    #[error("nothing is published that could be taken back")]
    NothingPublished,
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Publishes the set of `serial` under a new serial number, and marks the version that is published now as withdrawn. The set was checked
/// when it was published first, and must not have expired since: scanners would not take it for clean.
pub async fn roll_back(
    context: &Context,
    serial: u64,
    now: Timestamp,
) -> Result<UpdateReport, RollbackError> {
    let before = Before::read(context).await?;
    let current = before.manifest.as_ref().ok_or(RollbackError::NothingPublished)?;
    let kept = context.bucket.manifest(serial).await?.ok_or(RollbackError::Unknown(serial))?;
    let earlier = open(&kept, &context.key.public_key(), 0, now)?;
    let mut withdrawn = current.withdrawn.clone();
    if current.definitions.version != earlier.definitions.version {
        withdrawn.push(current.definitions.version.clone());
    }
    let draft = Draft {
        engine: earlier.engine,
        definitions: earlier.definitions,
        files: earlier.files,
        snapshot: earlier.snapshot,
        withdrawn,
        ttl: earlier.expires_at.since(now),
    };
    let manifest = publish(&context.bucket, &context.key, draft, None, before.expected(), now).await?;
    Ok(UpdateReport::Published { serial: manifest.serial, version: manifest.definitions.version })
}
