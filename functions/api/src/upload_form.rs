//! `POST /upload`: the upload of the original service, a form that is streamed through the API to storage.

mod disposition;

use aws::ObjectWriter;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::id::{FileId, ObjectKey, Sha256};
use domain::password::{Password, PasswordError};
use domain::record::{Record, UploadMethod};
use domain::upload::{UploadError, UploadRequest, accept};
use lifecycle::{Creation, NewUpload};
use sha2::Digest as _;
use utoipa::ToSchema;
use web::view::Accepted;
use web::{ApiError, Caller, Problem};

use crate::App;
use disposition::Disposition;

#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(crate) struct UploadForm {
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// Opens the file if it is encrypted; must precede the field `file`. See `POST /files`.
    #[schema(write_only, min_length = 1, max_length = 255)]
    password: Option<String>,
}

/// Upload a file through the service
///
/// The API streams the file to storage and limits its size. Upload larger files directly to storage: see
/// `POST /files`.
#[utoipa::path(post, path = "/upload", operation_id = "uploadFile",
    tag = "files",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Stored; the scan follows",
            body = Accepted, headers(("Location" = String))),
        (status = "4XX", description = "Refused; nothing is stored",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn upload(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    refuse_announced_excess(&app, &request)?;
    let announced_bytes = content_length(&request).unwrap_or(app.settings.max_form_size);
    let expected = "multipart/form-data";
    let form = Multipart::from_request(request, &app).await;
    let mut form = form.map_err(|_| ApiError::UnsupportedMediaType { expected })?;
    let mut password = None;
    while let Some(mut field) = form.next_field().await.map_err(|error| malformed(&error))? {
        let header = field.headers().get(header::CONTENT_DISPOSITION);
        let disposition = header.map(|value| Disposition::parse(value.as_bytes())).unwrap_or_default();
        let is_file = disposition.name.as_deref() == Some("file");
        if disposition.name.as_deref() == Some("password") {
            password = Some(read_password(&mut field).await?);
            continue;
        }
        if let Some(name) = disposition.file_name.filter(|_| is_file) {
            let record = {
                let declared = Declared { name: &name, password: password.as_deref(), announced_bytes };
                store(&app, caller, declared, field).await?
            };
            let location = format!("/files/{}", record.file_id);
            let body = axum::Json(Accepted::from(&record));
            return Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response());
        }
    }
    Err(ApiError::FileFieldMissing)
}

/// What the form declares about the file before its bytes.
struct Declared<'a> {
    name: &'a str,
    password: Option<&'a str>,
    announced_bytes: u64,
}

/// Reads the password. An empty field means no password, because browsers send fields that are left empty.
async fn read_password(field: &mut Field<'_>) -> Result<String, ApiError> {
    const MOST_BYTES: usize = 4 * Password::LONGEST;
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| malformed(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            return Err(ApiError::Upload(PasswordError.into()));
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::Upload(PasswordError.into()))
}

/// Refuses a request whose content length is too large, without reading it. 64 KiB are allowed for the form
/// around the file.
fn refuse_announced_excess(app: &App, request: &Request) -> Result<(), ApiError> {
    const FORM_BYTES: u64 = 64 * 1024;
    match content_length(request) {
        Some(length) if length > app.settings.max_form_size.saturating_add(FORM_BYTES) => Err(too_large(app)),
        _ => Ok(()),
    }
}

fn content_length(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(app: &App) -> ApiError {
    let (form, file) = (app.settings.max_form_size, app.uploads.max_file_size);
    if form < file {
        ApiError::UseDirectUpload { limit_bytes: form }
    } else {
        ApiError::Upload(UploadError::TooLarge { limit_bytes: file })
    }
}

/// Streams the field to storage, and creates the record just before the object becomes visible. If this fails
/// before the record exists, nothing is stored.
async fn store(
    app: &App,
    caller: Caller,
    declared: Declared<'_>,
    mut field: Field<'_>,
) -> Result<Record, ApiError> {
    let content_type = field.content_type().map(ToOwned::to_owned);
    let request = UploadRequest {
        filename: declared.name,
        content_type: content_type.as_deref(),
        password: declared.password.filter(|password| !password.is_empty()),
        ..UploadRequest::default()
    };
    let mut upload = accept(&request, &app.uploads)?;
    let file = FileId::from_random(aws::clock::random_uuid());
    let password = app.sealed_password(&upload, file)?;
    app.check_room(declared.announced_bytes)?;
    let mut writer =
        ObjectWriter::new(&app.stores.objects, ObjectKey::Issued(file), upload.content_type.clone());
    match copy(app, &mut field, &mut writer).await {
        Ok((size_bytes, sha256)) => {
            upload.declared_size = Some(size_bytes);
            upload.declared_sha256 = Some(sha256);
        }
        Err(error) => {
            abandon(writer).await;
            return Err(error);
        }
    }
    let now = aws::clock::now();
    let new = NewUpload { file, owner: caller.owner, upload, method: UploadMethod::Form, password };
    let refused = match app.creator().create(new, None, now).await {
        Ok(Creation::New(record)) => {
            // If this fails or the process dies here, the sweep expires the record, which has no object.
            writer.complete().await?;
            return Ok(*record);
        }
        Ok(Creation::Exceeded(exceeded)) => ApiError::QuotaExceeded { exceeded, now },
        // These need an idempotency key, which forms do not have.
        Ok(Creation::Replay(_) | Creation::KeyReused) => ApiError::Internal,
        Err(error) => error.into(),
    };
    abandon(writer).await;
    Err(refused)
}

/// Copies the field to storage. Returns the size and the digest; the scan must find the same digest.
async fn copy(
    app: &App,
    field: &mut Field<'_>,
    writer: &mut ObjectWriter<'_>,
) -> Result<(u64, Sha256), ApiError> {
    let limit_bytes = app.settings.max_form_size.min(app.uploads.max_file_size);
    let (mut size_bytes, mut hasher) = (0u64, sha2::Sha256::new());
    while let Some(chunk) = field.chunk().await.map_err(|error| malformed(&error))? {
        size_bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if size_bytes > limit_bytes {
            return Err(too_large(app));
        }
        hasher.update(&chunk);
        writer.write(&chunk).await?;
    }
    if size_bytes == 0 {
        return Err(UploadError::EmptyFile.into());
    }
    Ok((size_bytes, Sha256::from_bytes(hasher.finalize().into())))
}

async fn abandon(writer: ObjectWriter<'_>) {
    if let Err(error) = writer.abort().await {
        tracing::warn!(
            error = aws::log::chain(&error),
            "an unfinished upload is left to the bucket's lifecycle"
        );
    }
}

fn malformed(error: &MultipartError) -> ApiError {
    tracing::debug!(%error, "form refused");
    ApiError::MalformedForm
}
