//! An object that was uploaded below the incoming prefix, outside the API, becomes a file of the owner that
//! the rules name. Other objects stay unchanged, and no foreign object is removed.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use local::Auth;
use reqwest::Method;
use serde_json::{Value, json};
use standin::pump::Faults;

use crate::identity::{ENV, user_token};
use crate::support::{Service, eicar, text, wait};

const RULES: [(&str, &str); 2] = [("INCOMING_PREFIX", "in/"), ("INCOMING_OWNERS", "mine/=local,{owner}/")];

/// Uploads an object as `aws s3 cp` does, and returns its version.
async fn put(service: &Service, key: &str, bytes: &[u8]) -> String {
    let body = ByteStream::from(bytes.to_vec());
    let stored = service.raw_s3().put_object().bucket("airlock").key(key).body(body).send().await.unwrap();
    stored.version_id.unwrap()
}

async fn versions(service: &Service, prefix: &str) -> Vec<String> {
    let listed =
        service.raw_s3().list_object_versions().bucket("airlock").prefix(prefix).send().await.unwrap();
    listed.versions().iter().map(|version| version.version_id().unwrap().to_owned()).collect()
}

/// Waits until exactly these versions are left.
async fn are_left(service: &Service, prefix: &str, expected: &[String]) {
    wait::until_found("the others to go", async || {
        let left = versions(service, prefix).await;
        if left == expected { Ok(()) } else { Err(left) }
    })
    .await;
}

