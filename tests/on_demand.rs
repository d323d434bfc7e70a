//! `POST /scan` answers with the verdict on exactly the bytes it was sent, calls nothing clean that it does
//! not know, and keeps neither bytes nor a record.

use std::process::Command;
use std::time::Duration;

use aws::PageStart;
use domain::id::{FileId, ObjectKey, OwnerId};
use domain::machine::{Event, MachinePolicy};
use domain::post_verdict::Rescans;
use domain::record::UploadMethod;
use domain::timestamp::Timestamp;
use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use domain::usage::Quotas;
use lifecycle::{Creation, NewUpload, Transitions, UploadCreator};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use standin::pump::Faults;
use tokio::io::AsyncWriteExt as _;

use crate::identity::{ENV, user_token};
use crate::support::{Service, answer, eicar, sha256, wait};

fn scan(service: &Service) -> RequestBuilder {
    service.request(Method::POST, "/scan")
}

async fn scanned(service: &Service, bytes: &[u8]) -> (u16, Value) {
    let (status, body) = answer(scan(service).body(bytes.to_vec()).send().await.unwrap()).await;
    (status.as_u16(), body)
}

/// Waits until storage and ledger have nothing: no version, no record.
async fn nothing_is_left(service: &Service, owner: &str) {
    let (s3, ledger) = (service.raw_s3(), &service.local.stores().ledger);
    let owner = OwnerId::parse(owner).unwrap();
    wait::until_found("storage and ledger to be empty", async || {
        let versions = s3.list_object_versions().bucket("airlock").send().await.unwrap();
        let n_objects = versions.versions().len() + versions.delete_markers().len();
        let listed = ledger.list(&owner, None, 100, None::<PageStart>).await.unwrap().records;
        let changed = ledger.changes(&owner, Timestamp::from_secs(0), None, 100).await.unwrap().records;
        let n_due = due(service).await;
        let found = (n_objects, listed.len(), changed.len(), n_due);
        if found == (0, 0, 0, 0) { Ok(()) } else { Err(found) }
    })
    .await;
}

