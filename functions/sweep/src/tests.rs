//! Which files a sweep moves on, and how far its budgets go. Over the stand-ins; no engine.

use aws::{EventTask, Heartbeat, Ledger};
use domain::delivery::{Delivery, EndpointId};
use domain::history::EventId;
use domain::id::{ObjectKey, ScanId, Version};
use domain::incoming::IncomingRules;
use domain::machine::{Step, step};
use domain::post_verdict::{Rescan, RescanReason};
use domain::record::Status;
use domain::verdict::{ScanError, Verdict};
use fixtures::{TestStores, awaiting, clean, engine, queued, scanning, version};

use super::*;

mod protected;
mod tag;

const TIME: Duration = Duration::from_mins(10);
const AGO: Duration = Duration::from_hours(1);

fn context(test: &TestStores) -> SweepContext {
    SweepContext {
        stores: test.stores.clone(),
        machine: MachinePolicy::default(),
        rescans_per_sweep: 60,
        incoming_every: SweepContext::INCOMING_EVERY,
    }
}

async fn swept(test: &TestStores) -> SweepReport {
    sweep(&context(test), TIME).await.unwrap()
}

fn scan_id() -> ScanId {
    ScanId::from_random(aws::clock::random_uuid())
}

fn earlier() -> Timestamp {
    aws::clock::now() - AGO
}

/// A clean file whose rescan is due.
async fn due_for_rescan(test: &TestStores) -> FileId {
    let (file, judged_at) = (TestStores::file_id(), aws::clock::now() - Duration::from_hours(25));
    test.create(&clean(file, &version("v"), judged_at)).await;
    file
}

/// All write units so far.
fn units(test: &TestStores) -> u64 {
    test.dynamodb.write_units().values().sum()
}

async fn heartbeat_of(test: &TestStores, version: &str) {
    let heartbeat = Heartbeat { engine: engine(version), at: aws::clock::now() };
    test.stores.ledger.beat(heartbeat).await.unwrap();
}

#[test]
fn a_queue_that_is_full_or_unknown_gets_no_more_work() {
    let backlog = |n_waiting| Some(Backlog { n_waiting, n_in_flight: 0 });
    assert!(!is_busy(backlog(0)) && !is_busy(backlog(SweepContext::BUSY - 1)));
    assert!(is_busy(backlog(SweepContext::BUSY)));
    assert!(is_busy(None));
}

#[test]
fn only_a_stored_file_without_a_verdict_waits_long() {
    let (file, now) = (TestStores::file_id(), aws::clock::now());
    let later = now + LONG + Duration::from_secs(1);
    assert!(waits_long(&queued(file, &version("v"), now), later));
    assert!(waits_long(&scanning(&awaiting(file, now), &version("v"), scan_id(), now), later));
    assert!(!waits_long(&queued(file, &version("v"), now), now + LONG));
    assert!(!waits_long(&awaiting(file, now), later), "nothing is stored");
    assert!(!waits_long(&clean(file, &version("v"), now), later), "it has its verdict");
}

#[tokio::test]
async fn an_object_whose_event_was_lost_is_queued_for_its_scan() {
    let test = TestStores::start().await;
    let file = TestStores::file_id();
    test.create(&awaiting(file, earlier())).await;
    let stored = test.put(&ObjectKey::Issued(file), b"0123456789").await;
    assert_eq!(TestStores::take_all(&test.scans).await.len(), 1, "the event, which this test loses");

    let outcome = swept(&test).await;
    assert_eq!(outcome, SweepReport { n_files: 1, ..SweepReport::default() });
    assert_eq!(test.record(file).await.state, State::Queued { version: stored, n_attempts: 0 });
    let messages = TestStores::take_all(&test.scans).await;
    assert!(messages.len() == 1 && messages[0].contains(&file.to_string()), "{messages:?}");
    assert_eq!(swept(&test).await, SweepReport::default(), "the file is not due again");
}

#[tokio::test]
async fn a_file_that_is_not_due_is_left_alone() {
    let test = TestStores::start().await;
    let record = awaiting(TestStores::file_id(), aws::clock::now());
    test.create(&record).await;
    assert_eq!(swept(&test).await, SweepReport::default());
    assert_eq!(test.record(record.file_id).await, record);
}

