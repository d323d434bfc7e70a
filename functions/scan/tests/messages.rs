//! Which messages of a batch are acknowledged and which must be redelivered. Over the stand-ins, with the
//! real gate worker and an engine that is configured but does not exist.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clamd::{DaemonConfig, Engine, EngineLimits, EngineProgram, Transport};
use domain::freshness::FreshnessPolicy;
use domain::id::{FileId, ObjectKey, Version};
use domain::incoming::IncomingRules;
use domain::machine::MachinePolicy;
use domain::record::{Record, State, Status, UploadMethod};
use domain::verdict::{ScanError, Unscannable, Verdict};
use fixtures::{TestStores, awaiting, clean, scanning, sqs_event, version};
use gate::{Gate, Sample};
use inspector::{Inspector, WorkerProgram};
use scan::{IncomingTerms, RetryPolicy, ScanContext, SpoolDirectory, handle};
use standin::pump::DeliveryOptions;

const TIME: Duration = Duration::from_mins(5);
const LIMITS: EngineLimits = EngineLimits { max_file_size: 1 << 20, max_scan_time: Duration::from_mins(1) };

struct Scanner {
    test: TestStores,
    context: ScanContext,
}

impl Scanner {
    async fn start() -> Self {
        Self::over(TestStores::start().await).await
    }

    async fn over(test: TestStores) -> Self {
        let run_directory = test.directory.path().join("run");
        std::fs::create_dir(&run_directory).unwrap();
        let worker = WorkerProgram {
            path: PathBuf::from(env!("CARGO_BIN_EXE_scan")),
            arguments: vec![],
            environment: vec![],
        };
        let config = DaemonConfig {
            program: EngineProgram::Clamd("/nonexistent/clamd".into()),
            launcher: vec![],
            run_directory: run_directory.clone(),
            definitions_directory: test.directory.path().join("definitions"),
            limits: LIMITS,
            start_timeout: Duration::from_secs(1),
        };
        let context = ScanContext {
            stores: test.stores.clone(),
            engine: Arc::new(Engine::new(config, Transport::Stream)),
            gate: Gate {
                limits: gate::Limits {
                    max_member_bytes: 1 << 20,
                    max_total_bytes: 1 << 20,
                    max_members: 10,
                    max_depth: 10,
                },
                capabilities: Sample::ALL.iter().map(|sample| sample.method).collect(),
            },
            inspector: Arc::new(Inspector::start(worker, run_directory.clone()).await.unwrap()),
            spool: SpoolDirectory(run_directory),
            machine: MachinePolicy::default(),
            incoming: IncomingTerms { retention: Duration::from_hours(24), is_metered: false },
            freshness: FreshnessPolicy::default(),
            definitions: None,
            reuses_verdicts: true,
            scan_timeout: Duration::from_mins(1),
            is_measured: false,
            retry: RetryPolicy::SCAN,
        };
        Self { test, context }
    }

