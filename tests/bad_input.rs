//! Bad input gets a clear error with a code of its own, and nothing is stored.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Service, answer, text};

const PROBLEM_MEMBERS: [&str; 10] =
    ["type", "title", "status", "detail", "instance", "message", "code", "requestId", "error", "error.type"];

async fn refused(service: &Service, what: &str, request: reqwest::RequestBuilder, status: u16, code: &str) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let (found, problem) = answer(response).await;
    assert_eq!((found.as_u16(), text(&problem["code"])), (status, code.to_owned()), "{what}: {problem}");
    for member in PROBLEM_MEMBERS {
        let value = member.split('.').fold(&problem, |value, name| &value[name]);
        assert!(!value.is_null(), "{what}: no `{member}`");
    }
    assert_eq!(problem["status"].as_u64(), Some(u64::from(status)));
    assert_eq!(text(&problem["requestId"]), request_id);
    assert_eq!(service.get("/files").await.1["files"], json!([]), "{what}: something was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_announcement_is_refused() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "1000")], |_| {}).await;
    let rows: Vec<(&str, Value, u16, &str)> = vec![
        ("no name", json!({}), 422, "invalid_body"),
        ("an empty name", json!({ "filename": "" }), 422, "filename_empty"),
        ("a name of nothing visible", json!({ "filename": "\u{202e}.." }), 422, "filename_empty"),
        (
            "a name of 300 characters",
            json!({ "filename": format!("{}.txt", "x".repeat(296)) }),
            422,
            "filename_too_long",
        ),
        ("an unknown extension", json!({ "filename": "a.exe" }), 422, "extension_not_allowed"),
        ("no extension", json!({ "filename": "a" }), 422, "extension_not_allowed"),
        ("an empty file", json!({ "filename": "a.txt", "size": 0 }), 422, "file_empty"),
        ("too large", json!({ "filename": "a.txt", "size": 1001 }), 413, "file_too_large"),
        ("a negative size", json!({ "filename": "a.txt", "size": -1 }), 422, "invalid_body"),
        ("a size as text", json!({ "filename": "a.txt", "size": "5" }), 422, "invalid_body"),
        (
            "no media type",
            json!({ "filename": "a.txt", "content_type": "text" }),
            422,
            "invalid_content_type",
        ),
        (
            "a header in the type",
            json!({ "filename": "a.txt", "content_type": "a/b\r\nx: y" }),
            422,
            "invalid_content_type",
        ),
        ("no checksum", json!({ "filename": "a.txt", "checksum_sha256": "abc" }), 422, "invalid_checksum"),
        ("no downloads", json!({ "filename": "a.txt", "max_downloads": 0 }), 422, "invalid_max_downloads"),
        ("another method", json!({ "filename": "a.txt", "method": "carrier-pigeon" }), 422, "invalid_body"),
        ("an unknown field", json!({ "filename": "a.txt", "skip_scan": true }), 422, "invalid_body"),
        ("an array", json!([]), 422, "invalid_body"),
    ];
    for (what, body, status, code) in rows {
        refused(&service, what, service.request(Method::POST, "/files").json(&body), status, code).await;
    }
    let post = || service.request(Method::POST, "/files");
    let problem: Value =
        post().json(&json!({ "filename": "a.exe" })).send().await.unwrap().json().await.unwrap();
    assert_eq!(problem["detail"], "Files of the type .exe are not accepted.", "plain text");
    let accepted = problem["accepted_extensions"].as_array().unwrap();
    assert!(accepted.contains(&json!("docx")) && !accepted.contains(&json!("exe")), "{problem}");
    let json_text = |text: &'static str| post().header("content-type", "application/json").body(text);
    refused(&service, "malformed JSON", json_text("{\"filename\": "), 400, "invalid_json").await;
    refused(
        &service,
        "another type",
        post().header("content-type", "text/plain").body("{}"),
        415,
        "unsupported_media_type",
    )
    .await;
    refused(&service, "no type", post().body("{}"), 415, "unsupported_media_type").await;
    let huge = format!("{{\"filename\": \"{}\"}}", "x".repeat(100_000));
    let huge = post().header("content-type", "application/json").body(huge);
    refused(&service, "a huge body", huge, 413, "body_too_large").await;
    let good = json!({ "filename": "a.txt" });
    let long_key = post().json(&good).header("idempotency-key", "k".repeat(256));
    refused(&service, "a long key", long_key, 400, "invalid_idempotency_key").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_methods_and_origins_are_refused() {
    let service = Service::start().await;
    for (query, code) in [
        ("limit=0", "invalid_query"),
        ("limit=101", "invalid_query"),
        ("limit=x", "invalid_query"),
        ("status=cleanish", "invalid_query"),
        ("order=up", "invalid_query"),
        ("cursor=x", "invalid_cursor"),
        ("cursor=eyJhbGciOiJub25lIn0.e30.", "invalid_cursor"),
    ] {
        refused(&service, query, service.request(Method::GET, &format!("/files?{query}")), 400, code).await;
    }
    refused(&service, "no route", service.request(Method::GET, "/nothing"), 404, "route_not_found").await;
    refused(&service, "no method", service.request(Method::PUT, "/files"), 405, "method_not_allowed").await;
    refused(&service, "no method", service.request(Method::POST, "/download/x"), 405, "method_not_allowed")
        .await;
    refused(&service, "no token", service.request(Method::GET, "/download/x"), 404, "invalid_link").await;
    let rebound = service.request(Method::GET, "/files").header("host", "evil.example:8000");
    refused(&service, "another host", rebound, 403, "host_not_allowed").await;
    let cross_site = || service.request(Method::POST, "/upload").header("origin", "http://evil.example");
    refused(&service, "another origin", cross_site().body(""), 403, "cross_origin").await;
    let preflight = service.request(Method::OPTIONS, "/files").header("origin", "http://evil.example");
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(preflight.headers().get("access-control-allow-origin"), None);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_edits_are_refused_and_change_nothing() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt" })).await;
    let path = format!("/files/{}", accepted.file_id);
    let before = service.get(&path).await.1;
    let many: serde_json::Map<_, _> = (0..11).map(|n| (n.to_string(), json!("x"))).collect();
    for (body, code) in [
        (json!({ "filename": "" }), "filename_empty"),
        (json!({ "filename": "a.exe" }), "extension_changed"),
        (json!({ "tags": { "": "x" } }), "invalid_tags"),
        (json!({ "tags": { "k": "a\nb" } }), "invalid_tags"),
        (json!({ "tags": many }), "invalid_tags"),
        (json!({ "max_downloads": 0 }), "invalid_max_downloads"),
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), "invalid_expiry"),
        (json!({ "expires_at": "2999-01-01T00:00:00Z" }), "invalid_expiry"),
        (json!({ "expires_at": "tomorrow" }), "invalid_body"),
        (json!({ "owner": "eve" }), "invalid_body"),
        (json!({ "scan_status": "clean" }), "invalid_body"),
    ] {
        let (status, problem) =
            answer(service.request(Method::PATCH, &path).json(&body).send().await.unwrap()).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some(code)), "{body}");
    }
    assert_eq!(service.get(&path).await.1, before);
    service.stop().await;
}
