//! One version in a bucket, as a listing or an inventory names it.

use domain::id::{ETag, IdError, Version, VersionId};
use domain::timestamp::Timestamp;

use crate::error::{StoreError, StoreErrorKind};

/// The storage classes whose bytes cannot be read before they are restored.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// One version, as a listing or an inventory names it. Nothing of it is a proof: a scanner reads the version
/// itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    pub key: String,
    /// [`StoredVersion::NULL`] for one that was stored while the bucket kept no versions.
    pub version_id: String,
    /// Without its quotes.
    pub etag: String,
    pub size_bytes: u64,
    pub modified_at: Timestamp,
    pub is_latest: bool,
    /// Whether its bytes must be restored before they can be read.
    pub is_archived: bool,
}

impl StoredVersion {
    /// The id of a version that can be overwritten, so that no verdict could identify its bytes.
    pub const NULL: &str = "null";

    /// Returns the version without its key. Fails if the listing is not one that S3 would write.
    pub fn version(&self) -> Result<Version, StoreError> {
        let corrupt = |error: IdError| StoreError::caused("list versions", StoreErrorKind::Corrupt, error);
        Ok(Version {
            version_id: VersionId::parse(self.version_id.as_str()).map_err(corrupt)?,
            etag: ETag::parse(self.etag.as_str()).map_err(corrupt)?,
            size_bytes: self.size_bytes,
        })
    }

    /// Whether a storage class is an archive whose objects cannot be read.
    pub fn is_archive(storage_class: &str) -> bool {
        ARCHIVES.contains(&storage_class)
    }
}
