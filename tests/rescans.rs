//! Files are rescanned when the definitions change or on request, a few at a time. A file that turns out to
//! be infected becomes undownloadable immediately, and the event says how often it was downloaded before.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::id::{ETag, FileId, OwnerId, Sha256, Version, VersionId};
use domain::post_verdict::{PostVerdict, Rescan};
use domain::record::{Record, State, UploadMethod};
use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use domain::usage::Quotas;
use local::DefinitionsSource;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use crate::engine_faults::Harassment;
use crate::support::receiver::Receiver;
use crate::support::{Service, answer, eicar, is_soak, sha256, wait};
use crate::webhooks::SECRET;

const LATE: &[u8] = b"no engine knows yet that this is bad, and it has more than a few bytes";

/// A directory of definitions to which signatures can be added, and a service that uses it.
struct Learning {
    service: Service,
    definitions: tempfile::TempDir,
    receiver: Receiver,
}

impl Learning {
    async fn start() -> Self {
        let definitions = tempfile::tempdir().unwrap();
        clamd::definitions::write_test_set(definitions.path()).unwrap();
        let receiver = Receiver::start().await;
        let url = receiver.url();
        let env = [
            ("WEBHOOK_URLS", url.as_str()),
            ("WEBHOOK_SECRET", SECRET),
            ("WEBHOOK_PRIVATE_HOSTS", &receiver.address),
        ];
        let directory = definitions.path().to_owned();
        let service = Service::start_with(&env, |settings| {
            settings.definitions = DefinitionsSource::Directory(directory);
            settings.tuning.definitions_every = Duration::from_millis(300);
            settings.tuning.machine.rescan_every = Some(Duration::from_secs(1));
        })
        .await;
        Self { service, definitions, receiver }
    }

