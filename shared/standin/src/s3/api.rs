//! The operations of the stand-in; `s3s` answers `NotImplemented` to all others.

use axum::http::{HeaderValue, header};
use percent_encoding::utf8_percent_encode;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, BucketVersioningStatus,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
    CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag, ETagCondition,
    GetBucketLocationInput, GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput,
    GetObjectInput, GetObjectOutput, GetObjectTaggingInput, GetObjectTaggingOutput, HeadBucketInput,
    HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput,
    ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput, PutObjectInput,
    PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::put::EVENT_KEY;
use super::rows::{self, ObjectRow, internal};
use super::{Store, reader};

/// Returns the location of a form's object. S3 sends it in the answer's headers, together with its ETag, and
/// `s3s` 0.14 does not: Uppy 4 and 5 need both.
fn location_of(request: &S3Request<PutObjectInput>) -> Option<HeaderValue> {
    let host = request.headers.get(header::HOST).filter(|_| request.method == "POST")?.to_str().ok()?;
    let (bucket, key) = (&request.input.bucket, utf8_percent_encode(&request.input.key, EVENT_KEY));
    format!("http://{host}/{bucket}/{key}").parse().ok()
}

impl Store {
    pub(super) async fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> S3Result<ObjectRow> {
        self.check_bucket(bucket)?;
        let (key, version) = (key.to_owned(), version.map(ToOwned::to_owned));
        self.database.transact(move |tx| rows::find(tx, &key, version.as_deref())).await
    }
}

/// S3's conditional reads: 304 and 412.
fn check_conditions(
    row: &ObjectRow,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let is_this = |condition: &ETagCondition| {
        condition.is_any() || condition.as_etag().is_some_and(|etag| etag.value() == row.etag)
    };
    if if_match.is_some_and(|condition| !is_this(condition)) {
        return Err(s3_error!(PreconditionFailed));
    }
    if if_none_match.is_some_and(is_this) { Err(s3_error!(NotModified)) } else { Ok(()) }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.head_bucket(&request.input).map(S3Response::new)
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.create_bucket(&request.input).map(S3Response::new)
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.location(&request.input).map(S3Response::new)
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        Ok(S3Response::new(self.buckets()))
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        self.list_by_marker(request.input).await.map(S3Response::new)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.list(request.input).await.map(S3Response::new)
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.check_bucket(&request.input.bucket)?;
        let status = Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let location = location_of(&request);
        let put = self.put(request).await?;
        let etag = put.e_tag.as_ref().and_then(|etag| format!("\"{}\"", etag.value()).parse().ok());
        let mut response = S3Response::new(put);
        response.headers.extend(
            location
                .zip(etag)
                .into_iter()
                .flat_map(|(location, etag)| [(header::LOCATION, location), (header::ETAG, etag)]),
        );
        Ok(response)
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        self.copy(request.input).await.map(S3Response::new)
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let row = self.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        check_conditions(&row, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let shows_checksums = input.checksum_mode.is_some();
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: row.size.try_into().ok(),
            e_tag: Some(ETag::Strong(row.etag)),
            last_modified: Some(rows::timestamp(row.modified_at)),
            version_id: Some(row.version),
            ..row.meta.into_head(shows_checksums)
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let row = self.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        check_conditions(&row, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        row.meta.check_readable()?;
        let path = self.blobs.path(row.blob.as_deref().unwrap_or_default());
        let range = input.range.map(|range| range.check(row.size)).transpose()?;
        let (start, length) =
            range.as_ref().map_or((0, row.size), |range| (range.start, range.end - range.start));
        let body = reader::read(path, start, length).await.map_err(internal)?;
        let shows_checksums = input.checksum_mode.is_some() && range.is_none();
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body),
            accept_ranges: Some("bytes".into()),
            content_length: length.try_into().ok(),
            content_range: range.map(|range| format!("bytes {}-{}/{}", range.start, range.end - 1, row.size)),
            e_tag: Some(ETag::Strong(row.etag)),
            last_modified: Some(rows::timestamp(row.modified_at)),
            version_id: Some(row.version),
            tag_count: i32::try_from(row.tags.len()).ok().filter(|n_tags| *n_tags > 0),
            ..row.meta.into_get(shows_checksums)
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        self.check_bucket(&input.bucket)?;
        let deleted = self.delete(input.key, input.version_id).await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.delete_marker,
            version_id: deleted.version_id.or(deleted.delete_marker_version_id),
            ..Default::default()
        }))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.delete_many(request.input).await.map(S3Response::new)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        self.list_versions(request.input).await.map(S3Response::new)
    }

    async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = request.input;
        let row = self.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        let pairs = input
            .tagging
            .tag_set
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
        let tags: Vec<(String, String)> = pairs.collect();
        if tags.len() > 10 {
            return Err(s3_error!(InvalidTag));
        }
        let (tags, version) = (rows::to_json(&tags)?, row.version.clone());
        self.database
            .transact(move |tx| {
                let row = rusqlite::params![tags, version];
                tx.execute("UPDATE objects SET tags = ? WHERE version = ?", row).map_err(rows::sqlite)
            })
            .await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id: Some(row.version) }))
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = request.input;
        let row = self.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        let tag_set =
            row.tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: Some(row.version) }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.begin(request.input).await.map(S3Response::new)
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.put_part(request).await.map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete(request.input).await.map(S3Response::new)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.list_parts(request.input).await.map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort(request.input).await.map(S3Response::new)
    }
}
