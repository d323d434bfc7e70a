//! `POST /files/{id}/sample` and `GET /samples`: gives an operator the bytes of a file that is not clean, and
//! lists which operators took some.

use aws::{SamplePageStart, StoreErrorKind, clock};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use domain::id::{FileId, Sha256};
use domain::sample::{SampleDownload, SampleError, SampleRequest, sample};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::{Admin, ApiError, Json, QueryString, Refused};

use super::sample_zip;
use crate::App;
use crate::limit::page_limit;

/// The bytes to download, and the reason.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SampleBody {
    /// The digest of the judged bytes, as `scan_result.sha256` shows it.
    sha256: String,
    /// Kept with the download; at most 1000 bytes.
    #[schema(example = "to send it to the vendor as a false positive", min_length = 1, max_length = 1000)]
    reason: String,
}

/// The page.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct SamplesQuery {
    /// At most this many, 1 to 100.
    #[param(default = 50, minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// One page of operators' downloads, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SampleList {
    samples: Vec<SampleInfo>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An operator's download of a file that is not clean.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SampleInfo {
    #[schema(example = "123e4567-e89b-42d3-a456-426614174000")]
    file_id: String,
    /// The file's owner.
    #[schema(example = "carol")]
    owner: String,
    #[schema(example = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f")]
    sha256: String,
    /// The name of the finding, or why there was no other verdict.
    #[schema(example = "Win.Test.EICAR_HDB-1")]
    finding: String,
    #[schema(example = "to send it to the vendor as a false positive")]
    reason: String,
    /// The operator.
    #[schema(example = "alice")]
    downloaded_by: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    downloaded_at: String,
}

/// The archive.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the answer's body")]
pub(crate) struct SampleArchive(Vec<u8>);

const DEFAULT_LIMIT: u32 = 50;

/// Download a sample
///
/// The bytes of a file that is infected, released, unscannable or in error, for an operator who examines
/// them: a zip archive, encrypted with AES-256, whose password is `infected` and whose only member is called
/// by its SHA-256. Needs the setting `SAMPLE_DOWNLOADS`. The download is kept with its operator, time and
/// reason, before a byte is sent. An answer that ends early is no archive: send the request again.
#[utoipa::path(post, path = "/files/{file_id}/sample", operation_id = "downloadSample",
    tag = "operators", request_body = SampleBody,
    params(("file_id" = String, Path, description = "The file's id", format = "uuid",
        example = "123e4567-e89b-42d3-a456-426614174000")),
    responses(
        (status = 200, description = "The archive", body = SampleArchive,
            content_type = "application/octet-stream"),
        Refused,
    ))]
pub(crate) async fn download(
    State(app): State<App>,
    Admin(operator): Admin,
    Path(file_id): Path<String>,
    Json(body): Json<SampleBody>,
) -> Result<impl IntoResponse, ApiError> {
    let limit_bytes = app.settings.max_sample_size.ok_or(ApiError::SamplesNotAllowed)?;
    let file = FileId::parse(&file_id).map_err(|_| ApiError::FileNotFound)?;
    let sha256 = Sha256::parse(&body.sha256).map_err(|_| {
        ApiError::InvalidBody("`sha256` is not a SHA-256 in hexadecimal or base64".to_owned())
    })?;
    let record = app.stores.ledger.load(file).await?.filter(|record| !record.is_on_demand());
    let record = record.ok_or(ApiError::FileNotFound)?;
    let request = SampleRequest { sha256, reason: body.reason, by: operator.clone() };
    let (grant, download) = sample(&record, request, limit_bytes, clock::now())?;
    let object = app.stores.objects.open_sample(&grant).await.map_err(|error| match error.kind {
        StoreErrorKind::NotFound => SampleError::BytesRemoved.into(),
        _ => ApiError::from(error),
    })?;
    app.stores.ledger.keep_sample(clock::random_uuid(), download).await?;
    tracing::warn!(file.id = %file, file.sha256 = %sha256, operator = %operator, "a sample is downloaded");
    let headers: [(HeaderName, String); 4] = [
        // Programs open no bytes of this type by themselves, and generated clients know it.
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{sha256}.zip\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from_stream(sample_zip::encrypted(object, sha256))))
}

/// List downloads of samples
///
/// All files that operators have downloaded although they are not clean.
#[utoipa::path(get, path = "/samples", operation_id = "listSampleDownloads",
    tag = "operators", params(SamplesQuery),
    responses(
        (status = 200, description = "One page", body = SampleList),
        Refused,
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    _admin: Admin,
    QueryString(query): QueryString<SamplesQuery>,
) -> Result<axum::Json<SampleList>, ApiError> {
    let limit = i32::try_from(page_limit(query.limit, DEFAULT_LIMIT)?).unwrap_or(1);
    let start = query.cursor.as_deref().map(|cursor| read_cursor(cursor).ok_or(ApiError::InvalidCursor));
    let (samples, next) = app.stores.ledger.samples(start.transpose()?, limit).await?;
    let next_cursor = next.map(|next| format!("{}.{}", next.downloaded_at.as_millis(), next.id));
    Ok(axum::Json(SampleList { samples: samples.into_iter().map(SampleInfo::from).collect(), next_cursor }))
}

/// Reads a cursor. It contains nothing that an operator may not read or change, so it is not signed.
fn read_cursor(cursor: &str) -> Option<SamplePageStart> {
    let (millis, id) = cursor.split_once('.')?;
    let downloaded_at = Timestamp::from_millis(millis.parse().ok()?);
    Some(SamplePageStart { downloaded_at, id: Uuid::try_parse(id).ok()? })
}

impl From<SampleDownload> for SampleInfo {
    fn from(download: SampleDownload) -> Self {
        Self {
            file_id: download.file_id.to_string(),
            owner: download.owner.to_string(),
            sha256: download.sha256.to_string(),
            finding: download.finding,
            reason: download.reason,
            downloaded_by: download.by.to_string(),
            downloaded_at: download.at.to_string(),
        }
    }
}
