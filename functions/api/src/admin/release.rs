//! `POST /files/{id}/release`: an operator answers for a finding.

use axum::extract::{Path, State};
use domain::id::{FileId, Sha256};
use domain::machine::Event;
use domain::machine::release as make_release;
use serde::Deserialize;
use utoipa::ToSchema;
use web::view::FileInfo;
use web::{Admin, ApiError, Json, Refused};

use crate::App;

/// Which bytes, and why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseRequest {
    /// The digest of the bytes that were judged, as `scan_result.sha256` shows it: whoever releases has looked at these.
    sha256: String,
    /// For the record; at most 1000 bytes.
    #[schema(example = "false positive, confirmed by the vendor", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Release an infected file
///
/// It can be downloaded from then on, and so can later uploads of the same bytes with the same finding. Another finding in them counts. Who
/// released what, when and why is kept.
#[utoipa::path(post, path = "/files/{file_id}/release", tag = "operators", request_body = ReleaseRequest,
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
    // First the word, then the deed: a file is never released without somebody who answers for it.
    app.stores.ledger.keep_release(release.clone()).await?;
    let record = app.apply(file, &Event::Released { release }).await?;
    tracing::warn!(file.id = %file, file.sha256 = %sha256, operator = %operator, "a finding was released");
    Ok(axum::Json(FileInfo::from(&record)))
}
