//! Events may be duplicated, reordered and lost: every file ends with one right verdict. An unreadable
//! message ends in the dead letters and affects no other file.

use serde_json::json;
use standin::pump::Faults;

use crate::support::{Service, eicar, wait};

async fn every_file_ends_right(faults: Faults) {
    let service = Service::start_with(&[], |settings| settings.tuning.delivery.faults = faults).await;
    let mut expected = Vec::new();
    for n in 0..6 {
        let (bytes, status) = if n % 2 == 0 { (eicar(), "infected") } else { (vec![b'a' + n; 100], "clean") };
        expected.push((service.upload("a.txt", &bytes).await, status));
    }
    for (file_id, status) in &expected {
        service.ends_as(file_id, status).await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicated_events_give_one_verdict() {
    every_file_ends_right(Faults::Duplicate(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reordered_events_give_the_right_verdicts() {
    every_file_ends_right(Faults::Shuffle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_recovers_lost_events() {
    every_file_ends_right(Faults::DropFromS3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_never_be_scanned_still_ends() {
    // The sweep's own messages are lost too.
    let service =
        Service::start_with(&[], |settings| settings.tuning.delivery.faults = Faults::DropAll).await;
    let file_id = service.upload("a.txt", b"never scanned").await;
    // The sweep's message is dropped as well.
    wait::until("the sweep to ask for a scan", async || {
        let file_id = domain::id::FileId::parse(&file_id).unwrap();
        let record = service.local.stores().ledger.load(file_id).await.unwrap().unwrap();
        matches!(record.state, domain::record::State::Queued { .. })
    })
    .await;
    service.expire_soon(&file_id).await;
    service.ends_as(&file_id, "expired").await;
    let (status, problem) = service.get(&format!("/files/{file_id}/download-link")).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (410, Some("file_gone")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_dies_alone() {
    let service = Service::start().await;
    let queue = service.local.queue().clone();
    let poison = "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\"}]}";
    queue.send(poison.to_owned()).await.unwrap();
    let test_event = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
    queue.send(test_event.to_string()).await.unwrap();
    let foreign = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": { "object": {
        "key": "uploads/123e4567-e89b-42d3-a456-426614174000", "size": 1, "eTag": "e", "versionId": "v",
    } } }] });
    queue.send(foreign.to_string()).await.unwrap();
    let file_id = service.upload("a.txt", b"beside the poison").await;
    service.ends_as(&file_id, "clean").await;
    let letter = wait::until_found("the poison among the dead letters", async || {
        let mut dead = queue.dead_letters().await.unwrap();
        if dead.len() == 1 { Ok(dead.remove(0)) } else { Err(dead) }
    })
    .await;
    assert_eq!(
        (letter.body.as_str(), letter.n_received),
        (poison, 12),
        "after exactly the maximum of receives"
    );
    wait::until("the other messages to be acknowledged", async || queue.depth().await.unwrap() == 0).await;
    let unknown = service.get("/files/123e4567-e89b-42d3-a456-426614174000").await.0;
    assert_eq!(unknown, 404, "the event creates no record");
    service.stop().await;
}
