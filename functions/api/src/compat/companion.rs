//! `/uppy/s3/…`: the S3 routes of Uppy's Companion, for `@uppy/aws-s3` 4 and 5 (`endpoint`) and 6
//! (`companionEndpoint`).
//!
//! Sources: the clients, and `@uppy/companion` 6.2 (`server/controllers/s3.js`). The clients require a form
//! for the upload of a whole file, part numbers as JSON numbers, a bare array of parts, and JSON in the
//! answer to an abort.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::PartRequest;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use domain::parts::{ListedPart, MAX_PARTS_PER_REQUEST, PartsError};
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::upload::UploadPolicy;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{ApiError, Json, QueryString, Refused};

use super::{PublicOrigin, Uploader};
use crate::create_upload::{Transfer, create_upload};
use crate::{App, complete, upload_parts};

/// The file to upload. Other parameters of the client are ignored.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NewFormQuery {
    /// The file's name.
    #[param(example = "example.pdf")]
    filename: String,
    /// The file's content type, if the client knows it.
    #[serde(default, rename = "type")]
    content_type: String,
}

/// A form to post.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FormInstructions {
    #[schema(example = "POST")]
    method: &'static str,
    url: String,
    fields: BTreeMap<String, String>,
    /// Seconds.
    expires: u64,
}

/// Companion: create an upload of a whole file by a form
#[utoipa::path(get, path = "/s3/params", operation_id = "createUppyForm",
    tag = "upload-clients", params(NewFormQuery),
    responses(
        (status = 200, description = "The form", body = FormInstructions),
        Refused,
    ))]
pub(crate) async fn params(
    State(app): State<App>,
    uploader: Uploader,
    QueryString(query): QueryString<NewFormQuery>,
) -> Result<axum::Json<FormInstructions>, ApiError> {
    let now = aws::clock::now();
    let upload = super::accepted(&app, &query.filename, None, &query.content_type)?;
    let form = super::begin_form(&app, uploader, upload, now).await?;
    let expires = form.expires_at.since(now).as_secs();
    Ok(axum::Json(FormInstructions { method: form.method, url: form.url, fields: form.fields, expires }))
}

/// The file to upload in parts.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct NewMultipart {
    filename: String,
    #[serde(default, rename = "type")]
    content_type: Option<String>,
}

/// A multipart upload. The file's id is the last segment of the key.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MultipartBegun {
    key: String,
    upload_id: String,
    bucket: String,
}

/// Companion: create a multipart upload
#[utoipa::path(post, path = "/s3/multipart", operation_id = "createUppyMultipart",
    tag = "upload-clients", request_body = NewMultipart,
    responses(
        (status = 200, description = "Created", body = MultipartBegun),
        Refused,
    ))]
pub(crate) async fn begin(
    State(app): State<App>,
    uploader: Uploader,
    Json(body): Json<NewMultipart>,
) -> Result<axum::Json<MultipartBegun>, ApiError> {
    let content_type = body.content_type.as_deref().unwrap_or_default();
    let upload = super::accepted(&app, &body.filename, None, content_type)?;
    let transfer = Transfer::Parts { has_checksums: false };
    let record = create_upload(&app, uploader.owner, upload, transfer, None, aws::clock::now()).await?;
    Ok(axum::Json(MultipartBegun {
        key: record.object_key().to_string(),
        upload_id: super::multipart(&record)?.upload_id.to_string(),
        bucket: app.stores.objects.bucket().to_owned(),
    }))
}

/// The multipart upload.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UploadPath {
    /// The `uploadId` from the creation of the upload.
    upload_id: String,
}

/// The key of the file.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyQuery {
    /// The `key` from the creation of the upload.
    #[param(example = "uploads/123e4567-e89b-42d3-a456-426614174000")]
    key: String,
}

/// The uploader's multipart upload, named by the path and the key.
pub(crate) struct Named(Record);

impl FromRequestParts<App> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let uploader = Uploader::from_request_parts(parts, app).await?;
        let path = Path::<UploadPath>::from_request_parts(parts, app).await;
        let Path(UploadPath { upload_id }) = path.map_err(|_| ApiError::FileNotFound)?;
        let QueryString(KeyQuery { key }) = QueryString::from_request_parts(parts, app).await?;
        super::upload_under(app, &uploader, &key, &upload_id).await.map(Self)
    }
}

/// An uploaded part, in S3's format.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = UppyStoredPart)]
pub(crate) struct StoredPart {
    part_number: u32,
    /// With quotes.
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
}

/// Companion: list the uploaded parts
#[utoipa::path(get, path = "/s3/multipart/{upload_id}", operation_id = "listUppyParts",
    tag = "upload-clients", params(UploadPath, KeyQuery),
    responses(
        (status = 200, description = "All uploaded parts", body = Vec<StoredPart>),
        Refused,
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    Named(record): Named,
) -> Result<axum::Json<Vec<StoredPart>>, ApiError> {
    let parts = super::stored_parts(&app, &record, aws::clock::now()).await?;
    let shown = parts.into_iter().map(|part| StoredPart {
        part_number: part.number,
        etag: format!("\"{}\"", part.etag),
        size: part.size_bytes,
    });
    Ok(axum::Json(shown.collect()))
}

/// The part.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PartPath {
    /// From 1. Parsed by the handler, so that an invalid number gets the usual error response.
    #[param(value_type = u32, minimum = 1)]
    part_number: String,
}

/// A presigned PUT of one part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PartUrl {
    url: String,
    /// Seconds.
    expires: u64,
}

