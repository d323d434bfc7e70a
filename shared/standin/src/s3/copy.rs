//! Copies objects. The bytes are staged anew, so that a copy never depends on its source.

use futures_util::TryStreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, StreamingBlob, TaggingDirective,
};
use s3s::{S3Result, s3_error};

use super::Store;
use super::put::{Condition, NewVersion};
use super::rows::{Meta, internal};

impl Store {
    /// Copies one version within the bucket. The request may replace its tags and metadata.
    pub(super) async fn copy(&self, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
        self.check_bucket(&input.bucket)?;
        let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "only a bucket can be copied from"));
        };
        let replaces_tags = input
            .tagging_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE);
        let row = self.find(bucket, key, version_id.as_deref()).await?;
        row.meta.check_readable()?;
        let meta = Meta::of_copy(&input, row.meta)?;
        let path = self.blobs.path(row.blob.as_deref().unwrap_or_default());
        let file = tokio::fs::File::open(path).await.map_err(internal)?;
        let bytes =
            StreamingBlob::wrap(tokio_util::io::ReaderStream::new(file).map_err(std::io::Error::other));
        let mut staged = self.blobs.stage(Some(bytes), Some(row.size), ChecksumHasher::default()).await?;
        let new = NewVersion {
            key: input.key,
            blob: self.blobs.keep(&mut staged).await?,
            size: staged.size,
            etag: row.etag.clone(),
            meta,
            tags: if replaces_tags { vec![] } else { row.tags },
            condition: Condition::None,
            event: "ObjectCreated:Copy",
            upload: None,
        };
        let source_version = row.version;
        let version = self.commit(new).await?;
        let result = CopyObjectResult { e_tag: Some(ETag::Strong(row.etag)), ..Default::default() };
        Ok(CopyObjectOutput {
            copy_object_result: Some(result),
            copy_source_version_id: Some(source_version),
            version_id: Some(version),
            ..Default::default()
        })
    }
}
