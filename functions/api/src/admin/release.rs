//! `POST /files/{id}/release`: an operator overrules a finding.

use axum::extract::{Path, State};
use domain::id::{FileId, Sha256};
use domain::machine::Event;
use domain::machine::release as make_release;
use serde::Deserialize;
use utoipa::ToSchema;
use web::view::FileInfo;
use web::{Admin, ApiError, Json, Refused};

use crate::App;

/// The bytes to release, and the reason.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseRequest {
    /// The digest of the judged bytes, as `scan_result.sha256` shows it, so that the operator releases no
    /// other bytes than those that were examined.
    sha256: String,
    /// Kept with the release; at most 1000 bytes.
    #[schema(example = "false positive, confirmed by the vendor", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Release an infected file
///
/// The file can then be downloaded, and so can later uploads of the same bytes with the same finding. A
/// different finding in these bytes still counts. The release is kept with its operator, time and reason.
#[utoipa::path(post, path = "/files/{file_id}/release", operation_id = "releaseFile",
    tag = "operators", request_body = ReleaseRequest,
    params(("file_id" = String, Path, description = "The file's id", format = "uuid",
        example = "123e4567-e89b-42d3-a456-426614174000")),
    responses(
        (status = 200, description = "Released", body = FileInfo),
        Refused,
    ))]
pub(crate) async fn release(
    State(app): State<App>,
    Admin(operator): Admin,
    Path(file_id): Path<String>,
    Json(body): Json<ReleaseRequest>,
) -> Result<axum::Json<FileInfo>, ApiError> {
    let file = FileId::parse(&file_id).map_err(|_| ApiError::FileNotFound)?;
    let sha256 = Sha256::parse(&body.sha256).map_err(|_| {
        ApiError::InvalidBody("`sha256` is not a SHA-256 in hexadecimal or base64".to_owned())
    })?;
    let record = app.stores.ledger.load(file).await?.ok_or(ApiError::FileNotFound)?;
    let release = make_release(&record, sha256, &body.reason, operator.clone(), aws::clock::now())?;
    // The release is stored first, so that no file is released without a record of the operator.
    app.stores.ledger.keep_release(release.clone()).await?;
    let record = app.apply(file, &Event::Released { release }).await?;
    tracing::warn!(file.id = %file, file.sha256 = %sha256, operator = %operator, "a finding was released");
    Ok(axum::Json(FileInfo::from(&record)))
}
