//! `POST /files`: creates an upload that goes directly to storage.

use std::collections::BTreeMap;

use aws::{IdempotencyKey, PresignedUpload};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::id::Sha256;
use domain::parts;
use domain::record::{Record, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::{Upload, UploadError, UploadRequest, accept};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use utoipa::ToSchema;
use web::view::Accepted;
use web::{ApiError, Caller, Json, Problem, Refused};

use crate::App;
use crate::create_upload::{Transfer, create_upload};

/// The file to upload.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFile {
    #[schema(example = "example.pdf", min_length = 1)]
    filename: String,
    /// Bytes. When given, storage accepts exactly this many.
    #[schema(example = 1_024_000, minimum = 1)]
    size: Option<u64>,
    #[schema(example = "application/pdf")]
    content_type: Option<String>,
    /// Hexadecimal or base64. When given, storage accepts only these bytes.
    checksum_sha256: Option<String>,
    #[serde(default)]
    method: Method,
    /// With `multipart`: the client declares the SHA-256 of each part, and storage refuses a part that was
    /// damaged in transit.
    #[serde(default)]
    part_checksums: bool,
    /// How often the file can be downloaded; unlimited if absent.
    #[schema(minimum = 1)]
    max_downloads: Option<u32>,
    /// Opens the file if it is encrypted: a ZIP or 7z archive, a PDF or an Office document. The password is
    /// used for the scan after the upload, kept encrypted until then, and never returned.
    // Not `skip_serializing`, with which the description would lack the field.
    #[serde(skip_serializing_if = "is_left_out")]
    #[schema(write_only, min_length = 1, max_length = 255)]
    password: Option<String>,
}

/// The serialized body is what an idempotency key stands for, and has no password.
fn is_left_out<T>(_: &T) -> bool {
    true
}

/// How the client will upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// A presigned PUT, which works once.
    #[default]
    Put,
    /// A form for a presigned POST. Storage limits its size even if the size is not known beforehand.
    Post,
    /// In parts, for large files. Parts can be sent concurrently, and again after a failure. See
    /// `/files/{file_id}/parts`. Needs `size`.
    Multipart,
}

/// The new file, and how to upload it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedDirect {
    #[serde(flatten)]
    accepted: Accepted,
    upload: UploadInstructions,
}

/// The request to send, unchanged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UploadInstructions {
    #[schema(example = "PUT")]
    method: &'static str,
    #[schema(example = "https://storage.example.com/uploads/123e4567-e89b-42d3-a456-426614174000?...")]
    url: String,
    /// For PUT: headers to send. They are signed; browsers set `content-length` themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({ "content-length": "1024000", "if-none-match": "*" }))]
    headers: BTreeMap<String, String>,
    /// For POST: form fields to send before the field `file`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, String>,
    /// For MULTIPART: bytes of every part but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part_count: Option<u64>,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
}

/// Create an upload that goes directly to storage
#[utoipa::path(post, path = "/files", operation_id = "createUpload",
    tag = "files", request_body = NewFile,
    params(
        ("Idempotency-Key" = Option<String>, Header,
            description = "A repeat of the same request with the same key gives the same file"),
    ),
    responses(
        (status = 429, description = "A quota is used up; `Retry-After` says when to retry",
            body = Problem, content_type = "application/problem+json"),
        (status = 201, description = "Upload to `upload.url`",
            body = AcceptedDirect, headers(("Location" = String))),
        Refused,
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewFile>,
) -> Result<Response, ApiError> {
    let now = aws::clock::now();
    let upload = accept(&request(&body), &app.uploads)?;
    let once = idempotency_key(&caller, &headers, &body)?;
    let transfer = match body.method {
        Method::Put => Transfer::Put,
        Method::Post => Transfer::Post,
        Method::Multipart if upload.declared_size.is_none() => return Err(UploadError::SizeNeeded.into()),
        Method::Multipart => Transfer::Parts { has_checksums: body.part_checksums },
    };
    let record = create_upload(&app, caller.owner, upload.clone(), transfer, once.as_ref(), now).await?;
    let location = format!("/files/{}", record.file_id);
    let upload = match record.multipart() {
        Some(_) => UploadInstructions::in_parts(&record, &upload),
        None => presign(&app, &record, &upload, now).await?.into(),
    };
    let body = AcceptedDirect { accepted: Accepted::from(&record), upload };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(body)).into_response())
}

fn request(body: &NewFile) -> UploadRequest<'_> {
    UploadRequest {
        filename: &body.filename,
        size_bytes: body.size,
        content_type: body.content_type.as_deref(),
        checksum_sha256: body.checksum_sha256.as_deref(),
        max_downloads: body.max_downloads,
        password: body.password.as_deref(),
    }
}

/// The idempotency key and a digest of the request (draft-ietf-httpapi-idempotency-key-header-07). The digest
/// leaves out the password, so that nothing is kept from which the password could be guessed.
fn idempotency_key(
    caller: &Caller,
    headers: &HeaderMap,
    body: &NewFile,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().map_err(|_| ApiError::InvalidIdempotencyKey)?;
    if key.is_empty() || key.len() > 255 {
        return Err(ApiError::InvalidIdempotencyKey);
    }
    let request = serde_json::to_vec(body).map_err(|_| ApiError::Internal)?;
    let request_hash = Sha256::from_bytes(sha2::Sha256::digest(&request).into()).to_string();
    Ok(Some(IdempotencyKey { owner: caller.owner.clone(), key: key.to_owned(), request_hash }))
}

async fn presign(
    app: &App,
    record: &Record,
    upload: &Upload,
    now: Timestamp,
) -> Result<PresignedUpload, ApiError> {
    let key = &record.object_key();
    // A replayed request gets a URL that expires with the first one, at the record's deadline.
    let ttl = record.upload_deadline.since(now);
    let objects = &app.stores.objects;
    Ok(match &record.upload_method {
        UploadMethod::Post => objects.presign_post(key, upload, app.uploads.max_file_size, ttl, now).await?,
        _ => objects.presign_put(key, upload.into(), ttl, now).await?,
    })
}

impl UploadInstructions {
    fn in_parts(record: &Record, upload: &Upload) -> Self {
        Self {
            method: "MULTIPART",
            url: format!("/files/{}/parts", record.file_id),
            headers: BTreeMap::new(),
            fields: BTreeMap::new(),
            part_size: Some(parts::PART_BYTES),
            part_count: upload.declared_size.map(parts::n_parts),
            expires_at: record.upload_deadline.to_string(),
        }
    }
}

impl From<PresignedUpload> for UploadInstructions {
    fn from(upload: PresignedUpload) -> Self {
        Self {
            method: upload.method,
            url: upload.url,
            headers: upload.headers,
            fields: upload.fields,
            part_size: None,
            part_count: None,
            expires_at: upload.expires_at.to_string(),
        }
    }
}