#[tokio::test]
async fn an_upload_that_never_arrived_expires_after_its_deadline() {
    let test = TestStores::start().await;
    let file = TestStores::file_id();
    test.create(&awaiting(file, earlier())).await;
    assert_eq!(swept(&test).await.n_failed, 0);
    let record = test.record(file).await;
    assert_eq!((record.status(), record.next_due_at()), (Status::Expired, None));
}

#[tokio::test]
async fn a_slow_upload_that_began_in_time_is_scanned_however_large_the_file_may_be() {
    let test = TestStores::start().await;
    // In ten minutes, a line of 1 Mbit/s carries 75 MB of it.
    let machine = MachinePolicy {
        upload_grace: MachinePolicy::upload_grace_of(2_000_000_000),
        max_file_size: 2_000_000_000,
        ..MachinePolicy::default()
    };
    let context = SweepContext { machine, ..context(&test) };
    let file = TestStores::file_id();
    let created = aws::clock::now() - Duration::from_hours(5);
    test.create(&awaiting(file, created)).await;
    assert_eq!(sweep(&context, TIME).await.unwrap().n_failed, 0);
    let record = test.record(file).await;
    assert_eq!(record.status(), Status::Pending, "the upload may still arrive");
    let pause = record.next_due_at().unwrap().since(aws::clock::now());
    assert!(pause > Duration::from_hours(1), "the object is not looked for every five minutes: {pause:?}");
    let stored = test.put(&ObjectKey::Issued(file), b"0123456789").await;
    let waits = Record { due_at: Some(earlier()), revision: record.revision, ..record };
    let due = Event::Due { found: Some(stored.clone()), rescans: Rescans::default() };
    let Step::Commit { next, .. } = step(&waits, &due, &context.machine, aws::clock::now()) else { panic!() };
    assert_eq!(next.state, State::Queued { version: stored, n_attempts: 0 });
}

#[tokio::test]
async fn a_dead_lease_is_queued_again_and_counted_as_waiting() {
    let test = TestStores::start().await;
    let file = TestStores::file_id();
    test.create(&scanning(&awaiting(file, earlier()), &version("v"), scan_id(), earlier())).await;
    let outcome = swept(&test).await;
    assert_eq!((outcome.n_files, outcome.n_unscanned, outcome.n_rescans), (1, 1, 0));
    assert_eq!(test.record(file).await.state, State::Queued { version: version("v"), n_attempts: 1 });
    assert_eq!(TestStores::take_all(&test.scans).await.len(), 1);
}

