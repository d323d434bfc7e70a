//! Uploads objects in parts. The object appears in the bucket only when the upload is completed.

use std::time::Duration;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Part};
use domain::content_type::ContentType;
use domain::id::{ETag, IdError, ObjectKey, Sha256, UploadId};
use domain::parts::{MultipartUpload, StoredPart};
use domain::timestamp::Timestamp;

use crate::error::{StoreError, StoreErrorKind};
use crate::objects::Objects;
use crate::presign::{PresignedUpload, presigning};

const COMPLETE_TIMEOUT: Duration = Duration::from_mins(5);

/// One part that a client may send.
#[derive(Clone, Copy, Debug)]
pub struct PartRequest {
    /// The part's number; the first is 1.
    pub number: u32,
    /// The exact size; `None` if the uploader did not declare it.
    pub size_bytes: Option<u64>,
    /// The digest that the store checks.
    pub sha256: Option<Sha256>,
}

impl Objects {
    /// Begins an upload in parts. With `has_checksums`, each part must come with its SHA-256.
    pub async fn begin_multipart(
        &self,
        key: &ObjectKey,
        content_type: &ContentType,
        has_checksums: bool,
    ) -> Result<UploadId, StoreError> {
        // Otherwise the SDK declares a checksum algorithm of its own choice, which presigned parts do not
        // use.
        let quiet = aws_sdk_s3::Config::builder()
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key.to_string())
            .content_type(content_type.as_str())
            .set_checksum_algorithm(has_checksums.then_some(ChecksumAlgorithm::Sha256))
            .customize()
            .config_override(quiet)
            .send()
            .await
            .map_err(|error| StoreError::of_sdk("begin an upload", error))?;
        UploadId::parse(begun.upload_id.unwrap_or_default())
            .map_err(|error| StoreError::caused("begin an upload", StoreErrorKind::Corrupt, error))
    }

    /// Presigns a PUT of one part. The client may repeat it until the upload ends; the last one counts.
    pub async fn presign_part(
        &self,
        key: &ObjectKey,
        upload_id: &UploadId,
        part: PartRequest,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<PresignedUpload, StoreError> {
        let request = self
            .public_client
            .upload_part()
            .bucket(&self.bucket)
            .key(key.to_string())
            .upload_id(upload_id.as_str())
            .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
            .set_content_length(part.size_bytes.and_then(|size| i64::try_from(size).ok()))
            .set_checksum_sha256(part.sha256.map(Sha256::to_base64));
        let expires_at = self.latest_expiry(now + ttl).await?;
        let presigned = request.presigned(presigning(now, expires_at)?).await;
        let presigned = presigned.map_err(|error| StoreError::of_sdk("presign a part", error))?;
        Ok(PresignedUpload::put(&presigned, expires_at))
    }

    /// Lists the stored parts, in order. Fails with [`StoreErrorKind::NotFound`] if the upload was completed
    /// or aborted.
    pub async fn list_parts(
        &self,
        key: &ObjectKey,
        upload_id: &UploadId,
    ) -> Result<Vec<StoredPart>, StoreError> {
        let (mut parts, mut after) = (vec![], None);
        loop {
            let request = self.client.list_parts().bucket(&self.bucket).key(key.to_string());
            let page = request.upload_id(upload_id.as_str()).set_part_number_marker(after).send().await;
            let page = page.map_err(|error| StoreError::of_sdk("list parts", error))?;
            for part in page.parts() {
                parts.push(stored_part(part)?);
            }
            after = page.next_part_number_marker.filter(|_| page.is_truncated == Some(true));
            if after.is_none() {
                return Ok(parts);
            }
        }
    }

    /// Joins the parts into the object, atomically. Fails with [`StoreErrorKind::PreconditionFailed`] if the
    /// key has an object, and with [`StoreErrorKind::NotFound`] if the upload was completed or aborted. Of
    /// two concurrent calls, one succeeds.
    pub async fn complete_multipart(
        &self,
        key: &ObjectKey,
        upload: &MultipartUpload,
        parts: &[StoredPart],
    ) -> Result<(), StoreError> {
        let listed = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
                .e_tag(part.etag.as_str())
                .set_checksum_sha256(part.sha256.filter(|_| upload.has_checksums).map(Sha256::to_base64))
                .build()
        });
        self.join_parts(key, upload.upload_id.as_str(), listed.collect()).await
    }

    pub(crate) async fn join_parts(
        &self,
        key: &ObjectKey,
        upload_id: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key.to_string())
            .upload_id(upload_id)
            .if_none_match("*")
            .multipart_upload(parts);
        // The store joins the parts before it responds; a retry after a timeout would not find the upload.
        let patience = TimeoutConfig::builder().read_timeout(COMPLETE_TIMEOUT).build();
        let patient = aws_sdk_s3::Config::builder().timeout_config(patience);
        let completed = request.customize().config_override(patient).send().await;
        completed.map(drop).map_err(|error| StoreError::of_sdk("complete an upload", error))
    }

    /// Removes the upload and its parts. Idempotent: does nothing if the upload was completed or aborted.
    pub async fn abort_multipart(&self, key: &ObjectKey, upload_id: &str) -> Result<(), StoreError> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(key.to_string());
        match request.upload_id(upload_id).send().await {
            Ok(_) => Ok(()),
            Err(error) => match StoreError::of_sdk("abort an upload", error) {
                error if error.kind == StoreErrorKind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }
}

fn stored_part(part: &Part) -> Result<StoredPart, StoreError> {
    let corrupt = |_: IdError| StoreError::new("list parts", StoreErrorKind::Corrupt);
    Ok(StoredPart {
        number: part.part_number.and_then(|number| number.try_into().ok()).unwrap_or(0),
        etag: ETag::parse(part.e_tag().unwrap_or_default().trim_matches('"')).map_err(corrupt)?,
        size_bytes: part.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
        sha256: part.checksum_sha256().and_then(|text| Sha256::parse(text).ok()),
    })
}
