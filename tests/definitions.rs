//! Definitions update themselves and cannot be forged: freshclam fetches them from a mirror, the publisher
//! signs them, and a scanner accepts nothing else.
//!
//! Everything is real: freshclam, clamd, databases that ClamAV's makers signed, S3's and DynamoDB's
//! protocols. The mirror is on loopback.

use std::time::Duration;

use ::definitions::{Command, UpdateError, UpdateEvent, UpdateReport};
use definition_set::SigningKey;
use domain::freshness::FreshnessPolicy;
use domain::timestamp::Timestamp;
use scan::RefreshError;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::deployment::{BUCKET, CENTURY, Deployment};
use crate::support::mirror::Mood;
use crate::support::{eicar, wait};

#[tokio::test(flavor = "multi_thread")]
async fn versions_follow_each_other_in_patches() {
    let deployment = Deployment::start().await;
    let mut scanner = deployment.scanner("s");
    assert!(matches!(scanner.looks().await, Err(RefreshError::NothingPublished)));
    // The database is signed by ClamAV's makers, but detects nothing, not even the canary.
    deployment.mirror.set(1, Mood::Good);
    let error = deployment.update().await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(UpdateError::Check(_))), "{error:#}");
    assert!(matches!(scanner.looks().await, Err(RefreshError::NothingPublished)));
    deployment.mirror.asked();

    let mut serial = deployment.publish(3).await;
    assert_eq!(deployment.mirror.asked(), ["test.cvd", "test.cvd"], "the header, then the whole file");
    assert_eq!(scanner.looks().await.unwrap(), "3");
    for version in 4..=6 {
        // As in a new execution environment, only what was published exists.
        std::fs::remove_dir_all(&deployment.publisher.freshclam.directory).unwrap();
        let next = deployment.publish(version).await;
        assert!(next > serial);
        serial = next;
        assert_eq!(deployment.mirror.asked(), ["test.cvd".to_owned(), format!("test-{version}.cdiff")]);
        assert_eq!(scanner.looks().await.unwrap(), version.to_string());
    }
    let left = std::fs::read_dir(&scanner.root).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.count(), 2, "the set in use and the link to it");

    // No newer version exists: the set is signed again, so that it does not expire.
    let pid = scanner.engine.pid().await;
    assert!(deployment.publish(6).await > serial);
    assert_eq!(scanner.looks().await.unwrap(), "6");
    assert_eq!(scanner.engine.pid().await, pid, "the same files need no new engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_fails_changes_nothing() {
    let deployment = Deployment::start().await;
    let mut scanner = deployment.scanner("s");
    let serial = deployment.publish(3).await;
    assert_eq!(scanner.looks().await.unwrap(), "3");
    // Without patches, freshclam asks for the whole database, which the mirror truncates or corrupts too.
    for mood in [Mood::CutOff, Mood::Forging] {
        deployment.mirror.set(6, mood);
        let error = deployment.update().await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(UpdateError::Freshclam(_))), "{mood:?}: {error:#}");
        assert_eq!(deployment.manifest().await.serial, serial, "{mood:?}");
        assert_eq!(scanner.looks().await.unwrap(), "3", "{mood:?}");
    }
    deployment.mirror.set(5, Mood::WithoutPatches);
    let report = deployment.update().await.unwrap();
    assert!(matches!(report, UpdateReport::Published { version, .. } if version == "5"));
    assert_eq!(scanner.looks().await.unwrap(), "5");
    // If only the newest patch is missing, freshclam assumes that the mirror is not synchronized yet.
    deployment.mirror.set(6, Mood::CutOff);
    let report = deployment.update().await.unwrap();
    assert!(matches!(report, UpdateReport::Published { version, .. } if version == "5"));
    deployment.publish(6).await;
    assert_eq!(scanner.looks().await.unwrap(), "6");
    // A mirror that returns to an older version.
    std::fs::remove_dir_all(&deployment.publisher.freshclam.directory).unwrap();
    deployment.mirror.set(3, Mood::Good);
    let _ = deployment.update().await;
    assert_eq!(deployment.manifest().await.definitions.version, "6");
    assert_eq!(scanner.looks().await.unwrap(), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_refuses_is_left_alone() {
    for status in [403, 429] {
        let deployment = Deployment::start().await;
        let serial = deployment.publish(4).await;
        deployment.mirror.asked();
        deployment.mirror.set(5, Mood::Refusing(status));
        deployment.update().await.unwrap_err();
        assert_eq!(deployment.mirror.asked().len(), 1, "{status}: asked once");
        // The mirror would answer now, but its `Retry-After` has not passed: no machine asks it until then.
        deployment.mirror.set(5, Mood::Good);
        for _ in 0..3 {
            std::fs::remove_dir_all(&deployment.publisher.freshclam.directory).unwrap();
            assert_eq!(deployment.update().await.unwrap(), UpdateReport::CoolingDown, "{status}");
        }
        assert_eq!(deployment.mirror.asked(), Vec::<String>::new(), "{status}");
        assert_eq!(deployment.manifest().await.serial, serial);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tampered_with_is_refused_and_the_last_good_set_stays() {
    let deployment = Deployment::start().await;
    let mut scanner = deployment.scanner("s");
    deployment.publish(4).await;
    let old_pointer = deployment.pointer().await;
    deployment.publish(5).await;
    assert_eq!(scanner.looks().await.unwrap(), "5");
    deployment.publish(6).await;
    let (good_pointer, good) = (deployment.pointer().await, deployment.manifest().await);
    let file_key = format!("files/{}", good.files[0].sha256);
    let file = deployment.raw.get_object().bucket(BUCKET).key(&file_key).send().await.unwrap();
    let file = file.body.collect().await.unwrap().to_vec();
    let sealed = |change: &dyn Fn(&mut Value), key: &SigningKey| {
        let mut manifest = serde_json::to_value(&good).unwrap();
        change(&mut manifest);
        key.seal(&serde_json::to_vec(&manifest).unwrap())
    };
    let (ours, stranger) = (&deployment.publisher.key, &SigningKey::from_secret(&"x".repeat(32)).unwrap());
    let flipped = |bytes: &[u8], at: usize| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        flipped
    };
    let header = |text: &str| {
        let mut forged = file.clone();
        forged[..text.len()].copy_from_slice(text.as_bytes());
        forged
    };
    let past = json!(aws::clock::now().as_millis() - 1);
    let pointers: [(&str, Vec<u8>); 13] = [
        ("old but signed", old_pointer),
        ("wrong signature", sealed(&|_| {}, stranger)),
        ("bit flip in the pointer", flipped(&good_pointer, 100)),
        ("half-written pointer", good_pointer[..good_pointer.len() / 2].to_vec()),
        ("empty pointer", vec![]),
        ("expired", sealed(&|manifest| manifest["expires_at"] = past.clone(), ours)),
        ("another format", sealed(&|manifest| manifest["format"] = 2.into(), ours)),
        ("extra .ign2", sealed(&|manifest| manifest["files"][0]["name"] = "local.ign2".into(), ours)),
        ("extra .sfp", sealed(&|manifest| manifest["files"][0]["name"] = "local.sfp".into(), ours)),
        ("extra .ndb", sealed(&|manifest| manifest["files"][0]["name"] = "local.ndb".into(), ours)),
        ("a path", sealed(&|manifest| manifest["files"][0]["name"] = "../test.cvd".into(), ours)),
        ("no file", sealed(&|manifest| manifest["files"] = json!([]), ours)),
        (
            "a digest that nothing has",
            sealed(&|manifest| manifest["files"][0]["sha256"] = "0".repeat(64).into(), ours),
        ),
    ];
    let files: [(&str, Vec<u8>); 4] = [
        ("bit flip in a file", flipped(&file, 3000)),
        ("truncated file", file[..file.len() - 100].to_vec()),
        ("forged header", header("ClamAV-VDB:24 Nov 2026 00-00 +0000:9:")),
        ("empty file", vec![]),
    ];
    for (name, pointer) in pointers {
        deployment.write("current.json", pointer).await;
        assert!(scanner.looks().await.is_err(), "{name}");
        assert_eq!(scanner.version().await, "5", "{name}");
    }
    deployment.write("current.json", good_pointer).await;
    for (name, bytes) in files {
        deployment.write(&file_key, bytes).await;
        assert!(scanner.looks().await.is_err(), "{name}");
        assert_eq!(scanner.version().await, "5", "{name}");
    }
    deployment.raw.delete_object().bucket(BUCKET).key(&file_key).send().await.unwrap();
    assert!(scanner.looks().await.is_err(), "missing file");
    assert_eq!(scanner.version().await, "5", "missing file");

    // The publisher detects the damage as well, and repairs it.
    deployment.write(&file_key, flipped(&file, 3000)).await;
    deployment.write("current.json", b"{}".to_vec()).await;
    deployment.raw.delete_object().bucket(BUCKET).key(&file_key).send().await.unwrap();
    deployment.publish(6).await;
    assert_eq!(scanner.looks().await.unwrap(), "6");
    // It also repairs a set whose file is missing, without a copy of its own.
    std::fs::remove_dir_all(&deployment.publisher.freshclam.directory).unwrap();
    let gone = format!("files/{}", deployment.manifest().await.files[0].sha256);
    deployment.raw.delete_object().bucket(BUCKET).key(&gone).send().await.unwrap();
    deployment.publish(6).await;
    assert_eq!(scanner.looks().await.unwrap(), "6");
    // A new scanner accepts no set that is older than one that another scanner has seen.
    let seen = deployment.pointer().await;
    let mut manifest = deployment.manifest().await;
    manifest.serial -= 1;
    deployment.write("current.json", ours.seal(&serde_json::to_vec(&manifest).unwrap())).await;
    let mut new = deployment.scanner("n");
    assert!(matches!(new.looks().await, Err(RefreshError::Refused(_))));
    deployment.write("current.json", seen).await;
    assert_eq!(new.looks().await.unwrap(), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_the_engine_does_not_take_are_not_used() {
    let deployment = Deployment::start().await;
    let mut scanner = deployment.scanner("s");
    deployment.publish(5).await;
    assert_eq!(scanner.looks().await.unwrap(), "5");
    // Our publisher signed the set, but ClamAV's makers did not sign the database, so the engine refuses it.
    let good = deployment.manifest().await;
    let path = deployment.directory.path().join("forged.cvd");
    let mut forged = std::fs::read(crate::support::mirror::files().join("test-6.cvd")).unwrap();
    let length = forged.len();
    forged[length - 1] ^= 1;
    std::fs::write(&path, &forged).unwrap();
    let mut manifest = good.clone();
    manifest.serial += 1;
    manifest.files[0].size_bytes = length as u64;
    manifest.files[0].sha256 = domain::id::Sha256::parse(&crate::support::sha256(&forged)).unwrap();
    deployment.bucket.put_file(manifest.files[0].sha256, &path).await.unwrap();
    deployment
        .write("current.json", deployment.publisher.key.seal(&serde_json::to_vec(&manifest).unwrap()))
        .await;
    assert!(matches!(scanner.looks().await, Err(RefreshError::Engine(_))));
    assert_eq!(scanner.version().await, "5");
    assert!(matches!(scanner.looks().await, Err(RefreshError::KnownBad(_))), "not tried twice");
    assert_eq!(scanner.version().await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_rolls_back() {
    let deployment = Deployment::start().await;
    let mut scanner = deployment.scanner("s");
    let fifth = deployment.publish(5).await;
    deployment.publish(6).await;
    assert_eq!(scanner.looks().await.unwrap(), "6");
    let roll_back = |serial| {
        ::definitions::handle(&deployment.publisher, UpdateEvent::Command(Command::Rollback { serial }))
    };
    assert!(roll_back(1).await.is_err(), "there is no such manifest");
    let report = roll_back(fifth).await.unwrap();
    assert!(matches!(report, UpdateReport::Published { serial, .. } if serial > fifth), "{report:?}");
    assert_eq!(scanner.looks().await.unwrap(), "5");
    // Later scheduled updates do not publish the withdrawn version again.
    let withdrawn = UpdateReport::Withdrawn { version: "6".to_owned() };
    assert_eq!(deployment.update().await.unwrap(), withdrawn);
    assert_eq!(scanner.looks().await.unwrap(), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_deleted_has_an_empty_bucket() {
    let deployment = Deployment::start().await;
    for version in [3, 6] {
        deployment.publish(version).await;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let response_url = format!("http://{}/answer", listener.local_addr().unwrap());
    let (heard, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let hear = async move |answer: axum::body::Bytes| {
        heard.send(serde_json::from_slice::<Value>(&answer).unwrap()).unwrap();
    };
    let router = axum::Router::new().route("/answer", axum::routing::put(hear));
    tokio::spawn(async { axum::serve(listener, router).await });
    let ask = async |request_type: &str| {
        let request = json!({
            "RequestType": request_type, "ResponseURL": response_url, "StackId": "s", "RequestId": "r",
            "LogicalResourceId": "FirstDefinitions",
        });
        let event = serde_json::from_value(request).unwrap();
        ::definitions::handle(&deployment.publisher, event).await.unwrap();
    };
    let n_versions = async || {
        let listed = deployment.raw.list_object_versions().bucket(BUCKET).send().await.unwrap();
        listed.versions().len() + listed.delete_markers().len()
    };
    ask("Update").await;
    assert_eq!(answers.recv().await.unwrap()["Status"], "SUCCESS");
    assert!(n_versions().await > 5);
    ask("Delete").await;
    assert_eq!(answers.recv().await.unwrap()["Status"], "SUCCESS");
    assert_eq!(n_versions().await, 0);
}

/// Checks the `status` of a file that was uploaded before the definitions expired. If they are still valid,
/// it must be clean, and this returns when they have expired. Otherwise the machine was too slow, and the
/// scanner is stopped.
async fn was_in_time(status: &Value, good_until: Timestamp, scanning: &JoinHandle<()>) -> Option<()> {
    if aws::clock::now() > good_until {
        scanning.abort();
        return None;
    }
    assert_eq!(status, "clean");
    wait::until_after(good_until).await;
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_wait_for_definitions_and_are_clean_only_while_those_are_good() {
    let deployment = Deployment::start().await;
    let service = &deployment.service;
    let waiting = service.upload("a.txt", b"it waits for definitions").await;
    deployment.publish(6).await;
    let mut scanner = deployment.scanner("s");
    assert_eq!(scanner.looks().await.unwrap(), "6");
    // The age of the set is fixed, so the test chooses a limit that it exceeds in a few seconds.
    let built_at = deployment.manifest().await.definitions.built_at;
    let (mut scanner, mut waiting, mut n_tried) = (Some(scanner), Some(waiting), 0);
    wait::in_enough_time(Duration::from_secs(8), async |time| {
        let early = match waiting.take() {
            Some(waiting) => waiting,
            None => service.upload("a.txt", b"it is in time").await,
        };
        n_tried += 1;
        let mut scanner = scanner.take().unwrap_or_else(|| deployment.scanner(&format!("s{n_tried}")));
        scanner.looks().await.unwrap();
        let good_until = aws::clock::now() + time;
        let max_age = good_until.since(built_at);
        let scanning = deployment.scan_with(scanner, FreshnessPolicy { max_age, warn_after: CENTURY }).await;
        let status = service.ended(&early).await["scan_status"].clone();
        let infected = service.upload("b.txt", &eicar()).await;
        let found = service.ends_as(&infected, "infected").await;
        assert_eq!(found["scan_result"]["signature"], "Eicar-Test-Signature", "{found}");
        was_in_time(&status, good_until, &scanning).await
    })
    .await;
    let late = service.upload("c.txt", b"judged with stale definitions").await;
    assert_eq!(service.ends_as(&late, "unscannable").await["scan_result"]["reason"], "stale_definitions");
    let infected = service.upload("d.txt", &eicar()).await;
    service.ends_as(&infected, "infected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_expired_calls_nothing_clean() {
    let mut deployment = Deployment::start().await;
    let mut n_tried = 0;
    wait::in_enough_time(Duration::from_secs(6), async |time| {
        deployment.publisher.ttl = time;
        deployment.publish(6).await;
        n_tried += 1;
        let scanner = deployment.scanner(&format!("s{n_tried}"));
        let expires_at = deployment.manifest().await.expires_at;
        let taken = scanner.published.refresh(&scanner.engine, aws::clock::now()).await;
        if taken.is_err() && aws::clock::now() > expires_at {
            return None;
        }
        taken.unwrap();
        let policy = FreshnessPolicy { max_age: CENTURY, warn_after: CENTURY };
        let scanning = deployment.scan_with(scanner, policy).await;
        let early = deployment.service.upload("a.txt", b"in time").await;
        let status = deployment.service.ended(&early).await["scan_status"].clone();
        was_in_time(&status, expires_at, &scanning).await
    })
    .await;
    let late = deployment.service.upload("b.txt", b"too late").await;
    let found = deployment.service.ends_as(&late, "unscannable").await;
    assert_eq!(found["scan_result"]["reason"], "stale_definitions");
}