#[tokio::test]
async fn a_file_that_was_tried_too_often_ends_in_error() {
    let test = TestStores::start().await;
    let file = TestStores::file_id();
    let n_attempts = MachinePolicy::default().max_attempts;
    let tired = State::Queued { version: version("v"), n_attempts };
    test.create(&Record { state: tired, ..queued(file, &version("v"), earlier()) }).await;
    swept(&test).await;
    let verdict = test.record(file).await.judgement().unwrap().verdict.clone();
    assert_eq!(verdict, Verdict::Error { reason: ScanError::EngineTrouble });
    assert_eq!(TestStores::take_all(&test.scans).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_expired_file_loses_its_bytes() {
    let test = TestStores::start().await;
    let file = TestStores::file_id();
    let stored = test.put(&ObjectKey::Issued(file), b"0123456789").await;
    let record = Record { expires_at: earlier(), due_at: Some(earlier()), ..clean(file, &stored, earlier()) };
    test.create(&record).await;
    swept(&test).await;
    assert_eq!(test.record(file).await.status(), Status::Expired);
    let left = test.stores.objects.current_version(&ObjectKey::Issued(file)).await.unwrap();
    assert_eq!(left, None::<Version>);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sweep_ends_every_file_that_has_expired() {
    const N_FILES: u32 = 200;
    let test = TestStores::start().await;
    for _ in 0..N_FILES {
        let file = TestStores::file_id();
        let stored = test.put(&ObjectKey::Issued(file), b"0123456789").await;
        let judged = clean(file, &stored, earlier());
        test.create(&Record { expires_at: earlier(), due_at: Some(earlier()), ..judged }).await;
    }
    let (n_units, started) = (units(&test), Instant::now());
    let outcome = swept(&test).await;
    println!("{:.0} files a second", f64::from(N_FILES) / started.elapsed().as_secs_f64());
    assert_eq!((outcome.n_files, outcome.n_failed), (N_FILES, 0));
    assert_eq!(units(&test) - n_units, u64::from(N_FILES) * 6, "four to expire, two to be removed");
    assert_eq!(swept(&test).await.n_files, 0);
}

#[tokio::test]
async fn new_definitions_rescan_as_many_files_as_the_budget_allows() {
    let test = TestStores::start().await;
    heartbeat_of(&test, "2").await;
    for _ in 0..3 {
        due_for_rescan(&test).await;
    }
    let context = SweepContext { rescans_per_sweep: 2, ..context(&test) };
    assert_eq!(sweep(&context, TIME).await.unwrap().n_rescans, 2);
    assert_eq!(TestStores::take_all(&test.scans).await.len(), 2);
    assert_eq!(sweep(&context, TIME).await.unwrap().n_rescans, 1, "the third waited for the next sweep");
}

#[tokio::test]
async fn the_same_definitions_rescan_nothing() {
    let test = TestStores::start().await;
    heartbeat_of(&test, "1").await;
    let file = due_for_rescan(&test).await;
    let outcome = swept(&test).await;
    assert_eq!((outcome.n_files, outcome.n_rescans), (1, 0));
    assert!(test.record(file).await.rescan().due_at() > Some(aws::clock::now()), "planned for tomorrow");
}

#[tokio::test]
async fn a_rescan_without_room_waits_without_a_write() {
    for is_busy in [true, false] {
        let test = TestStores::start().await;
        let file = due_for_rescan(&test).await;
        if is_busy {
            heartbeat_of(&test, "2").await;
            for _ in 0..SweepContext::BUSY {
                test.scans.send("a first scan".to_owned()).await.unwrap();
            }
        }
        let (before, n_units) = (test.record(file).await, units(&test));
        assert_eq!(swept(&test).await, SweepReport::default(), "busy: {is_busy}");
        assert_eq!(test.record(file).await, before);
        assert_eq!(units(&test), n_units);
    }
}

#[tokio::test]
async fn a_rescan_whose_message_was_lost_is_queued_again() {
    let test = TestStores::start().await;
    heartbeat_of(&test, "2").await;
    let file = due_for_rescan(&test).await;
    assert_eq!(swept(&test).await.n_rescans, 1);
    let queued = test.record(file).await;
    let overdue = Rescan::Queued { n_attempts: 0, next_due_at: earlier(), why: RescanReason::NewDefinitions };
    let mut lost = Record { revision: queued.revision + 1, ..queued.clone() };
    if let State::Judged { post_verdict, .. } = &mut lost.state {
        post_verdict.rescan = overdue;
    }
    test.stores.ledger.commit(&queued, &lost, "w").await.unwrap();
    let no_room = SweepContext { rescans_per_sweep: 0, ..context(&test) };
    assert_eq!(sweep(&no_room, TIME).await.unwrap().n_rescans, 1);
    assert_eq!(TestStores::take_all(&test.scans).await.len(), 2);
}

/// How many overdue rescans there are in the test of many: a hundred thousand with `SOAK`.
fn n_overdue() -> usize {
    if fixtures::is_soak() { 100_000 } else { 600 }
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_rescans_delay_no_lost_event_and_cost_no_writes() {
    let test = TestStores::start().await;
    heartbeat_of(&test, "2").await;
    for _ in 0..n_overdue() {
        due_for_rescan(&test).await;
    }
    let file = TestStores::file_id();
    test.create(&awaiting(file, earlier())).await;
    test.put(&ObjectKey::Issued(file), b"0123456789").await;
    TestStores::take_all(&test.scans).await;

    let context = SweepContext { rescans_per_sweep: 5, ..context(&test) };
    for n_sweeps in 1..=2 {
        let n_units = units(&test);
        let outcome = sweep(&context, TIME).await.unwrap();
        assert_eq!((outcome.n_rescans, outcome.n_failed), (5, 0));
        assert_eq!(test.record(file).await.status(), Status::Pending);
        assert!(matches!(test.record(file).await.state, State::Queued { .. }), "found by the first sweep");
        let n_units = units(&test) - n_units;
        // A queued rescan takes three units, the file that was found three.
        assert_eq!(n_units, if n_sweeps == 1 { 5 * 3 + 3 } else { 5 * 3 });
        TestStores::take_all(&test.scans).await;
    }
}

#[tokio::test]
async fn files_that_fail_keep_no_sweep_from_those_behind_them() {
    let test = TestStores::start().await;
    let mut n_failing = 0;
    while n_failing < 201 {
        let file = TestStores::file_id();
        if file.shard() == 3 {
            test.create(&awaiting(file, earlier())).await;
            // No record has this revision.
            test.edit(file, "SET revision = :n", -1).await;
            n_failing += 1;
        }
    }
    let last = loop {
        let file = TestStores::file_id();
        if file.shard() == 3 {
            break file;
        }
    };
    test.create(&awaiting(last, earlier() + Duration::from_mins(1))).await;
    let outcome = swept(&test).await;
    assert_eq!((outcome.n_files, outcome.n_failed), (n_failing + 1, n_failing));
    assert_eq!(test.record(last).await.status(), Status::Expired);
}

#[tokio::test]
async fn a_record_that_an_earlier_release_indexed_is_indexed_anew() {
    let test = TestStores::start().await;
    let file = due_for_rescan(&test).await;
    let planned_at = (aws::clock::now() - AGO).as_millis();
    test.edit(file, "SET state_due_at = due_at, due_at = :n REMOVE rescan", planned_at).await;
    assert_eq!(swept(&test).await.n_files, 1, "it is due by the index");
    heartbeat_of(&test, "2").await;
    assert_eq!(swept(&test).await, SweepReport { n_files: 1, n_rescans: 1, ..SweepReport::default() });
    assert_eq!(swept(&test).await, SweepReport::default());
}

#[tokio::test]
async fn without_time_nothing_is_moved_on() {
    let test = TestStores::start().await;
    let record = awaiting(TestStores::file_id(), earlier());
    test.create(&record).await;
    assert_eq!(sweep(&context(&test), Duration::ZERO).await.unwrap().n_files, 0);
    assert_eq!(test.record(record.file_id).await, record);
}

/// Stores with an incoming prefix that holds one object of alice's, and a folder's marker.
async fn incoming() -> TestStores {
    let mut test = TestStores::start().await;
    test.stores.incoming = Some(IncomingRules::parse("incoming/", "{owner}/").unwrap());
    for key in ["incoming/alice/report.txt", "incoming/alice/upload.info", "elsewhere/alice/report.txt"] {
        test.put(&ObjectKey::Incoming(key.to_owned()), b"0123456789").await;
    }
    TestStores::take_all(&test.scans).await;
    test
}

#[tokio::test]
async fn an_incoming_object_without_an_event_is_requested_once_per_interval() {
    let test = incoming().await;
    assert_eq!(swept(&test).await.n_found, 1);
    let messages = TestStores::take_all(&test.scans).await;
    assert!(messages.len() == 1 && messages[0].contains("incoming/alice/report.txt"), "{messages:?}");
    assert_eq!(swept(&test).await.n_found, 0, "the interval is not over");
    let due = SweepContext { incoming_every: Duration::ZERO, ..context(&test) };
    let look = aws::IncomingCursor { after: None, due_at: aws::clock::now(), since: None };
    test.stores.ledger.keep_incoming_cursor(None, look).await.unwrap();
    assert_eq!(sweep(&due, TIME).await.unwrap().n_found, 1, "it still has no record");
}

#[tokio::test]
async fn a_busy_queue_puts_off_the_search_for_incoming_objects() {
    let test = incoming().await;
    for _ in 0..SweepContext::BUSY {
        test.scans.send("a first scan".to_owned()).await.unwrap();
    }
    assert_eq!(swept(&test).await.n_found, 0);
}

#[tokio::test]
async fn a_due_webhook_is_requested_once_and_not_again_before_its_message_is_taken_for_lost() {
    let test = TestStores::start().await;
    let event = EventId { file: TestStores::file_id(), seq: 1 };
    let endpoint = EndpointId::parse("0123456789abcdef").unwrap();
    let delivery = Delivery::new(event, endpoint, "{}".to_owned(), earlier());
    test.stores.ledger.add_delivery(&delivery).await.unwrap();
    assert_eq!(swept(&test).await.n_deliveries, 1);
    let asked = serde_json::to_string(&EventTask::Deliver(Ledger::delivery_key(event, &delivery.endpoint)));
    assert_eq!(TestStores::take_all(&test.events).await, [asked.unwrap()]);
    assert_eq!(swept(&test).await.n_deliveries, 0);
}