    /// Handles one batch and returns the ids of the messages that must be redelivered.
    async fn handle(&self, messages: &[(&str, &str)]) -> Vec<String> {
        let response = movable(handle(&self.context, sqs_event(messages), TIME)).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// Creates a record and stores its bytes; returns the id and S3's event.
    async fn uploaded(&self, bytes: &[u8]) -> (FileId, Version, String) {
        let file = TestStores::file_id();
        self.test.create(&awaiting(file, aws::clock::now())).await;
        let stored = self.test.put(&ObjectKey::Issued(file), bytes).await;
        let mut messages = TestStores::take_all(&self.test.scans).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        (file, stored, messages.remove(0))
    }

    async fn verdict(&self, file: FileId) -> Verdict {
        self.test.record(file).await.judgement().expect("the file has its verdict").verdict.clone()
    }
}

/// The local mode handles batches on several threads.
fn movable<F: Future + Send>(handling: F) -> F {
    handling
}

/// S3's event for a version of this file.
fn event(file: FileId, version: &Version) -> String {
    event_for(&ObjectKey::Issued(file).to_string(), version)
}

fn event_for(key: &str, Version { version_id, etag, size_bytes }: &Version) -> String {
    let object = format!(
        r#"{{"key":"{key}","size":{size_bytes},"eTag":"{}","versionId":"{}"}}"#,
        etag.as_str(),
        version_id.as_str()
    );
    format!(r#"{{"Records":[{{"eventName":"ObjectCreated:Put","s3":{{"object":{object}}}}}]}}"#)
}

#[tokio::test]
async fn an_unreadable_message_is_retried_and_its_neighbours_are_not() {
    let scanner = Scanner::start().await;
    let test_event = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"airlock"}"#;
    let foreign = event_for("elsewhere/report.txt", &version("v"));
    let unknown = event(TestStores::file_id(), &version("v"));
    let batch = [
        ("test event", test_event),
        ("not an event", "{not JSON"),
        ("foreign key", &foreign),
        ("unknown file", &unknown),
        ("bad key", r#"{"Records":[{"eventName":"ObjectCreated:Put"}]}"#),
    ];
    assert_eq!(scanner.handle(&batch).await, ["not an event", "bad key"]);
}

#[tokio::test]
async fn an_engine_that_does_not_start_is_retried_until_the_file_ends_in_error() {
    let scanner = Scanner::start().await;
    let (file, stored, event) = scanner.uploaded(b"0123456789").await;
    let n_attempts = MachinePolicy::default().max_attempts;
    for attempt in 1..n_attempts {
        assert_eq!(scanner.handle(&[("m", &event)]).await, ["m"], "attempt {attempt}");
        let queued = State::Queued { version: stored.clone(), n_attempts: attempt };
        assert_eq!(scanner.test.record(file).await.state, queued);
    }
    assert_eq!(scanner.handle(&[("m", &event)]).await, [""; 0], "the last attempt");
    assert_eq!(scanner.verdict(file).await, Verdict::Error { reason: ScanError::EngineTrouble });
}

#[tokio::test]
async fn a_worker_learns_how_often_a_message_was_received() {
    let scanner = Scanner::start().await;
    scanner.test.scans.send("a message".to_owned()).await.unwrap();
    let queue = scanner.test.stores.queues.scans.as_ref().unwrap();
    for n_received in ["1", "2"] {
        let event = queue.receive(Duration::ZERO).await.unwrap();
        let message = &event.records[0];
        // The wait before a retry grows with it.
        assert_eq!(message.attributes["ApproximateReceiveCount"], n_received);
        assert_eq!(message.body.as_deref(), Some("a message"));
    }
    let event = queue.receive(Duration::from_mins(1)).await.unwrap();
    queue.acknowledge(event.records[0].receipt_handle.as_deref().unwrap()).await.unwrap();
    assert_eq!(scanner.test.scans.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_failed_message_is_delivered_again_long_before_its_visibility_timeout() {
    let mut scanner = Scanner::start().await;
    scanner.context.retry.first = Duration::ZERO;
    let file = TestStores::file_id();
    scanner.test.create(&awaiting(file, aws::clock::now())).await;
    scanner.test.put(&ObjectKey::Issued(file), b"0123456789").await;
    let Scanner { test, context } = scanner;
    // Without the function's request, the message would stay invisible.
    let (visibility, retry_delay) = (Duration::from_hours(1), Duration::from_hours(1));
    let faults = standin::pump::Faults::None;
    let delivery = DeliveryOptions { visibility, max_receives: 10, retry_delay, n_workers: 1, faults };
    let context = Arc::new(context);
    let delivered = standin::pump::run(test.scans.clone(), delivery, move |event| {
        let context = Arc::clone(&context);
        async move { Ok::<_, std::convert::Infallible>(handle(&context, event, TIME).await) }
    });
    let judged = async {
        while test.record(file).await.judgement().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = Duration::from_mins(2);
    tokio::select! {
        () = delivered => panic!("the delivery ended"),
        judged = tokio::time::timeout(limit, judged) => judged.expect("all attempts were made"),
    }
}

#[tokio::test]
async fn bytes_that_are_lost_from_storage_end_in_error_for_the_storage() {
    let scanner = Scanner::start().await;
    let file = TestStores::file_id();
    scanner.test.create(&awaiting(file, aws::clock::now())).await;
    let event = event(file, &version("lost"));
    let mut n_retries = 0;
    while scanner.handle(&[("m", &event)]).await == ["m"] {
        n_retries += 1;
    }
    assert_eq!(n_retries, MachinePolicy::default().max_attempts - 1);
    assert_eq!(scanner.verdict(file).await, Verdict::Error { reason: ScanError::StorageTrouble });
}

#[tokio::test]
async fn a_file_that_unpacks_to_too_much_is_unscannable_without_asking_the_engine() {
    let mut scanner = Scanner::start().await;
    scanner.context.gate.limits.max_total_bytes = 10;
    let gzip = Sample::ALL.iter().find(|sample| sample.method == gate::Method::Gzip).unwrap();
    let (file, _, event) = scanner.uploaded(&gzip.unmasked()).await;
    assert_eq!(scanner.handle(&[("m", &event)]).await, [""; 0]);
    let unscannable = Verdict::Unscannable { reason: Unscannable::ExpandsTooMuch };
    assert_eq!(scanner.verdict(file).await, unscannable);
    assert_eq!(scanner.context.engine.n_starts(), 0);
    assert_eq!(scanner.test.record(file).await.judgement().unwrap().engine, None);
}

#[tokio::test]
async fn what_the_record_says_of_the_bytes_is_judged_without_reading_them() {
    let scanner = Scanner::start().await;
    let too_large = MachinePolicy::default().max_file_size + 1;
    for (size_bytes, declared_size, expected) in [
        (0, None, Verdict::Unscannable { reason: Unscannable::Empty }),
        (too_large, None, Verdict::Unscannable { reason: Unscannable::TooLarge }),
        (10, Some(11), Verdict::Error { reason: ScanError::ContentMismatch }),
    ] {
        let file = TestStores::file_id();
        scanner.test.create(&Record { declared_size, ..awaiting(file, aws::clock::now()) }).await;
        let event = event(file, &Version { size_bytes, ..version("v") });
        assert_eq!(scanner.handle(&[("m", &event)]).await, [""; 0]);
        assert_eq!(scanner.verdict(file).await, expected);
    }
}

#[tokio::test]
async fn a_duplicate_of_a_message_is_acknowledged_and_changes_nothing() {
    let scanner = Scanner::start().await;
    let now = aws::clock::now();
    let holder = domain::id::ScanId::from_random(aws::clock::random_uuid());
    for record in [
        scanning(&awaiting(TestStores::file_id(), now), &version("v"), holder, now),
        clean(TestStores::file_id(), &version("v"), now),
    ] {
        scanner.test.create(&record).await;
        let duplicate = event(record.file_id, &version("v"));
        assert_eq!(scanner.handle(&[("m", &duplicate)]).await, [""; 0], "{:?}", record.state);
        assert_eq!(scanner.test.record(record.file_id).await, record);
    }
    assert_eq!(scanner.context.engine.n_starts(), 0);
}

#[tokio::test]
async fn a_batch_whose_time_is_over_is_delivered_again_and_claims_nothing() {
    let scanner = Scanner::start().await;
    let (file, _, event) = scanner.uploaded(b"0123456789").await;
    let response = handle(&scanner.context, sqs_event(&[("m", &event)]), Duration::from_secs(5)).await;
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(scanner.test.record(file).await.state, State::Awaiting);
}

#[tokio::test]
async fn an_object_below_the_incoming_prefix_becomes_one_record_however_often_its_event_comes() {
    let mut test = TestStores::start().await;
    test.stores.incoming = Some(IncomingRules::parse("incoming/", "{owner}/").unwrap());
    let scanner = Scanner::over(test).await;
    let key = "incoming/alice/report.txt";
    let stored = scanner.test.put(&ObjectKey::Incoming(key.to_owned()), b"0123456789").await;
    let event = event_for(key, &stored);
    let unowned = event_for("incoming/report.txt", &stored);
    let failed = scanner.handle(&[("one", &event), ("two", &event), ("no owner", &unowned)]).await;
    assert_eq!(failed, ["one", "two"], "there is no engine, and no rule names the third object's owner");
    let rules = scanner.context.stores.incoming.as_ref().unwrap();
    let domain::incoming::KeyMatch::File { incoming, .. } = rules.read(key, &stored.version_id) else {
        panic!()
    };
    let record = scanner.test.record(incoming.file_id()).await;
    assert_eq!((record.owner.as_str(), record.filename.as_str()), ("alice", "report.txt"));
    assert_eq!(record.upload_method, UploadMethod::Incoming(incoming));
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(record.state, State::Queued { version: stored, n_attempts: 2 });
}

/// An event of EventBridge about a protected object.
fn bridged(detail_type: &str, key: &str, version: &Version) -> String {
    let Version { version_id, etag, size_bytes } = version;
    let object = format!(
        r#"{{"key":"{key}","size":{size_bytes},"etag":"{}","version-id":"{}"}}"#,
        etag.as_str(),
        version_id.as_str()
    );
    let how = r#""deletion-type":"Permanently Deleted""#;
    let detail = format!(r#"{{"bucket":{{"name":"airlock"}},"object":{object},{how}}}"#);
    format!(r#"{{"source":"aws.s3","detail-type":"{detail_type}","detail":{detail}}}"#)
}

/// The same event as S3 sends it to a queue.
fn notified(key: &str, version: &Version) -> String {
    event_for(key, version).replace(r#""s3":{"#, r#""s3":{"bucket":{"name":"airlock"},"#)
}

/// A scanner whose own bucket is another one than that in which an object is stored.
async fn protecting() -> (Scanner, Version) {
    let test = TestStores::start().await;
    let stored = test.put(&ObjectKey::Incoming("docs/a b.txt".to_owned()), b"0123456789").await;
    (Scanner::over(test.protecting("airlock/docs/=alice")).await, stored)
}

#[tokio::test]
async fn a_protected_object_becomes_one_record_however_its_event_comes_and_ends_with_its_version() {
    let (scanner, stored) = protecting().await;
    let created = bridged("Object Created", "docs/a b.txt", &stored);
    let failed = scanner.handle(&[("one", &created), ("two", &notified("docs/a+b.txt", &stored))]).await;
    assert_eq!(failed, ["one", "two"], "there is no engine");
    let read = scanner.context.stores.protected.read("airlock", "docs/a b.txt", &stored);
    let domain::incoming::KeyMatch::File { incoming, .. } = read else { panic!() };
    let record = scanner.test.record(incoming.file_id()).await;
    assert_eq!((record.owner.as_str(), record.filename.as_str()), ("alice", "a b.txt"));
    assert_eq!(record.state, State::Queued { version: stored.clone(), n_attempts: 2 });
    let in_a_lifetime = aws::clock::now() + Duration::from_hours(50 * 365 * 24);
    assert!(record.expires_at > in_a_lifetime, "it lasts as long as its version");
    let removed = bridged("Object Deleted", "docs/a b.txt", &stored);
    assert_eq!(scanner.handle(&[("removed", &removed), ("again", &removed)]).await, [""; 0]);
    assert_eq!(scanner.test.record(incoming.file_id()).await.status(), Status::Deleted);
    let objects = &scanner.context.stores.objects;
    assert!(objects.current_version(&incoming.key()).await.unwrap().is_some(), "nothing is removed");
    assert_eq!(scanner.handle(&[("late", &created)]).await, [""; 0]);
    assert_eq!(scanner.test.record(incoming.file_id()).await.status(), Status::Deleted);
}

#[tokio::test]
async fn a_protected_object_whose_version_is_not_there_ends_without_another_attempt() {
    let (scanner, stored) = protecting().await;
    let lost = Version { version_id: version("lost").version_id, ..stored };
    assert_eq!(scanner.handle(&[("m", &notified("docs/a+b.txt", &lost))]).await, [""; 0]);
    let read = scanner.context.stores.protected.read("airlock", "docs/a b.txt", &lost);
    let domain::incoming::KeyMatch::File { incoming, .. } = read else { panic!() };
    assert_eq!(scanner.test.record(incoming.file_id()).await.status(), Status::Deleted);
}

#[tokio::test]
async fn a_key_of_another_bucket_is_never_taken_for_an_upload() {
    let (scanner, stored) = protecting().await;
    let awaited = awaiting(TestStores::file_id(), aws::clock::now());
    scanner.test.create(&awaited).await;
    let key = ObjectKey::Issued(awaited.file_id).to_string();
    for event in [notified(&key, &stored), bridged("Object Created", &key, &stored)] {
        assert_eq!(scanner.handle(&[("m", &event)]).await, [""; 0]);
        assert_eq!(scanner.test.record(awaited.file_id).await, awaited);
    }
}
