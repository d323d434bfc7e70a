//! What a browser needs through the public names: uploads, CORS, request bodies, `Host` and live events.
//!
//! Each check sends what a browser would, and deletes the files that this takes.

use std::time::Duration;

use futures_util::stream;
use reqwest::header::HeaderMap;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::{Finding, bad, good, odd};
use crate::client::{Client, presigned, send_elsewhere, text};
use crate::output::rounded_size;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A proxy refuses a body by its announced length, before it arrives. This long without an answer, the
/// request was passed on.
const ANSWER_TIME: Duration = Duration::from_secs(3);
/// An event that takes longer is held back on the way.
const EVENT_TIME: Duration = Duration::from_secs(5);
const SAMPLE: &[u8] = b"Airlock doctor: nothing to see here.\n";
/// The headers that browsers send to storage with an upload.
const UPLOAD_HEADERS: [&str; 3] = ["content-type", "if-none-match", "x-amz-checksum-sha256"];

type Named = (&'static str, Finding);

pub(super) async fn check(client: &Client, health: &Value, origin: Option<&str>) -> Vec<Named> {
    let mut findings = Vec::new();
    // Opened first: the upload below is an event.
    let events =
        client.request(Method::GET, "/events").header("accept", "text/event-stream").timeout(TIMEOUT);
    let events = client.send(events).await;
    let accepted =
        client.post("/files", &json!({ "filename": "airlock-doctor.txt", "size": SAMPLE.len() })).await;
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(error) => {
            return vec![("upload", odd(format!("not tried: {error:#}"), "see `access`"))];
        }
    };
    findings.push(("upload", upload(client, &accepted["upload"]).await));
    findings.push(("live events", live(events).await));
    discard(client, &accepted).await;
    findings.extend(host(client).await.map(|finding| ("public name", finding)));
    let storage = storage_of(&accepted);
    findings.extend(own_page(client, &storage).await.map(|finding| ("CORS for the page", finding)));
    if let Some(origin) = origin {
        findings.push(("CORS for --origin", other_page(client, &storage, origin).await));
    }
    if let Some(largest) = health["uploads"]["max_file_size"].as_u64() {
        let (to_storage, to_api) = tokio::join!(storage_limit(client, largest), api_limit(client, largest));
        findings.push(("bodies to storage", to_storage));
        findings.push(("bodies to the API", to_api));
    }
    findings
}

async fn discard(client: &Client, accepted: &Value) {
    let file_id = accepted["file_id"].as_str().unwrap_or_default();
    let _ = client.delete(&format!("/files/{file_id}")).await;
}

/// The URL of the uploaded object, without its signature.
fn storage_of(accepted: &Value) -> String {
    accepted["upload"]["url"].as_str().unwrap_or_default().split('?').next().unwrap_or_default().to_owned()
}

