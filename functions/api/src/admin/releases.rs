//! `GET /releases` and `POST /releases/{sha256}/revoke`: lists operators' releases, and revokes one.

use std::time::Duration;

use aws::{ReleaseEntry, ReleasePageStart};
use axum::extract::{Path, State};
use domain::id::Sha256;
use domain::machine::{Event, revocation};
use domain::post_verdict::Revocation;
use domain::record::Status;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use web::{Admin, ApiError, Json, QueryString, Refused};

use crate::App;
use crate::limit::page_limit;

/// The page.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleasesQuery {
    /// At most this many, 1 to 100.
    #[param(default = 50, minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// One page of releases, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReleaseList {
    releases: Vec<ReleaseInfo>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A release, which is in force unless it was revoked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReleaseInfo {
    /// The digest of the released bytes.
    #[schema(example = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f")]
    sha256: String,
    /// The finding that does not count.
    #[schema(example = "Win.Test.EICAR_HDB-1")]
    signature: String,
    #[schema(example = "false positive, confirmed by the vendor")]
    reason: String,
    /// The operator.
    #[schema(example = "alice")]
    released_by: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    released_at: String,
    /// The operator who revoked the release; absent while it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bob")]
    revoked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-12-02T08:00:00Z")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the vendor withdrew its confirmation")]
    revoke_reason: Option<String>,
}

/// Why the release is revoked.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeRequest {
    /// Kept with the release; at most 1000 bytes.
    #[schema(example = "the vendor withdrew its confirmation", min_length = 1, max_length = 1000)]
    reason: String,
}

/// The revoked release, and what became of its files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RevokedRelease {
    release: ReleaseInfo,
    /// Files that are `infected` again.
    #[schema(example = 3)]
    files_changed: u64,
    /// Files that are still `released`. They cannot be downloaded; repeat the request to change them.
    #[schema(example = 0)]
    files_remaining: u64,
}

const DEFAULT_LIMIT: u32 = 50;
/// Below the timeout of API Gateway, which is 30 seconds.
const TIME_FOR_FILES: Duration = Duration::from_secs(20);

/// List releases
///
/// All releases that operators have made, in force or revoked.
#[utoipa::path(get, path = "/releases", operation_id = "listReleases",
    tag = "operators", params(ReleasesQuery),
    responses(
        (status = 200, description = "One page", body = ReleaseList),
        Refused,
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    _admin: Admin,
    QueryString(query): QueryString<ReleasesQuery>,
) -> Result<axum::Json<ReleaseList>, ApiError> {
    let limit = page_limit(query.limit, DEFAULT_LIMIT)?;
    let start = query.cursor.as_deref().map(|cursor| read_cursor(cursor).ok_or(ApiError::InvalidCursor));
    let limit = i32::try_from(limit).unwrap_or(1);
    let (releases, next) = app.stores.ledger.releases(start.transpose()?, limit).await?;
    let next_cursor = next.map(|next| format!("{}.{}", next.released_at.as_millis(), next.sha256));
    Ok(axum::Json(ReleaseList {
        releases: releases.into_iter().map(ReleaseInfo::from).collect(),
        next_cursor,
    }))
}

/// Revoke a release
///
/// Every file with these bytes that is `released` becomes `infected` again, and its links are revoked. None
/// of them can be downloaded from the moment the revocation is stored. Later uploads of the bytes
/// are `infected`. The revocation is kept with its operator, time and reason. Repeating the request keeps the
/// first revocation.
#[utoipa::path(post, path = "/releases/{sha256}/revoke", operation_id = "revokeRelease",
    tag = "operators", request_body = RevokeRequest,
    params(("sha256" = String, Path, description = "The digest of the released bytes",
        example = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f")),
    responses(
        (status = 200, description = "Revoked", body = RevokedRelease),
        Refused,
    ))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Admin(operator): Admin,
    Path(sha256): Path<String>,
    Json(body): Json<RevokeRequest>,
) -> Result<axum::Json<RevokedRelease>, ApiError> {
    let sha256 = Sha256::parse(&sha256).map_err(|_| ApiError::ReleaseNotFound)?;
    let revocation = revocation(sha256, &body.reason, operator.clone(), aws::clock::now())?;
    // Stored first: from here on, no file with these bytes can be downloaded or become `released`.
    let entry = app.stores.ledger.revoke_release(&revocation).await?.ok_or(ApiError::ReleaseNotFound)?;
    tracing::warn!(file.sha256 = %sha256, operator = %operator, "a release was revoked");
    let (files_changed, files_remaining) =
        change_files(&app, entry.revocation.as_ref().unwrap_or(&revocation)).await?;
    Ok(axum::Json(RevokedRelease { release: entry.into(), files_changed, files_remaining }))
}

/// Makes the released files infected again, as many as there is time for. Returns how many were changed, and
/// how many remain.
async fn change_files(app: &App, revocation: &Revocation) -> Result<(u64, u64), ApiError> {
    let deadline = Instant::now() + TIME_FOR_FILES;
    let event = Event::ReleaseRevoked { revocation: revocation.clone() };
    let (mut n_changed, mut n_remaining) = (0, 0);
    for file in app.stores.ledger.released_files(revocation.sha256).await? {
        if Instant::now() >= deadline {
            n_remaining += 1;
            continue;
        }
        match app.apply(file, &event).await {
            Ok(record) if record.status() == Status::Infected => n_changed += 1,
            // It has expired, or was deleted; later its record is removed.
            Ok(_) | Err(ApiError::FileNotFound) => {}
            Err(error) => {
                n_remaining += 1;
                let error = aws::log::chain(&error);
                tracing::warn!(file.id = %file, error, "the file is still released");
            }
        }
    }
    Ok((n_changed, n_remaining))
}

/// Reads a cursor. It contains nothing that an operator may not read or change, so it is not signed.
fn read_cursor(cursor: &str) -> Option<ReleasePageStart> {
    let (millis, sha256) = cursor.split_once('.')?;
    let released_at = Timestamp::from_millis(millis.parse().ok()?);
    Some(ReleasePageStart { released_at, sha256: Sha256::parse(sha256).ok()? })
}

impl From<ReleaseEntry> for ReleaseInfo {
    fn from(entry: ReleaseEntry) -> Self {
        let ReleaseEntry { release, revocation } = entry;
        let revoked_at = revocation.as_ref().map(|revocation| revocation.at.to_string());
        let (revoked_by, revoke_reason) =
            revocation.map(|revocation| (revocation.by.to_string(), revocation.reason)).unzip();
        Self {
            sha256: release.sha256.to_string(),
            signature: release.signature,
            reason: release.reason,
            released_by: release.by.to_string(),
            released_at: release.at.to_string(),
            revoked_by,
            revoked_at,
            revoke_reason,
        }
    }
}