async fn only_file(service: &Service) -> String {
    text(&service.list_of(1).await[0]["file_id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_uploaded_outside_the_api_are_judged_and_served() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let key = "in/mine/2026/a b+\u{e4}%2B.txt";
    let body = ByteStream::from_static(b"put by others");
    let request = service.raw_s3().put_object().bucket("airlock").key(key).tagging("team=a&scan-status=NO");
    request.body(body).send().await.unwrap();
    let file_id = only_file(&service).await;
    let info = service.ends_as(&file_id, "clean").await;
    assert_eq!(
        (info["filename"].as_str(), info["file_size"].as_u64()),
        (Some("a b+\u{e4}%2B.txt"), Some(13))
    );
    let link = service.link(&file_id).await;
    assert_eq!(service.download(&link).await.bytes().await.unwrap().as_ref(), b"put by others");
    // The verdict's tag is beside the uploader's own.
    wait::until_found("the verdict's tag", async || {
        let tags = service.raw_s3().get_object_tagging().bucket("airlock").key(key).send().await.unwrap();
        let tags: Vec<_> = tags.tag_set.iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect();
        if tags == ["team=a", "scan-status=CLEAN"] { Ok(()) } else { Err(tags) }
    })
    .await;
    put(&service, "in/mine/bad", &eicar()).await;
    let bad = text(&service.list_of(2).await[0]["file_id"]);
    service.ends_as(&bad, "infected").await;
    assert_eq!(service.get(&format!("/files/{bad}/download-link")).await.0, 403);
    // A name without an extension may get one, because the uploader did not choose the first name.
    let renamed = service.request(Method::PATCH, &format!("/files/{file_id}"));
    let renamed = renamed.json(&json!({ "filename": "report.pdf" })).send().await.unwrap();
    assert_eq!(renamed.status(), 200);
    let again = service.post(&format!("/files/{file_id}/rescan"), &json!({})).await;
    assert_eq!(again.0, 202, "{}", again.1);
    service.ends_as(&file_id, "clean").await;
    assert_eq!(service.post(&format!("/files/{file_id}/complete"), &json!({})).await.0, 202);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_parts_are_files_too() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let (s3, key) = (service.raw_s3(), "in/mine/parts.bin");
    let begun = s3.create_multipart_upload().bucket("airlock").key(key).send().await.unwrap();
    let upload_id = begun.upload_id().unwrap();
    let bytes: Vec<u8> = (0..6_000_000u32).flat_map(|n| [n.to_le_bytes()[0]]).collect();
    let mut parts = vec![];
    for (number, part) in (1..).zip(bytes.chunks(5 * 1024 * 1024)) {
        let request = s3.upload_part().bucket("airlock").key(key).upload_id(upload_id).part_number(number);
        let sent = request.body(ByteStream::from(part.to_vec())).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let completed = s3.complete_multipart_upload().bucket("airlock").key(key).upload_id(upload_id);
    completed.multipart_upload(parts).send().await.unwrap();
    let file_id = only_file(&service).await;
    service.ends_as(&file_id, "clean").await;
    assert_eq!(service.download(&service.link(&file_id).await).await.bytes().await.unwrap(), bytes);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_is_a_file_and_only_its_own_bytes_are_removed() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let key = "in/mine/report.txt";
    put(&service, key, b"first").await;
    let first = only_file(&service).await;
    service.ends_as(&first, "clean").await;
    let link = service.link(&first).await;
    let bad_version = put(&service, key, &eicar()).await;
    let bad = text(&service.list_of(2).await[0]["file_id"]);
    service.ends_as(&bad, "infected").await;
    assert_eq!(
        service.download(&link).await.bytes().await.unwrap().as_ref(),
        b"first",
        "not the later version"
    );
    // A key that is a prefix of another one.
    put(&service, "in/mine/report.txt.old", b"another").await;
    let other = text(&service.list_of(3).await[0]["file_id"]);
    service.ends_as(&other, "clean").await;
    // After some sweeps everything is still there.
    wait::linger(Duration::from_secs(1)).await;
    assert_eq!(versions(&service, key).await.len(), 3);
    let deleted = service.request(Method::DELETE, &format!("/files/{first}")).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let left = versions(&service, key).await;
    assert!(left.len() == 2 && left.contains(&bad_version), "{left:?}");
    service.ends_as(&bad, "infected").await;
    // A version that expires is removed alone too.
    service.expire_soon(&other).await;
    are_left(&service, key, &[bad_version]).await;
    service.ends_as(&other, "expired").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_uploads_own_objects_and_unowned_objects_are_ignored() {
    let service = Service::start_with(&RULES, |_| {}).await;
    for key in ["in/mine/5f3a.info", "in/mine/5f3a.part", "in/mine/", "in/unowned.txt", "elsewhere/a.txt"] {
        put(&service, key, &eicar()).await;
    }
    put(&service, "in/mine/a.txt", b"after them").await;
    let file_id = only_file(&service).await;
    service.ends_as(&file_id, "clean").await;
    wait::linger(Duration::from_millis(500)).await;
    assert_eq!(service.list_of(1).await.len(), 1);
    assert_eq!((versions(&service, "in/").await.len(), versions(&service, "elsewhere/").await.len()), (5, 1));
    assert!(service.local.queue().dead_letters().await.unwrap().is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_prefix_only_the_api_creates_files() {
    let service = Service::start().await;
    put(&service, "in/mine/a.txt", b"not asked for").await;
    let file_id = service.upload("b.txt", b"announced").await;
    service.ends_as(&file_id, "clean").await;
    assert_eq!(only_file(&service).await, file_id);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_incoming_rules_name_the_owner() {
    let env = [ENV.as_slice(), &RULES].concat();
    let service = Service::start_with(&env, |settings| settings.auth = Auth::Jwt).await;
    put(&service, "in/alice/a.txt", b"alice's").await;
    let service = service.with_token(user_token("alice"));
    let file_id = only_file(&service).await;
    service.ends_as(&file_id, "clean").await;
    let service = service.with_token(user_token("bob"));
    assert_eq!(service.list_of(0).await, Vec::<Value>::new());
    assert_eq!(service.get(&format!("/files/{file_id}")).await.0, 404);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicated_events_make_one_file() {
    let service = Service::start_with(&RULES, |settings| {
        settings.tuning.delivery.faults = Faults::Duplicate(5);
    })
    .await;
    put(&service, "in/mine/a.txt", b"five times told").await;
    put(&service, "in/mine/b.txt", &eicar()).await;
    for file in service.list_of(2).await {
        service.ended(&text(&file["file_id"])).await;
    }
    wait::linger(Duration::from_millis(500)).await;
    assert_eq!(service.list_of(2).await.len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_whose_events_are_lost_are_found_by_listing() {
    let service = Service::start_with(&RULES, |settings| {
        settings.tuning.delivery.faults = Faults::DropFromS3;
        settings.tuning.incoming_every = Duration::from_millis(300);
    })
    .await;
    // More objects than one listing covers, with older versions and ignored `.info` files among them.
    for n in 0..55 {
        put(&service, &format!("in/mine/{n:02}.info"), b"notes").await;
        // XML 1.0 has no such character.
        put(&service, &format!("in/mine/{n:02}\u{1}+ %41.txt"), b"an older version").await;
        put(&service, &format!("in/mine/{n:02}\u{1}+ %41.txt"), if n % 2 == 0 { b"good" } else { b"fine" })
            .await;
    }
    let found = async || {
        let mut n_clean = 0;
        let mut path = "/files?limit=100&status=clean".to_owned();
        loop {
            let (_, list) = service.get(&path).await;
            n_clean += list["files"].as_array().unwrap().len();
            let Some(cursor) = list["next_cursor"].as_str() else { return n_clean };
            path = format!("/files?limit=100&status=clean&cursor={cursor}");
        }
    };
    wait::until_found("110 clean files", async || match found().await {
        110 => Ok(()),
        fewer => Err(fewer),
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_stay_files_when_the_prefix_is_taken_away() {
    let service = Service::start_with(&RULES, |_| {}).await;
    put(&service, "in/mine/a.txt", b"known already").await;
    let file_id = only_file(&service).await;
    let before = service.ends_as(&file_id, "clean").await["scan_result"]["scanned_at"].clone();
    let service = Service::start_in(service.stop_and_keep().await, &[], |_| {}).await;
    assert_eq!(service.post(&format!("/files/{file_id}/rescan"), &json!({})).await.0, 202);
    wait::until("another scan", async || {
        service.ends_as(&file_id, "clean").await["scan_result"]["scanned_at"] != before
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_takes_the_infected_version_and_no_other() {
    for (policy, n_moved) in [("delete", 0), ("move", 1)] {
        let service =
            Service::start_with(&[RULES.as_slice(), &[("QUARANTINE", policy)]].concat(), |_| {}).await;
        let key = "in/mine/x y&z+\u{e4}%41.txt";
        let good = put(&service, key, b"good").await;
        put(&service, key, &eicar()).await;
        service.list_of(2).await;
        are_left(&service, key, &[good]).await;
        // The version is copied to the quarantine, and nowhere else, before it is removed.
        assert_eq!(versions(&service, "quarantine/").await.len(), n_moved);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn incoming_files_count_and_are_never_refused() {
    let env = [RULES.as_slice(), &[("QUOTA_FILES", "2")]].concat();
    let service = Service::start_with(&env, |_| {}).await;
    for n in 0..3 {
        put(&service, &format!("in/mine/{n}.txt"), b"there already").await;
    }
    for file in service.list_of(3).await {
        service.ends_as(&text(&file["file_id"]), "clean").await;
    }
    let (status, problem) = service.post("/files", &json!({ "filename": "a.txt" })).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (429, Some("quota_exceeded")), "{problem}");
    for file in service.list_of(3).await {
        let path = format!("/files/{}", text(&file["file_id"]));
        assert_eq!(service.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    }
    assert_eq!(service.post("/files", &json!({ "filename": "a.txt" })).await.0, 201);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_incoming_settings_end_the_start() {
    for (prefix, owners) in [("uploads/", ""), ("in", ""), ("in/", "{user}/")] {
        let directory = tempfile::tempdir().unwrap();
        let env =
            settings::Environment::from_pairs(&[("INCOMING_PREFIX", prefix), ("INCOMING_OWNERS", owners)]);
        let started = local::Local::start(crate::support::settings(directory.path()), &env).await;
        let error = format!("{:#}", started.unwrap_err());
        assert!(error.contains("`INCOMING_"), "{error}");
    }
}
