//! Reads and removes objects in one versioned bucket; reads and removals name the version.

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::HttpClient;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumMode, Delete, ObjectIdentifier, TaggingDirective};
use domain::content_encoding::ContentEncoding;
use domain::id::{BucketName, ETag, FileId, ObjectKey, Sha256, Version, VersionId};
use domain::incoming::Incoming;
use domain::post_verdict::Quarantine;
use domain::record::Record;
use domain::sample::{SampleGrant, SamplePlace};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{StoreError, StoreErrorKind};
use crate::sdk::Sdk;

/// The bucket that holds uploads.
#[derive(Clone, Debug)]
pub struct Objects {
    pub(crate) client: Client,
    pub(crate) public_client: Client,
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    pub(crate) region: String,
    pub(crate) bucket: String,
}

/// An object that is being read.
#[derive(Debug)]
pub struct OpenObject {
    pub size_bytes: u64,
    /// The digest of the whole object, which the store checked on arrival; `None` if the uploader did not
    /// declare it.
    pub sha256: Option<Sha256>,
    /// The stored header that the store sends to clients. `body` has the stored bytes, not decoded.
    pub content_encoding: ContentEncoding,
    pub body: ByteStream,
}

/// The characters of a key to percent-encode in events and in a copy's source: all but letters, digits and
/// `/-_.~`.
pub(crate) const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Objects {
    pub fn new(sdk: &Sdk, bucket: impl Into<String>) -> Self {
        Self {
            client: Client::from_conf(sdk.s3.clone()),
            public_client: Client::from_conf(sdk.s3_public.clone()),
            credentials: sdk.credentials(),
            region: sdk.region(),
            bucket: bucket.into(),
        }
    }

    /// The same, with requests that go to `http` instead of the network, for local mode. Signed URLs are
    /// those of the network.
    pub fn over(sdk: &Sdk, bucket: String, http: impl HttpClient + 'static) -> Self {
        let config = sdk.s3.to_builder().http_client(http).build();
        Self { client: Client::from_conf(config), ..Self::new(sdk, bucket) }
    }

    /// Opens one version for reading. Fails with [`StoreErrorKind::NotFound`] if it does not exist.
    pub async fn open(&self, key: &ObjectKey, version: &Version) -> Result<OpenObject, StoreError> {
        self.read(self.bucket_of(key), &key.to_string(), Some(version.version_id.as_str())).await
    }

    /// Opens the bytes that an operator may take. The caller must compare their digest with the grant's: a
    /// quarantined copy has no recorded version. Fails with [`StoreErrorKind::NotFound`] if there are none.
    pub async fn open_sample(&self, grant: &SampleGrant) -> Result<OpenObject, StoreError> {
        match grant.place() {
            SamplePlace::Version(key, version_id) => {
                self.read(self.bucket_of(key), &key.to_string(), Some(version_id.as_str())).await
            }
            SamplePlace::Quarantine(file) => {
                self.read(&self.bucket, &ObjectKey::quarantined(*file), None).await
            }
        }
    }

    /// The bucket that the object is in: the service's own, or a protected one.
    pub(crate) fn bucket_of<'a>(&'a self, key: &'a ObjectKey) -> &'a str {
        key.bucket().map_or(&self.bucket, BucketName::as_str)
    }

    async fn read(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<OpenObject, StoreError> {
        let request = self.client.get_object().bucket(bucket).key(key);
        let request =
            request.set_version_id(version_id.map(str::to_owned)).checksum_mode(ChecksumMode::Enabled);
        let output = request.send().await.map_err(|error| StoreError::of_sdk("open an object", error))?;
        let size_bytes = output.content_length.and_then(|length| length.try_into().ok());
        let size_bytes =
            size_bytes.ok_or_else(|| StoreError::new("open an object", StoreErrorKind::Corrupt))?;
        // For an object that was uploaded in parts it is a digest of digests, which does not parse.
        let sha256 = output.checksum_sha256.and_then(|text| Sha256::parse(&text).ok());
        let content_encoding = ContentEncoding::parse(output.content_encoding.as_deref());
        Ok(OpenObject { size_bytes, sha256, content_encoding, body: output.body })
    }

    /// Returns the current version under a key; `None` if there is none or it is a delete marker.
    pub async fn current_version(&self, key: &ObjectKey) -> Result<Option<Version>, StoreError> {
        let head = self.client.head_object().bucket(self.bucket_of(key)).key(key.to_string()).send().await;
        let head = match head.map_err(|error| StoreError::of_sdk("read an object's head", error)) {
            Ok(head) => head,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let corrupt = |_| StoreError::new("read an object's head", StoreErrorKind::Corrupt);
        Ok(Some(Version {
            version_id: VersionId::parse(head.version_id.unwrap_or_default()).map_err(corrupt)?,
            etag: ETag::parse(head.e_tag.unwrap_or_default().trim_matches('"')).map_err(corrupt)?,
            size_bytes: head.content_length.unwrap_or(0).try_into().unwrap_or(0),
        }))
    }

    /// Removes every version and delete marker, except `keep`, under the key that was issued for a file.
    /// Idempotent; versions that arrive meanwhile may stay.
    pub async fn purge(&self, file: FileId, keep: Option<&VersionId>) -> Result<(), StoreError> {
        self.purge_key(&ObjectKey::Issued(file).to_string(), keep).await
    }

    /// Removes one version that was uploaded outside the API, and no other version under its key. Idempotent.
    pub async fn remove_incoming(&self, incoming: &Incoming) -> Result<(), StoreError> {
        let key = incoming.key();
        self.delete_versions(self.bucket_of(&key), &key.to_string(), &[incoming.version_id().as_str()]).await
    }

    async fn purge_key(&self, key: &str, keep: Option<&VersionId>) -> Result<(), StoreError> {
        loop {
            let request = self.client.list_object_versions().bucket(&self.bucket).prefix(key);
            let page = request.send().await.map_err(|error| StoreError::of_sdk("list versions", error))?;
            let versions = page.versions().iter().filter_map(|version| version.version_id());
            let markers = page.delete_markers().iter().filter_map(|marker| marker.version_id());
            let is_doomed = |id: &&str| keep.is_none_or(|keep| keep.as_str() != *id);
            // No other key has this one as a prefix, because all ids have the same length.
            let doomed: Vec<&str> = versions.chain(markers).filter(is_doomed).collect();
            if doomed.is_empty() {
                return Ok(());
            }
            self.delete_versions(&self.bucket, key, &doomed).await?;
            // A listing costs as much as storing an object.
            if page.is_truncated != Some(true) {
                return Ok(());
            }
        }
    }

    /// Applies the quarantine policy to the bytes of an infected version. Idempotent: a version that no
    /// longer exists was moved or deleted before.
    pub async fn quarantine(
        &self,
        record: &Record,
        version: &Version,
        how: Quarantine,
    ) -> Result<(), StoreError> {
        if how == Quarantine::Keep {
            return Ok(());
        }
        let object_key = record.object_key();
        let (bucket, key) = (self.bucket_of(&object_key), object_key.to_string());
        if how == Quarantine::Move {
            let source = format!(
                "{bucket}/{}?versionId={}",
                utf8_percent_encode(&key, KEY),
                utf8_percent_encode(version.version_id.as_str(), NON_ALPHANUMERIC)
            );
            let moved_to = ObjectKey::quarantined(record.file_id);
            let copy = self.client.copy_object().bucket(&self.bucket).key(moved_to);
            // The tags are not copied, because that would need further permissions.
            match copy.copy_source(source).tagging_directive(TaggingDirective::Replace).send().await {
                Ok(_) => {}
                Err(error) => match StoreError::of_sdk("quarantine an object", error) {
                    error if error.kind == StoreErrorKind::NotFound => return Ok(()),
                    error => return Err(error),
                },
            }
        }
        self.delete_versions(bucket, &key, &[version.version_id.as_str()]).await
    }

    /// Removes the copy that [`Objects::quarantine`] made. Idempotent.
    pub async fn purge_quarantined(&self, file: FileId) -> Result<(), StoreError> {
        self.purge_key(&ObjectKey::quarantined(file), None).await
    }

    async fn delete_versions(&self, bucket: &str, key: &str, version_ids: &[&str]) -> Result<(), StoreError> {
        let identify = |id: &&str| ObjectIdentifier::builder().key(key).version_id(*id).build();
        let objects: Result<Vec<_>, _> = version_ids.iter().map(identify).collect();
        let delete =
            objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
        let delete = delete
            .map_err(|error| StoreError::caused("remove versions", StoreErrorKind::Unexpected, error))?;
        let removed = self.client.delete_objects().bucket(bucket).delete(delete).send().await;
        let removed = removed.map_err(|error| StoreError::of_sdk("remove versions", error))?;
        match removed.errors().first() {
            None => Ok(()),
            Some(error) => {
                let text =
                    format!("{}: {}", error.code().unwrap_or_default(), error.message().unwrap_or_default());
                Err(StoreError::caused("remove versions", StoreErrorKind::Unavailable, text))
            }
        }
    }

    /// Checks that the bucket exists and is accessible.
    pub async fn check(&self) -> Result<(), StoreError> {
        let head = self.client.head_bucket().bucket(&self.bucket).send().await;
        head.map(drop).map_err(|error| StoreError::of_sdk("check the bucket", error))
    }

    /// Returns whether versioning is enabled. Without versions, a verdict could not identify its bytes.
    pub async fn is_versioned(&self) -> Result<bool, StoreError> {
        let asked = self.client.get_bucket_versioning().bucket(&self.bucket).send().await;
        let versioning = asked.map_err(|error| StoreError::of_sdk("read the bucket's versioning", error))?;
        Ok(versioning.status == Some(BucketVersioningStatus::Enabled))
    }

    /// Returns the bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) async fn credentials_now(&self, operation: &'static str) -> Result<Credentials, StoreError> {
        let provider = self
            .credentials
            .as_ref()
            .ok_or_else(|| StoreError::new(operation, StoreErrorKind::Unexpected))?;
        provider
            .provide_credentials()
            .await
            .map_err(|error| StoreError::caused(operation, StoreErrorKind::Unavailable, error))
    }
}
