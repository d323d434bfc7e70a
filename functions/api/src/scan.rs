//! `POST /scan`: answers with the verdict on the request's bytes, of which nothing is kept.

use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::header;
use domain::record::Record;
use futures_util::TryStreamExt as _;
use utoipa::ToSchema;
use web::view::ImmediateVerdict;
use web::{ApiError, Caller, Problem, Refused};

use crate::on_demand::{OnDemandRequest, judge};
use crate::upload_form::disposition::Disposition;
use crate::upload_form::{malformed, read_password};
use crate::{App, streaming};

#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(crate) struct ScanForm {
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// Opens the file if it is encrypted; must precede the field `file`. It is not kept.
    #[schema(write_only, min_length = 1, max_length = 255)]
    password: Option<String>,
}

/// Get a verdict on demand
///
/// Judges the body, or the field `file` of a form, and answers when the verdict is known; the service keeps
/// neither the bytes nor a record of them. Only `clean` means that all of it was scanned and nothing was
/// found. The verdict is about the bytes with the answer's `sha256`. Larger files: see `POST /files`.
#[utoipa::path(post, path = "/scan", operation_id = "scanBytes",
    tag = "scan",
    request_body(content(
        (Vec<u8> = "application/octet-stream"),
        (ScanForm = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "The verdict: `clean`, `infected`, `released` or `unscannable`",
            body = ImmediateVerdict),
        (status = 413, description = "Too large for this endpoint; `detail` names the limit",
            body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body has a `Content-Encoding`",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "A quota is used up; `Retry-After` says when to retry",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There is no verdict; `reason` says why, `Retry-After` when to retry",
            body = Problem, content_type = "application/problem+json"),
        Refused,
    ))]
pub(crate) async fn scan(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<axum::Json<ImmediateVerdict>, ApiError> {
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::EncodedBody);
    }
    let limit_bytes = app.settings.max_scan_body;
    let announced_bytes = streaming::announced(&app, &request, limit_bytes)?;
    let on_demand = OnDemandRequest { owner: caller.owner, password: None, announced_bytes, limit_bytes };
    let record = if is_form(&request) {
        judge_form(&app, on_demand, request).await?
    } else {
        let bytes = request.into_body().into_data_stream().map_err(|error| {
            tracing::debug!(%error, "the body ended early");
            ApiError::IncompleteBody
        });
        judge(&app, on_demand, bytes).await?
    };
    ImmediateVerdict::of(&record).map(axum::Json).ok_or(ApiError::Internal)
}

pub(crate) fn is_form(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

async fn judge_form(app: &App, on_demand: OnDemandRequest<'_>, request: Request) -> Result<Record, ApiError> {
    let mut form = Multipart::from_request(request, app).await.map_err(|_| ApiError::MalformedForm)?;
    let (mut password, mut judged) = (None, None);
    while let Some(mut field) = form.next_field().await.map_err(|error| malformed(&error))? {
        let header = field.headers().get(header::CONTENT_DISPOSITION);
        let disposition = header.map(|value| Disposition::parse(value.as_bytes())).unwrap_or_default();
        match disposition.name.as_deref() {
            Some("password") => password = Some(read_password(&mut field).await?),
            // The answer is about one file.
            Some("file") if judged.is_some() => {
                return Err(ApiError::WrongNumberOfFiles { max: 1 });
            }
            Some("file") => {
                let on_demand = OnDemandRequest { password: password.as_deref(), ..on_demand.clone() };
                judged = Some(judge(app, on_demand, field.map_err(|error| malformed(&error))).await?);
            }
            _ => {}
        }
    }
    judged.ok_or(ApiError::FileFieldMissing)
}
