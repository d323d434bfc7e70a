//! `POST /files/{id}/rescan`: requests another scan of a file that has a verdict.

use axum::extract::State;
use axum::http::StatusCode;
use domain::machine::Event;
use domain::machine::may_rescan;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::usage::{Quota, QuotaError};
use web::view::FileInfo;
use web::{ApiError, FilePath, NoSuchFile, OwnedFile, Problem};

use crate::App;

/// Rescan a file
///
/// The file keeps its status until the rescan is over. Infected files are not rescanned: only an operator's
/// release overrules a finding.
#[utoipa::path(post, path = "/files/{file_id}/rescan", operation_id = "rescanFile",
    tag = "files", params(FilePath),
    responses(
        (status = 202, description = "The rescan is requested", body = FileInfo),
        NoSuchFile,
        (status = 409, description = "Not scanned yet, or infected",
            body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Expired or deleted",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The daily scan-time quota is used up",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn rescan(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
) -> Result<(StatusCode, axum::Json<FileInfo>), ApiError> {
    let now = aws::clock::now();
    may_rescan(&record, now)?;
    refuse_used_up_scan_time(&app, &record, now).await?;
    let record = app.apply(record.file_id, &Event::RescanAsked).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(FileInfo::from(&record))))
}

/// Rescans of metered files count against the daily scan-time quota.
async fn refuse_used_up_scan_time(app: &App, record: &Record, now: Timestamp) -> Result<(), ApiError> {
    let Some(limit) = app.quotas.scan_seconds.filter(|_| record.metered.is_some()) else { return Ok(()) };
    let scanned = app.stores.ledger.scanned_today(&record.owner, now).await?;
    if scanned.as_secs() < limit {
        return Ok(());
    }
    Err(ApiError::QuotaExceeded { exceeded: QuotaError { quota: Quota::ScanSeconds, limit }, now })
}
