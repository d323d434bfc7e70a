//! Reads what decides who may read a bucket: its policy, the tags of versions, and the caller's own access.

use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use domain::id::VersionId;

use crate::error::{StoreError, StoreErrorKind};
use crate::objects::Objects;

impl Objects {
    /// Returns the bucket's policy as JSON; `None` if the bucket has none.
    pub async fn bucket_policy(&self) -> Result<Option<String>, StoreError> {
        match self.client.get_bucket_policy().bucket(&self.bucket).send().await {
            Ok(output) => Ok(output.policy),
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => Ok(None),
            Err(error) => Err(StoreError::of_sdk("read the bucket's policy", error)),
        }
    }

    /// Returns the keys and values of one version's tags; none if the version was removed meanwhile.
    pub async fn tags_of(&self, key: &str, version: &VersionId) -> Result<Vec<(String, String)>, StoreError> {
        let request = self.client.get_object_tagging().bucket(&self.bucket).key(key);
        let stored = request.version_id(version.as_str()).send().await;
        let stored = match stored.map_err(|error| StoreError::of_sdk("read an object's tags", error)) {
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(vec![]),
            stored => stored?,
        };
        Ok(stored.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Returns whether the caller's credentials can read one version. Sends a HEAD request, for which S3 asks
    /// the permissions of a GET, and transfers no bytes of the version.
    /// A version that no longer exists cannot be read.
    pub async fn can_read(&self, key: &str, version: &VersionId) -> Result<bool, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key).version_id(version.as_str());
        let Err(error) = request.send().await else { return Ok(true) };
        // The answer to HEAD has no body, and so no code.
        let status = match &error {
            SdkError::ServiceError(service) => service.raw().status().as_u16(),
            _ => 0,
        };
        match status {
            403 | 404 => Ok(false),
            _ => Err(StoreError::of_sdk("read an object's head", error)),
        }
    }
}
