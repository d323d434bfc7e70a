//! `POST /upload`: the upload of the original service, a form that is streamed through the API to storage.

pub(crate) mod disposition;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::password::{Password, PasswordError};
use domain::record::{Record, UploadMethod};
use domain::upload::{UploadRequest, accept};
use futures_util::TryStreamExt as _;
use utoipa::ToSchema;
use web::view::Accepted;
use web::{ApiError, Caller, Problem};

use crate::App;
use crate::streaming::{self, StreamedFile};
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
    let limit_bytes = app.settings.max_form_size;
    let announced_bytes = streaming::announced(&app, &request, limit_bytes)?;
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
pub(crate) async fn read_password(field: &mut Field<'_>) -> Result<String, ApiError> {
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

/// Stores the field as a file of the caller's.
async fn store(
    app: &App,
    caller: Caller,
    declared: Declared<'_>,
    field: Field<'_>,
) -> Result<Record, ApiError> {
    let content_type = field.content_type().map(ToOwned::to_owned);
    let request = UploadRequest {
        filename: declared.name,
        content_type: content_type.as_deref(),
        password: declared.password.filter(|password| !password.is_empty()),
        ..UploadRequest::default()
    };
    let wanted = StreamedFile {
        owner: caller.owner,
        upload: accept(&request, &app.uploads)?,
        method: UploadMethod::Form,
        announced_bytes: declared.announced_bytes,
        limit_bytes: app.settings.max_form_size,
    };
    streaming::store(app, wanted, field.map_err(|error| malformed(&error))).await
}

pub(crate) fn malformed(error: &MultipartError) -> ApiError {
    tracing::debug!(%error, "form refused");
    ApiError::MalformedForm
}