    /// Adds a signature of `bytes` to the definitions.
    fn learn(&self, bytes: &[u8]) {
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let signature = format!("Late.Finding:0:0:{hex}\n");
        std::fs::write(self.definitions.path().join("late.ndb"), signature).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_definitions_revoke_what_they_find() {
    let learning = Learning::start().await;
    let service = &learning.service;
    let (bad, good) = (service.upload("late.txt", LATE).await, service.upload("good.txt", b"good").await);
    let before = service.ends_as(&bad, "clean").await;
    service.ends_as(&good, "clean").await;
    let link = service.link(&bad).await;
    for _ in 0..2 {
        assert_eq!(service.download(&link).await.bytes().await.unwrap(), LATE);
    }
    learning.learn(LATE);
    let told = learning
        .receiver
        .wait_for("the changed verdict", |received| {
            received.iter().any(|one| one.kind() == "file.scan.verdict_changed")
        })
        .await;
    let changed = told.iter().find(|one| one.kind() == "file.scan.verdict_changed").unwrap();
    let data = &changed.json()["data"];
    assert_eq!(changed.file_id(), bad);
    assert_eq!(
        (&data["airlock"]["previousStatus"], &data["airlock"]["status"], &data["airlock"]["downloadsBefore"]),
        (&json!("clean"), &json!("infected"), &json!(2))
    );
    let after = service.ends_as(&bad, "infected").await;
    assert_ne!(
        before["scan_result"]["definitions"]["version"],
        after["scan_result"]["definitions"]["version"]
    );
    let (status, problem) = service.get(&link).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("infected")), "{problem}");
    // The other file was rescanned too, keeps its verdict, and caused no event.
    wait::until("a look at the other one", async || {
        let (_, info) = service.get(&format!("/files/{good}")).await;
        assert_eq!(info["scan_status"], "clean");
        info["scan_result"]["definitions"]["version"] == after["scan_result"]["definitions"]["version"]
    })
    .await;
    let received = learning.receiver.received();
    let about_good: BTreeSet<String> =
        received.iter().filter(|one| one.file_id() == good).map(|one| one.id.clone()).collect();
    assert_eq!(about_good.len(), 2, "started and completed, of its first scan");
    learning.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_requests_a_rescan() {
    let service = Service::start().await;
    let (good, bad) = (service.upload("a.txt", b"good").await, service.upload("b.txt", &eicar()).await);
    let first = service.ends_as(&good, "clean").await;
    service.ends_as(&bad, "infected").await;
    let link = service.link(&good).await;
    let (status, info) = service.post(&format!("/files/{good}/rescan"), &json!({})).await;
    assert_eq!(
        (status.as_u16(), &info["scan_status"], &info["rescanning"]),
        (202, &json!("clean"), &json!(true))
    );
    assert_eq!(
        service.download(&link).await.bytes().await.unwrap(),
        &b"good"[..],
        "the verdict stands meanwhile"
    );
    let again = wait::until_found("another scan", async || {
        let (_, info) = service.get(&format!("/files/{good}")).await;
        let is_new = info["scan_result"]["scanned_at"] != first["scan_result"]["scanned_at"];
        if is_new { Ok(info) } else { Err(info) }
    })
    .await;
    assert_eq!((&again["scan_status"], again.get("rescanning")), (&json!("clean"), None));
    let (status, problem) = service.post(&format!("/files/{bad}/rescan"), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("finding_stands")));
    let waiting = service.create_upload(&json!({ "filename": "c.txt" })).await.file_id;
    let (status, problem) = service.post(&format!("/files/{waiting}/rescan"), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("not_scanned_yet")));
    service.request(Method::DELETE, &format!("/files/{good}")).send().await.unwrap();
    let (status, problem) = service.post(&format!("/files/{good}/rescan"), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("file_gone")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_does_not_work_changes_no_verdict() {
    let service = Service::start_with(&[("VIRUS_SCAN_TIMEOUT", "2")], |settings| {
        settings.tuning.machine.max_attempts = 2;
        settings.tuning.machine.sweep_retry = Duration::from_millis(500);
    })
    .await;
    // A busy machine may exceed the two seconds for a scan; then another file is tried.
    let (file_id, first) = wait::until_found("a clean file", async || {
        let file_id = service.upload("a.txt", b"good").await;
        let info = service.ended(&file_id).await;
        if info["scan_status"] == "clean" { Ok((file_id, info)) } else { Err(info) }
    })
    .await;
    // Engines that are started later do not answer either.
    let harassment = Harassment::begin(Signal::STOP).await;
    let (status, asked) = service.post(&format!("/files/{file_id}/rescan"), &json!({})).await;
    assert_eq!((status.as_u16(), &asked["rescanning"]), (202, &json!(true)), "{asked}");
    wait::until("the rescan to end, one way or the other", async || {
        let (_, info) = service.get(&format!("/files/{file_id}")).await;
        assert_eq!(info["scan_status"], "clean", "{info}");
        info.get("rescanning").is_none()
    })
    .await;
    harassment.end();
    let (_, last) = service.get(&format!("/files/{file_id}")).await;
    assert_eq!(last["scan_result"], first["scan_result"], "an inconclusive rescan changes nothing");
    service.stop().await;
}

/// A clean file that exists only in the ledger, without an object.
fn clean_record(now: domain::timestamp::Timestamp) -> Record {
    let policy = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: Duration::from_hours(100),
    };
    let upload = accept(&UploadRequest { filename: "a", ..UploadRequest::default() }, &policy).unwrap();
    let file = FileId::from_random(aws::clock::random_uuid());
    let look = Duration::from_hours(1);
    let record = Record::new(file, OwnerId::local(), upload, UploadMethod::Put, &policy, look, now);
    let digest = Sha256::from_bytes([1; 32]);
    let verdict = serde_json::from_value(json!({ "status": "clean", "sha256": digest })).unwrap();
    let judgement = domain::verdict::Judgement {
        verdict,
        judged_at: now,
        duration: Duration::from_millis(5),
        sha256: Some(digest),
        engine: None,
        needed_password: false,
    };
    let version = Version {
        version_id: VersionId::parse("v1").unwrap(),
        etag: ETag::parse("e").unwrap(),
        size_bytes: 5,
    };
    let post_verdict = PostVerdict { rescan: Rescan::Planned { when: now }, ..PostVerdict::default() };
    let due_at = Some(record.expires_at);
    Record { state: State::Judged { version, judgement, post_verdict }, due_at, ..record }
}

