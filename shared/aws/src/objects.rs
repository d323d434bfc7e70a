//! Where are the bytes? One versioned bucket; reads and removals name the version.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumMode, Delete, ObjectIdentifier, Tag, Tagging, TaggingDirective,
};
use domain::access::DownloadGrant;
use domain::aftermath::Quarantine;
use domain::id::{ETag, FileId, ObjectKey, Sha256, Version, VersionId};
use domain::incoming::Incoming;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::upload::Upload;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::system_time;
use crate::error::{Kind, StoreError};
use crate::post_policy::PostPolicy;
use crate::sdk::Sdk;

/// The bucket that uploads go to.
#[derive(Clone, Debug)]
pub struct Objects {
    pub(crate) client: Client,
    pub(crate) public_client: Client,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    pub(crate) bucket: String,
}

/// What a client does to upload: send this, as it stands.
#[derive(Clone, Debug)]
pub struct PresignedUpload {
    pub method: &'static str,
    pub url: String,
    /// For PUT: headers that are signed, so that the request fails without them.
    pub headers: BTreeMap<String, String>,
    /// For POST: form fields that come before the file.
    pub fields: BTreeMap<String, String>,
    pub expires_at: Timestamp,
}

impl PresignedUpload {
    pub(crate) fn put(presigned: &PresignedRequest, expires_at: Timestamp) -> Self {
        Self {
            method: "PUT",
            url: presigned.uri().to_owned(),
            headers: signed_headers(presigned),
            fields: BTreeMap::new(),
            expires_at,
        }
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct OpenObject {
    pub size_bytes: u64,
    /// What the store measured of the whole object when it arrived; only when the uploader declared it.
    pub sha256: Option<Sha256>,
    pub body: ByteStream,
}

/// What a key may hold in events and in a copy's source as it is; the slashes too.
pub(crate) const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A URL signed with temporary credentials dies with them; a minute is kept in hand.
const CREDENTIALS_MARGIN: Duration = Duration::from_mins(1);

impl Objects {
    pub fn new(sdk: &Sdk, bucket: String) -> Self {
        Self {
            client: Client::from_conf(sdk.s3.clone()),
            public_client: Client::from_conf(sdk.s3_public.clone()),
            credentials: sdk.credentials(),
            region: sdk.region(),
            bucket,
        }
    }

    /// A PUT that works once (`if-none-match: *`), for the declared type, and for the declared length and checksum when
    /// there are any: the store refuses anything else.
    pub async fn presign_put(
        &self,
        key: &ObjectKey,
        upload: &Upload,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        let expires_at = self.latest_expiry(now + ttl).await?;
        let request = self
            .public_client
            .put_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .content_type(upload.content_type.as_str())
            .if_none_match("*")
            .set_content_length(upload.declared_size.and_then(|size| i64::try_from(size).ok()))
            .set_checksum_sha256(upload.declared_sha256.map(domain::id::Sha256::to_base64));
        let presigned = request.presigned(presigning(now, expires_at)?).await;
        let presigned = presigned.map_err(|error| StoreError::of_sdk("presign an upload", error))?;
        Ok(PresignedUpload::put(&presigned, expires_at))
    }

    /// A POST form for the declared type and checksum, with a length within `max_size`, or exactly the declared one.
    /// It can be replayed until it expires; the ledger binds the first version and the sweep removes the others.
    pub async fn presign_post(
        &self,
        key: &ObjectKey,
        upload: &Upload,
        max_size: u64,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        let expires_at = self.latest_expiry(now + ttl).await?;
        let mut fields = BTreeMap::from([
            ("key".to_owned(), key.to_string()),
            ("content-type".to_owned(), upload.content_type.to_string()),
            ("success_action_status".to_owned(), "201".to_owned()),
        ]);
        if let Some(digest) = upload.declared_sha256 {
            fields.insert("x-amz-checksum-sha256".to_owned(), digest.to_base64());
        }
        let length_range = upload.declared_size.map_or((1, max_size), |size| (size, size));
        let policy = PostPolicy { bucket: &self.bucket, fields, length_range, expires_at };
        let fields = policy.sign(&self.credentials_now("presign a form").await?, &self.region, now);
        Ok(PresignedUpload {
            method: "POST",
            url: self.bucket_url(now).await?,
            headers: BTreeMap::new(),
            fields,
            expires_at,
        })
    }

    /// A GET of exactly the granted version, as an attachment of a harmless type, for at most `ttl`.
    pub async fn presign_get(
        &self,
        grant: &DownloadGrant,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<(String, Timestamp), StoreError> {
        let expires_at = self.latest_expiry(now + ttl).await?;
        let request = self
            .public_client
            .get_object()
            .bucket(&self.bucket)
            .key(grant.key().to_string())
            .version_id(grant.version().version_id.as_str())
            .response_content_disposition(grant.content_disposition())
            .response_content_type(grant.content_type())
            .response_cache_control("private, no-store");
        let presigned = request.presigned(presigning(now, expires_at)?).await;
        let presigned = presigned.map_err(|error| StoreError::of_sdk("presign a download", error))?;
        Ok((presigned.uri().to_owned(), expires_at))
    }

    /// Opens one version for reading. [`Kind::NotFound`] when it is gone.
    pub async fn open(&self, key: &ObjectKey, version: &Version) -> Result<OpenObject, StoreError> {
        let request =
            self.get(key).version_id(version.version_id.as_str()).checksum_mode(ChecksumMode::Enabled);
        let output = request.send().await.map_err(|error| StoreError::of_sdk("open an object", error))?;
        let size_bytes = output.content_length.and_then(|length| length.try_into().ok());
        let size_bytes = size_bytes.ok_or_else(|| StoreError::new("open an object", Kind::Corrupt))?;
        // Of an object in parts it is a digest of digests, which does not parse.
        let sha256 = output.checksum_sha256.and_then(|text| Sha256::parse(&text).ok());
        Ok(OpenObject { size_bytes, sha256, body: output.body })
    }

    /// The current version under a key; `None` when there is none or it is a delete marker.
    pub async fn current_version(&self, key: &ObjectKey) -> Result<Option<Version>, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key.to_string()).send().await;
        let head = match head.map_err(|error| StoreError::of_sdk("look at an object", error)) {
            Ok(head) => head,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let corrupt = |_| StoreError::new("look at an object", Kind::Corrupt);
        Ok(Some(Version {
            version_id: VersionId::parse(head.version_id.unwrap_or_default()).map_err(corrupt)?,
            etag: ETag::parse(head.e_tag.unwrap_or_default().trim_matches('"')).map_err(corrupt)?,
            size_bytes: head.content_length.unwrap_or(0).try_into().unwrap_or(0),
        }))
    }

    /// Removes every version and delete marker under the key that was issued for a file, but `keep`. Idempotent; versions that arrive meanwhile
    /// stay.
    pub async fn purge(&self, file: FileId, keep: Option<&VersionId>) -> Result<(), StoreError> {
        self.purge_key(&ObjectKey::Issued(file).to_string(), keep).await
    }

    /// Removes one version that somebody else stored, and nothing else under its key. Idempotent.
    pub async fn remove_incoming(&self, incoming: &Incoming) -> Result<(), StoreError> {
        self.delete_versions(&incoming.key().to_string(), &[incoming.version_id().as_str()]).await
    }

    async fn purge_key(&self, key: &str, keep: Option<&VersionId>) -> Result<(), StoreError> {
        loop {
            let request = self.client.list_object_versions().bucket(&self.bucket).prefix(key);
            let page = request.send().await.map_err(|error| StoreError::of_sdk("list versions", error))?;
            let versions = page.versions().iter().filter_map(|version| version.version_id());
            let markers = page.delete_markers().iter().filter_map(|marker| marker.version_id());
            let is_doomed = |id: &&str| keep.is_none_or(|keep| keep.as_str() != *id);
            // No other key has ours as a prefix: all ids are equally long.
            let doomed: Vec<&str> = versions.chain(markers).filter(is_doomed).collect();
            if doomed.is_empty() {
                return Ok(());
            }
            self.delete_versions(key, &doomed).await?;
        }
    }

    /// Does with the bytes of an infected version what the policy says. Idempotent: what is gone already has been dealt with.
    pub async fn quarantine(
        &self,
        record: &Record,
        version: &Version,
        how: Quarantine,
    ) -> Result<(), StoreError> {
        if how == Quarantine::Keep {
            return Ok(());
        }
        let key = record.object_key().to_string();
        if how == Quarantine::Move {
            let source = format!(
                "{}/{}?versionId={}",
                self.bucket,
                utf8_percent_encode(&key, KEY),
                utf8_percent_encode(version.version_id.as_str(), NON_ALPHANUMERIC)
            );
            let moved_to = ObjectKey::quarantined(record.file_id);
            let copy = self.client.copy_object().bucket(&self.bucket).key(moved_to);
            // Without the tags: copying those needs permissions of its own.
            match copy.copy_source(source).tagging_directive(TaggingDirective::Replace).send().await {
                Ok(_) => {}
                Err(error) => match StoreError::of_sdk("quarantine an object", error) {
                    error if error.kind == Kind::NotFound => return Ok(()),
                    error => return Err(error),
                },
            }
        }
        self.delete_versions(&key, &[version.version_id.as_str()]).await
    }

    /// Removes what [`Objects::quarantine`] has moved. Idempotent.
    pub async fn purge_quarantined(&self, file: FileId) -> Result<(), StoreError> {
        self.purge_key(&ObjectKey::quarantined(file), None).await
    }

    async fn delete_versions(&self, key: &str, version_ids: &[&str]) -> Result<(), StoreError> {
        let identify = |id: &&str| ObjectIdentifier::builder().key(key).version_id(*id).build();
        let objects: Result<Vec<_>, _> = version_ids.iter().map(identify).collect();
        let delete =
            objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
        let delete =
            delete.map_err(|error| StoreError::caused("remove versions", Kind::Unexpected, error))?;
        let removed = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let removed = removed.map_err(|error| StoreError::of_sdk("remove versions", error))?;
        match removed.errors().first() {
            None => Ok(()),
            Some(error) => {
                let text =
                    format!("{}: {}", error.code().unwrap_or_default(), error.message().unwrap_or_default());
                Err(StoreError::caused("remove versions", Kind::Unavailable, text))
            }
        }
    }

    /// Tags one version for people and policies to see; nothing of ours reads tags. Replaces the tag set.
    pub async fn tag(
        &self,
        key: &ObjectKey,
        version: &VersionId,
        name: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::caused("tag an object", Kind::Unexpected, error);
        let tag = Tag::builder().key(name).value(value).build().map_err(failed)?;
        let tagging = Tagging::builder().tag_set(tag).build().map_err(failed)?;
        let request = self.client.put_object_tagging().bucket(&self.bucket).key(key.to_string());
        let tagged = request.version_id(version.as_str()).tagging(tagging).send().await;
        tagged.map(drop).map_err(|error| StoreError::of_sdk("tag an object", error))
    }

    /// Whether the bucket answers.
    pub async fn check(&self) -> Result<(), StoreError> {
        let head = self.client.head_bucket().bucket(&self.bucket).send().await;
        head.map(drop).map_err(|error| StoreError::of_sdk("look at the bucket", error))
    }

    /// Whether the bucket keeps versions. Without them no verdict could name its bytes.
    pub async fn is_versioned(&self) -> Result<bool, StoreError> {
        let asked = self.client.get_bucket_versioning().bucket(&self.bucket).send().await;
        let versioning =
            asked.map_err(|error| StoreError::of_sdk("look at the bucket's versioning", error))?;
        Ok(versioning.status == Some(BucketVersioningStatus::Enabled))
    }

    fn get(&self, key: &ObjectKey) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.bucket).key(key.to_string())
    }

