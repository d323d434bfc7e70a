//! The protocols of existing upload clients. Each is a thin layer: it reads the client's request, creates the
//! upload as `POST /files` does, and answers in the client's format. None can do anything that the native
//! interface cannot.

pub(crate) mod active_storage;
pub(crate) mod better_upload;
pub(crate) mod clamav_rest;
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

/// Checks what a client declares about a file. A content type that is invalid is ignored: these clients often
/// send `""`, `"null"` or `"undefined"`.
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

/// Creates an upload by a form, whose policy limits the size even if the client does not declare it.
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

/// Presigns a PUT, without the headers that browsers do not let scripts set.
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

/// The uploader's file under a key. Another owner's file, an unknown key and a malformed key all give 404.
async fn record_under(app: &App, uploader: &Uploader, key: &str) -> Result<Record, ApiError> {
    let file = ObjectKey::issued_for(key).map_err(|_| ApiError::FileNotFound)?;
    let owned = OwnedFile::load(&app.stores.ledger, &uploader.owner, &file.to_string()).await?;
    Ok(owned.0)
}

/// The uploader's multipart upload under a key. An id of another upload gives 404, too.
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

/// Aborts an unfinished upload and deletes its file. Idempotent.
async fn abort(app: &App, record: &Record) -> Result<(), ApiError> {
    match record.state {
        FileState::Awaiting => app.apply(record.file_id, &Event::OwnerDeleted).await.map(drop),
        FileState::Expired | FileState::Deleted => Ok(()),
        FileState::Queued { .. } | FileState::Scanning { .. } | FileState::Judged { .. } => {
            Err(PartsError::Over.into())
        }
    }
}

/// The URL of the file at this API.
fn location(origin: &PublicOrigin, file: FileId) -> String {
    format!("{origin}/files/{file}")
}

/// The multipart upload of a record. Errors: the record was created without one.
fn multipart(record: &Record) -> Result<&MultipartUpload, ApiError> {
    record.multipart().ok_or(ApiError::Internal)
}

/// Middleware: keeps the response out of caches.
pub(crate) async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