/// The time for one sweep: more than a busy machine needs.
const TIME_LEFT: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rescans_are_spread_out() {
    let n_files = if is_soak() { 10_000 } else { 1_000 };
    let service = Service::start_with(&[], |settings| {
        settings.tuning.delivery.n_workers = 0;
        settings.tuning.sweep_every = Duration::from_hours(1);
    })
    .await;
    let stores = service.local.stores().clone();
    let now = aws::clock::now();
    let records: Vec<Record> = (0..n_files).map(|_| clean_record(now)).collect();
    for record in &records {
        let new = aws::NewFile { record, once: None, quotas: &Quotas::NONE };
        stores.ledger.create(new, &record.file_id.to_string()).await.unwrap();
    }
    let machine =
        domain::machine::MachinePolicy { sweep_retry: Duration::from_hours(10), ..Default::default() };
    let context = sweep::SweepContext {
        stores: stores.clone(),
        machine,
        rescans_per_sweep: 60,
        incoming_every: Duration::ZERO,
    };
    // A sweep without time leaves everything for the next one.
    assert_eq!(sweep::sweep(&context, Duration::ZERO).await.unwrap().n_files, 0);
    let swept = sweep::sweep(&context, TIME_LEFT).await.unwrap();
    assert_eq!(
        (swept.n_files, swept.n_failed, swept.n_rescans),
        (60, 0, 60),
        "only as many as there is room for"
    );
    assert_eq!(service.local.queue().depth().await.unwrap(), 60);
    // While messages wait, no rescan is added, and due rescans are not even read.
    let again = sweep::sweep(&context, TIME_LEFT).await.unwrap();
    assert_eq!((again.n_files, again.n_rescans), (0, 0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_by_bytes_and_finding_and_a_rescan_respects_it() {
    let service = Service::start().await;
    let file_id = service.upload("tool.txt", &eicar()).await;
    let info = service.ends_as(&file_id, "infected").await;
    let path = format!("/files/{file_id}/release");
    let digest = sha256(&eicar());
    for (body, status, code) in [
        (json!({ "sha256": sha256(b"other"), "reason": "x" }), 409, "other_bytes"),
        (json!({ "sha256": digest, "reason": " " }), 422, "invalid_reason"),
        (json!({ "sha256": "x", "reason": "x" }), 422, "invalid_body"),
        (json!({ "sha256": digest }), 422, "invalid_body"),
    ] {
        let (found, problem) = service.post(&path, &body).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
    }
    let (status, released) =
        service.post(&path, &json!({ "sha256": digest, "reason": "our own test file" })).await;
    assert_eq!((status.as_u16(), &released["scan_status"]), (200, &json!("released")), "{released}");
    assert_eq!(released["release_reason"], "our own test file");
    assert_eq!(released["scan_result"]["signature"], info["scan_result"]["signature"], "the finding is kept");
    assert_eq!(service.download(&service.link(&file_id).await).await.bytes().await.unwrap(), eicar());
    // A rescan finds the same again, and the release stands.
    let (status, _) = service.post(&format!("/files/{file_id}/rescan"), &json!({})).await;
    assert_eq!(status, 202);
    wait::until("another scan", async || {
        let (_, now) = service.get(&format!("/files/{file_id}")).await;
        assert_eq!(now["scan_status"], "released");
        now["scan_result"]["scanned_at"] != info["scan_result"]["scanned_at"]
    })
    .await;
    // Later uploads of the same bytes are released too; other bytes with the same finding are not.
    let again = service.upload("again.txt", &eicar()).await;
    service.ends_as(&again, "released").await;
    let padded = [eicar(), b"   ".to_vec()].concat();
    let other = service.upload("other.txt", &padded).await;
    service.ends_as(&other, "infected").await;
    let clean = service.upload("clean.txt", b"clean").await;
    service.ends_as(&clean, "clean").await;
    let body = json!({ "sha256": sha256(b"clean"), "reason": "x" });
    let (status, problem) = service.post(&format!("/files/{clean}/release"), &body).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("not_infected")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_links_fail_and_new_links_work() {
    let service = Service::start().await;
    let file_id = service.upload("a.txt", b"good").await;
    service.ends_as(&file_id, "clean").await;
    let old = service.link(&file_id).await;
    let path = format!("/files/{file_id}/links");
    assert_eq!(service.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    let (status, problem) = answer(service.request(Method::GET, &old).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("link_revoked")));
    assert_eq!(service.download(&service.link(&file_id).await).await.status(), 200);
    service.stop().await;
}