    async fn credentials_now(&self, operation: &'static str) -> Result<Credentials, StoreError> {
        let provider =
            self.credentials.as_ref().ok_or_else(|| StoreError::new(operation, Kind::Unexpected))?;
        provider
            .provide_credentials()
            .await
            .map_err(|error| StoreError::caused(operation, Kind::Unavailable, error))
    }

    /// `wanted`, or the moment when the credentials that sign would end it.
    pub(crate) async fn latest_expiry(&self, wanted: Timestamp) -> Result<Timestamp, StoreError> {
        let expiry = self.credentials_now("presign").await?.expiry();
        let since_epoch = expiry.and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok());
        let limit = since_epoch.map(|span| Timestamp::from_millis(0) + span - CREDENTIALS_MARGIN);
        Ok(limit.map_or(wanted, |limit| wanted.min(limit)))
    }

    /// Where forms are posted to: the bucket's address as the SDK forms it (virtual host, or path with an endpoint).
    async fn bucket_url(&self, now: Timestamp) -> Result<String, StoreError> {
        let soon = presigning(now, now + CREDENTIALS_MARGIN)?;
        let any_object = self.public_client.get_object().bucket(&self.bucket).key("k");
        let presigned = any_object.presigned(soon).await;
        let presigned = presigned.map_err(|error| StoreError::of_sdk("presign a form", error))?;
        let address = presigned.uri().split('?').next().unwrap_or_default();
        Ok(address.strip_suffix('k').unwrap_or(address).to_owned())
    }
}

pub(crate) fn presigning(now: Timestamp, expires_at: Timestamp) -> Result<PresigningConfig, StoreError> {
    let ttl = expires_at.since(now).max(Duration::from_secs(1));
    PresigningConfig::builder()
        .start_time(system_time(now))
        .expires_in(ttl)
        .build()
        .map_err(|error| StoreError::caused("presign", Kind::Unexpected, error))
}

/// What the client must send. Browsers set `content-length` and `host` themselves, from the body and the URL.
fn signed_headers(presigned: &PresignedRequest) -> BTreeMap<String, String> {
    let all = presigned.headers().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    all.filter(|(name, _)| name != "host").collect()
}
