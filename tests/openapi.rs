//! The committed description is the one that this code generates, and the API reference loads nothing from
//! another server.

use std::collections::BTreeSet;

use web::ErrorCode;

use crate::support::Service;

#[test]
fn the_committed_description_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
    let current = api::openapi().to_pretty_json().unwrap() + "\n";
    if crate::support::is_update() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "openapi.json is out of date: run `make openapi`, and look at what changed"
    );
    assert!(current.contains("\"openapi\": \"3.1"), "{}", &current[..60]);
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let description = serde_json::to_value(api::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            // The default is the handler's name, which means nothing outside its module.
            assert!(id.contains(char::is_uppercase), "`{id}` of {path} is not a descriptive name");
            assert!(ids.insert(id.to_owned()), "`{id}` is the id of two operations");
        }
    }
    assert!(ids.len() > 30, "{ids:?}");
}

#[test]
fn every_error_code_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http.md");
    let text = std::fs::read_to_string(path).unwrap();
    let missing: Vec<_> = ErrorCode::ALL.iter().filter(|code| !text.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/http.md does not say what to do on {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_served_without_a_cdn() {
    let service = Service::start().await;
    let (status, spec) = service.get("/openapi.json").await;
    assert_eq!(status, 200);
    let paths: Vec<&String> = spec["paths"].as_object().unwrap().keys().collect();
    let expected = [
        "/api/v1/scan",
        "/better-upload",
        "/dead-letters",
        "/dead-letters/redrive",
        "/download/{token}",
        "/events",
        "/files",
        "/files/{file_id}",
        "/files/{file_id}/complete",
        "/files/{file_id}/download-link",
        "/files/{file_id}/events",
        "/files/{file_id}/links",
        "/files/{file_id}/parts",
        "/files/{file_id}/release",
        "/files/{file_id}/rescan",
        "/files/{file_id}/sample",
        "/files/{file_id}/status",
        "/health",
        "/metrics",
        "/rails/active_storage/direct_uploads",
        "/releases",
        "/releases/{sha256}/revoke",
        "/samples",
        "/scan",
        "/scan/s3",
        "/stats",
        "/upload",
        "/upload-tokens",
        "/uppy/s3/multipart",
        "/uppy/s3/multipart/{upload_id}",
        "/uppy/s3/multipart/{upload_id}/batch",
        "/uppy/s3/multipart/{upload_id}/complete",
        "/uppy/s3/multipart/{upload_id}/{part_number}",
        "/uppy/s3/params",
        "/uppy/s3/presign",
        "/v2/scan",
        "/webhooks",
        "/webhooks/replay",
        "/webhooks/{endpoint_id}/enable",
    ];
    assert_eq!(paths, expected);
    let docs = service.http.get(service.url("/docs/")).send().await.unwrap();
    assert_eq!(docs.status(), 200);
    let html = docs.text().await.unwrap();
    assert!(html.contains("swagger-ui") && !html.contains("//cdn") && !html.contains("https://"), "{html}");
    for asset in ["icon.svg", "reference.css", "reference.js", "swagger-ui.css", "swagger-ui-bundle.js"] {
        let answer = service.http.get(service.url(&format!("/docs/{asset}"))).send().await.unwrap();
        assert!(html.contains(asset) && answer.status() == 200, "{asset}: {}", answer.status());
    }
    for other in ["index.html", "oauth2-redirect.html", "swagger-initializer.js"] {
        let answer = service.http.get(service.url(&format!("/docs/{other}"))).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{other}");
    }
    service.stop().await;
}
