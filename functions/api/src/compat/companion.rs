//! `/uppy/s3/…`: the S3 routes of Uppy's Companion, for `@uppy/aws-s3` 4 and 5 (`endpoint`) and 6 (`companionEndpoint`).
//!
//! Read from the clients and from `@uppy/companion` 6.2 (`server/controllers/s3.js`). What they insist on: a form for the upload of a whole file,
//! part numbers that are numbers, a bare array of parts, and JSON in the answer to an abort.

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
use crate::create_upload::{Way, create_upload};
use crate::{App, complete, upload_parts};

/// The file that is about to be uploaded. What else the client says about it is ignored.
#[derive(Clone, Debug, Deserialize, IntoParams)]
pub(crate) struct NewFormQuery {
    filename: String,
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

/// Companion: ask for a form that uploads a whole file
#[utoipa::path(get, path = "/s3/params", tag = "clients", params(NewFormQuery),
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

/// The large file that is about to be uploaded.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct NewMultipart {
    filename: String,
    #[serde(default, rename = "type")]
    content_type: Option<String>,
}

/// An upload in parts. The file's id is the last part of the key.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MultipartBegun {
    key: String,
    upload_id: String,
    bucket: String,
}

/// Companion: begin an upload in parts
#[utoipa::path(post, path = "/s3/multipart", tag = "clients", request_body = NewMultipart,
    responses(
        (status = 200, description = "Begun", body = MultipartBegun),
        Refused,
    ))]
pub(crate) async fn begin(
    State(app): State<App>,
    uploader: Uploader,
    Json(body): Json<NewMultipart>,
) -> Result<axum::Json<MultipartBegun>, ApiError> {
    let content_type = body.content_type.as_deref().unwrap_or_default();
    let upload = super::accepted(&app, &body.filename, None, content_type)?;
    let way = Way::Parts { has_checksums: false };
    let record = create_upload(&app, uploader.owner, upload, way, None, aws::clock::now()).await?;
    Ok(axum::Json(MultipartBegun {
        key: record.object_key().to_string(),
        upload_id: super::multipart(&record)?.upload_id.to_string(),
        bucket: app.stores.objects.bucket().to_owned(),
    }))
}

/// Which upload.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UploadPath {
    upload_id: String,
}

/// Where its file will be.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyQuery {
    key: String,
}

/// The caller's upload that the path and the key name.
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

/// A part that is there, in S3's words.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StoredPart {
    part_number: u32,
    /// With its quotes.
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
}

/// Companion: ask which parts are there
#[utoipa::path(get, path = "/s3/multipart/{upload_id}", tag = "clients", params(UploadPath, KeyQuery),
    responses(
        (status = 200, description = "All of them", body = Vec<StoredPart>),
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

/// Which part.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PartPath {
    /// From 1. Read by us, so that what is no number is an error like any other.
    #[param(value_type = u32, minimum = 1)]
    part_number: String,
}

/// A PUT of one part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PartUrl {
    url: String,
    /// Seconds.
    expires: u64,
}

/// Companion: ask for a request that sends one part
#[utoipa::path(get, path = "/s3/multipart/{upload_id}/{part_number}", tag = "clients", params(UploadPath, PartPath, KeyQuery),
    responses(
        (status = 200, description = "The request", body = PartUrl),
        Refused,
    ))]
pub(crate) async fn sign_part(
    State(app): State<App>,
    Named(record): Named,
    Path(path): Path<PartPath>,
) -> Result<axum::Json<PartUrl>, ApiError> {
    let now = aws::clock::now();
    let number = path.part_number.parse();
    let number = number.map_err(|_| ApiError::InvalidQuery("a part's number is a number".to_owned()))?;
    let (url, expires_at) = part_url(&app, &record, number, UploadPolicy::UPLOAD_TTL, now).await?;
    Ok(axum::Json(PartUrl { url, expires: expires_at.since(now).as_secs() }))
}

/// A request for one part, of the length that it must have if that is known, for `ttl` at most.
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

/// Which parts, separated by commas.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchQuery {
    #[param(example = "1,2,3")]
    part_numbers: String,
}

/// Requests by part number.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartUrls {
    presigned_urls: BTreeMap<u32, String>,
}

/// Companion: ask for requests that send several parts
#[utoipa::path(get, path = "/s3/multipart/{upload_id}/batch", tag = "clients", params(UploadPath, KeyQuery, BatchQuery),
    responses(
        (status = 200, description = "The requests", body = PartUrls),
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
    let invalid = |_| ApiError::InvalidQuery("`partNumbers` is a list of numbers".to_owned());
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

/// What the client has sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct SentParts {
    parts: Vec<SentPart>,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SentPart {
    part_number: u32,
    /// With or without its quotes.
    #[serde(rename = "ETag")]
    etag: String,
}

/// Where the file is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Completed {
    /// What is known about the file, at this API.
    location: String,
    key: String,
    bucket: String,
}

/// Companion: join the parts
///
/// Only if they are exactly the parts that the client lists.
#[utoipa::path(post, path = "/s3/multipart/{upload_id}/complete", tag = "clients", params(UploadPath, KeyQuery),
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

/// Nothing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Aborted {}

/// Companion: forget an upload
#[utoipa::path(delete, path = "/s3/multipart/{upload_id}", tag = "clients", params(UploadPath, KeyQuery),
    responses(
        (status = 200, description = "Forgotten", body = Aborted),
        Refused,
    ))]
pub(crate) async fn abort(
    State(app): State<App>,
    Named(record): Named,
) -> Result<axum::Json<Aborted>, ApiError> {
    super::abort(&app, &record).await?;
    Ok(axum::Json(Aborted {}))
}
