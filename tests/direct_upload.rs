//! A presigned upload accepts exactly what it was issued for: the declared length, type, key and checksum,
//! once.

use std::time::Duration;

use domain::content_type::ContentType;
use domain::file_name::FileName;
use domain::id::{FileId, ObjectKey};
use domain::upload::Upload;
use serde_json::json;

use crate::support::{Accepted, Service, eicar, sha256, text};

const BYTES: &[u8] = b"0123456789";

async fn create_upload(service: &Service) -> Accepted {
    let body = json!({
        "filename": "a.txt", "size": BYTES.len(), "content_type": "text/plain",
        "checksum_sha256": sha256(BYTES),
    });
    service.create_upload(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_upload_works_only_once() {
    let service = Service::start().await;
    let accepted = create_upload(&service).await;
    let signed = accepted.upload["headers"].as_object().unwrap();
    for name in ["content-type", "if-none-match", "x-amz-checksum-sha256", "content-length"] {
        assert!(signed.contains_key(name), "{name} is not signed: {signed:?}");
    }
    assert_eq!(service.put(&accepted, BYTES).await.status(), 200);
    service.ends_as(&accepted.file_id, "clean").await;
    assert_eq!(service.put(&accepted, BYTES).await.status(), 412, "replayed");
    assert_eq!(service.put(&accepted, b"9876543210").await.status(), 412, "replayed with other bytes");
    service.ends_as(&accepted.file_id, "clean").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_differs_is_refused() {
    let service = Service::start().await;
    let accepted = create_upload(&service).await;
    let url = text(&accepted.upload["url"]);
    let put =
        |url: String, without: Option<&'static str>, extra: Option<&'static str>, bytes: &'static [u8]| {
            let mut request = service.http.put(url);
            for (name, value) in accepted.upload["headers"].as_object().unwrap() {
                if name != "content-length" && Some(name.as_str()) != without {
                    request = request.header(name, value.as_str().unwrap());
                }
            }
            if let Some(extra) = extra {
                request = request.header(extra, "x");
            }
            async move { request.body(bytes).send().await.unwrap().status().as_u16() }
        };
    assert_eq!(put(url.clone(), None, None, b"01234567890").await, 403, "longer");
    assert_eq!(put(url.clone(), None, None, b"012345678").await, 403, "shorter");
    assert_eq!(put(url.clone(), None, None, b"9876543210").await, 400, "other bytes than the checksum's");
    for name in ["if-none-match", "content-type", "x-amz-checksum-sha256"] {
        assert_eq!(put(url.clone(), Some(name), None, BYTES).await, 403, "without {name}");
    }
    let other_key = url.replace(&accepted.file_id, "123e4567-e89b-42d3-a456-426614174000");
    assert_eq!(put(other_key, None, None, BYTES).await, 403, "another key");
    let (address, signature) = url.split_once("X-Amz-Signature=").unwrap();
    let tampered = format!("{address}X-Amz-Signature={}", signature.chars().rev().collect::<String>());
    assert_eq!(put(tampered, None, None, BYTES).await, 403, "an invalid signature");
    let longer_lived = url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000");
    assert_ne!(longer_lived, url);
    assert_eq!(put(longer_lived, None, None, BYTES).await, 403, "a longer life");
    let unsigned = url.split('?').next().unwrap().to_owned();
    assert_eq!(put(unsigned, None, None, BYTES).await, 403, "no signature");
    for name in [
        "x-amz-copy-source",
        "x-amz-tagging",
        "x-amz-acl",
        "x-amz-website-redirect-location",
        "x-amz-storage-class",
        "x-amz-meta-a",
        "x-amz-grant-full-control",
        "x-amz-object-lock-mode",
        "x-amz-server-side-encryption",
        "x-amz-copy-source-range",
        "x-amz-security-token",
        "x-amz-request-payer",
    ] {
        assert_eq!(put(url.clone(), None, Some(name), BYTES).await, 403, "with an unsigned {name}");
    }
    let info = service.get(&format!("/files/{}", accepted.file_id)).await.1;
    assert_eq!(info["scan_status"], "pending", "nothing was stored: {info}");
    assert_eq!(put(url, None, None, BYTES).await, 200, "the right request still works");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_limited_by_its_policy() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "100000")], |_| {}).await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "method": "post" })).await;
    assert_eq!(accepted.upload["method"], "POST");

    assert_eq!(service.post_form(&accepted, &vec![b'x'; 100_001]).await.status(), 400, "one byte too many");
    assert_eq!(service.post_form(&accepted, b"").await.status(), 400, "empty");
    for (field, value) in [
        ("key", "uploads/123e4567-e89b-42d3-a456-426614174000"),
        ("content-type", "text/html"),
        ("success_action_status", "200"),
        ("x-amz-signature", "00"),
        ("x-amz-date", "20200101T000000Z"),
        ("x-amz-meta-extra", "x"),
        ("acl", "public-read"),
        ("success_action_redirect", "http://evil.example/"),
        ("policy", "e30="),
    ] {
        let mut changed = accepted.clone();
        changed.upload["fields"][field] = json!(value);
        let status = service.post_form(&changed, BYTES).await.status();
        assert!(matches!(status.as_u16(), 400 | 403), "with another {field}: {status}");
    }
    for field in ["policy", "x-amz-signature", "key", "content-type", "x-amz-credential"] {
        let mut changed = accepted.clone();
        changed.upload["fields"].as_object_mut().unwrap().remove(field);
        let status = service.post_form(&changed, BYTES).await.status();
        assert!(matches!(status.as_u16(), 400 | 403), "without {field}: {status}");
    }
    let info = service.get(&format!("/files/{}", accepted.file_id)).await.1;
    assert_eq!(info["scan_status"], "pending", "nothing was stored: {info}");

    let stored = service.post_form(&accepted, &eicar()).await;
    assert_eq!(stored.status(), 201, "{}", stored.text().await.unwrap());
    service.ends_as(&accepted.file_id, "infected").await;

    let exact = service.create_upload(&json!({ "filename": "a.txt", "size": 10, "method": "post" })).await;
    assert_eq!(service.post_form(&exact, b"012345678").await.status(), 400, "not the declared size");
    assert_eq!(service.post_form(&exact, BYTES).await.status(), 201);
    service.ends_as(&exact.file_id, "clean").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_without_a_size_is_judged_by_what_arrived() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "1000")], |_| {}).await;
    for (bytes, status, reason) in [
        (vec![b'x'; 1001], "unscannable", "too_large"),
        (vec![], "unscannable", "empty"),
        (vec![b'x'; 1000], "clean", ""),
    ] {
        let accepted = service.create_upload(&json!({ "filename": "a.txt" })).await;
        assert_eq!(service.put(&accepted, &bytes).await.status(), 200);
        let info = service.ends_as(&accepted.file_id, status).await;
        assert_eq!(info["scan_result"]["reason"].as_str().unwrap_or_default(), reason);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_gives_one_file() {
    let service = Service::start().await;
    let create = |key: &'static str, filename: &'static str| {
        let request = service.request(reqwest::Method::POST, "/files").header("idempotency-key", key);
        async move {
            crate::support::answer(request.json(&json!({ "filename": filename })).send().await.unwrap()).await
        }
    };
    let (status, first) = create("k1", "a.txt").await;
    assert_eq!(status, 201);
    let (again, other_key, other_body) =
        tokio::join!(create("k1", "a.txt"), create("k2", "a.txt"), create("k1", "b.txt"));
    assert_eq!(again.1["file_id"], first["file_id"]);
    assert_ne!(other_key.1["file_id"], first["file_id"]);
    assert_eq!(
        (other_body.0.as_u16(), text(&other_body.1["code"])),
        (422, "idempotency_key_reused".to_owned())
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_has_expired_is_refused() {
    let service = Service::start().await;
    let objects = &service.local.stores().objects;
    let upload = Upload {
        filename: FileName::sanitize("a.txt").unwrap(),
        content_type: ContentType::octet_stream(),
        declared_size: None,
        declared_sha256: None,
        max_downloads: None,
        password: None,
    };
    let (file, now) = (FileId::from_random(aws::clock::random_uuid()), aws::clock::now());
    let key = &ObjectKey::Issued(file);
    let ttl = Duration::from_hours(1);
    for (presigned_at, put_status, post_status) in
        [(now - Duration::from_hours(2), 403, 403), (now, 200, 201)]
    {
        let put = objects.presign_put(key, (&upload).into(), ttl, presigned_at).await.unwrap();
        let post = objects.presign_post(key, &upload, 100, ttl, presigned_at).await.unwrap();
        let accepted = |upload: &aws::PresignedUpload| Accepted {
            file_id: file.to_string(),
            upload: json!({ "url": upload.url, "headers": upload.headers, "fields": upload.fields }),
        };
        assert_eq!(service.put(&accepted(&put), b"x").await.status(), put_status);
        assert_eq!(service.post_form(&accepted(&post), b"x").await.status(), post_status);
    }
    // No upload was created for this object, so its event creates no record.
    assert_eq!(service.get(&format!("/files/{file}")).await.0, 404);
    service.stop().await;
}
