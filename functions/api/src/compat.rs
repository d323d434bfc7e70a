//! The protocols that existing upload clients speak. Each is a thin layer: it reads the client's request, creates the upload
//! as `POST /files` does, and answers in the client's format. None of them can do anything that the native interface cannot.

pub(crate) mod active_storage;
pub(crate) mod better_upload;
pub(crate) mod companion;
mod origin;
pub(crate) mod s3_parts;
pub(crate) mod sign_request;
pub(crate) mod upload_token;
mod uploader;

use aws::{PresignedUpload, PutRequest};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use domain::content_type::ContentType;
use domain::id::{FileId, ObjectKey};
use domain::machine::Event;
use domain::parts::{MultipartUpload, PartsError, StoredPart};
use domain::record::{Record, State as FileState};
use domain::timestamp::Timestamp;
use domain::upload::{Upload, UploadRequest, accept};
use web::{ApiError, OwnedFile};

use crate::create_upload::{Transfer, create_upload};
use crate::{App, upload_parts};
use origin::PublicOrigin;
use uploader::Uploader;

/// What these clients say about a file. Their content types are often no such thing (`""`, `"null"`, `"undefined"`).
fn accepted(
    app: &App,
    filename: &str,
    size_bytes: Option<u64>,
    content_type: &str,
) -> Result<Upload, ApiError> {
    let content_type = Some(content_type).filter(|text| ContentType::parse(text).is_ok());
    Ok(accept(
        &UploadRequest { filename, size_bytes, content_type, ..UploadRequest::default() },
        &app.uploads,
    )?)
}

/// A form, whose policy limits the size even where the client does not say it.
async fn begin_form(
    app: &App,
    uploader: Uploader,
    upload: Upload,
    now: Timestamp,
) -> Result<PresignedUpload, ApiError> {
    let record = create_upload(app, uploader.owner, upload.clone(), Transfer::Post, None, now).await?;
    let (objects, key) = (&app.stores.objects, record.object_key());
    let ttl = record.upload_deadline.since(now);
    Ok(objects.presign_post(&key, &upload, app.uploads.max_file_size, ttl, now).await?)
}

/// A PUT, without the headers that a browser does not let scripts set.
async fn presign_put(
    app: &App,
    record: &Record,
    put: PutRequest<'_>,
    now: Timestamp,
) -> Result<PresignedUpload, ApiError> {
    let ttl = record.upload_deadline.since(now);
    let mut presigned = app.stores.objects.presign_put(&record.object_key(), put, ttl, now).await?;
    presigned.headers.remove("content-length");
    Ok(presigned)
}

/// The caller's file under a key. A foreign one, an unknown one and a malformed key are the same 404.
async fn record_under(app: &App, uploader: &Uploader, key: &str) -> Result<Record, ApiError> {
    let file = ObjectKey::issued_for(key).map_err(|_| ApiError::FileNotFound)?;
    let owned = OwnedFile::load(&app.stores.ledger, &uploader.owner, &file.to_string()).await?;
    Ok(owned.0)
}

/// The caller's upload in parts. Under the right key with another upload's id, there is nothing either.
async fn upload_under(
    app: &App,
    uploader: &Uploader,
    key: &str,
    upload_id: &str,
) -> Result<Record, ApiError> {
    let record = record_under(app, uploader, key).await?;
    let is_its_own = record.multipart().is_some_and(|upload| upload.upload_id.as_str() == upload_id);
    if is_its_own { Ok(record) } else { Err(ApiError::FileNotFound) }
}

async fn stored_parts(app: &App, record: &Record, now: Timestamp) -> Result<Vec<StoredPart>, ApiError> {
    let upload = upload_parts::open_upload(record, now)?;
    match app.stores.objects.list_parts(&record.object_key(), &upload.upload_id).await {
        Err(error) if error.kind == aws::StoreErrorKind::NotFound => Err(PartsError::Over.into()),
        found => Ok(found?),
    }
}

/// Forgets an upload that is not over: the file is deleted. Idempotent.
async fn abort(app: &App, record: &Record) -> Result<(), ApiError> {
    match record.state {
        FileState::Awaiting => app.apply(record.file_id, &Event::OwnerDeleted).await.map(drop),
        FileState::Expired | FileState::Deleted => Ok(()),
        FileState::Queued { .. } | FileState::Scanning { .. } | FileState::Judged { .. } => {
            Err(PartsError::Over.into())
        }
    }
}

/// Where the client finds the file, once it is uploaded.
fn location(origin: &PublicOrigin, file: FileId) -> String {
    format!("{origin}/files/{file}")
}

/// The upload that storage keeps for a record that was announced in parts.
fn multipart(record: &Record) -> Result<&MultipartUpload, ApiError> {
    record.multipart().ok_or(ApiError::Internal)
}

/// Middleware: nobody keeps these answers.
pub(crate) async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
