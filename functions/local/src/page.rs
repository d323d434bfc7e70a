//! The upload page and the monitor: embedded, no framework and no CDN.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

const HTML: &str = include_str!("../../../web/index.html");
const SCRIPT: &str = include_str!("../../../web/app.js");
const SERVICE: &str = include_str!("../../../web/service.js");
const MONITOR_HTML: &str = include_str!("../../../web/monitor.html");
const MONITOR_SCRIPT: &str = include_str!("../../../web/monitor.js");
const STYLE: &str = include_str!("../../../web/style.css");
const ICON: &str = include_str!("../../../web/icon.svg");

/// The pages' routes. They may talk to this origin and to the storage, and to nobody else.
pub(crate) fn router(s3_origin: &str) -> Router {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {s3_origin}; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let html = |text: &'static str| {
        let policy = policy.clone();
        get(move || {
            let policy = policy.clone();
            async move { ([(header::CONTENT_SECURITY_POLICY, policy)], file(text, "text/html; charset=utf-8")) }
        })
    };
    Router::new()
        .route("/", html(HTML))
        .route("/monitor", html(MONITOR_HTML))
        .route("/monitor.js", get(async || file(MONITOR_SCRIPT, "text/javascript; charset=utf-8")))
        .route("/service.js", get(async || file(SERVICE, "text/javascript; charset=utf-8")))
        .route("/app.js", get(async || file(SCRIPT, "text/javascript; charset=utf-8")))
        .route("/style.css", get(async || file(STYLE, "text/css; charset=utf-8")))
        .route("/icon.svg", get(async || file(ICON, "image/svg+xml")))
}

fn file(text: &'static str, content_type: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text)
}
