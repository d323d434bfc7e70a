//! The scan routes of two servers that put HTTP in front of ClamAV, for programs that already call them:
//! `POST /api/v1/scan` of `benzino77/clamav-rest-api` and `POST /v2/scan` of `ajilach/clamav-rest`.
//!
//! Sources: their documentation and their handlers. Their clients know found and not found, so bytes that
//! could not be checked as a whole are reported as a finding or as an error, and never as nothing found.

use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::id::OwnerId;
use domain::record::Record;
use domain::upload::UploadError;
use domain::verdict::Verdict;
use futures_util::TryStreamExt as _;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use web::{ApiError, Caller, Problem, Refused};

use crate::App;
use crate::on_demand::{OnDemandRequest, judged, store};
use crate::upload_form::disposition::Disposition;
use crate::upload_form::malformed;

/// The files of one request to `/api/v1/scan`, as there.
const MAX_FILES: usize = 4;
/// The form's field of `/api/v1/scan`, as there by default.
const FILES: &str = "FILES";

#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(crate) struct FilesForm {
    /// Up to four files.
    #[schema(rename = "FILES", value_type = Vec<String>, format = Binary)]
    files: Vec<String>,
}

/// The answer of clamav-rest-api; an error is a problem document, in which `success` is not true either.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ClamavRestApiAnswer {
    success: bool,
    data: ClamavRestApiData,
}

/// The results, in the order of the files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ClamavRestApiData {
    result: Vec<ClamavRestApiResult>,
}

/// What was found in one file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ClamavRestApiResult {
    #[schema(example = "report.pdf")]
    name: String,
    /// Also true for a file that could not be checked as a whole.
    is_infected: bool,
    /// The finding, or `Airlock.Unscannable.` and the reason.
    #[schema(example = json!(["Win.Test.EICAR_HDB-1"]))]
    viruses: Vec<String>,
}

/// The result of clamav-rest for one file.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ClamavRestResult {
    /// `OK`, `FOUND` or `PARSE ERROR`.
    #[schema(example = "FOUND")]
    status: &'static str,
    #[schema(example = "Win.Test.EICAR_HDB-1")]
    description: String,
    #[schema(example = "report.pdf")]
    file_name: String,
    #[serde(skip)]
    http_status: u16,
}

/// What became of one part of the form.
#[derive(Debug)]
enum PartResult {
    Clean,
    /// Malware, also if an operator released it: these clients have no word for that.
    Found {
        signature: String,
    },
    Unscannable {
        reason: &'static str,
    },
    TooLarge {
        error: ApiError,
    },
}

/// clamav-rest-api: scan files
#[utoipa::path(post, path = "/api/v1/scan", operation_id = "scanFilesAsClamavRestApi",
    tag = "scan-clients",
    request_body(content = FilesForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The results", body = ClamavRestApiAnswer),
        (status = 413, description = "A file is too large",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There is no verdict",
            body = Problem, content_type = "application/problem+json"),
        Refused,
    ))]
pub(crate) async fn scan_files(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<axum::Json<ClamavRestApiAnswer>, ApiError> {
    let mut scan = FormScan::of(&app, caller, request).await?;
    let mut result = vec![];
    while let Some((name, part)) = scan.next(Some(FILES)).await? {
        let viruses = match part {
            PartResult::Clean => vec![],
            PartResult::Found { signature } => vec![signature],
            PartResult::Unscannable { reason } => vec![format!("Airlock.Unscannable.{reason}")],
            PartResult::TooLarge { error } => return Err(error),
        };
        result.push(ClamavRestApiResult { name, is_infected: !viruses.is_empty(), viruses });
        if result.len() > MAX_FILES {
            break;
        }
    }
    if !(1..=MAX_FILES).contains(&result.len()) {
        return Err(ApiError::WrongNumberOfFiles { max: MAX_FILES });
    }
    Ok(axum::Json(ClamavRestApiAnswer { success: true, data: ClamavRestApiData { result } }))
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the form")]
pub(crate) struct AnyFilesForm {
    /// One or more files, in fields of any name.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// clamav-rest: scan files
///
/// The status of the answer is the worst of its results: 406 if malware was found, 200 if all files are
/// clean.
#[utoipa::path(post, path = "/v2/scan", operation_id = "scanFilesAsClamavRest",
    tag = "scan-clients",
    request_body(content = AnyFilesForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "All files are clean", body = Vec<ClamavRestResult>),
        (status = 406, description = "Malware was found", body = Vec<ClamavRestResult>),
        (status = 412, description = "A file could not be checked as a whole", body = Vec<ClamavRestResult>),
        (status = 413, description = "A file is too large", body = Vec<ClamavRestResult>),
        (status = 503, description = "There is no verdict",
            body = Problem, content_type = "application/problem+json"),
        Refused,
    ))]
