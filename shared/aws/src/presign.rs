//! Presigns the requests that clients send to the bucket: uploads, and downloads with a grant.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::DateTime;
use domain::access::DownloadGrant;
use domain::id::{ObjectKey, Sha256};
use domain::timestamp::Timestamp;
use domain::upload::Upload;

use crate::clock::system_time;
use crate::error::StoreError;
use crate::error::StoreErrorKind;
use crate::objects::Objects;
use crate::post_policy::PostPolicy;

/// The request that a client must send, unchanged, to upload.
#[derive(Clone, Debug)]
pub struct PresignedUpload {
    pub method: &'static str,
    pub url: String,
    /// For PUT: the signed headers, without which the request fails.
    pub headers: BTreeMap<String, String>,
    /// For POST: the form fields, which must precede the file.
    pub fields: BTreeMap<String, String>,
    pub expires_at: Timestamp,
}

/// The constraints of a PUT. `None` leaves a property to the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct PutRequest<'a> {
    pub content_type: Option<&'a str>,
    /// The exact size.
    pub size_bytes: Option<u64>,
    /// The digest that the store checks.
    pub sha256: Option<Sha256>,
    /// The MD5 digest that the store checks, in base64 (`Content-MD5`, RFC 1864), for clients that cannot
    /// compute SHA-256. It detects accidental damage, not attacks.
    pub md5: Option<&'a str>,
}

impl<'a> From<&'a Upload> for PutRequest<'a> {
    fn from(upload: &'a Upload) -> Self {
        Self {
            content_type: Some(upload.content_type.as_str()),
            size_bytes: upload.declared_size,
            sha256: upload.declared_sha256,
            md5: None,
        }
    }
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

/// A URL that is signed with temporary credentials expires with them. It is given an expiry one minute
/// earlier.
const CREDENTIALS_MARGIN: Duration = Duration::from_mins(1);

/// The language tag of an undetermined language (RFC 5646, section 4.1).
const UNDETERMINED_LANGUAGE: &str = "und";

impl Objects {
    /// Presigns a PUT that succeeds once (`if-none-match: *`) and only within the constraints of `put`.
    pub async fn presign_put(
        &self,
        key: &ObjectKey,
        put: PutRequest<'_>,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        let expires_at = self.latest_expiry(now + ttl).await?;
        let request = self
            .public_client
            .put_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .set_content_type(put.content_type.map(ToOwned::to_owned))
            .if_none_match("*")
            .set_content_length(put.size_bytes.and_then(|size| i64::try_from(size).ok()))
            .set_checksum_sha256(put.sha256.map(Sha256::to_base64))
            .set_content_md5(put.md5.map(ToOwned::to_owned));
        let presigned = request.presigned(presigning(now, expires_at)?).await;
        let presigned = presigned.map_err(|error| StoreError::of_sdk("presign an upload", error))?;
        Ok(PresignedUpload::put(&presigned, expires_at))
    }

    /// Signs a POST form for the declared type and checksum, and for the declared size, or at most `max_size`
    /// without one. It can be replayed until it expires; the ledger binds the first version and the sweep
    /// removes the others.
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

    /// Presigns a GET of exactly the granted version, as an attachment of a harmless type, valid for at most
    /// `ttl`.
    ///
    /// It overrides every stored header that S3 can override (AWS, "GetObject", "Overriding response header
    /// values through the request"), so that the uploader cannot change what a client does with the bytes.
    /// Without `identity`, clients would decode the scanned bytes by the uploader's `content-encoding`, and
    /// save bytes that were never scanned.
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
            .bucket(self.bucket_of(grant.key()))
            .key(grant.key().to_string())
            .version_id(grant.version().version_id.as_str())
            .response_content_disposition(grant.content_disposition())
            .response_content_type(grant.content_type())
            .response_content_encoding("identity")
            .response_content_language(UNDETERMINED_LANGUAGE)
            .response_cache_control("private, no-store")
            .response_expires(DateTime::from_secs(0));
        let presigned = request.presigned(presigning(now, expires_at)?).await;
        let presigned = presigned.map_err(|error| StoreError::of_sdk("presign a download", error))?;
        Ok((presigned.uri().to_owned(), expires_at))
    }

    /// Returns `wanted`, or the expiry that the signing credentials impose, if that is earlier.
    pub(crate) async fn latest_expiry(&self, wanted: Timestamp) -> Result<Timestamp, StoreError> {
        let expiry = self.credentials_now("presign").await?.expiry();
        let since_epoch = expiry.and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok());
        let limit = since_epoch.map(|span| Timestamp::from_millis(0) + span - CREDENTIALS_MARGIN);
        Ok(limit.map_or(wanted, |limit| wanted.min(limit)))
    }

    /// Returns the URL to which forms are posted: the bucket's address as the SDK builds it (virtual host, or
    /// a path with a configured endpoint).
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
        .map_err(|error| StoreError::caused("presign", StoreErrorKind::Unexpected, error))
}

/// Returns the signed headers that the client must send, without `host`, which every client sets from the
/// URL.
fn signed_headers(presigned: &PresignedRequest) -> BTreeMap<String, String> {
    let all = presigned.headers().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    all.filter(|(name, _)| name != "host").collect()
}
