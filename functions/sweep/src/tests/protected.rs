//! Which objects of protected buckets the sweep finds, and that it removes none.

use domain::place::BucketPlace;
use domain::protected::ProtectedChanges;

use super::*;

/// Stores whose service protects `docs/` in another bucket, which holds one object there.
async fn protected() -> (TestStores, Version) {
    let test = TestStores::start().await;
    let stored = test.put(&ObjectKey::Incoming("docs/a b+c".to_owned()), b"0123456789").await;
    test.put(&ObjectKey::Incoming("elsewhere/a".to_owned()), b"0123456789").await;
    TestStores::take_all(&test.scans).await;
    (test.protecting("nowhere-at-all, airlock/docs/=alice"), stored)
}

fn place(test: &TestStores) -> BucketPlace {
    test.stores.protected.places().last().unwrap().clone()
}

#[tokio::test]
async fn an_object_without_an_event_is_requested_though_another_bucket_cannot_be_listed() {
    let (test, stored) = protected().await;
    assert_eq!(swept(&test).await.n_found, 1);
    let messages = TestStores::take_all(&test.scans).await;
    let read = aws::events::read_body(&messages[0], &test.stores.event_rules()).unwrap();
    let [aws::events::S3Event::Incoming { incoming, owner, version }] = &read[..] else { panic!("{read:?}") };
    assert_eq!((incoming.key().to_string().as_str(), owner.as_str()), ("docs/a b+c", "alice"));
    assert_eq!((incoming.key().bucket().unwrap().as_str(), version), ("airlock", &stored));
    assert_eq!(swept(&test).await.n_found, 0, "the interval is not over");
    let look = aws::IncomingCursor { after: None, due_at: earlier(), since: Some(earlier()) };
    test.stores.ledger.keep_incoming_cursor(Some(&place(&test)), look).await.unwrap();
    assert_eq!(swept(&test).await.n_found, 1, "it still has no record");
}

#[tokio::test]
async fn objects_that_are_older_than_the_protection_are_left_to_a_backfill() {
    let (test, _) = protected().await;
    let since = Some(aws::clock::now() + AGO);
    let look = aws::IncomingCursor { after: None, due_at: earlier(), since };
    test.stores.ledger.keep_incoming_cursor(Some(&place(&test)), look).await.unwrap();
    assert_eq!(swept(&test).await.n_found, 0);
    let kept = test.stores.ledger.incoming_cursor(Some(&place(&test))).await.unwrap().unwrap();
    assert_eq!(kept.since, since);
}

/// A clean file of the protected object, whose retention is over.
async fn outlived(test: &TestStores, stored: &Version) -> Record {
    let read = test.stores.protected.read("airlock", "docs/a b+c", stored);
    let domain::incoming::KeyMatch::File { incoming, owner } = read else { panic!() };
    let waiting = MachinePolicy::default().sweep_retry;
    let record = Record::incoming(incoming, owner, stored.clone(), AGO / 2, waiting, false, earlier());
    let clean = Record { state: clean(record.file_id, stored, earlier()).state, ..record };
    let clean = Record { due_at: Some(clean.expires_at), ..clean };
    test.create(&clean).await;
    clean
}

#[tokio::test]
async fn a_version_is_removed_with_its_file_only_where_that_is_allowed() {
    for (changes, status, is_left) in [("tags", Status::Clean, true), ("delete", Status::Expired, false)] {
        let (test, stored) = protected().await;
        let record = outlived(&test, &stored).await;
        let protected = ProtectedChanges::parse(changes).unwrap();
        let machine = MachinePolicy { protected, ..MachinePolicy::default() };
        let context = SweepContext { machine, ..context(&test) };
        for _ in 0..3 {
            assert_eq!(sweep(&context, TIME).await.unwrap().n_failed, 0, "{changes}");
        }
        assert_eq!(test.record(record.file_id).await.status(), status, "{changes}");
        let left = test.stores.objects.current_version(&record.object_key()).await.unwrap();
        assert_eq!(left.is_some(), is_left, "{changes}");
        assert_eq!(sweep(&context, TIME).await.unwrap().n_files, 0, "it is not due again");
    }
}

#[tokio::test]
async fn a_file_in_a_bucket_that_was_left_is_not_rescanned_and_is_later() {
    let (mut test, stored) = protected().await;
    let record = outlived(&test, &stored).await;
    let due = Rescan::Planned { when: earlier() };
    let State::Judged { version, judgement, post_verdict } = record.state.clone() else { panic!() };
    let post_verdict = domain::post_verdict::PostVerdict { rescan: due, ..post_verdict };
    let expires_at = aws::clock::now() + ProtectedChanges::FOREVER;
    let state = State::Judged { version, judgement, post_verdict };
    let file_id = TestStores::file_id();
    test.create(&Record { file_id, state, expires_at, due_at: Some(expires_at), ..record }).await;
    heartbeat_of(&test, "another").await;
    let left = std::mem::take(&mut test.stores.protected);
    assert_eq!(swept(&test).await.n_rescans, 0);
    let Rescan::Planned { when } = test.record(file_id).await.rescan() else { panic!() };
    assert!(when > aws::clock::now(), "it is not in the way of other rescans");
    test.stores.protected = left;
    assert_eq!(swept(&test).await.n_rescans, 0, "it is not due yet");
}
