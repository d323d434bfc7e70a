//! `GET /docs` and `GET /openapi.json`: the reference, from this binary alone.

use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};
use web::{NoSuchFile, Problem, Refused};

use crate::App;

/// What the routes do not say themselves.
#[derive(OpenApi)]
#[openapi(
    info(title = "Airlock", description = "Takes files from people you do not trust and gives them to people you do. \
        A file can be downloaded only when the whole of it was scanned and nothing was found, and only those bytes."),
    paths(download, file_events, events, metrics),
    components(schemas(Problem)),
    tags(
        (name = "files", description = "Upload files and follow them"),
        (name = "download", description = "Download clean files"),
        (name = "operators", description = "Watch and run the service: the scope `admin`"),
        (name = "service", description = "The service itself"),
    ),
    modifiers(&BearerToken),
    security((), ("bearer" = [])),
)]
pub(crate) struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Follow a download link
///
/// Redirects to storage for at most a minute, pinned to the version that was judged; each call counts as one download.
/// With `Accept: application/json` the address comes as JSON instead.
#[utoipa::path(get, path = "/download/{token}", tag = "download", security(()),
    params(("token" = String, Path, description = "From `download_url`")),
    responses(
        (status = 302, description = "To the bytes, as an attachment"),
        (status = 200, description = "The address, for `Accept: application/json`", content_type = "application/json"),
        (status = 403, description = "No longer clean", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not a link of this service", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Expired, deleted, or downloaded often enough", body = Problem, content_type = "application/problem+json"),
    ))]
#[expect(
    dead_code,
    reason = "describes the download function's route, so that there is one reference for all"
)]
fn download() {}

/// Follow a file
///
/// Server-sent events. `file` events have an `id`; come back with it as `Last-Event-ID` and nothing is missed, though some may be told twice:
/// `data` is `{"type", "event_id", "at", "file_info", "message"}`. `progress` events say how it stands: `{"type", "file_id", "phase",
/// "elapsed_seconds", "estimated_seconds"}`. The stream ends once the file has its verdict. On AWS these routes are at the function URL
/// `LiveUrl`, if the stack has it.
#[utoipa::path(get, path = "/files/{file_id}/events", tag = "files",
    params(("file_id" = String, Path), ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was seen")),
    responses(
        (status = 200, description = "Events as they happen", content_type = "text/event-stream"),
        (status = 204, description = "Everything was seen, and nothing more will happen soon"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        NoSuchFile,
    ))]
#[expect(dead_code, reason = "describes the live function's route")]
fn file_events() {}

/// Follow all your files
///
/// As for one file; the stream does not end by itself for long.
#[utoipa::path(get, path = "/events", tag = "files",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was seen")),
    responses(
        (status = 200, description = "Events as they happen", content_type = "text/event-stream"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    ))]
#[expect(dead_code, reason = "describes the live function's route")]
fn events() {}

/// Read the statistics as Prometheus does
///
/// Only where everything runs on one machine; on AWS the numbers are in CloudWatch.
#[utoipa::path(get, path = "/metrics", tag = "operators",
    responses(
        (status = 200, description = "Text exposition format", content_type = "text/plain"),
        Refused,
    ))]
#[expect(dead_code, reason = "the route is there only in local mode")]
fn metrics() {}

/// Swagger UI is embedded: no CDN, nothing is fetched.
pub(crate) fn router() -> Router<App> {
    let ui = SwaggerUi::new("/docs").config(Config::new(["/openapi.json"]));
    Router::new().route("/openapi.json", get(async || axum::Json(crate::openapi()))).merge(ui)
}
