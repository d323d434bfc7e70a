//! `POST /files/{id}/complete`: completes an upload, so that its scan is requested.

use aws::StoreErrorKind;
use axum::extract::State;
use axum::http::StatusCode;
use domain::machine::Event;
use domain::parts::{self, ListedPart, MultipartUpload, PartsError};
use domain::record::{Record, State as FileState};
use web::view::FileInfo;
use web::{ApiError, FilePath, NoSuchFile, OwnedFile, Problem};

use crate::App;

/// Complete an upload
///
/// Required for multipart uploads: the API checks the parts against the announced upload and joins them. For
/// other uploads it is optional: storage reports them itself, and where its events do not reach the service,
/// this call is faster than the sweep. Repeated and concurrent calls change nothing, nor do calls for a file
/// that has already been received.
#[utoipa::path(post, path = "/files/{file_id}/complete", operation_id = "completeUpload",
    tag = "files", params(FilePath),
    responses(
        (status = 202, description = "The bytes have been received", body = FileInfo),
        NoSuchFile,
        (status = 409, description = "Nothing has been uploaded, or not all of it",
            body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Expired or deleted",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn complete(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
) -> Result<(StatusCode, axum::Json<FileInfo>), ApiError> {
    let record = finish(&app, record, None).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(FileInfo::from(&record))))
}

/// Joins the parts of a multipart upload, and binds the uploaded version. `listed` are the parts that the
/// client lists, if its protocol has such a list. Idempotent.
pub(crate) async fn finish(
    app: &App,
    record: Record,
    listed: Option<&[ListedPart]>,
) -> Result<Record, ApiError> {
    match record.state {
        FileState::Awaiting => arrived(app, record, listed).await,
        FileState::Expired | FileState::Deleted => Err(domain::access::AccessError::Gone.into()),
        FileState::Queued { .. } | FileState::Scanning { .. } | FileState::Judged { .. } => Ok(record),
    }
}

async fn arrived(app: &App, record: Record, listed: Option<&[ListedPart]>) -> Result<Record, ApiError> {
    if let Some(upload) = record.multipart() {
        join(app, &record, upload, listed).await?;
    }
    let found = app.stores.objects.listed_version(&record.object_key()).await?;
    let version = found.ok_or(ApiError::NotUploaded)?;
    // The sweep does the same when the record is due.
    app.apply(record.file_id, &Event::Arrived { version }).await
}

/// Joins the parts, unless they have been joined already.
async fn join(
    app: &App,
    record: &Record,
    upload: &MultipartUpload,
    listed: Option<&[ListedPart]>,
) -> Result<(), ApiError> {
    let (objects, key) = (&app.stores.objects, record.object_key());
    let found = match objects.list_parts(&key, &upload.upload_id).await {
        Ok(found) => found,
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if let Some(listed) = listed {
        parts::compare(listed, &found)?;
    }
    let checked = parts::check(record.whole(app.uploads.max_file_size), &found, upload.has_checksums);
    if let Err(refused @ PartsError::TooLarge { .. }) = checked {
        // Sending more parts cannot make the upload smaller.
        objects.abort_multipart(&key, upload.upload_id.as_str()).await?;
        return Err(refused.into());
    }
    checked?;
    match objects.complete_multipart(&key, upload, &found).await {
        // Another request has joined them, or its answer was lost. The caller looks for the object next.
        Err(error) if matches!(error.kind, StoreErrorKind::NotFound | StoreErrorKind::PreconditionFailed) => {
            Ok(())
        }
        joined => Ok(joined?),
    }
}
