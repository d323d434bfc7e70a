//! A snapshot of the engine is published with its definitions, and scanners start from it. If the snapshot is
//! damaged, missing or late, they load the definitions instead.

use std::sync::Arc;
use std::time::Duration;

use aws::{DefinitionBucket, Endpoints, Sdk};
use clamd::{DaemonConfig, EngineLimits, EngineProgram, Snapshots, contents_digest};
use definition_set::describe_snapshot;
use domain::freshness::FreshnessPolicy;
use local::DefinitionsSource;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::lambda::{Environment, LIMIT, next_batch, nothing_failed, status_of, upload};
use crate::support::deployment::{BUCKET, CENTURY, Deployment};
use crate::support::fault_proxy::holding_back;
use crate::support::{AIRLOCK_ENGINE, Service, eicar, sha256, wait};

/// A change of a published snapshot or of its entry in the manifest.
type Change<'a> = &'a dyn Fn(&mut Value);

async fn deployment() -> Deployment {
    let mut deployment = Deployment::start().await;
    deployment.publish_snapshots();
    deployment
}

async fn object(deployment: &Deployment, key: &str) -> Vec<u8> {
    let got = deployment.raw.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

async fn delete(deployment: &Deployment, key: &str) {
    deployment.raw.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_begins_with_the_snapshot_and_the_definitions_come_later() {
    let deployment = deployment().await;
    deployment.publish(6).await;
    let manifest = deployment.manifest().await;
    let snapshot = manifest.snapshot.as_ref().unwrap();
    // Without the definitions, nothing but the snapshot can have worked.
    let key = format!("files/{}", manifest.files[0].sha256);
    let definitions = object(&deployment, &key).await;
    delete(&deployment, &key).await;
    let mut scanner = deployment.snapshot_scanner("s");
    assert_eq!(scanner.looks().await.unwrap(), "6");
    assert_eq!(scanner.engine.n_starts(), 1);
    deployment.write(&key, definitions).await;

    // Nothing new: it is neither made nor stored again.
    deployment.publish(6).await;
    assert_eq!(deployment.manifest().await.snapshot.as_ref(), Some(snapshot));
    assert_eq!(scanner.looks().await.unwrap(), "6");
    assert_eq!(scanner.engine.n_starts(), 1, "the same files need no other engine");

    // Another scanner has the definitions beside it before long, and judges.
    let mut other = deployment.snapshot_scanner("t");
    assert_eq!(other.looks().await.unwrap(), "6");
    other.has_definitions().await;
    let service = &deployment.service;
    let bad = service.upload("a.txt", &eicar()).await;
    let good = service.upload("b.txt", b"nothing to see").await;
    deployment.scan_with(other, FreshnessPolicy { max_age: CENTURY, ..FreshnessPolicy::default() }).await;
    let info = service.ends_as(&bad, "infected").await;
    assert_eq!(info["scan_result"]["definitions"]["version"], "6", "{info}");
    service.ends_as(&good, "clean").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_definitions_bring_another_snapshot() {
    let deployment = deployment().await;
    let mut scanner = deployment.snapshot_scanner("s");
    let mut serials = vec![];
    for version in [4, 5, 6] {
        serials.push(deployment.publish(version).await);
        assert_eq!(scanner.looks().await.unwrap(), version.to_string());
        scanner.has_definitions().await;
    }
    assert_eq!(scanner.left_behind(), ["6", "current", "snapshot"], "files of one set only");
    // An operator takes the newest back: the earlier one has its snapshot still.
    let serial = serials[1];
    let back = ::definitions::UpdateEvent::Command(::definitions::Command::Rollback { serial });
    ::definitions::handle(&deployment.publisher, back).await.unwrap();
    let manifest = deployment.manifest().await;
    delete(&deployment, &format!("files/{}", manifest.files[0].sha256)).await;
    assert_eq!(scanner.looks().await.unwrap(), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_snapshot_the_definitions_are_loaded() {
    let deployment = deployment().await;
    deployment.publish(6).await;
    let good = deployment.manifest().await;
    let snapshot = good.snapshot.clone().unwrap();
    let key = format!("files/{}", snapshot.sha256);
    let bytes = object(&deployment, &key).await;
    let flipped = |at: usize| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        flipped
    };
    let digest = "0".repeat(64);
    let manifests: [(&str, Change<'_>); 4] = [
        ("of another build", &|snapshot| snapshot["build"] = "other".into()),
        ("of other contents", &|snapshot| snapshot["contents"] = digest.clone().into()),
        ("longer than it is", &|snapshot| snapshot["size_bytes"] = json!(bytes.len() + 100)),
        ("nowhere", &|snapshot| snapshot["sha256"] = digest.clone().into()),
    ];
    let mut serial = good.serial;
    let publish = async |serial: u64, change: Change<'_>| {
        let mut manifest = serde_json::to_value(&good).unwrap();
        manifest["serial"] = serial.into();
        change(&mut manifest["snapshot"]);
        let sealed = deployment.publisher.key.seal(&serde_json::to_vec(&manifest).unwrap());
        deployment.write("current.json", sealed).await;
    };
    for (name, change) in manifests {
        serial += 1;
        publish(serial, change).await;
        let mut scanner = deployment.snapshot_scanner(&format!("m{serial}"));
        assert_eq!(scanner.looks().await.unwrap(), "6", "{name}");
        // A snapshot with other contents is refused by the engine itself, when the definitions may already be
        // there.
        if name != "of other contents" {
            assert_eq!(scanner.left_behind(), ["6", "current"], "{name}: no engine starts from it");
        }
        scanner.engine.stop().await;
    }
    let contents_end = 48 + usize::try_from(u64::from_le_bytes(bytes[8..16].try_into().unwrap())).unwrap();
    for (name, stored) in [
        ("not one", vec![7; bytes.len()]),
        ("damaged at its beginning", flipped(20)),
        ("damaged in its contents", flipped(100)),
        ("damaged in its first frame", flipped(contents_end + 1)),
        ("cut off", bytes[..bytes.len() / 2].to_vec()),
    ] {
        deployment.write(&key, stored).await;
        serial += 1;
        publish(serial, &|_| {}).await;
        let mut scanner = deployment.snapshot_scanner(&format!("f{serial}"));
        assert_eq!(scanner.looks().await.unwrap(), "6", "{name}");
        scanner.engine.stop().await;
    }
    // The start does not read the last frame: the damage is found later, and the scanner then loads the
    // definitions.
    deployment.write(&key, flipped(bytes.len() - 1)).await;
    serial += 1;
    publish(serial, &|_| {}).await;
    let mut scanner = deployment.snapshot_scanner("late");
    assert_eq!(scanner.looks().await.unwrap(), "6");
    scanner.has_definitions().await;
    assert_eq!(scanner.version().await, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_stops_coming_is_given_up_for_the_definitions() {
    let mut deployment = deployment().await;
    deployment.publish(6).await;
    // A snapshot of several megabytes; that of the test set is smaller.
    let definitions_directory = deployment.directory.path().join("large");
    clamd::definitions::write_test_set(&definitions_directory).unwrap();
    let hashes =
        (0..400_000u32).map(|n| format!("{}:{}:Large.{n}\n", &sha256(&n.to_le_bytes())[..32], n + 100));
    std::fs::write(definitions_directory.join("large.hdb"), hashes.collect::<String>()).unwrap();
    let config = deployment.publisher.snapshots.clone().unwrap();
    let large = clamd::definitions::read(&definitions_directory).unwrap();
    let snapshots = Snapshots::new(&DaemonConfig { definitions_directory, ..config }, vec![]);
    let path = deployment.directory.path().join("large.snapshot");
    snapshots.make(&path).await.unwrap();
    let described =
        describe_snapshot(&path, contents_digest(&path).unwrap(), snapshots.build().await.unwrap());
    let described = described.unwrap();
    assert!(described.size_bytes > 5_000_000, "{described:?}");
    deployment.bucket.put_file(described.sha256, &path).await.unwrap();
    let mut manifest = deployment.manifest().await;
    manifest.serial += 1;
    manifest.snapshot = Some(described);
    manifest.definitions = large.clone();
    deployment
        .write("current.json", deployment.publisher.key.seal(&serde_json::to_vec(&manifest).unwrap()))
        .await;

    let release = Arc::new(Semaphore::new(0));
    let service = &deployment.service;
    let line = holding_back(&service.local.report().s3_url, 4 << 20, Arc::clone(&release)).await;
    let endpoints = Endpoints { s3: Some(line), s3_public: None };
    deployment.bucket =
        DefinitionBucket::new(&Sdk::at(&endpoints, &service.keys(), "us-east-1").await, BUCKET.to_owned());
    let mut scanner = deployment.snapshot_scanner("s");
    assert_eq!(scanner.looks().await.unwrap(), large.version);
    assert_eq!(scanner.left_behind(), ["current", "snapshot"], "nothing else has arrived");
    release.add_permits(1000);
    scanner.has_definitions().await;
    wait::until("the end of the engine that waits for the rest", async || {
        scanner.engine.pid().await.is_none()
    })
    .await;
    assert_eq!(scanner.version().await, "6");
    assert_eq!(scanner.engine.n_starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_published_without_a_snapshot_rather_than_with_a_doubtful_one() {
    let mut deployment = deployment().await;
    // An engine that does not start.
    let engine = deployment.publisher.snapshots.clone().unwrap();
    deployment.publisher.snapshots =
        Some(DaemonConfig { program: EngineProgram::AirlockEngine("/bin/false".into()), ..engine.clone() });
    deployment.publish(5).await;
    assert_eq!(deployment.manifest().await.snapshot, None);
    // An engine that has loaded other definitions.
    let definitions_directory = deployment.directory.path().join("other");
    clamd::definitions::write_test_set(&definitions_directory).unwrap();
    deployment.publisher.snapshots = Some(DaemonConfig { definitions_directory, ..engine.clone() });
    deployment.publish(5).await;
    assert_eq!(deployment.manifest().await.snapshot, None);
    // A working engine that replies otherwise than clamd about one file, whose content exceeds this engine's
    // limit.
    let harmless = deployment.directory.path().join("harmless");
    std::fs::write(&harmless, "nothing to see").unwrap();
    deployment.publisher.known_good = vec![harmless];
    deployment.publisher.known_bad = vec!["/usr/share/clamav-testfiles/clam.zip".into()];
    let limits = EngineLimits { max_file_size: 500, ..engine.limits };
    deployment.publisher.snapshots = Some(DaemonConfig { limits, ..engine.clone() });
    deployment.publish(6).await;
    assert_eq!(deployment.manifest().await.snapshot, None);
    assert_eq!(deployment.snapshot_scanner("s").looks().await.unwrap(), "6");
    // With a correct engine, the same definitions get a snapshot.
    deployment.publisher.snapshots = Some(engine);
    deployment.publish(6).await;
    assert!(deployment.manifest().await.snapshot.is_some());
    // A scanner with clamd ignores the snapshot.
    assert_eq!(deployment.scanner("c").looks().await.unwrap(), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_begins_with_a_published_snapshot() {
    let mut deployment = Deployment::start().await;
    deployment.publish_snapshots();
    deployment.publish(6).await;
    // Without the definitions, nothing but the snapshot can have worked.
    let manifest = deployment.manifest().await;
    let key = format!("files/{}", manifest.files[0].sha256);
    deployment.raw.delete_object().bucket("airlock").key(key).send().await.unwrap();
    let environment = Environment::of(&deployment.service).await;
    let mut api = environment.api().await;
    let snapshot = [("ENGINE", "snapshot"), ("AIRLOCK_ENGINE", AIRLOCK_ENGINE)];
    let mut scan = environment.scan(&deployment, &snapshot).await;
    let service = &deployment.service;
    let bad = upload(&mut api, service, "a.txt", &eicar()).await;
    let good = upload(&mut api, service, "b.txt", b"nothing to see").await;
    assert_eq!(scan.invoke(next_batch(service).await, LIMIT).await, nothing_failed());
    assert_eq!(status_of(&mut api, &bad).await["scan_status"], "infected");
    assert_eq!(status_of(&mut api, &good).await["scan_status"], "clean");
    // With a layer that lacks the engine, the start fails.
    let missing = [("ENGINE", "snapshot"), ("AIRLOCK_ENGINE", "/opt/bin/missing")];
    let public_key = deployment.publisher.key.public_key().to_string();
    let needed =
        [("AIRLOCK_DEFINITIONS_BUCKET", "airlock"), ("AIRLOCK_DEFINITIONS_PUBLIC_KEY", public_key.as_str())];
    assert!(environment.try_start("scan", &[needed, missing].concat()).await.is_err());
    assert!(
        environment
            .try_start("scan", &[needed, [("ENGINE", "other"), ("DEBUG", "")]].concat())
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_machine_begins_with_the_snapshot_that_it_made() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let snapshot = data_dir.join("snapshot");
    let start = async || {
        let data_dir = data_dir.clone();
        let env = [("ENGINE", "snapshot")];
        crate::support::Service::start_with(&env, move |settings| {
            settings.data_dir = data_dir;
            settings.tuning.definitions_every = Duration::from_millis(200);
        })
        .await
    };
    let is_made = async |before: Option<std::time::SystemTime>| {
        wait::until_found("a snapshot", async || {
            let made = snapshot.metadata().and_then(|metadata| metadata.modified()).ok();
            if made.is_some() && made != before { Ok(made) } else { Err(made) }
        })
        .await
    };
    let service = start().await;
    let first = is_made(None).await;
    let file_id = service.upload("a.txt", &eicar()).await;
    service.ends_as(&file_id, "infected").await;
    service.stop().await;
    // The snapshot exists and is kept.
    let service = start().await;
    let file_id = service.upload("a.txt", &eicar()).await;
    service.ends_as(&file_id, "infected").await;
    // Other definitions need a new snapshot, and a damaged one is replaced.
    std::fs::write(data_dir.join("definitions-test/more.ndb"), "More:0:*:6d6f7265206f662069740a\n").unwrap();
    let second = is_made(first).await;
    let file_id = service.upload("a.txt", b"there is more of it\n").await;
    service.ends_as(&file_id, "infected").await;
    service.stop().await;
    let mut bytes = std::fs::read(&snapshot).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&snapshot, bytes).unwrap();
    let service = start().await;
    is_made(second).await;
    let file_id = service.upload("a.txt", &eicar()).await;
    service.ends_as(&file_id, "infected").await;
    service.stop().await;
}

/// Definitions that are worth a snapshot.
fn many_signatures(directory: &std::path::Path) {
    clamd::definitions::write_test_set(directory).unwrap();
    let line = |n: u32| format!("{}:{}:Many.Signatures-{n}\n", &sha256(&n.to_be_bytes())[..32], 1000 + n);
    std::fs::write(directory.join("many.hdb"), (0..100_000).map(line).collect::<String>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_loaded_a_large_set_makes_way_for_one_from_its_snapshot() {
    let definitions = tempfile::tempdir().unwrap();
    many_signatures(definitions.path());
    let directory = definitions.path().to_owned();
    let service =
        Service::start_with(&[], |settings| settings.definitions = DefinitionsSource::Directory(directory))
            .await;
    let arguments = async || {
        let pid = service.local.engine().pid().await?;
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()
    };
    wait::until("an engine from the snapshot", async || {
        arguments().await.is_some_and(|arguments| arguments.contains("--snapshot="))
    })
    .await;
    assert_eq!(service.local.engine().n_starts(), 2);
    let file_id = service.upload("a.txt", &eicar()).await;
    service.ends_as(&file_id, "infected").await;
    service.stop().await;
}
