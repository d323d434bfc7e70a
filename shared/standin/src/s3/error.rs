//! Error answers: S3's code with a message that says what is wrong, also where `s3s` 0.14 gives a code alone.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::guard;

/// `s3s` makes errors of a few hundred bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The most characters of a header's value that a message repeats.
const MAX_SHOWN: usize = 100;

/// The error of `s3s` for an invalid region, such as s3cmd's "US".
const INVALID_REGION: &str = "invalid credential region";

/// Refuses a request that is unsigned, or not for this storage.
pub fn access_denied(message: &str) -> Response {
    answer(StatusCode::FORBIDDEN, "AccessDenied", message)
}

/// Refuses a request beyond the limit of connections. S3's clients retry it later.
pub fn slow_down() -> Response {
    let mut response = answer(
        StatusCode::SERVICE_UNAVAILABLE,
        "SlowDown",
        "there are too many connections; try again later",
    );
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
    response
}

pub(super) fn answer(status: StatusCode, code: &str, message: &str) -> Response {
    respond(status, &(element("Code", code) + &element("Message", message)))
}

fn respond(status: StatusCode, elements: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error>{elements}</Error>");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// The parts of a request that an error's message needs.
pub(super) struct Asked {
    is_form: bool,
    signed: Vec<String>,
    headers: HeaderMap,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let signed = guard::signed_headers(request).into_iter().collect();
        Self { is_form: guard::is_form(request), signed, headers: request.headers().clone() }
    }

    /// S3 cannot know which header had another value when the request was signed, but which ones are missing,
    /// and the values that arrived.
    fn signature_differs(&self) -> String {
        if self.is_form {
            return "the form's `policy` is not the one that was signed, or was signed with another key; send \
                    every field as it was given"
                .to_owned();
        }
        let missing: Vec<_> = self.signed.iter().filter(|name| !self.headers.contains_key(*name)).collect();
        if !missing.is_empty() {
            let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
            return format!("the request lacks what was signed: {}", names.join(", "));
        }
        // `host` last, because it is seldom the wrong one.
        let (hosts, others): (Vec<_>, Vec<_>) = self.signed.iter().partition(|name| *name == "host");
        let shown: Vec<_> = others.into_iter().chain(hosts).map(|name| self.shown(name)).collect();
        format!(
            "the request is not the one that was signed: its method, path, query or one of these headers has \
             another value: {}",
            shown.join(", ")
        )
    }

    fn shown(&self, name: &str) -> String {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let value: String = values.join(", ").chars().take(MAX_SHOWN).collect();
        format!("`{name}: {value}`")
    }
}

/// Adds a message to an error response that has none.
pub(super) async fn explained(response: Response, asked: &Asked) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_ERROR_BYTES).await else {
        return answer(status, "InternalError", "the stand-in failed");
    };
    let text = String::from_utf8_lossy(&body);
    if text.contains(INVALID_REGION) {
        return wrong_region();
    }
    let end_of_code = text.find("</Code>").map(|at| at + "</Code>".len());
    let Some(end) = end_of_code.filter(|_| !text.contains("<Message>")) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
    let message = match code {
        "SignatureDoesNotMatch" => asked.signature_differs(),
        _ => message(code).to_owned(),
    };
    let text = format!("{}{}{}", &text[..end], element("Message", &message), &text[end..]);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(text))
}

/// S3 names the right region, and s3cmd then signs with it.
fn wrong_region() -> Response {
    let message = "the authorization header is malformed: the region is wrong; expecting `us-east-1`";
    let (code, region) = ("AuthorizationHeaderMalformed", "us-east-1");
    let elements = element("Code", code) + &element("Message", message) + &element("Region", region);
    respond(StatusCode::BAD_REQUEST, &elements)
}

fn message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "the request is not signed, has expired, or may not do this",
        "BadDigest" => "the bytes that arrived do not have the checksum that was sent with them",
        "EntityTooLarge" => "the form's file is larger than its policy or this storage allows",
        "EntityTooSmall" => {
            "a part that is not the last has less than 5 MiB, or a form's file less than its policy allows"
        }
        "IncompleteBody" => "fewer or more bytes arrived than `content-length` says",
        "InternalError" => "the stand-in failed; its log says why",
        "InvalidArgument" => "a parameter of the request has a value that is not allowed",
        "InvalidBucketName" => "the bucket's name is not valid",
        "InvalidDigest" => "the checksum is not well-formed",
        "InvalidPart" => "a part was not found, or its entity tag is another",
        "InvalidPartOrder" => "the list of parts is not in ascending order",
        "InvalidPolicyDocument" => {
            "the form's policy is damaged, has expired, or does not allow these fields"
        }
        "InvalidRange" => "the range lies outside the object",
        "InvalidRequest" => "the request is not well-formed",
        "InvalidTag" => "there are more than ten tags, or one of them is not valid",
        "KeyTooLongError" => "the key has more than 1024 bytes",
        "MalformedPOSTRequest" => "the form is not well-formed multipart/form-data",
        "MalformedXML" => "the body is not the XML that this operation expects",
        "MethodNotAllowed" => "this method is not allowed for a delete marker",
        "MissingContentLength" => "the request needs a `content-length`",
        "NoSuchBucket" => "there is no bucket of this name",
        "NoSuchKey" => "there is no object under this key",
        "NoSuchUpload" => "there is no upload with this id: it was completed or aborted, or never began",
        "NoSuchVersion" => "there is no version with this id under this key",
        "NotImplemented" => "the stand-in does not implement this operation or this option of it",
        "PreconditionFailed" => {
            "the condition does not hold: with `if-none-match: *`, an object is there already"
        }
        "RequestTimeTooSkewed" => "the request's date is too far from this machine's clock",
        "XAmzContentSHA256Mismatch" => "the bytes that arrived do not have the SHA-256 that was signed",
        _ => "the request was refused",
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML 1.0 has no other control characters.
            control if control.is_control() && control != '\t' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
