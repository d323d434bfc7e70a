//! A client saves the bytes that were judged, whatever `Content-Encoding` the uploader stored with them. Such
//! a file is never clean; where it can be downloaded all the same, real clients save the stored bytes.

use std::io::Write as _;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MetadataDirective};
use domain::id::{FileId, ObjectKey, Sha256};
use domain::post_verdict::PostVerdict;
use domain::record::{Record, State};
use domain::verdict::{Judgement, Verdict};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::multipart;
use crate::support::savers::{chromium, curl, requests};
use crate::support::{Accepted, Service, answer, eicar, python, sha256, text, wait};

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One block without compression (RFC 7932, section 9.2), and the empty last one.
fn brotli(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len() - 1).unwrap();
    assert!(length < 1 << 16);
    let header = (length << 4) | (1 << 20);
    [&header.to_le_bytes()[..3], bytes, &[3]].concat()
}

/// One block without compression (RFC 8878, section 3.1.1).
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let size = u8::try_from(bytes.len()).unwrap();
    let header = (u32::from(size) << 3) | 1;
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, size], &header.to_le_bytes()[..3], bytes].concat()
}

/// EICAR, as it would arrive under each encoding that some client decodes.
fn variants() -> Vec<(&'static str, Vec<u8>)> {
    let eicar = eicar();
    vec![
        ("gzip", gzip(&eicar)),
        ("deflate", zlib(&eicar)),
        ("deflate, deflate", zlib(&zlib(&eicar))),
        ("br", brotli(&eicar)),
        ("zstd", zstd(&eicar)),
    ]
}

/// `POST /files` and the presigned PUT, with a header that is not signed.
async fn upload(service: &Service, encoding: &str, bytes: &[u8], more: Value) -> String {
    let mut body = json!({ "filename": "a.txt", "size": bytes.len() });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let accepted = service.create_upload(&body).await;
    let stored = service.put_with(&accepted, &[("content-encoding", encoding)], bytes).await;
    assert_eq!(stored.status(), 200, "S3 takes an unsigned `content-encoding: {encoding}`");
    accepted.file_id
}

pub(crate) async fn is_refused(service: &Service, file_id: &str, what: &str) {
    let info = service.ends_as(file_id, "unscannable").await;
    assert_eq!(info["scan_result"]["reason"], "content_encoding", "{what}: {info}");
    let (status, problem) = service.get(&format!("/files/{file_id}/download-link")).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str(), problem["reason"].as_str()),
        (403, Some("unscannable"), Some("content_encoding")),
        "{what}: {problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_encoding_is_never_clean() {
    let service = Service::start().await;
    let hidden = zlib(&eicar());
    for encoding in [
        "deflate",
        "Deflate",
        "gzip",
        "x-gzip",
        "br",
        "zstd",
        "compress",
        "deflate, deflate",
        "identity, deflate",
        "aws-chunked,deflate",
        "what-comes-next-year",
    ] {
        let file_id = upload(&service, encoding, &hidden, json!({})).await;
        is_refused(&service, &file_id, encoding).await;
    }
    // A declared checksum, confirmed by storage, is of the stored bytes.
    let file_id = upload(&service, "deflate", &hidden, json!({ "checksum_sha256": sha256(&hidden) })).await;
    is_refused(&service, &file_id, "with a checksum").await;
    // Encodings that do not change the bytes are accepted.
    for encoding in ["", "identity", "Identity", "aws-chunked"] {
        let file_id = upload(&service, encoding, &hidden, json!({})).await;
        service.ends_as(&file_id, "clean").await;
        let saved = curl(&service.url(&service.link(&file_id).await), &["--location", "--compressed"]);
        assert_eq!(saved.unwrap().sha256, sha256(&hidden), "{encoding:?}");
    }
    // A finding in the stored bytes takes precedence over their encoding.
    let file_id = upload(&service, "gzip", &eicar(), json!({})).await;
    service.ends_as(&file_id, "infected").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_verdict_is_not_shared_between_plain_and_encoded_bytes() {
    let service = Service::start_with(&[], |settings| settings.tuning.reuses_verdicts = true).await;
    let bytes = zlib(&eicar());
    for checksum in [json!({}), json!({ "checksum_sha256": sha256(&bytes) })] {
        for _ in 0..2 {
            let plain = upload(&service, "identity", &bytes, checksum.clone()).await;
            service.ends_as(&plain, "clean").await;
            let encoded = upload(&service, "deflate", &bytes, checksum.clone()).await;
            is_refused(&service, &encoded, "after the same bytes were clean").await;
        }
    }
    service.stop().await;
}

