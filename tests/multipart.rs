//! Multipart uploads are resumed, repeated, raced and forged. The joined object is exactly what was declared,
//! or there is none.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Service, answer, eicar, sha256, text, wait};

pub(crate) const PART: usize = 8 * 1024 * 1024;

/// Bytes that differ from part to part.
pub(crate) fn bytes(n: usize) -> Vec<u8> {
    (0u64..).flat_map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()).take(n).collect()
}

async fn begin(service: &Service, size: usize, more: Value) -> String {
    let mut body = json!({ "filename": "large.bin", "size": size, "method": "multipart" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, accepted) = service.post("/files", &body).await;
    assert_eq!(status, 201, "{accepted}");
    assert_eq!(accepted["upload"]["method"], "MULTIPART");
    assert_eq!(accepted["upload"]["part_size"], PART);
    assert_eq!(accepted["upload"]["part_count"], size.div_ceil(PART));
    text(&accepted["file_id"])
}

/// Presigns one part, which must succeed.
pub(crate) async fn instruction(service: &Service, file_id: &str, part: Value) -> Value {
    let (status, given) = service.post(&format!("/files/{file_id}/parts"), &json!({ "parts": [part] })).await;
    assert_eq!(status, 200, "{given}");
    given["parts"][0].clone()
}

pub(crate) async fn send(service: &Service, instruction: &Value, bytes: &[u8]) -> Response {
    let mut request = service.http.put(text(&instruction["url"]));
    for (name, value) in instruction["headers"].as_object().unwrap() {
        if name != "content-length" {
            request = request.header(name, text(value));
        }
    }
    request.body(bytes.to_vec()).send().await.unwrap()
}

async fn send_part(service: &Service, file_id: &str, number: usize, whole: &[u8]) -> Response {
    let part = whole.chunks(PART).nth(number - 1).unwrap();
    let given = instruction(service, file_id, json!({ "part_number": number })).await;
    assert_eq!(given["size"], part.len());
    send(service, &given, part).await
}

async fn complete(service: &Service, file_id: &str) -> (StatusCode, Value) {
    service.post(&format!("/files/{file_id}/complete"), &json!({})).await
}

/// The numbers of versions and of unfinished uploads; both are 0 after a file is deleted.
pub(crate) async fn left_behind(service: &Service, file_id: &str) -> (usize, bool) {
    let key = format!("uploads/{file_id}");
    let versions =
        service.raw_s3().list_object_versions().bucket("airlock").prefix(&key).send().await.unwrap();
    let id = domain::id::FileId::parse(file_id).unwrap();
    let record = service.local.stores().ledger.load(id).await.unwrap().unwrap();
    let upload_id = record.multipart().unwrap().upload_id.as_str().to_owned();
    let parts = service.raw_s3().list_parts().bucket("airlock").key(&key).upload_id(upload_id).send().await;
    (versions.versions().len(), parts.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_file_in_any_order_and_after_a_break() {
    let service = Service::start().await;
    let whole = bytes(2 * PART + 12_345);
    let file_id = begin(&service, whole.len(), json!({ "checksum_sha256": sha256(&whole) })).await;
    assert_eq!(send_part(&service, &file_id, 3, &whole).await.status(), 200);
    assert_eq!(send_part(&service, &file_id, 1, &whole).await.status(), 200);
    // The page was reopened, and asks which parts are stored.
    let (status, list) = service.get(&format!("/files/{file_id}/parts")).await;
    assert_eq!((status.as_u16(), &list["part_count"]), (200, &json!(3)), "{list}");
    let numbers: Vec<_> =
        list["parts"].as_array().unwrap().iter().map(|part| part["part_number"].clone()).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(list["parts"][1]["size"], 12_345);
    let (status, problem) = complete(&service, &file_id).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("part_missing")), "{problem}");
    assert_eq!(problem["detail"], "Part 2 has not been uploaded.");
    let sent = send_part(&service, &file_id, 2, &whole).await;
    assert!(sent.headers().contains_key("etag"));
    assert_eq!(complete(&service, &file_id).await.0, 202);
    let info = service.ends_as(&file_id, "clean").await;
    assert_eq!(info["scan_result"]["sha256"], sha256(&whole));
    assert_eq!(service.download(&service.link(&file_id).await).await.bytes().await.unwrap(), whole);
    // A completed upload accepts no further requests.
    assert_eq!(complete(&service, &file_id).await.0, 202);
    for (status, problem) in [
        service.get(&format!("/files/{file_id}/parts")).await,
        service.post(&format!("/files/{file_id}/parts"), &json!({ "parts": [{ "part_number": 1 }] })).await,
    ] {
        assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("upload_over")), "{problem}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malware_across_parts_is_found() {
    let service = Service::start().await;
    // An archive without compression: the sample's bytes are in both parts.
    let mut whole = tar_with_eicar_at(PART - 30);
    whole.resize(whole.len() + 1024, 0);
    let file_id = begin(&service, whole.len(), json!({})).await;
    for number in 1..=2 {
        assert_eq!(send_part(&service, &file_id, number, &whole).await.status(), 200);
    }
    assert_eq!(complete(&service, &file_id).await.0, 202);
    service.ends_as(&file_id, "infected").await;
    service.stop().await;
}

/// A tar archive whose second member's bytes begin at `offset`, rounded up to a block.
fn tar_with_eicar_at(offset: usize) -> Vec<u8> {
    let header = |name: &str, size: usize| {
        let mut block = vec![0u8; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..108].copy_from_slice(b"0000644\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[148..156].fill(b' ');
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    };
    let filler = (offset / 512 - 1) * 512;
    let mut tar = [header("filler", filler), bytes(filler)].concat();
    tar.extend(header("bad.com", eicar().len()));
    let start = tar.len();
    tar.extend(eicar());
    tar.resize(start + 512, 0);
    tar
}

#[tokio::test(flavor = "multi_thread")]
async fn more_or_other_than_announced_is_refused() {
    let service = Service::start().await;
    let whole = bytes(10_000_000);
    let file_id = begin(&service, whole.len(), json!({})).await;
    // Eleven megabytes instead of the declared ten: neither part accepts an additional byte.
    let last = instruction(&service, &file_id, json!({ "part_number": 2 })).await;
    let longer = bytes(11_000_000);
    assert_eq!(send(&service, &last, &longer[PART..]).await.status(), 403);
    let path = format!("/files/{file_id}/parts");
    for (body, status, code) in [
        (json!({ "parts": [{ "part_number": 3 }] }), 422, "no_such_part"),
        (json!({ "parts": [{ "part_number": 0 }] }), 422, "no_such_part"),
        (json!({ "parts": [{ "part_number": 1, "checksum_sha256": sha256(b"") }] }), 422, "checksum_unused"),
        (json!({ "parts": [] }), 422, "wrong_number_of_parts"),
        (json!({ "parts": vec![json!({ "part_number": 1 }); 101] }), 422, "wrong_number_of_parts"),
        (json!({ "part_numbers": [1] }), 422, "invalid_body"),
    ] {
        let (found, problem) = service.post(&path, &body).await;
        assert_eq!((found.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    // A part of another length, uploaded with the storage's own keys.
    let id = domain::id::FileId::parse(&file_id).unwrap();
    let record = service.local.stores().ledger.load(id).await.unwrap().unwrap();
    let upload_id = record.multipart().unwrap().upload_id.as_str().to_owned();
    for (number, part) in (1..).zip(longer.chunks(PART)) {
        let request = service.raw_s3().upload_part().bucket("airlock").key(format!("uploads/{file_id}"));
        let request = request.upload_id(&upload_id).part_number(number).body(part.to_vec().into());
        request.send().await.unwrap();
    }
    let (status, problem) = complete(&service, &file_id).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("part_size_mismatch")), "{problem}");
    assert_eq!(left_behind(&service, &file_id).await, (0, true));
    let (status, problem) =
        service.post("/files", &json!({ "filename": "a.bin", "method": "multipart" })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("size_needed")));
    let put = service.create_upload(&json!({ "filename": "a.bin" })).await.file_id;
    let (status, problem) = service.get(&format!("/files/{put}/parts")).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("not_in_parts")));
    // Nothing is left behind when it is deleted.
    let deleted = service.request(Method::DELETE, &format!("/files/{file_id}")).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(left_behind(&service, &file_id).await, (0, false));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_checksums_storage_refuses_damaged_parts() {
    let service = Service::start().await;
    let whole = bytes(PART + 77);
    let file_id = begin(&service, whole.len(), json!({ "part_checksums": true })).await;
    let path = format!("/files/{file_id}/parts");
    for wrong in [json!({ "part_number": 1 }), json!({ "part_number": 1, "checksum_sha256": "abc" })] {
        let (status, problem) = service.post(&path, &json!({ "parts": [wrong] })).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("checksum_needed")), "{problem}");
    }
    for (number, part) in (1..).zip(whole.chunks(PART)) {
        let wanted = json!({ "part_number": number, "checksum_sha256": sha256(part) });
        let given = instruction(&service, &file_id, wanted).await;
        let mut damaged = part.to_vec();
        damaged[50] ^= 1;
        assert_eq!(send(&service, &given, &damaged).await.status(), 400);
        assert_eq!(send(&service, &given, part).await.status(), 200);
    }
    let (_, list) = service.get(&path).await;
    assert_eq!(list["parts"][1]["checksum_sha256"], sha256(&whole[PART..]));
    assert_eq!(complete(&service, &file_id).await.0, 202);
    let info = service.ends_as(&file_id, "clean").await;
    assert_eq!(info["scan_result"]["sha256"], sha256(&whole));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_completions_all_succeed_and_create_one_object() {
    let service = Service::start().await;
    let whole = bytes(PART + 5);
    let file_id = begin(&service, whole.len(), json!({})).await;
    let first = instruction(&service, &file_id, json!({ "part_number": 1 })).await;
    for number in 1..=2 {
        assert_eq!(send_part(&service, &file_id, number, &whole).await.status(), 200);
    }
    let racers = (0..8).map(|_| complete(&service, &file_id));
    for (status, body) in futures_util::future::join_all(racers).await {
        assert_eq!(status, 202, "{body}");
    }
    service.ends_as(&file_id, "clean").await;
    assert_eq!(left_behind(&service, &file_id).await, (1, false));
    // A part that arrives after the completion changes nothing.
    assert_eq!(send(&service, &first, &whole[..PART]).await.status(), 404);
    assert_eq!(service.download(&service.link(&file_id).await).await.bytes().await.unwrap(), whole);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_upload_goes_with_its_file() {
    let service = Service::start().await;
    let whole = bytes(PART + 5);
    let file_id = begin(&service, whole.len(), json!({})).await;
    assert_eq!(send_part(&service, &file_id, 1, &whole).await.status(), 200);
    service.expire_soon(&file_id).await;
    service.ends_as(&file_id, "expired").await;
    wait::until_found("its parts to be gone", async || match left_behind(&service, &file_id).await {
        (0, false) => Ok(()),
        left => Err(left),
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_announcement_gives_the_same_upload_and_leaves_no_other() {
    let service = Service::start().await;
    let body = json!({ "filename": "a.bin", "size": 100, "method": "multipart" });
    let mut file_ids = vec![];
    for _ in 0..3 {
        let request = service.request(Method::POST, "/files").header("idempotency-key", "k").json(&body);
        let (status, accepted) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 201, "{accepted}");
        file_ids.push(text(&accepted["file_id"]));
    }
    assert!(file_ids.iter().all(|file_id| *file_id == file_ids[0]));
    let whole = bytes(100);
    assert_eq!(send_part(&service, &file_ids[0], 1, &whole).await.status(), 200);
    assert_eq!(complete(&service, &file_ids[0]).await.0, 202);
    service.ends_as(&file_ids[0], "clean").await;
    service.stop().await;
}
