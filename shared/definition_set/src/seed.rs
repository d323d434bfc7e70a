//! The seed: definitions that an operator uploads from a workstation, for a publisher that no mirror serves.
//!
//! Invariant: a seed proves nothing. Its files are ClamAV's signed databases, and the publisher's engine
//! verifies their signatures before the set is published.

use std::path::Path;

use aws::{DefinitionBucket, StoreError};
use domain::freshness::Definitions;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::install::{InstallError, install_files};
use crate::manifest::{DatabaseName, SetFile, are_sound};
use crate::publish::{PublishError, describe_files};

/// Uploaded definitions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// As the uploader read them; the publisher reads them again from the files.
    pub definitions: Definitions,
    pub files: Vec<SetFile>,
}

/// Why a seed is refused.
#[derive(Debug, Error)]
pub enum SeedError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unreadable(#[from] PublishError),
    #[error("the description of the uploaded definitions is not understood")]
    NotUnderstood,
    #[error("`{0}` is not signed as a whole by ClamAV's makers; only `.cvd` files are")]
    NotSigned(DatabaseName),
}

impl Seed {
    /// Describes the files of `directory`, which must all be signed databases.
    pub fn describe(directory: &Path, definitions: Definitions) -> Result<Self, SeedError> {
        Self { definitions, files: describe_files(directory)? }.checked()
    }

    /// Uploads the files of `directory`, and then the description, which makes the next update use them.
    /// Idempotent.
    pub async fn upload(&self, bucket: &DefinitionBucket, directory: &Path) -> Result<(), SeedError> {
        for file in &self.files {
            bucket.put_file(file.sha256, &directory.join(file.name.as_str())).await?;
        }
        let description = serde_json::to_vec(self).map_err(|_| SeedError::NotUnderstood)?;
        Ok(bucket.keep_seed(description).await?)
    }

    /// Reads the description; `None` if nothing was uploaded.
    pub async fn read(bucket: &DefinitionBucket) -> Result<Option<Self>, SeedError> {
        let Some(description) = bucket.seed().await? else { return Ok(None) };
        let seed: Self = serde_json::from_slice(&description).map_err(|_| SeedError::NotUnderstood)?;
        seed.checked().map(Some)
    }

    /// Puts the files, and no others, into `directory`, which is replaced.
    pub async fn install(&self, bucket: &DefinitionBucket, directory: &Path) -> Result<(), InstallError> {
        install_files(bucket, &self.files, directory, None).await
    }

    fn checked(self) -> Result<Self, SeedError> {
        if !are_sound(&self.files) {
            return Err(SeedError::NotUnderstood);
        }
        match self.files.iter().find(|file| file.name.as_str().strip_suffix(".cvd").is_none()) {
            Some(unsigned) => Err(SeedError::NotSigned(unsigned.name.clone())),
            None => Ok(self),
        }
    }
}
