//! Stores a stream of unknown length as one object, atomically and in bounded memory.
//!
//! A small body is one PUT. A larger one is a multipart upload, which does not appear in the bucket until it
//! completes.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use bytes::{Bytes, BytesMut};
use domain::content_type::ContentType;
use domain::id::ObjectKey;

use crate::error::StoreError;
use crate::objects::Objects;

/// The bytes in memory. S3 requires at least 5 MiB for every part but the last, and at most 10,000 parts.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// One upload in progress. Dropping it does not remove the sent parts: call [`ObjectWriter::abort`], or leave
/// them to the bucket's lifecycle rule for unfinished multipart uploads.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    objects: &'a Objects,
    key: ObjectKey,
    content_type: ContentType,
    buffer: BytesMut,
    multipart: Option<Multipart>,
}

#[derive(Debug)]
struct Multipart {
    upload_id: String,
    parts: Vec<CompletedPart>,
}

impl<'a> ObjectWriter<'a> {
    /// Starts an upload. Nothing is sent before the first part is full.
    pub fn new(objects: &'a Objects, key: ObjectKey, content_type: ContentType) -> Self {
        Self { objects, key, content_type, buffer: BytesMut::new(), multipart: None }
    }

    /// Appends bytes, and sends every part that is full.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= PART_BYTES {
            let part = self.buffer.split_to(PART_BYTES).freeze();
            self.send_part(part).await?;
        }
        Ok(())
    }

    /// Sends the rest and creates the object, atomically. Fails with
    /// [`crate::StoreErrorKind::PreconditionFailed`] if the key has an object.
    pub async fn complete(mut self) -> Result<(), StoreError> {
        let rest = self.buffer.split().freeze();
        if self.multipart.is_none() {
            return self.put_whole(rest).await;
        }
        if !rest.is_empty() {
            self.send_part(rest).await?;
        }
        let Some(multipart) = &self.multipart else { return Ok(()) };
        self.objects.join_parts(&self.key, &multipart.upload_id, multipart.parts.clone()).await
    }

    /// Removes the sent parts, which were never visible in the bucket.
    pub async fn abort(self) -> Result<(), StoreError> {
        let Some(multipart) = &self.multipart else { return Ok(()) };
        self.objects.abort_multipart(&self.key, &multipart.upload_id).await
    }

    async fn put_whole(&self, body: Bytes) -> Result<(), StoreError> {
        let request = self
            .objects
            .client
            .put_object()
            .bucket(&self.objects.bucket)
            .key(self.key.to_string())
            .content_type(self.content_type.as_str())
            .if_none_match("*")
            .body(ByteStream::from(body));
        request.send().await.map(drop).map_err(|error| StoreError::of_sdk("store an object", error))
    }

    async fn send_part(&mut self, body: Bytes) -> Result<(), StoreError> {
        if self.multipart.is_none() {
            self.multipart = Some(self.begin_multipart().await?);
        }
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        let number = i32::try_from(multipart.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        let sent = self
            .objects
            .client
            .upload_part()
            .bucket(&self.objects.bucket)
            .key(self.key.to_string())
            .upload_id(&multipart.upload_id)
            .part_number(number)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| StoreError::of_sdk("store a part", error))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build();
        multipart.parts.push(part);
        Ok(())
    }

    async fn begin_multipart(&self) -> Result<Multipart, StoreError> {
        let begun = self
            .objects
            .client
            .create_multipart_upload()
            .bucket(&self.objects.bucket)
            .key(self.key.to_string())
            .content_type(self.content_type.as_str())
            .send()
            .await
            .map_err(|error| StoreError::of_sdk("begin an upload", error))?;
        Ok(Multipart { upload_id: begun.upload_id.unwrap_or_default(), parts: vec![] })
    }
}
