//! `GET /files/{id}/download-link` and `DELETE /files/{id}/links`: creates a link to the bytes that were
//! judged clean, and revokes all links.

use axum::extract::State;
use axum::http::StatusCode;
use domain::access::{LinkClaims, downloadable};
use domain::machine::Event;
use domain::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::view::FileInfo;
use web::{ApiError, FilePath, NoSuchFile, OwnedFile, Problem};

use crate::App;

/// A link, in the format of the original service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DownloadLink {
    /// Relative to this API. Anyone with this URL can download the file.
    #[schema(example = "/download/eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9...")]
    download_url: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
    file_info: FileInfo,
}

/// Create a download link for a clean file
#[utoipa::path(get, path = "/files/{file_id}/download-link", operation_id = "createDownloadLink",
    tag = "download", params(FilePath),
    responses(
        (status = 200, description = "The link", body = DownloadLink),
        (status = 403, description = "Infected, unscannable, or the scan failed",
            body = Problem, content_type = "application/problem+json"),
        NoSuchFile,
        (status = 409, description = "Not scanned yet; `Retry-After` says when to retry",
            body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Expired or deleted",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
) -> Result<axum::Json<DownloadLink>, ApiError> {
    let now = aws::clock::now();
    let release = app.stores.ledger.release_of(&record).await?;
    let version = downloadable(&record, release.as_ref(), now)?;
    // Whole seconds, as in the token. A link expires with its file at the latest.
    let expires_at = Timestamp::from_secs((now + app.settings.link_ttl).min(record.expires_at).as_secs());
    let claims = LinkClaims {
        file_id: record.file_id,
        version_id: version.version_id.clone(),
        expires_at,
        generation: record.link_generation,
    };
    let token = app.link_key.signer.sign_link(&claims, now)?;
    Ok(axum::Json(DownloadLink {
        download_url: format!("/download/{token}"),
        expires_at: expires_at.to_string(),
        file_info: FileInfo::from(&record),
    }))
}

/// Revoke all links to a file
#[utoipa::path(delete, path = "/files/{file_id}/links", operation_id = "revokeLinks",
    tag = "download", params(FilePath),
    responses(
        (status = 204, description = "All existing links are revoked"),
        NoSuchFile,
    ))]
pub(crate) async fn revoke(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
) -> Result<StatusCode, ApiError> {
    app.apply(record.file_id, &Event::LinksRevoked).await?;
    Ok(StatusCode::NO_CONTENT)
}
