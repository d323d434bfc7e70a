//! Lists the object versions in a protected place.

use aws_sdk_s3::types::ObjectVersion;
use domain::id::{Version, VersionId};
use domain::place::BucketPlace;
use domain::timestamp::Timestamp;

use crate::error::StoreError;
use crate::listing::{corrupt_listing, version_of};
use crate::objects::Objects;

/// A version in another application's bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlacedVersion {
    pub key: String,
    pub version: Version,
    pub stored_at: Timestamp,
}

/// One page of a place's versions.
#[derive(Debug)]
pub struct PlacedVersions {
    pub versions: Vec<PlacedVersion>,
    /// The key and version after which the next page starts; `None` on the last page.
    pub next: Option<(String, VersionId)>,
}

impl Objects {
    /// Returns at most `max` versions in a place, in the store's order, starting after `after`. Delete
    /// markers are omitted.
    pub async fn list_place(
        &self,
        place: &BucketPlace,
        after: Option<(String, VersionId)>,
        max: i32,
    ) -> Result<PlacedVersions, StoreError> {
        let (key, version_id) = after.map(|(key, version)| (key, version.as_str().to_owned())).unzip();
        let request = self.client.list_object_versions().bucket(place.bucket.as_str()).prefix(&place.prefix);
        let request = request.max_keys(max).set_key_marker(key).set_version_id_marker(version_id);
        let page = request.send().await;
        let page = page.map_err(|error| StoreError::of_sdk("list a protected bucket", error))?;
        let versions = page.versions().iter().map(placed).collect::<Result<Vec<_>, _>>()?;
        let next = match page.next_key_marker.zip(page.next_version_id_marker) {
            Some((key, version)) if page.is_truncated == Some(true) => {
                Some((key, VersionId::parse(version).map_err(corrupt_listing)?))
            }
            _ => None,
        };
        Ok(PlacedVersions { versions, next })
    }
}

fn placed(entry: &ObjectVersion) -> Result<PlacedVersion, StoreError> {
    let stored_at = entry.last_modified().and_then(|at| at.to_millis().ok()).unwrap_or(i64::MAX);
    Ok(PlacedVersion {
        key: entry.key().unwrap_or_default().to_owned(),
        version: version_of(entry)?,
        stored_at: Timestamp::from_millis(stored_at),
    })
}