fn origin_of(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

async fn upload(client: &Client, instructions: &Value) -> Finding {
    let at = origin_of(instructions["url"].as_str().unwrap_or_default());
    let request = match presigned(client, instructions) {
        Ok(request) => request.timeout(TIMEOUT).body(SAMPLE),
        Err(error) => return bad(format!("{error:#}"), ""),
    };
    let response = match send_elsewhere(request).await {
        Ok(response) => response,
        Err(error) => {
            let advice =
                "uploads go straight to storage: make it reachable there, or set --s3-url to its public URL";
            return bad(format!("{error:#}"), advice);
        }
    };
    let status = response.status();
    if status.is_success() {
        return good(format!("arrives at {at}"));
    }
    let answer = response.text().await.unwrap_or_default();
    let code = answer.split("<Code>").nth(1).and_then(|rest| rest.split('<').next());
    let found = format!(
        "the storage at {at} answered {}{}",
        status.as_u16(),
        code.map_or_else(String::new, |code| format!(" {code}"))
    );
    if answer.contains("loopback names") {
        return bad(found, format!("set --s3-url to {at}, the URL by which browsers reach the storage"));
    }
    match code {
        Some("SignatureDoesNotMatch") => bad(
            found,
            "a proxy changes the request: it must forward `Host` with its port, path and query as they are \
             (nginx: `proxy_set_header Host $http_host;`)",
        ),
        Some(_) => bad(found, "see the service's log"),
        None => bad(found, "the answer is not the storage's: a proxy does not pass the request on"),
    }
}

async fn live(opened: anyhow::Result<Response>) -> Finding {
    let mut events = match opened {
        Ok(events) if events.status().is_success() => events,
        Ok(events) => {
            let advice = "on AWS they are at the stack's LiveUrl; long polls work without them";
            return odd(format!("answers {}", events.status().as_u16()), advice);
        }
        Err(error) => return odd(format!("{error:#}"), "long polls work without them"),
    };
    match tokio::time::timeout(EVENT_TIME, events.chunk()).await {
        Ok(Ok(Some(_))) => good("streaming"),
        Ok(_) => odd("the stream ended", "a proxy ends it; long polls work without them"),
        Err(_) => odd(
            format!("no event in {} s", EVENT_TIME.as_secs()),
            "a proxy buffers the stream (nginx: `proxy_buffering off;`); long polls work without them",
        ),
    }
}

/// Whether the service knows the name under which it was called. `None` if it does not say.
async fn host(client: &Client) -> Option<Finding> {
    let token = client.post("/upload-tokens", &json!({})).await.ok()?;
    let (called, known) = (origin_of(&client.url), origin_of(text(&token, "companion_url").ok()?));
    Some(if called == known {
        good(called)
    } else {
        bad(
            format!("called {called}, the service makes URLs with {known}"),
            "the proxy must forward `Host` and set `X-Forwarded-Proto` \
             (nginx: `proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;`)",
        )
    })
}

/// The service's own page uploads to storage from the service's origin. `None` if there is no page.
async fn own_page(client: &Client, storage: &str) -> Option<Finding> {
    let page = client.send(client.request(Method::GET, "/")).await.ok()?;
    let is_page = page.status().is_success()
        && page.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page {
        return None;
    }
    let origin = origin_of(&client.url);
    if origin == origin_of(storage) {
        return Some(good("same origin as the storage"));
    }
    let setting = format!("set PUBLIC_URL to {origin}");
    let allowed = allows(client, storage, &origin, Method::PUT, &setting).await;
    Some(allowed.unwrap_or_else(|refused| refused))
}

async fn other_page(client: &Client, storage: &str, origin: &str) -> Finding {
    let api = format!("{}/files", client.url);
    let setting = format!("add {origin} to ALLOWED_ORIGINS (on AWS AllowedOrigins)");
    let to_api = allows(client, &api, origin, Method::POST, &setting).await;
    let both = match to_api {
        Ok(_) => allows(client, storage, origin, Method::PUT, &setting).await,
        Err(refused) => Err(refused),
    };
    both.unwrap_or_else(|refused| refused)
}

/// Sends the preflight (Fetch standard, 4.8) of an upload to the storage (PUT) or of its announcement to the
/// API (POST). `setting` says what allows the origin.
async fn allows(
    client: &Client,
    url: &str,
    origin: &str,
    method: Method,
    setting: &str,
) -> Result<Finding, Finding> {
    let headers =
        if method == Method::PUT { &UPLOAD_HEADERS[..] } else { &["authorization", "content-type"] };
    let request = client
        .elsewhere(Method::OPTIONS, url)
        .timeout(TIMEOUT)
        .header("origin", origin)
        .header("access-control-request-method", method.as_str())
        .header("access-control-request-headers", headers.join(","));
    let response =
        send_elsewhere(request).await.map_err(|error| bad(format!("{error:#}"), "make it reachable"))?;
    let is_allowed = response.status().is_success()
        && names(response.headers(), "access-control-allow-origin", origin)
        && names(response.headers(), "access-control-allow-methods", method.as_str())
        && headers.iter().all(|name| names(response.headers(), "access-control-allow-headers", name));
    if is_allowed {
        return Ok(good(format!("pages from {origin} may upload")));
    }
    Err(bad(
        format!("{} refuses {method} from pages of {origin}", origin_of(url)),
        format!("{setting}, and let proxies pass OPTIONS on"),
    ))
}

/// Whether a list in a header contains `wanted`, or everything.
fn names(headers: &HeaderMap, header: &str, wanted: &str) -> bool {
    let lists = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let mut items = lists.flat_map(|list| list.split(',')).map(str::trim);
    items.any(|item| item == "*" || item.eq_ignore_ascii_case(wanted))
}

async fn storage_limit(client: &Client, largest: u64) -> Finding {
    let announced = json!({ "filename": "airlock-doctor.txt", "size": largest });
    let accepted = match client.post("/files", &announced).await {
        Ok(accepted) => accepted,
        Err(error) => return odd(format!("not tried: {error:#}"), ""),
    };
    let finding = match presigned(client, &accepted["upload"]) {
        Ok(request) => limit(request, largest).await,
        Err(error) => odd(format!("not tried: {error:#}"), ""),
    };
    discard(client, &accepted).await;
    finding
}

async fn api_limit(client: &Client, largest: u64) -> Finding {
    let request = client
        .request(Method::POST, "/upload")
        .header("content-type", "multipart/form-data; boundary=airlock-doctor")
        .header("content-length", largest);
    limit(request, largest).await
}

/// Announces a body of the largest size, and sends none of it.
async fn limit(request: RequestBuilder, largest: u64) -> Finding {
    let largest = rounded_size(largest);
    let never = stream::pending::<std::io::Result<Vec<u8>>>();
    let sent = tokio::time::timeout(ANSWER_TIME, request.body(Body::wrap_stream(never)).send()).await;
    match sent {
        Ok(Ok(response)) if response.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            refused(response, &largest).await
        }
        Ok(Ok(response)) => {
            odd(format!("not known: answered {}", response.status().as_u16()), "see `upload`")
        }
        Ok(Err(_)) => odd("not known: the connection was closed", "see `upload`"),
        Err(_) => good(format!("{largest} may pass")),
    }
}

/// The limits of the service and of API Gateway are not a proxy's.
async fn refused(response: Response, largest: &str) -> Finding {
    let is_gateways = response.headers().contains_key("apigw-requestid");
    let answer = response.text().await.unwrap_or_default();
    let problem: Value = serde_json::from_str(&answer).unwrap_or_default();
    match problem["code"].as_str() {
        Some(_) => good("limited by the service; larger files go straight to storage"),
        None if is_gateways => good("limited by API Gateway; larger files go straight to storage"),
        None => bad(
            format!("a proxy refuses bodies of {largest}, which the service accepts"),
            "raise its limit (nginx: `client_max_body_size 0;`, which leaves it to the service)",
        ),
    }
}