/// Companion: presign the upload of one part
#[utoipa::path(get, path = "/s3/multipart/{upload_id}/{part_number}", operation_id = "presignUppyPart",
    tag = "upload-clients",
    params(UploadPath, PartPath, KeyQuery),
    responses(
        (status = 200, description = "The presigned request", body = PartUrl),
        Refused,
    ))]
pub(crate) async fn sign_part(
    State(app): State<App>,
    Named(record): Named,
    Path(path): Path<PartPath>,
) -> Result<axum::Json<PartUrl>, ApiError> {
    let now = aws::clock::now();
    let number = path.part_number.parse();
    let number =
        number.map_err(|_| ApiError::InvalidQuery("the part number must be an integer".to_owned()))?;
    let (url, expires_at) = part_url(&app, &record, number, UploadPolicy::UPLOAD_TTL, now).await?;
    Ok(axum::Json(PartUrl { url, expires: expires_at.since(now).as_secs() }))
}

/// Presigns one part for at most `ttl`. The length is signed if the size of the file is known.
pub(super) async fn part_url(
    app: &App,
    record: &Record,
    number: u32,
    ttl: Duration,
    now: Timestamp,
) -> Result<(String, Timestamp), ApiError> {
    let upload = upload_parts::open_upload(record, now)?;
    if upload.has_checksums {
        return Err(PartsError::ChecksumNeeded { number }.into());
    }
    let size_bytes = record.whole(app.uploads.max_file_size).part_size(number)?;
    let part = PartRequest { number, size_bytes, sha256: None };
    let ttl = ttl.min(record.upload_deadline.since(now));
    let (objects, key) = (&app.stores.objects, record.object_key());
    let presigned = objects.presign_part(&key, &upload.upload_id, part, ttl, now).await?;
    Ok((presigned.url, presigned.expires_at))
}

/// The part numbers, separated by commas.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchQuery {
    /// At most 100 part numbers, separated by commas.
    #[param(example = "1,2,3")]
    part_numbers: String,
}

/// Presigned requests by part number.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartUrls {
    presigned_urls: BTreeMap<u32, String>,
}

/// Companion: presign the upload of several parts
#[utoipa::path(get, path = "/s3/multipart/{upload_id}/batch", operation_id = "presignUppyParts",
    tag = "upload-clients",
    params(UploadPath, KeyQuery, BatchQuery),
    responses(
        (status = 200, description = "The presigned requests", body = PartUrls),
        Refused,
    ))]
pub(crate) async fn sign_parts(
    State(app): State<App>,
    Named(record): Named,
    QueryString(query): QueryString<BatchQuery>,
) -> Result<axum::Json<PartUrls>, ApiError> {
    let now = aws::clock::now();
    let numbers: Result<Vec<u32>, _> =
        query.part_numbers.split(',').map(|number| number.trim().parse()).collect();
    let invalid =
        |_| ApiError::InvalidQuery("`partNumbers` must be a comma-separated list of integers".to_owned());
    let numbers = numbers.map_err(invalid)?;
    if numbers.len() > MAX_PARTS_PER_REQUEST {
        return Err(PartsError::WrongNumber.into());
    }
    let mut presigned_urls = BTreeMap::new();
    for number in numbers {
        let (url, _) = part_url(&app, &record, number, UploadPolicy::UPLOAD_TTL, now).await?;
        presigned_urls.insert(number, url);
    }
    Ok(axum::Json(PartUrls { presigned_urls }))
}

/// The parts that the client has sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct SentParts {
    parts: Vec<SentPart>,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SentPart {
    part_number: u32,
    /// With or without quotes.
    #[serde(rename = "ETag")]
    etag: String,
}

/// The location of the file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Completed {
    /// The URL of the file at this API.
    location: String,
    key: String,
    bucket: String,
}

/// Companion: complete a multipart upload
///
/// The parts in storage must be exactly those that the client lists.
#[utoipa::path(post, path = "/s3/multipart/{upload_id}/complete", operation_id = "completeUppyMultipart",
    tag = "upload-clients",
    params(UploadPath, KeyQuery),
    request_body = SentParts,
    responses(
        (status = 200, description = "Joined; the scan follows", body = Completed),
        Refused,
    ))]
pub(crate) async fn join(
    State(app): State<App>,
    Named(record): Named,
    origin: PublicOrigin,
    Json(body): Json<SentParts>,
) -> Result<axum::Json<Completed>, ApiError> {
    let listed = body
        .parts
        .into_iter()
        .map(|part| ListedPart { number: part.part_number, etag: part.etag.trim_matches('"').to_owned() });
    let record = complete::finish(&app, record, Some(&listed.collect::<Vec<_>>())).await?;
    let location = super::location(&origin, record.file_id);
    let (key, bucket) = (record.object_key().to_string(), app.stores.objects.bucket().to_owned());
    Ok(axum::Json(Completed { location, key, bucket }))
}

/// An empty object.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Aborted {}

/// Companion: abort a multipart upload
#[utoipa::path(delete, path = "/s3/multipart/{upload_id}", operation_id = "abortUppyMultipart",
    tag = "upload-clients", params(UploadPath, KeyQuery),
    responses(
        (status = 200, description = "Aborted", body = Aborted),
        Refused,
    ))]
pub(crate) async fn abort(
    State(app): State<App>,
    Named(record): Named,
) -> Result<axum::Json<Aborted>, ApiError> {
    super::abort(&app, &record).await?;
    Ok(axum::Json(Aborted {}))
}
