//! The page of the API reference: Swagger UI, started by our own page, which is accessible.
//!
//! All of it is embedded, so a browser fetches nothing from elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use utoipa_swagger_ui::Config;
use web::ApiError;

use crate::App;

/// Our files: names below `/docs/`, types and contents.
const FILES: [(&str, &str, &str); 4] = [
    ("", "text/html; charset=utf-8", include_str!("../../reference/index.html")),
    ("reference.css", "text/css; charset=utf-8", include_str!("../../reference/reference.css")),
    ("reference.js", "text/javascript; charset=utf-8", include_str!("../../reference/reference.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../../../web/icon.svg")),
];

/// Swagger UI's files that the page loads. Its own page and its other scripts are not served.
const SWAGGER_UI: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

pub(super) fn router() -> Router<App> {
    let ours = FILES.into_iter().fold(Router::new(), |router, (name, content_type, text)| {
        router.route(&format!("/docs/{name}"), get(async move || file(content_type, text)))
    });
    ours.route("/docs", get(async || Redirect::to("/docs/"))).route("/docs/{name}", get(swagger_ui))
}

async fn swagger_ui(Path(name): Path<String>) -> Result<impl IntoResponse, ApiError> {
    let found = SWAGGER_UI.contains(&name.as_str()).then(|| {
        // Fails for a file with a configuration only, which is none of these.
        utoipa_swagger_ui::serve(&name, Arc::new(Config::default())).ok().flatten()
    });
    let found = found.flatten().ok_or(ApiError::RouteNotFound)?;
    Ok(file(&found.content_type, found.bytes.into_owned()))
}

fn file<T: IntoResponse>(content_type: &str, content: T) -> impl IntoResponse + use<T> {
    let content_type = HeaderValue::from_str(content_type);
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"))),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, content)
}
