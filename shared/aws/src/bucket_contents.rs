//! Lists all versions in any bucket: for the backfill of a bucket that existed before its protection, and for
//! events that were lost.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, EncodingType, ObjectVersion, OptionalObjectAttributes, RestoreStatus,
};
use domain::id::VersionId;
use domain::place::BucketPlace;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{StoreError, StoreErrorKind};
use crate::events;
use crate::listing::{corrupt_listing, listed_key};
use crate::objects::Objects;
use crate::stored_version::StoredVersion;

/// S3's limit for one page.
const PAGE: i32 = 1000;

/// Where the next page of a listing begins: after this version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentsMark {
    pub key: String,
    pub version_id: Option<VersionId>,
}

/// One page of a bucket's contents.
#[derive(Debug)]
pub struct ContentsPage {
    pub versions: Vec<StoredVersion>,
    pub n_delete_markers: u64,
    /// `None` on the last page.
    pub next: Option<ContentsMark>,
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    Enabled,
    /// It was enabled: earlier versions are kept, new objects are overwritten.
    Suspended,
    Never,
}

impl Objects {
    /// Returns a page of all versions below a prefix, in the order of their keys, starting after `after`.
    pub async fn contents(
        &self,
        prefix: &str,
        after: Option<ContentsMark>,
        now: Timestamp,
    ) -> Result<ContentsPage, StoreError> {
        self.contents_of((&self.bucket, prefix), after, PAGE, now).await
    }

    /// Returns a page of at most `max` versions in a protected place, as [`Objects::contents`] does.
    pub async fn place_contents(
        &self,
        place: &BucketPlace,
        after: Option<ContentsMark>,
        max: i32,
        now: Timestamp,
    ) -> Result<ContentsPage, StoreError> {
        self.contents_of((place.bucket.as_str(), &place.prefix), after, max, now).await
    }

    async fn contents_of(
        &self,
        (bucket, prefix): (&str, &str),
        after: Option<ContentsMark>,
        max: i32,
        now: Timestamp,
    ) -> Result<ContentsPage, StoreError> {
        let (key, version_id) = after.map(|mark| (mark.key, mark.version_id)).unzip();
        let request = self.client.list_object_versions().bucket(bucket).prefix(prefix).max_keys(max);
        let page = request
            .set_key_marker(key)
            .set_version_id_marker(version_id.flatten().map(|version| version.as_str().to_owned()))
            // Some characters of keys are not allowed in XML.
            .encoding_type(EncodingType::Url)
            .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
            .send()
            .await
            .map_err(|error| StoreError::of_sdk("list versions", error))?;
        let decode = |key: &str| listed_key(key, page.encoding_type());
        let read = |entry: &ObjectVersion| {
            let size = entry.size().and_then(|size| u64::try_from(size).ok());
            let archive =
                entry.storage_class().is_some_and(|class| StoredVersion::is_archive(class.as_str()));
            Ok::<_, StoreError>(StoredVersion {
                key: decode(entry.key().ok_or_else(corrupt)?)?,
                version_id: entry.version_id().unwrap_or(StoredVersion::NULL).to_owned(),
                etag: entry.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size_bytes: size.ok_or_else(corrupt)?,
                modified_at: timestamp(entry.last_modified()).ok_or_else(corrupt)?,
                is_latest: entry.is_latest() == Some(true),
                is_archived: archive && !is_restored(entry.restore_status(), now),
            })
        };
        let next = match (page.is_truncated(), page.next_key_marker()) {
            (Some(true), Some(key)) => {
                let version_id = page.next_version_id_marker().map(VersionId::parse).transpose();
                Some(ContentsMark { key: decode(key)?, version_id: version_id.map_err(corrupt_listing)? })
            }
            (Some(true), None) => return Err(corrupt()),
            _ => None,
        };
        Ok(ContentsPage {
            versions: page.versions().iter().map(read).collect::<Result<_, _>>()?,
            n_delete_markers: page.delete_markers().len().try_into().unwrap_or(u64::MAX),
            next,
        })
    }

    /// Returns whether a version still exists, by listing its key: its bytes and its head may be unreadable
    /// for a caller without a verdict.
    pub async fn has_version(&self, key: &str, version_id: &str) -> Result<bool, StoreError> {
        let mut mark = None;
        loop {
            let page = self.contents(key, mark, Timestamp::from_millis(0)).await?;
            if page.versions.iter().any(|version| version.key == key && version.version_id == version_id) {
                return Ok(true);
            }
            // The key itself comes before all longer keys that begin with it.
            mark = page.next.filter(|next| next.key == key);
            if mark.is_none() {
                return Ok(false);
            }
        }
    }

    /// Returns whether the bucket keeps versions; `None` if the caller may not know.
    pub async fn versioning(&self) -> Result<Option<Versioning>, StoreError> {
        match self.client.get_bucket_versioning().bucket(&self.bucket).send().await {
            Ok(answer) => Ok(Some(match answer.status {
                Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
                Some(_) => Versioning::Suspended,
                None => Versioning::Never,
            })),
            Err(error) if error.code() == Some("AccessDenied") => Ok(None),
            Err(error) => Err(StoreError::of_sdk("read the bucket's versioning", error)),
        }
    }

    /// Returns the notification that S3 sent, or would have sent, when the version was stored.
    pub fn stored_event(&self, version: &StoredVersion) -> String {
        events::created_body(&self.bucket, &self.region, version)
    }
}

/// Whether an archived object has a copy that can be read now.
fn is_restored(status: Option<&RestoreStatus>, now: Timestamp) -> bool {
    status.is_some_and(|status| {
        status.is_restore_in_progress() != Some(true)
            && timestamp(status.restore_expiry_date()).is_some_and(|until| until > now)
    })
}

fn timestamp(moment: Option<&DateTime>) -> Option<Timestamp> {
    moment.and_then(|moment| moment.to_millis().ok()).map(Timestamp::from_millis)
}

fn corrupt() -> StoreError {
    StoreError::new("list versions", StoreErrorKind::Corrupt)
}
