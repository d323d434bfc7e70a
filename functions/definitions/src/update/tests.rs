//! Which sets are published, what an update starts from, and what a failure leaves. No engine and no mirror.

use aws::StoreErrorKind;
use definition_set::Draft;
use domain::id::Sha256;
use fixtures::{NOW, TestStores};

use super::*;
use crate::testing::{definitions, key, manifest, publish_set, publisher, set_file};

const HOUR: Duration = Duration::from_hours(1);

/// The SHA-256 of `abc` (FIPS 180-2, B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A database of three bytes, in the bucket.
async fn stored_file(context: &Context, test: &TestStores) -> SetFile {
    let file = SetFile { size_bytes: 3, sha256: Sha256::parse(ABC).unwrap(), ..set_file("daily.cvd", 0) };
    let path = test.directory.path().join("daily.cvd");
    std::fs::write(&path, "abc").unwrap();
    context.bucket.put_file(file.sha256, &path).await.unwrap();
    file
}

#[test]
fn the_first_set_and_every_set_that_is_not_older_is_published() {
    assert_eq!(decide(None, &definitions("1", NOW)).unwrap(), Decision::Publish { withdrawn: vec![] });
    let withdrawn = vec!["27899".to_owned()];
    let published = Manifest { withdrawn: withdrawn.clone(), ..manifest(1, "27900", NOW) };
    for built_at in [NOW, NOW + HOUR] {
        let decision = decide(Some(&published), &definitions("27901", built_at)).unwrap();
        assert_eq!(decision, Decision::Publish { withdrawn: withdrawn.clone() });
    }
}

#[test]
fn older_definitions_are_refused_and_a_withdrawn_version_stays_withdrawn() {
    let published = Manifest { withdrawn: vec!["27901".to_owned()], ..manifest(1, "27900", NOW) };
    let older = decide(Some(&published), &definitions("27800", NOW - HOUR)).unwrap_err();
    let refused = UpdateError::Older { fetched: NOW - HOUR, published: NOW };
    assert_eq!(older.to_string(), refused.to_string());
    let taken_back = definitions("27901", NOW + HOUR);
    assert_eq!(decide(Some(&published), &taken_back).unwrap(), Decision::Withdrawn);
}

#[test]
fn a_set_lacks_nothing_only_if_each_database_is_there_in_one_of_its_forms() {
    let files = ["main.cvd", "daily.cld", "bytecode.cvd"].map(|name| set_file(name, 1));
    assert_eq!(missing(&Databases::Official, &files), None);
    assert_eq!(missing(&Databases::Official, &files[1..]), Some("main".to_owned()));
    assert_eq!(missing(&Databases::Official, &files[..2]), Some("bytecode".to_owned()));
    let only = Databases::Only(vec!["daily".to_owned()]);
    assert_eq!(missing(&only, &files), None);
    assert_eq!(missing(&only, &files[2..]), Some("daily".to_owned()));
}

#[test]
fn the_alarms_get_the_age_of_the_published_set_and_whether_the_update_failed() {
    let published = definitions("27900", NOW);
    let age = aws::metrics::seconds("DefinitionsAge", HOUR);
    let failed = |value| aws::metrics::count("DefinitionsUpdateFailed", value);
    assert_eq!(age_metrics(Some(&published), true, NOW + HOUR), [failed(0), age]);
    assert_eq!(age_metrics(Some(&published), false, NOW + HOUR), [failed(1), age]);
    assert_eq!(age_metrics(None, false, NOW), [failed(1)]);
}

#[tokio::test]
async fn an_update_starts_from_what_is_published_whatever_its_age() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    let nothing = Before::read(&context).await.unwrap();
    assert!(nothing.manifest.is_none() && nothing.expected().is_none());
    let published = publish_set(&context, "27900", vec![set_file("daily.cvd", 1)], NOW).await;
    let before = Before::read(&context).await.unwrap();
    assert_eq!(before.expected().map(|(_, serial)| serial), Some(published.serial));
    assert_eq!(before.manifest, Some(published), "it expired years ago");
}

