//! Lists the object versions in the bucket.

use aws_sdk_s3::types::{EncodingType, ObjectVersion};
use domain::id::{ETag, IdError, ObjectKey, Version, VersionId};

use crate::error::{StoreError, StoreErrorKind};
use crate::events;
use crate::objects::Objects;

/// One page of a bucket's versions.
#[derive(Debug)]
pub struct ListedVersions {
    pub versions: Vec<(String, Version)>,
    /// The key and version after which the next page starts; `None` on the last page.
    pub next: Option<(String, VersionId)>,
}

impl Objects {
    /// Returns the current version under a key from the bucket's listing, for functions that are not
    /// permitted to read objects without a verdict, or their heads.
    pub async fn listed_version(&self, key: &ObjectKey) -> Result<Option<Version>, StoreError> {
        let (bucket, key) = (self.bucket_of(key), key.to_string());
        let request = self.client.list_object_versions().bucket(bucket).prefix(&key);
        let page = request.encoding_type(EncodingType::Url).send().await;
        let page = page.map_err(|error| StoreError::of_sdk("list versions", error))?;
        for version in page.versions().iter().filter(|version| version.is_latest() == Some(true)) {
            if listed_key(version.key().unwrap_or_default(), page.encoding_type())? == key {
                return version_of(version).map(Some);
            }
        }
        Ok(None)
    }

    /// Returns at most `max` versions under a prefix, in the store's order, starting after `after`. Delete
    /// markers are omitted.
    pub async fn list_versions(
        &self,
        prefix: &str,
        after: Option<(String, VersionId)>,
        max: i32,
    ) -> Result<ListedVersions, StoreError> {
        let (key, version_id) = after.map(|(key, version)| (key, version.as_str().to_owned())).unzip();
        let request = self.client.list_object_versions().bucket(&self.bucket).prefix(prefix).max_keys(max);
        // Some characters of keys are not allowed in XML: one such key would end the listing.
        let request = request.encoding_type(EncodingType::Url);
        let page = request.set_key_marker(key).set_version_id_marker(version_id).send().await;
        let page = page.map_err(|error| StoreError::of_sdk("list versions", error))?;
        let encoding = page.encoding_type.clone();
        let decode = |key: &str| listed_key(key, encoding.as_ref());
        let read = |entry: &ObjectVersion| {
            let version = version_of(entry)?;
            Ok::<_, StoreError>((decode(entry.key().unwrap_or_default())?, version))
        };
        let versions = page.versions().iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let next = (page.is_truncated() == Some(true))
            .then_some(())
            .and_then(|()| page.next_key_marker.zip(page.next_version_id_marker))
            .map(|(key, version)| {
                Ok::<_, StoreError>((decode(&key)?, VersionId::parse(version).map_err(corrupt_listing)?))
            })
            .transpose()?;
        Ok(ListedVersions { versions, next })
    }
}

/// Returns a key of a listing whose keys are encoded in this way. A store that ignores the request for an
/// encoding does not name one in its answer.
pub(crate) fn listed_key(key: &str, encoding: Option<&EncodingType>) -> Result<String, StoreError> {
    match encoding {
        Some(EncodingType::Url) => events::decode_key(key)
            .map_err(|error| StoreError::caused("list versions", StoreErrorKind::Corrupt, error)),
        _ => Ok(key.to_owned()),
    }
}

pub(crate) fn version_of(entry: &ObjectVersion) -> Result<Version, StoreError> {
    Ok(Version {
        version_id: VersionId::parse(entry.version_id().unwrap_or_default()).map_err(corrupt_listing)?,
        etag: ETag::parse(entry.e_tag().unwrap_or_default().trim_matches('"')).map_err(corrupt_listing)?,
        size_bytes: entry.size().unwrap_or(0).try_into().unwrap_or(0),
    })
}

pub(crate) fn corrupt_listing(_: IdError) -> StoreError {
    StoreError::new("list versions", StoreErrorKind::Corrupt)
}
