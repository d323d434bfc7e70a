//! No header that an uploader stores beside the bytes changes what a client does with them: the rows of
//! "Which headers" in docs/semantics.md, except `Content-Encoding`, which is in `content_encoding.rs`.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ObjectCannedAcl, ObjectLockLegalHoldStatus, ObjectLockMode, StorageClass};
use serde_json::{Value, json};

use crate::content_encoding::file_under;
use crate::support::savers::{Saved, chromium, curl};
use crate::support::{Service, sha256, text};

const BYTES: &[u8] = b"<html>the bytes that were judged</html>";

/// Headers that differ from one download to the next, whatever is stored. Tags are counted, and the scan
/// writes one just after the verdict.
const VOLATILE: [&str; 6] =
    ["date", "etag", "last-modified", "x-amz-request-id", "x-amz-tagging-count", "x-amz-version-id"];

/// The headers of every download of `a.html`: those of S3 and those that Airlock signs.
const PROMISED: [(&str, &str); 6] = [
    ("cache-control", "private, no-store"),
    ("content-disposition", "attachment; filename=\"a.html\"; filename*=UTF-8''a.html"),
    ("content-encoding", "identity"),
    ("content-language", "und"),
    ("content-type", "application/octet-stream"),
    ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
];

/// Saves a clean file with curl: the bytes must be those of the verdict, and the headers the promised ones.
async fn saved(service: &Service, file_id: &str, what: &str) -> Saved {
    let info = service.ends_as(file_id, "clean").await;
    let link = service.url(&service.link(file_id).await);
    let answer = service.http.get(&link).send().await.unwrap();
    let address = answer.headers()["location"].to_str().unwrap().to_owned();
    let saved = curl(&address, &["--location", "--compressed"]).unwrap();
    assert_eq!(
        (saved.sha256.as_str(), sha256(BYTES)),
        (text(&info["scan_result"]["sha256"]).as_str(), sha256(BYTES)),
        "{what}"
    );
    for (name, value) in PROMISED {
        assert_eq!(saved.header(name), Some(value), "{what}: {saved:?}");
    }
    saved
}

/// The headers that another download of the same bytes repeats, sorted.
fn steady(saved: &Saved) -> Vec<(String, String)> {
    let mut headers = saved.headers.clone();
    headers.retain(|(name, _)| !VOLATILE.contains(&name.as_str()));
    headers.sort();
    headers
}

fn announcement() -> Value {
    json!({ "filename": "a.html", "size": BYTES.len(), "content_type": "text/html" })
}

async fn stored(service: &Service, file_id: &str) -> HeadObjectOutput {
    let head = service.raw_s3().head_object().bucket("airlock").key(format!("uploads/{file_id}"));
    head.send().await.unwrap()
}

/// The headers that storage returns for the object.
type Kept = fn(&HeadObjectOutput) -> Option<&str>;

const ALLOWED: [(&str, &str); 3] =
    [("ALLOWED_EXTENSIONS", "*"), ("INCOMING_PREFIX", "in/"), ("INCOMING_OWNERS", "=local")];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_presigned_put_can_store_is_overridden() {
    let service = Service::start_with(&ALLOWED, |_| {}).await;
    let accepted = service.create_upload(&announcement()).await;
    assert_eq!(service.put(&accepted, BYTES).await.status(), 200);
    let plain = steady(&saved(&service, &accepted.file_id, "nothing").await);
    let rows: [(&str, &str, Kept); 5] = [
        ("content-disposition", "inline; filename=\"a.exe\"", HeadObjectOutput::content_disposition),
        ("content-language", "de, en", HeadObjectOutput::content_language),
        ("cache-control", "public, max-age=31536000, immutable", HeadObjectOutput::cache_control),
        ("expires", "Thu, 31 Dec 2099 23:59:59 GMT", HeadObjectOutput::expires_string),
        ("content-encoding", "identity", HeadObjectOutput::content_encoding),
    ];
    for (name, value, kept) in rows {
        let accepted = service.create_upload(&announcement()).await;
        assert_eq!(service.put_with(&accepted, &[(name, value)], BYTES).await.status(), 200, "{name}");
        assert_eq!(kept(&stored(&service, &accepted.file_id).await), Some(value), "S3 keeps {name}");
        assert_eq!(steady(&saved(&service, &accepted.file_id, name).await), plain, "{name}");
    }
    // Headers that would affect a browser, which S3 does not store.
    for (name, value) in [
        ("refresh", "0; url=https://evil.example/"),
        ("location", "https://evil.example/"),
        ("link", "<https://evil.example/a.css>; rel=stylesheet"),
        ("set-cookie", "session=1"),
        ("content-location", "https://evil.example/"),
        ("content-range", "bytes 0-1/2"),
        ("content-security-policy", "default-src *"),
        ("clear-site-data", "\"*\""),
        ("sourcemap", "https://evil.example/"),
        ("trailer", "content-encoding"),
    ] {
        let accepted = service.create_upload(&announcement()).await;
        assert_eq!(service.put_with(&accepted, &[(name, value)], BYTES).await.status(), 200, "{name}");
        assert_eq!(steady(&saved(&service, &accepted.file_id, name).await), plain, "{name}");
    }
    service.stop().await;
}