#[tokio::test]
async fn a_pointer_that_we_did_not_sign_is_not_started_from_and_is_replaced() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    context.bucket.replace_current(b"not ours".to_vec(), None).await.unwrap();
    let before = Before::read(&context).await.unwrap();
    assert!(before.manifest.is_none() && before.pointer.is_some());
    let published = publish_set(&context, "27900", vec![set_file("daily.cvd", 1)], NOW).await;
    assert_eq!(Before::read(&context).await.unwrap().manifest, Some(published));
}

#[tokio::test]
async fn of_two_concurrent_updates_only_the_first_replaces_the_pointer() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    publish_set(&context, "27900", vec![set_file("daily.cvd", 1)], NOW).await;
    let before = Before::read(&context).await.unwrap();
    let first = publish_set(&context, "27901", vec![set_file("daily.cvd", 2)], NOW + HOUR).await;
    let Manifest { engine, definitions, files, .. } = manifest(0, "27902", NOW + HOUR);
    let draft = Draft { engine, definitions, files, snapshot: None, withdrawn: vec![], ttl: HOUR };
    let second = publish(&context.bucket, &key(), draft, None, before.expected(), NOW + HOUR + HOUR).await;
    let Err(PublishError::Store(error)) = second else { panic!("the pointer was replaced twice") };
    assert_eq!(error.kind, StoreErrorKind::PreconditionFailed);
    assert_eq!(Before::read(&context).await.unwrap().manifest, Some(first));
}

#[tokio::test]
async fn freshclam_finds_the_published_set_and_its_own_state_and_nothing_else() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    let file = stored_file(&context, &test).await;
    let published = publish_set(&context, "27900", vec![file], NOW).await;
    context.bucket.keep_updater_state(b"state".to_vec()).await.unwrap();
    let databases = &context.freshclam.directory;
    std::fs::create_dir_all(databases).unwrap();
    std::fs::write(databases.join("local.ign2"), "left over").unwrap();
    prepare(&context, Some(&published)).await.unwrap();
    let read = |name: &str| std::fs::read(databases.join(name)).unwrap();
    assert_eq!((read("daily.cvd"), read(STATE_FILE)), (b"abc".to_vec(), b"state".to_vec()));
    assert_eq!(std::fs::read_dir(databases).unwrap().count(), 2);
}

#[tokio::test]
async fn a_published_set_whose_file_is_lost_is_fetched_anew_from_the_mirror() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    let published = publish_set(&context, "27900", vec![set_file("daily.cvd", 9)], NOW).await;
    prepare(&context, Some(&published)).await.unwrap();
    assert_eq!(std::fs::read_dir(&context.freshclam.directory).unwrap().count(), 0);
}

#[tokio::test]
async fn freshclams_state_moves_to_the_bucket_so_that_no_set_contains_it() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    let path = context.freshclam.directory.join(STATE_FILE);
    std::fs::create_dir_all(&context.freshclam.directory).unwrap();
    keep_state(&context).await.unwrap();
    assert_eq!(context.bucket.updater_state().await.unwrap(), None);
    std::fs::write(&path, "state").unwrap();
    keep_state(&context).await.unwrap();
    assert_eq!(context.bucket.updater_state().await.unwrap(), Some(b"state".to_vec()));
    assert!(!path.try_exists().unwrap());
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_published_set() {
    let test = TestStores::start().await;
    let context = publisher(&test);
    let file = stored_file(&context, &test).await;
    let published = publish_set(&context, "27900", vec![file], NOW).await;
    let error = update(&context, NOW + HOUR).await.unwrap_err();
    assert!(matches!(error, UpdateError::Freshclam(FreshclamError::Spawn(..))), "{error}");
    assert_eq!(Before::read(&context).await.unwrap().manifest, Some(published));
}
