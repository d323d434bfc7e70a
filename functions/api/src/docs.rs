//! `GET /docs` and `GET /openapi.json`: the API reference.

mod page;

use axum::Router;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};
use web::{FilePath, NoSuchFile, Problem, Refused};

use crate::App;

/// The parts of the description that do not belong to a route of this function.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Airlock",
        description = "Takes files from people you do not trust and gives them to people you do. \
            A file can be downloaded only when the whole of it was scanned and nothing was found, \
            and only those bytes.",
    ),
    paths(download, file_events, events, metrics),
    components(schemas(Problem)),
    servers((url = "/", description = "The service that serves this description")),
    tags(
        (name = "files", description = "Upload files and follow them"),
        (name = "scan", description = "Verdicts on bytes that the service does not keep"),
        (name = "download", description = "Download clean files"),
        (name = "upload-clients", description = "The protocols of Uppy, better-upload and Active Storage, \
            for those clients. Your own programs need only `files`: these routes can do nothing else."),
        (name = "scan-clients", description = "The scan routes of clamav-rest-api and clamav-rest, for their \
            clients. Your own programs need only `scan`."),
        (name = "operators", description = "Monitor and operate the service; needs the scope `admin`"),
        (name = "service", description = "The health of the service"),
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

/// Where the bytes are, for a minute at most.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the download function's answer")]
struct DownloadAddress {
    #[schema(example = "https://storage.example.com/uploads/123e4567-e89b-42d3-a456-426614174000?...")]
    url: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
}

/// Follow a download link
///
/// Redirects to a storage URL that is valid for at most a minute and pinned to the judged version. Each call
/// counts as one download. With `Accept: application/json`, the answer contains the URL as JSON instead.
#[utoipa::path(get, path = "/download/{token}", operation_id = "followDownloadLink",
    tag = "download", security(()),
    params(("token" = String, Path, description = "From `download_url`")),
    responses(
        (status = 302, description = "Redirect to the bytes, as an attachment",
            headers(("Location" = String, description = "The storage URL"))),
        (status = 200, description = "The URL, for `Accept: application/json`", body = DownloadAddress),
        (status = 403, description = "No longer clean",
            body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not a link of this service",
            body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Expired or deleted, or the download limit is reached",
            body = Problem, content_type = "application/problem+json"),
    ))]
#[expect(
    dead_code,
    reason = "describes the download function's route, so that one reference covers all routes"
)]
fn download() {}

/// Follow a file
///
/// Sends server-sent events. `file` events report changes; their `data` is `{"type", "event_id", "at",
/// "file_info", "message"}`. Each has an `id`: a client that reconnects with it as `Last-Event-ID` misses no
/// event, but may receive some twice. `progress` events report the progress of the scan; their `data` is
/// `{"type", "file_id", "phase", "elapsed_seconds", "estimated_seconds"}`. The stream ends once the file has
/// its verdict. On AWS, these routes are at the function URL `LiveUrl`, if the stack has one.
#[utoipa::path(get, path = "/files/{file_id}/events", operation_id = "followFile",
    tag = "files",
    params(
        FilePath,
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that the client received"),
    ),
    responses(
        (status = 200, description = "Events as they happen", content_type = "text/event-stream"),
        (status = 204, description = "The client has received all events; no more are expected soon"),
        (status = 401, description = "No valid token",
            body = Problem, content_type = "application/problem+json"),
        NoSuchFile,
    ))]
#[expect(dead_code, reason = "describes the live function's route")]
fn file_events() {}

/// Follow all your files
///
/// Sends the same events as for one file. The stream does not end with a verdict, but after a maximum
/// duration.
#[utoipa::path(get, path = "/events", operation_id = "followFiles",
    tag = "files",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that the client received"),
    ),
    responses(
        (status = 200, description = "Events as they happen", content_type = "text/event-stream"),
        (status = 401, description = "No valid token",
            body = Problem, content_type = "application/problem+json"),
    ))]
#[expect(dead_code, reason = "describes the live function's route")]
fn events() {}

/// Read the statistics in the format of Prometheus
///
/// Only in local mode; on AWS, the statistics are in CloudWatch.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics",
    tag = "operators",
    responses(
        (status = 200, description = "Text exposition format", content_type = "text/plain"),
        Refused,
    ))]
#[expect(dead_code, reason = "the route exists only in local mode")]
fn metrics() {}

pub(crate) fn router() -> Router<App> {
    Router::new().route("/openapi.json", get(async || axum::Json(crate::openapi()))).merge(page::router())
}