/// `x-amz-…` headers that control how an object is stored.
const AMAZON: [(&str, &str); 14] = [
    ("x-amz-website-redirect-location", "https://evil.example/"),
    ("x-amz-storage-class", "GLACIER"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-server-side-encryption-customer-key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("x-amz-server-side-encryption-customer-key-md5", "cLxrgBMEHWMXv2Hf/KNUEA=="),
    ("x-amz-meta-content-encoding", "deflate"),
    ("x-amz-checksum-crc32", "AAAAAA=="),
    ("x-amz-tagging", "scan-status=CLEAN"),
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-read", "uri=http://acs.amazonaws.com/groups/global/AllUsers"),
    ("x-amz-object-lock-mode", "COMPLIANCE"),
    ("x-amz-object-lock-retain-until-date", "2099-12-31T23:59:59Z"),
    ("x-amz-object-lock-legal-hold", "ON"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_signature_or_a_policy_does_not_name_is_refused() {
    let service = Service::start_with(&ALLOWED, |_| {}).await;
    let put = service.create_upload(&announcement()).await;
    let form = json!({ "filename": "a.html", "content_type": "text/html", "method": "post" });
    let form = service.create_upload(&form).await;
    for header in AMAZON {
        assert_eq!(service.put_with(&put, &[header], BYTES).await.status(), 403, "{header:?}");
        assert_eq!(service.post_form_with(&form, &[header], BYTES).await.status(), 403, "{header:?}");
    }
    for field in [
        ("content-disposition", "inline"),
        ("content-encoding", "deflate"),
        ("content-language", "de"),
        ("cache-control", "public"),
        ("expires", "Thu, 31 Dec 2099 23:59:59 GMT"),
    ] {
        assert_eq!(service.post_form_with(&form, &[field], BYTES).await.status(), 403, "{field:?}");
    }
    // The content type is signed, and named by the policy.
    let typed = announcement();
    let other = service.create_upload(&typed).await;
    let mut request = service.http.put(text(&other.upload["url"])).header("if-none-match", "*");
    request = request.header("content-type", "text/javascript");
    assert_eq!(request.body(BYTES).send().await.unwrap().status(), 403);
    // Nothing was stored, so the same requests work as they were given.
    for (accepted, sent) in [
        (&put, service.put(&put, BYTES).await.status().as_u16()),
        (&form, service.post_form(&form, BYTES).await.status().as_u16()),
    ] {
        assert!(matches!(sent, 200 | 201), "{sent}");
        saved(&service, &accepted.file_id, "as it was given").await;
    }
    service.stop().await;
}

/// A PUT by an uploader with keys of its own: below the incoming prefix, each in a place of its own.
fn signed(service: &Service, place: &str) -> PutObjectFluentBuilder {
    let put = service.raw_s3().put_object().bucket("airlock").key(format!("in/{place}/a.html"));
    put.body(ByteStream::from_static(BYTES)).content_type("text/html")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_uploaders_can_store_is_overridden_or_harmless() {
    let service = Service::start_with(&ALLOWED, |_| {}).await;
    signed(&service, "plain").send().await.unwrap();
    let file_id = file_under(&service, "in/plain/a.html", 1).await;
    let plain = steady(&saved(&service, &file_id, "nothing").await);
    let harmless = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let rows = [
        ("disposition", signed(&service, "disposition").content_disposition("inline"), vec![]),
        ("language", signed(&service, "language").content_language("de"), vec![]),
        ("cache", signed(&service, "cache").cache_control("public, max-age=9"), vec![]),
        ("expires", signed(&service, "expires").expires(DateTime::from_secs(4_102_444_799)), vec![]),
        (
            "redirect",
            signed(&service, "redirect").website_redirect_location("https://evil.example/"),
            harmless("x-amz-website-redirect-location", "https://evil.example/"),
        ),
        (
            "class",
            signed(&service, "class").storage_class(StorageClass::StandardIa),
            harmless("x-amz-storage-class", "STANDARD_IA"),
        ),
        (
            "meta",
            signed(&service, "meta").metadata("content-encoding", "deflate"),
            harmless("x-amz-meta-content-encoding", "deflate"),
        ),
        ("checksum", signed(&service, "checksum").checksum_sha256(base64_of(BYTES)), vec![]),
    ];
    for (place, put, more) in rows {
        put.send().await.unwrap();
        let file_id = file_under(&service, &format!("in/{place}/a.html"), 1).await;
        let saved = saved(&service, &file_id, place).await;
        let mut expected = [plain.clone(), more].concat();
        expected.sort();
        assert_eq!(steady(&saved), expected, "{place}");
        if place == "redirect" {
            let link = service.url(&service.link(&file_id).await);
            assert_eq!(chromium(&[link]), [sha256(BYTES)], "a browser does not follow it");
        }
    }
    // Tags are ignored: a tag `clean` changes no verdict, and the scan writes its own.
    signed(&service, "tag").tagging("scan-status=CLEAN").send().await.unwrap();
    let file_id = file_under(&service, "in/tag/a.html", 1).await;
    saved(&service, &file_id, "tag").await;
    service.stop().await;
}

fn base64_of(bytes: &[u8]) -> String {
    domain::id::Sha256::parse(&sha256(bytes)).unwrap().to_base64()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_an_error_and_no_download() {
    let service = Service::start_with(&ALLOWED, |_| {}).await;
    for class in [StorageClass::Glacier, StorageClass::DeepArchive] {
        let place = class.as_str().to_owned();
        signed(&service, &place).storage_class(class).send().await.unwrap();
        let file_id = file_under(&service, &format!("in/{place}/a.html"), 1).await;
        let info = service.ends_as(&file_id, "error").await;
        assert_eq!(info["scan_result"]["reason"], "storage_trouble", "{place}: {info}");
        let (status, problem) = service.get(&format!("/files/{file_id}/download-link")).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (403, Some("scan_failed")), "{problem}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_refuses_for_a_bucket_like_ours_makes_no_file() {
    let service = Service::start_with(&ALLOWED, |_| {}).await;
    let put = || signed(&service, "refused");
    for (what, request, code) in [
        ("object lock", put().object_lock_mode(ObjectLockMode::Compliance), "InvalidRequest"),
        ("legal hold", put().object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On), "InvalidRequest"),
        ("acl", put().acl(ObjectCannedAcl::PublicRead), "AccessControlListNotSupported"),
        ("grant", put().grant_read("id=another"), "AccessControlListNotSupported"),
        ("class", put().storage_class(StorageClass::Outposts), "InvalidStorageClass"),
        (
            "a key of the uploader's, without TLS",
            put()
                .sse_customer_algorithm("AES256")
                .sse_customer_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
                .sse_customer_key_md5("cLxrgBMEHWMXv2Hf/KNUEA=="),
            "InvalidRequest",
        ),
    ] {
        let refused = request.send().await.expect_err(what);
        assert_eq!(refused.code(), Some(code), "{what}");
    }
    for acl in [ObjectCannedAcl::BucketOwnerFullControl, ObjectCannedAcl::Private] {
        put().acl(acl).send().await.unwrap();
    }
    let file_id = file_under(&service, "in/refused/a.html", 2).await;
    saved(&service, &file_id, "the one that is not refused").await;
    service.stop().await;
}