/// Files of an earlier release that ignored encodings: stored with an encoding, and `clean`.
async fn judged_before(service: &Service) -> Vec<(String, String)> {
    let mut files = vec![];
    for (encoding, bytes) in variants() {
        let file_id = upload(service, encoding, &bytes, json!({})).await;
        let file = FileId::parse(&file_id).unwrap();
        let stores = service.local.stores();
        let version = stores.objects.current_version(&ObjectKey::Issued(file)).await.unwrap().unwrap();
        let before = stores.ledger.load(file).await.unwrap().unwrap();
        let digest = Sha256::parse(&sha256(&bytes)).unwrap();
        let judgement = Judgement {
            // Only a scan makes this value; the ledger gives back stored ones.
            verdict: serde_json::from_value::<Verdict>(json!({ "status": "clean", "sha256": digest }))
                .unwrap(),
            judged_at: aws::clock::now(),
            duration: Duration::from_millis(5),
            sha256: Some(digest),
            engine: None,
            needed_password: false,
        };
        let state = State::Judged { version, judgement, post_verdict: PostVerdict::default() };
        let due_at = Some(before.expires_at);
        let next = Record { state, due_at, revision: before.revision + 1, ..before.clone() };
        assert_eq!(
            stores.ledger.commit(&before, &next, "earlier").await.unwrap(),
            aws::Committed::Yes,
            "{encoding}"
        );
        files.push((file_id, sha256(&bytes)));
    }
    files
}

/// The address of the newest version, presigned without any override.
async fn plain_address(service: &Service, file_id: &str) -> String {
    let request = service.raw_s3().get_object().bucket("airlock").key(format!("uploads/{file_id}"));
    let soon = PresigningConfig::expires_in(Duration::from_mins(5)).unwrap();
    let request = request.response_content_disposition("attachment");
    request.presigned(soon).await.unwrap().uri().to_owned()
}

