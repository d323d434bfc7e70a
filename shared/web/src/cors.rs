//! Allows web pages of the configured origins to call the API (CORS).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Allows exactly these origins: never `*`, and never the request's `Origin` repeated.
pub fn cors(allowed_origins: &[String]) -> CorsLayer {
    let origins = allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            name("idempotency-key"),
            name("last-event-id"),
            name("prefer"),
            name("x-requested-with"),
            name("x-csrf-token"),
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            name("ratelimit"),
            name("ratelimit-policy"),
            name("x-request-id"),
        ])
        .max_age(Duration::from_mins(10))
}
