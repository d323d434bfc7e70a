//! Bytes that were judged before get the same verdict without a scan, but only for the same owner and engine,
//! and never `error`.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Service, eicar, sha256, wait};

async fn service() -> Service {
    Service::start_with(&[], |settings| settings.tuning.reuses_verdicts = true).await
}

/// Stops the engine: a file that gets a verdict from now on was not scanned.
async fn stop_engine(service: &Service) -> Pid {
    let pid = Pid::from_raw(i32::try_from(service.local.engine().pid().await.unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    pid
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_not_scanned_twice() {
    let service = service().await;
    let bytes = b"the same every time".to_vec();
    let (good, bad) = (service.upload("a.txt", &bytes).await, service.upload("b.txt", &eicar()).await);
    service.ends_as(&good, "clean").await;
    service.ends_as(&bad, "infected").await;
    let (n_starts, pid) = (service.local.engine().n_starts(), stop_engine(&service).await);
    for _ in 0..3 {
        let (good, bad) = (service.upload("c.txt", &bytes).await, service.upload("d.txt", &eicar()).await);
        let info = service.ends_as(&good, "clean").await;
        assert_eq!(info["scan_result"]["sha256"], sha256(&bytes));
        assert!(info["scan_result"]["engine_version"].as_str().unwrap().starts_with("ClamAV "), "{info}");
        service.ends_as(&bad, "infected").await;
        assert_eq!(service.download(&service.link(&good).await).await.bytes().await.unwrap(), bytes);
    }
    // Only new bytes are sent to the engine.
    let status = async |file_id: &str| {
        service.get(&format!("/files/{file_id}/status")).await.1["file_info"]["scan_status"].clone()
    };
    let other = service.upload("e.txt", b"something else").await;
    wait::until("a scan of it", async || status(&other).await == "scanning").await;
    wait::linger(Duration::from_millis(500)).await;
    // On a slow machine, another engine may have been started in the meantime.
    let is_same_engine = service.local.engine().n_starts() == n_starts;
    assert!(status(&other).await == "scanning" || !is_same_engine);
    let _ = kill_process(pid, Signal::CONT);
    service.ends_as(&other, "clean").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_checksum_saves_reading_the_object() {
    let service = service().await;
    let bytes = vec![b'x'; 3_000_000];
    let announcement = json!({ "filename": "a.txt", "size": bytes.len(), "checksum_sha256": sha256(&bytes) });
    let first = service.create_upload(&announcement).await;
    assert_eq!(service.put(&first, &bytes).await.status(), 200);
    service.ends_as(&first.file_id, "clean").await;
    stop_engine(&service).await;
    let second = service.create_upload(&announcement).await;
    assert_eq!(service.put(&second, &bytes).await.status(), 200);
    service.ends_as(&second.file_id, "clean").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_of_other_definitions_and_errors_are_not_reused() {
    let service = service().await;
    let bytes = b"judged by other definitions".to_vec();
    let first = service.upload("a.txt", &bytes).await;
    service.ends_as(&first, "clean").await;
    let owner = domain::id::OwnerId::parse("local".to_owned()).unwrap();
    let digest = domain::id::Sha256::parse(&sha256(&bytes)).unwrap();
    let ledger = &service.local.stores().ledger;
    let known = ledger.cached_verdict(&owner, digest).await.unwrap().expect("the verdict is cached");
    let someone_else = domain::id::OwnerId::parse("someone else".to_owned()).unwrap();
    assert!(
        ledger.cached_verdict(&someone_else, digest).await.unwrap().is_none(),
        "cached verdicts belong to one owner"
    );
    // The cached verdict as it would be with the definitions of another day.
    let mut stored = serde_json::to_value(&known).unwrap();
    stored["engine"]["definitions"]["version"] = json!("yesterday's");
    stored["verdict"] = json!({ "status": "infected", "signature": "recalled" });
    ledger.cache_verdict(&owner, serde_json::from_value(stored).unwrap(), aws::clock::now()).await.unwrap();
    let second = service.upload("b.txt", &bytes).await;
    service.ends_as(&second, "clean").await;
    service.stop().await;
}