/// How many records the sweep still has to visit.
async fn due(service: &Service) -> usize {
    let far = aws::clock::now() + Duration::from_hours(24 * 365);
    let mut n_due = 0;
    for shard in 0..aws::Ledger::N_SHARDS {
        let ledger = &service.local.stores().ledger;
        n_due += ledger.due(aws::DueList::Files, shard, far, None, 100).await.unwrap().len();
    }
    n_due
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_the_verdict_and_nothing_is_kept() {
    let service = Service::start_with(&[("QUARANTINE", "move")], |_| {}).await;
    let large = vec![b'x'; 9 * 1024 * 1024];
    for (bytes, expected, reason) in [
        (b"good".to_vec(), "clean", Value::Null),
        (eicar(), "infected", Value::Null),
        (large, "clean", Value::Null),
        (b"PK\x03\x04 not a zip that anybody could open".to_vec(), "unscannable", json!("encrypted")),
    ] {
        let (status, verdict) = scanned(&service, &bytes).await;
        assert_eq!((status, &verdict["scan_status"]), (200, &json!(expected)), "{verdict}");
        let result = &verdict["scan_result"];
        assert_eq!(result["status"], expected, "{verdict}");
        assert_eq!(result["sha256"], sha256(&bytes), "{verdict}");
        assert_eq!(verdict["file_size"], bytes.len(), "{verdict}");
        assert_eq!(result["reason"], reason, "{verdict}");
        assert_eq!(result["signature"].is_string(), expected == "infected", "{verdict}");
        nothing_is_left(&service, "local").await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_scanned_like_a_body_and_may_bring_a_password() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("member.txt"), "nothing special").unwrap();
    let pack = "7zz a -psecret-word -mem=AES256 locked.zip member.txt >log";
    let made = Command::new("sh").args(["-c", pack]).current_dir(directory.path()).status().unwrap();
    assert!(made.success(), "`tools/install test` installs 7zz");
    let locked = std::fs::read(directory.path().join("locked.zip")).unwrap();
    for (password, expected, reason) in [
        (Some("secret-word"), "clean", Value::Null),
        (Some("wrong"), "unscannable", json!("encrypted")),
        (Some(""), "unscannable", json!("encrypted")),
        (None, "unscannable", json!("encrypted")),
    ] {
        let mut form = Form::new();
        if let Some(password) = password {
            form = form.text("password", password);
        }
        // A name that uploads may not have: nothing is given out here.
        let form = form.part("file", Part::bytes(locked.clone()).file_name("locked.exe"));
        let (status, verdict) = answer(scan(&service).multipart(form).send().await.unwrap()).await;
        assert_eq!((status.as_u16(), &verdict["scan_status"]), (200, &json!(expected)), "{verdict}");
        assert_eq!(verdict["scan_result"]["reason"], reason, "{verdict}");
    }
    let no_file = Form::new().text("other", "x");
    let (status, problem) = answer(scan(&service).multipart(no_file).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("file_field_missing")));
    let file = |bytes: &'static str| Part::text(bytes).file_name("a.txt");
    let two_files = Form::new().part("file", file("one")).part("file", file("two"));
    let (status, problem) = answer(scan(&service).multipart(two_files).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("wrong_number_of_files")));
    nothing_is_left(&service, "local").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_judged_is_refused_and_nothing_is_kept() {
    let env = [("MAX_SCAN_BODY_SIZE", "100000"), ("QUOTA_BYTES", "50000")];
    let service = Service::start_with(&[&ENV[..], &env].concat(), |settings| {
        settings.auth = local::Auth::Jwt;
    })
    .await;
    let service = service.with_token(user_token("alice"));
    for (bytes, status, code) in [
        (vec![], 422, "file_empty"),
        (vec![b'x'; 100_001], 413, "use_direct_upload"),
        (vec![b'x'; 1_000_000], 413, "use_direct_upload"),
        (vec![b'x'; 50_001], 429, "quota_exceeded"),
    ] {
        let (found, problem) = scanned(&service, &bytes).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    let encoded = scan(&service).header("content-encoding", "gzip").body("x").send().await.unwrap();
    let (status, problem) = answer(encoded).await;
    assert_eq!((status.as_u16(), &problem["code"]), (415, &json!("unsupported_media_type")));
    assert!(problem["detail"].as_str().unwrap().contains("Content-Encoding"), "{problem}");
    let anonymous = crate::support::client().post(service.url("/scan")).body("x").send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    // Each scan gives its share of the quota back.
    for _ in 0..3 {
        assert_eq!(scanned(&service, &vec![b'x'; 40_000]).await.0, 200);
    }
    nothing_is_left(&service, "alice").await;
    let usage = service.local.stores().ledger.usage(&OwnerId::parse("alice").unwrap()).await.unwrap();
    assert_eq!((usage.pending, usage.objects, usage.bytes), (0, 0, 0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_verdict_in_time_there_is_an_error() {
    let service = Service::start_with(&[], |settings| {
        settings.tuning.delivery.faults = Faults::DropAll;
        settings.tuning.longest_scan_wait = Duration::from_millis(500);
    })
    .await;
    let response = scan(&service).body("never scanned").send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "5");
    let (status, problem) = answer(response).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("no_verdict")), "{problem}");
    assert_eq!(problem["reason"], "timeout");
    nothing_is_left(&service, "local").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_disconnects_leaves_nothing_behind() {
    let service = Service::start_with(&[], |settings| {
        settings.tuning.delivery.faults = Faults::DropAll;
        settings.tuning.longest_scan_wait = Duration::from_secs(2);
    })
    .await;
    let address = service.local.report().url.strip_prefix("http://").unwrap().to_owned();
    let mut connection = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request = format!("POST /scan HTTP/1.1\r\nHost: {address}\r\nContent-Length: 4\r\n\r\ngood");
    connection.write_all(request.as_bytes()).await.unwrap();
    wait::until("the file on demand", async || due(&service).await == 1).await;
    assert_eq!(service.get("/files").await.1["files"], json!([]), "it is never listed");
    drop(connection);
    nothing_is_left(&service, "local").await;
    service.stop().await;
}

/// A file on demand that a crashed process has left behind.
async fn abandoned(service: &Service, now: Timestamp) -> FileId {
    let stores = service.local.stores();
    let uploads = UploadPolicy {
        max_file_size: 1000,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: Duration::from_hours(24),
    };
    let request = UploadRequest { filename: "file", ..UploadRequest::default() };
    let file = FileId::from_random(aws::clock::random_uuid());
    let new = NewUpload {
        file,
        owner: OwnerId::local(),
        upload: accept(&request, &uploads).unwrap(),
        method: UploadMethod::OnDemand,
        password: None,
    };
    let first_sweep_in = MachinePolicy::default().sweep_retry;
    let creator = UploadCreator { stores, uploads: &uploads, quotas: &Quotas::NONE, first_sweep_in };
    assert!(matches!(creator.create(new, None, now).await.unwrap(), Creation::New(_)));
    let key = ObjectKey::Issued(file).to_string();
    let put = service.raw_s3().put_object().bucket("airlock").key(key).body(eicar().into());
    put.send().await.unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_removes_what_a_crash_left_behind() {
    let service = Service::start().await;
    let now = aws::clock::now();
    let file = abandoned(&service, now).await;
    let ledger = &service.local.stores().ledger;
    wait::until("its verdict", async || {
        ledger.load(file).await.unwrap().is_some_and(|record| record.judgement().is_some())
    })
    .await;
    for path in ["", "/status", "/download-link", "/events"] {
        let (status, _) = service.get(&format!("/files/{file}{path}")).await;
        assert_eq!(status, 404, "{path}: it belongs to its request alone");
    }
    let key = ObjectKey::Issued(file);
    assert_eq!(service.get(&format!("/files?key={key}")).await.1["files"], json!([]));
    let transitions = Transitions { stores: service.local.stores(), policy: &MachinePolicy::default() };
    let rescans = Rescans { engine: None, has_room: false, is_out_of_reach: false };
    let later = now + UploadPolicy::ON_DEMAND_TTL;
    let applied = transitions.apply(file, &Event::Due { found: None, rescans }, later).await.unwrap();
    transitions.run_effects(&applied.unwrap(), later).await.unwrap();
    assert_eq!(ledger.load(file).await.unwrap(), None);
    nothing_is_left(&service, "local").await;
    service.stop().await;
}
