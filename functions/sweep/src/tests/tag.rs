//! The sweep writes again a tag that storage did not take.

use aws::{Endpoints, Objects, Sdk, StaticKeys};
use domain::access::{AccessError, downloadable};

use super::*;

#[tokio::test]
async fn a_tag_that_storage_did_not_take_is_written_again_before_the_file_can_be_downloaded() {
    let test = TestStores::start().await;
    let file = TestStores::file_id();
    let stored = test.put(&ObjectKey::Issued(file), b"0123456789").await;
    let record = clean(file, &stored, earlier());
    test.create(&record).await;
    let keys = StaticKeys { access_key_id: "test".to_owned(), secret_access_key: "secret".to_owned() };
    let nowhere = Endpoints { s3: Some("http://127.0.0.1:1".to_owned()), s3_public: None };
    let objects = Objects::new(&Sdk::at(&nowhere, &keys, "us-east-1").await, "airlock".to_owned());
    let down = SweepContext { stores: Stores { objects, ..test.stores.clone() }, ..context(&test) };
    let tag_due_at = async || {
        let record = test.record(file).await;
        let is_refused = downloadable(&record, None, aws::clock::now()) == Err(AccessError::NotTagged);
        let due_at = record.post_verdict().unwrap().tag_due_at;
        assert_eq!(is_refused, due_at.is_some());
        due_at
    };

    let then = earlier();
    let transitions = Transitions { stores: &down.stores, policy: &down.machine };
    let applied = Applied { record, kept: None, effects: vec![Effect::Tag { version: stored }] };
    transitions.run_effects(&applied, then).await.unwrap_err();
    assert_eq!(tag_due_at().await, Some(then + Duration::from_mins(1)));

    // The file stays due, and the tag is retried after a pause.
    assert_eq!(sweep(&down, TIME).await.unwrap().n_failed, 1);
    let next = tag_due_at().await.unwrap();
    assert!(next > aws::clock::now());
    assert_eq!(swept(&test).await.n_files, 0);

    let failed =
        Event::TagFailed { version_id: test.record(file).await.state.version().unwrap().version_id.clone() };
    let transitions = Transitions { stores: &test.stores, policy: &down.machine };
    let _no_effects = transitions.apply(file, &failed, earlier()).await.unwrap();
    assert_eq!(swept(&test).await.n_files, 1);
    assert_eq!(tag_due_at().await, None);
    assert_eq!(swept(&test).await.n_files, 0);
}
