//! Errors on the wire: `application/problem+json` (RFC 9457), with the members that upload clients read:
//! Uppy shows `message`, better-upload `error.message`.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::error_code::ErrorCode;

/// The body of an error response.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A URN that ends with `code`.
    #[schema(example = "urn:airlock:error:file_not_found")]
    pub r#type: String,
    #[schema(example = "File not found")]
    pub title: &'static str,
    #[schema(example = 404)]
    pub status: u16,
    #[schema(example = "There is no such file.")]
    pub detail: String,
    /// The path of the request.
    #[schema(example = "/files/123e4567-e89b-42d3-a456-426614174000")]
    pub instance: String,
    /// Equal to `detail`.
    #[schema(example = "There is no such file.")]
    pub message: String,
    pub code: ErrorCode,
    /// The reason, for codes that have several: `encrypted`, or a signature's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The extensions that the service accepts, with the code `extension_not_allowed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_extensions: Option<Vec<String>>,
    /// Quote it when you report an error; the service's log has it.
    #[serde(rename = "requestId")]
    #[schema(example = "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e")]
    pub request_id: String,
    pub error: ProblemError,
}

/// The code and the message again, for clients that read errors in this form.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemError {
    pub r#type: ErrorCode,
    #[schema(example = "There is no such file.")]
    pub message: String,
}

/// The documented response if a file does not exist or does not belong to the caller.
#[derive(Debug, IntoResponses)]
#[response(
    status = 404,
    description = "The caller has no such file",
    content_type = "application/problem+json"
)]
pub struct NoSuchFile(pub Problem);

/// The documented response to a refused request.
#[derive(Debug, IntoResponses)]
#[response(status = "4XX", description = "Refused", content_type = "application/problem+json")]
pub struct Refused(pub Problem);

/// An error without the request's path and id, which [`problems`] adds.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) status: StatusCode,
    pub(crate) code: ErrorCode,
    pub(crate) title: &'static str,
    pub(crate) detail: String,
    pub(crate) reason: Option<String>,
    pub(crate) accepted_extensions: Option<Vec<String>>,
    pub(crate) retry_after: Option<Duration>,
    /// The exceeded quota: its name and limit.
    pub(crate) quota: Option<(&'static str, u64)>,
}

impl IntoResponse for Parts {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware: gives every request an id and writes the body of every error.
pub async fn problems(request: Request, next: Next) -> Response {
    let request_id = aws::clock::random_uuid().to_string();
    let instance = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if let Some(parts) = response.extensions_mut().remove::<Parts>() {
        tracing::debug!(request.id = request_id, problem.code = parts.code.as_str(), "request refused");
        response = render(parts, &instance, &request_id);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// Path prefixes that precede a secret token, which `instance` must not repeat.
const BEFORE_TOKEN: [&str; 3] = ["/download/", "/uppy/t/", "/multipart/"];

fn without_token(path: &str) -> &str {
    let secret = BEFORE_TOKEN.iter().find(|before| path.starts_with(**before));
    secret.map_or(path, |before| before.trim_end_matches('/'))
}

fn render(parts: Parts, instance: &str, request_id: &str) -> Response {
    let problem = Problem {
        r#type: format!("urn:airlock:error:{}", parts.code),
        title: parts.title,
        status: parts.status.as_u16(),
        instance: without_token(instance).to_owned(),
        message: parts.detail.clone(),
        code: parts.code,
        reason: parts.reason,
        accepted_extensions: parts.accepted_extensions,
        request_id: request_id.to_owned(),
        error: ProblemError { r#type: parts.code, message: parts.detail.clone() },
        detail: parts.detail,
    };
    let mut response = (parts.status, axum::Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if parts.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(after) = parts.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    if let Some((name, limit)) = parts.quota {
        // draft-ietf-httpapi-ratelimit-headers-10.
        let reset = parts.retry_after.unwrap_or_default().as_secs();
        let fields = [
            ("ratelimit-policy", format!("\"{name}\";q={limit}")),
            ("ratelimit", format!("\"{name}\";r=0;t={reset}")),
        ];
        for (field, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(field, value);
            }
        }
    }
    response
}