pub(crate) async fn scan_forms(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let mut scan = FormScan::of(&app, caller, request).await?;
    let mut results = vec![];
    while let Some((file_name, part)) = scan.next(None).await? {
        let is_over = matches!(part, PartResult::TooLarge { .. });
        let (status, description, http_status) = match part {
            PartResult::Clean => ("OK", String::new(), 200),
            PartResult::Found { signature } => ("FOUND", signature, 406),
            PartResult::Unscannable { reason } => ("PARSE ERROR", format!("unscannable: {reason}"), 412),
            PartResult::TooLarge { .. } => ("PARSE ERROR", "File size limit exceeded".to_owned(), 413),
        };
        results.push(ClamavRestResult { status, description, file_name, http_status });
        if is_over {
            break;
        }
    }
    if results.is_empty() {
        return Err(ApiError::FileFieldMissing);
    }
    let found = results.iter().find(|result| result.status == "FOUND");
    let worst = found.or_else(|| results.iter().rfind(|result| result.status != "OK"));
    let http_status = worst.map_or(200, |worst| worst.http_status);
    let http_status = StatusCode::from_u16(http_status).map_err(|_| ApiError::Internal)?;
    Ok((http_status, axum::Json(results)).into_response())
}

/// A form whose files are judged one after the other, all within the time of one request.
struct FormScan<'a> {
    app: &'a App,
    owner: OwnerId,
    form: Multipart,
    deadline: Instant,
}

impl<'a> FormScan<'a> {
    async fn of(app: &'a App, caller: Caller, request: Request) -> Result<Self, ApiError> {
        let expected = "multipart/form-data";
        let form = Multipart::from_request(request, app).await;
        let form = form.map_err(|_| ApiError::UnsupportedMediaType { expected })?;
        let deadline = Instant::now() + app.settings.longest_scan_wait;
        Ok(Self { app, owner: caller.owner, form, deadline })
    }

    /// Judges the next file of the form; `None` after the last one. Fields that are no files are
    /// skipped; with `only`, a file in another field is an error.
    async fn next(&mut self, only: Option<&str>) -> Result<Option<(String, PartResult)>, ApiError> {
        while let Some(field) = self.form.next_field().await.map_err(|error| malformed(&error))? {
            let header = field.headers().get(header::CONTENT_DISPOSITION);
            let disposition = header.map(|value| Disposition::parse(value.as_bytes())).unwrap_or_default();
            let Some(file_name) = disposition.file_name else { continue };
            // Skipped, it would look judged to a client that reads only whether a finding is there.
            if only.is_some_and(|only| disposition.name.as_deref() != Some(only)) {
                return Err(ApiError::WrongNumberOfFiles { max: MAX_FILES });
            }
            let limit_bytes = self.app.settings.max_scan_body;
            let (owner, announced_bytes) = (self.owner.clone(), limit_bytes);
            let request = OnDemandRequest { owner, password: None, announced_bytes, limit_bytes };
            let stored = store(self.app, request, field.map_err(|error| malformed(&error))).await;
            let record = match stored {
                Ok(record) => record,
                Err(error) => return Ok(Some((file_name, refused(error)?))),
            };
            let record = judged(self.app, record, self.deadline).await?;
            return Ok(Some((file_name, result_of(&record))));
        }
        Ok(None)
    }
}

fn refused(error: ApiError) -> Result<PartResult, ApiError> {
    match error {
        ApiError::Upload(UploadError::EmptyFile) => Ok(PartResult::Unscannable { reason: "empty" }),
        ApiError::UseDirectUpload { .. } | ApiError::Upload(UploadError::TooLarge { .. }) => {
            Ok(PartResult::TooLarge { error })
        }
        error => Err(error),
    }
}

fn result_of(record: &Record) -> PartResult {
    match record.judgement().map(|judgement| &judgement.verdict) {
        Some(Verdict::Clean(_)) => PartResult::Clean,
        Some(Verdict::Infected { signature }) => PartResult::Found { signature: signature.clone() },
        Some(Verdict::Unscannable { reason }) => PartResult::Unscannable { reason: reason.code() },
        // `judged` returns no such record.
        Some(Verdict::Error { reason }) => PartResult::Unscannable { reason: reason.code() },
        None => PartResult::Unscannable { reason: "not_judged" },
    }
}
