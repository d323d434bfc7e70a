//! `POST /upload-tokens`: issues upload tokens, for clients that cannot send an `Authorization` header.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::upload::UploadPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{ApiError, Caller, Json, Refused};

use super::PublicOrigin;
use crate::App;

/// The lifetime of the token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUploadToken {
    /// Seconds, at most a day.
    #[schema(minimum = 1, maximum = 86_400, default = 3600)]
    expires_in: Option<u64>,
}

/// An upload token, and the URL in which a client uses it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UploadToken {
    /// Permits uploads in your name and nothing else.
    token: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
    /// The value for Uppy's option `companionEndpoint`.
    #[schema(example = "https://api.example.com/uppy/t/eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9...")]
    companion_url: String,
}

const DEFAULT_TTL: Duration = Duration::from_hours(1);

/// Create an upload token
///
/// Some upload clients cannot send your `Authorization` header (Uppy 6 with `companionEndpoint`). Give such a
/// client a URL with this short-lived token instead. The token does not appear in logs.
#[utoipa::path(post, path = "/upload-tokens", operation_id = "createUploadToken",
    tag = "upload-clients", request_body = NewUploadToken,
    responses(
        (status = 201, description = "The token", body = UploadToken),
        Refused,
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    origin: PublicOrigin,
    Json(body): Json<NewUploadToken>,
) -> Result<Response, ApiError> {
    let ttl = body.expires_in.map_or(DEFAULT_TTL, Duration::from_secs);
    if ttl.is_zero() || ttl > UploadPolicy::MULTIPART_TTL {
        return Err(ApiError::InvalidBody("`expires_in` must be 1 to 86400".to_owned()));
    }
    let now = aws::clock::now();
    let expires_at = domain::timestamp::Timestamp::from_secs((now + ttl).as_secs());
    let token = app.link_key.signer.sign_upload(&caller.owner, expires_at, now)?;
    let companion_url = format!("{origin}/uppy/t/{token}");
    let body = UploadToken { token, expires_at: expires_at.to_string(), companion_url };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response())
}
