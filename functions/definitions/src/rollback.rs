//! Publishes an earlier set again, for an operator who finds that the current definitions do harm.

use aws::StoreError;
use definition_set::{Draft, Manifest, ManifestError, PublishError, open, publish};
use domain::timestamp::Timestamp;
use thiserror::Error;

use crate::update::Before;
use crate::{Context, UpdateReport};

/// Why nothing was rolled back. What was published stays published.
#[derive(Debug, Error)]
pub enum RollbackError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no manifest with serial number {0}")]
    Unknown(u64),
    #[error("the earlier manifest is refused")]
    Refused(#[from] ManifestError),
    #[error("nothing is published that could be rolled back")]
    NothingPublished,
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Publishes the set of `serial` under a new serial number, and withdraws the version that is published now.
/// The set was checked when it was first published, and must not have expired since: scanners would refuse
/// it.
pub async fn roll_back(
    context: &Context,
    serial: u64,
    now: Timestamp,
) -> Result<UpdateReport, RollbackError> {
    let before = Before::read(context).await?;
    let current = before.manifest.as_ref().ok_or(RollbackError::NothingPublished)?;
    let kept = context.bucket.manifest(serial).await?.ok_or(RollbackError::Unknown(serial))?;
    let earlier = open(&kept, &context.key.public_key(), 0, now)?;
    let draft = draft_of(current, earlier, now);
    let manifest = publish(&context.bucket, &context.key, draft, None, before.expected(), now).await?;
    Ok(UpdateReport::Published { serial: manifest.serial, version: manifest.definitions.version })
}

/// The earlier set, with the current version withdrawn unless it is the same. It expires when it would have
/// expired.
fn draft_of(current: &Manifest, earlier: Manifest, now: Timestamp) -> Draft {
    let mut withdrawn = current.withdrawn.clone();
    if current.definitions.version != earlier.definitions.version {
        withdrawn.push(current.definitions.version.clone());
    }
    Draft {
        ttl: earlier.expires_at.since(now),
        engine: earlier.engine,
        definitions: earlier.definitions,
        files: earlier.files,
        snapshot: earlier.snapshot,
        withdrawn,
    }
}

#[cfg(test)]
mod tests;
