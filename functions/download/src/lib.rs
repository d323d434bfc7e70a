//! Redirects a download link to the bytes that were judged, if its file may be downloaded now.
//!
//! Invariant: the status is read when the link is followed, and the download is counted by one atomic write
//! that repeats the conditions; only then is a URL presigned.

mod config;

use std::sync::Arc;

use aws::Stores;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use domain::access::{AccessError, DOWNLOAD_URL_TTL, DownloadGrant, LinkClaims, grant};
use domain::timestamp::Timestamp;
use serde::Serialize;
use web::{ApiError, LinkKey, LoopbackOnly};

pub use config::DownloadDeployment;

/// What the handlers need. Built once per process.
#[derive(Clone, Debug)]
pub struct DownloadContext {
    pub stores: Stores,
    pub link_key: LinkKey,
    pub allowed_origins: Vec<String>,
    pub loopback_only: LoopbackOnly,
}

/// The URL, for clients that ask for JSON.
#[derive(Clone, Debug, Serialize)]
struct DownloadAddress {
    url: String,
    expires_at: String,
}

/// The whole HTTP interface of this function.
pub fn router(context: DownloadContext) -> Router {
    let (cors, loopback) = (web::cors(&context.allowed_origins), context.loopback_only.clone());
    let link_key = context.link_key.clone();
    Router::new()
        .route("/download/{token}", get(follow))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(Arc::new(context))
        .layer(middleware::from_fn_with_state(link_key, web::renew_link_key))
        .layer(middleware::from_fn_with_state(loopback, web::loopback_only))
        .layer(middleware::from_fn(web::problems))
        // Outermost, so that a page of another origin can read errors too.
        .layer(cors)
}

async fn follow(
    State(context): State<Arc<DownloadContext>>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let now = aws::clock::now();
    let claims = match context.link_key.signer.read_link(&token) {
        // It may be signed with a key that is newer than the one in memory.
        Err(_) if context.link_key.renew_now(now).await => context.link_key.signer.read_link(&token)?,
        read => read?,
    };
    let grant = granted(&context, &claims).await?;
    // A HEAD says whether there is a download. It counts none and returns no URL.
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    if context.stores.ledger.count_download(&grant).await?.is_none() {
        // The record changed since it was read: read it again for the reason.
        granted(&context, &claims).await?;
        return Err(AccessError::LimitReached.into());
    }
    let (url, expires_at) = context.stores.objects.presign_get(&grant, DOWNLOAD_URL_TTL, now).await?;
    Ok(response(url, expires_at, wants_json(&headers)))
}

/// The grant for these claims by the record as it is now.
async fn granted(context: &DownloadContext, claims: &LinkClaims) -> Result<DownloadGrant, ApiError> {
    let record = context.stores.ledger.load(claims.file_id).await?.ok_or(AccessError::Gone)?;
    let release = context.stores.ledger.release_of(&record).await?;
    Ok(grant(&record, release.as_ref(), claims, aws::clock::now())?)
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"))
}

/// A redirect, or the URL as JSON. Neither is cached, nor sent on as a referrer: the URL is a capability.
fn response(url: String, expires_at: Timestamp, as_json: bool) -> Response {
    let mut response = if as_json {
        axum::Json(DownloadAddress { url, expires_at: expires_at.to_string() }).into_response()
    } else {
        (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests;