/// The address that a link leads to.
async fn address(service: &Service, file_id: &str) -> String {
    let link = service.link(file_id).await;
    let answer = service.request(reqwest::Method::GET, &link).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_save_the_stored_bytes_whatever_their_encoding() {
    // The queue's messages stay undelivered, and nothing is swept: the records stay as they are written here.
    let service = Service::start_with(&[], |settings| {
        settings.tuning.delivery.n_workers = 0;
        settings.tuning.machine.sweep_retry = Duration::from_hours(1);
        settings.tuning.sweep_every = Duration::from_hours(1);
    })
    .await;
    let files = judged_before(&service).await;
    let (mut given, mut plain, mut expected) = (vec![], vec![], vec![]);
    for (file_id, digest) in &files {
        given.push(address(&service, file_id).await);
        plain.push(plain_address(&service, file_id).await);
        expected.push(digest.clone());
    }
    // Without an overriding header these clients decode, so the comparison below can fail.
    let decoded = sha256(&eicar());
    let compressed = |url: &String| match curl(url, &["--compressed"]) {
        Ok(saved) => saved.sha256,
        Err(error) => format!("error: {error}"),
    };
    for (client, saved) in [
        ("curl --compressed", plain.iter().map(compressed).collect::<Vec<_>>()),
        ("requests", requests(&plain)),
        ("Chromium", chromium(&plain)),
    ] {
        println!("{client} saves without an override: {saved:?}");
        assert_eq!(saved[..3], [decoded.as_str(); 3], "{client} decodes gzip and deflate, once and twice");
    }
    let uncompressed = given.iter().map(|url| curl(url, &[]).unwrap().sha256).collect::<Vec<_>>();
    assert_eq!(uncompressed, expected, "curl");
    assert_eq!(given.iter().map(compressed).collect::<Vec<_>>(), expected, "curl --compressed");
    assert_eq!(requests(&given), expected, "requests");
    assert_eq!(chromium(&given), expected, "Chromium");
    for url in &given {
        let saved = curl(url, &[]).unwrap();
        assert_eq!(saved.header("content-encoding"), Some("identity"), "{saved:?}");
    }
    // A rescan detects the encoding and revokes the links. The first and the last file become infected: the
    // engine opens gzip, and an opener opens zstd.
    let mut links = vec![];
    for (file_id, _) in &files {
        links.push(service.link(file_id).await);
    }
    let service = Service::start_in(service.stop_and_keep().await, &[], |_| {}).await;
    for ((file_id, _), link) in files[1..4].iter().zip(&links[1..4]) {
        assert_eq!(service.post(&format!("/files/{file_id}/rescan"), &json!({})).await.0, 202);
        wait::until("the rescan", async || service.ended(file_id).await["scan_status"] == "unscannable")
            .await;
        is_refused(&service, file_id, "scanned again").await;
        assert_eq!(service.get(link).await.0, 403, "no link outlives it");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_file_is_saved_as_the_operator_has_seen_it() {
    let service = Service::start().await;
    let bytes = gzip(&eicar());
    let file_id = upload(&service, "gzip", &bytes, json!({})).await;
    service.ends_as(&file_id, "infected").await;
    let release = json!({ "sha256": sha256(&bytes), "reason": "a test" });
    let (status, answer) = service.post(&format!("/files/{file_id}/release"), &release).await;
    assert_eq!(status, 200, "{answer}");
    let given = [address(&service, &file_id).await];
    assert_eq!(curl(&given[0], &["--compressed"]).unwrap().sha256, sha256(&bytes));
    assert_eq!(requests(&given), [sha256(&bytes)]);
    assert_eq!(chromium(&given), [sha256(&bytes)]);
    service.stop().await;
}

/// The MD5 digest in the form of the `Content-MD5` header.
fn md5_of(bytes: &[u8]) -> String {
    let script = "import base64, hashlib, json, sys\n\
                  md5 = hashlib.md5(bytes(json.load(sys.stdin)))\n\
                  print(base64.b64encode(md5.digest()).decode())";
    python(script, &json!(bytes)).trim().to_owned()
}

/// Sends the PUT that an upload client was given, with an encoding.
async fn put_encoded(service: &Service, url: &Value, headers: &Value, bytes: &[u8]) {
    let request = service.http.put(text(url)).body(bytes.to_vec()).header("content-encoding", "deflate");
    let headers = headers.as_object().unwrap().iter();
    let request = headers.fold(request, |request, (name, value)| request.header(name, text(value)));
    let stored = request.send().await.unwrap();
    assert_eq!(stored.status(), 200, "{}", stored.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_protocols_have_the_same_rule() {
    let service = Service::start().await;
    let bytes = zlib(&eicar());
    let size = bytes.len();
    let md5 = md5_of(&bytes);
    let blob =
        json!({ "filename": "a.txt", "byte_size": size, "checksum": md5, "content_type": "text/plain" });
    let (status, created) =
        service.post("/rails/active_storage/direct_uploads", &json!({ "blob": blob })).await;
    assert_eq!(status, 200, "{created}");
    let direct = &created["direct_upload"];
    put_encoded(&service, &direct["url"], &direct["headers"], &bytes).await;
    is_refused(&service, &text(&created["id"]), "Active Storage").await;

    let files = json!([{ "name": "a.txt", "size": size, "type": "" }]);
    let (status, signed) =
        service.post("/better-upload", &json!({ "route": "default", "files": files })).await;
    assert_eq!(status, 200, "{signed}");
    put_encoded(&service, &signed["files"][0]["signedUrl"], &signed["files"][0]["headers"], &bytes).await;
    is_refused(&service, &text(&signed["metadata"]["file_ids"][0]), "better-upload").await;

    // Uppy uploads whole files by a form, whose policy rejects unnamed fields.
    let (_, form) = service.get("/uppy/s3/params?filename=a.txt&type=text/plain").await;
    let file_id = text(&form["fields"]["key"]).strip_prefix("uploads/").unwrap().to_owned();
    let accepted = Accepted { file_id: file_id.clone(), upload: form };
    let refused = service.post_form_with(&accepted, &[("content-encoding", "deflate")], &bytes).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(service.post_form(&accepted, &bytes).await.status(), 201);
    service.ends_as(&file_id, "clean").await;

    // The API creates the multipart upload without an encoding; headers of parts are not stored.
    let body = json!({ "filename": "large.bin", "size": size, "method": "multipart" });
    let (_, accepted) = service.post("/files", &body).await;
    let file_id = text(&accepted["file_id"]);
    let part = multipart::instruction(&service, &file_id, json!({ "part_number": 1 })).await;
    let mut headers = part["headers"].clone();
    headers.as_object_mut().unwrap().remove("content-length");
    put_encoded(&service, &part["url"], &headers, &bytes).await;
    assert_eq!(service.post(&format!("/files/{file_id}/complete"), &json!({})).await.0, 202);
    is_saved(&service, &file_id, &bytes, "parts").await;

    // `POST /upload` stores neither the request's encoding nor that of the file's part.
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "deflate".parse().unwrap())]);
    let part = Part::bytes(bytes.clone()).file_name("a.txt").headers(headers);
    let request = service.request(reqwest::Method::POST, "/upload").header(CONTENT_ENCODING, "deflate");
    let (status, accepted) =
        answer(request.multipart(Form::new().part("file", part)).send().await.unwrap()).await;
    assert_eq!(status, 201, "{accepted}");
    is_saved(&service, &text(&accepted["file_id"]), &bytes, "POST /upload").await;
    service.stop().await;
}

/// Asserts that the file is clean and that curl saves the bytes that were sent.
async fn is_saved(service: &Service, file_id: &str, bytes: &[u8], what: &str) {
    service.ends_as(file_id, "clean").await;
    let saved = curl(&address(service, file_id).await, &["--compressed"]).unwrap();
    assert_eq!(saved.sha256, sha256(bytes), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_other_uploaders_have_the_same_rule() {
    let rules = [("INCOMING_PREFIX", "in/"), ("INCOMING_OWNERS", "=local")];
    let service = Service::start_with(&rules, |_| {}).await;
    let (s3, bytes) = (service.raw_s3(), zlib(&eicar()));
    let body = || ByteStream::from(bytes.clone());
    let put = s3.put_object().bucket("airlock").key("in/put.txt").body(body());
    put.content_encoding("deflate").send().await.unwrap();
    is_refused(&service, &file_under(&service, "in/put.txt", 1).await, "put").await;

    let begun =
        s3.create_multipart_upload().bucket("airlock").key("in/parts.txt").content_encoding("deflate");
    let begun = begun.send().await.unwrap();
    let upload_id = begun.upload_id().unwrap();
    let part = s3.upload_part().bucket("airlock").key("in/parts.txt").upload_id(upload_id).part_number(1);
    let sent = part.body(body()).send().await.unwrap();
    let part = CompletedPart::builder().part_number(1).set_e_tag(sent.e_tag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let completed = s3.complete_multipart_upload().bucket("airlock").key("in/parts.txt");
    completed.upload_id(upload_id).multipart_upload(parts).send().await.unwrap();
    is_refused(&service, &file_under(&service, "in/parts.txt", 1).await, "parts").await;

    // The same bytes again, copied over themselves with another encoding: another version, another file.
    s3.put_object().bucket("airlock").key("in/copied.txt").body(body()).send().await.unwrap();
    let plain = file_under(&service, "in/copied.txt", 1).await;
    is_saved(&service, &plain, &bytes, "before the copy").await;
    let copy = s3.copy_object().bucket("airlock").key("in/copied.txt").copy_source("airlock/in/copied.txt");
    let copy = copy.metadata_directive(MetadataDirective::Replace).content_encoding("deflate");
    copy.send().await.unwrap();
    is_refused(&service, &file_under(&service, "in/copied.txt", 2).await, "copy").await;
    is_saved(&service, &plain, &bytes, "after the copy").await;
    service.stop().await;
}

/// The newest file under a key, once there are `n` of them.
pub(crate) async fn file_under(service: &Service, key: &str, n: usize) -> String {
    wait::until_found(&format!("{n} files under {key}"), async || {
        let (_, list) = service.get(&format!("/files?key={key}")).await;
        let files = list["files"].as_array().unwrap();
        if files.len() == n { Ok(text(&files[0]["file_id"])) } else { Err(list) }
    })
    .await
}
