//! Which earlier sets can be published again, and what becomes of the current one. No engine and no mirror.

use std::time::Duration;

use fixtures::{NOW, TestStores};

use super::*;
use crate::testing::{TTL, manifest, publish_set, publisher, set_file};

const HOUR: Duration = Duration::from_hours(1);

/// A publisher of two sets, and their manifests.
async fn two_sets(test: &TestStores) -> (PublisherContext, [Manifest; 2]) {
    let context = publisher(test);
    let first = publish_set(&context, "27900", vec![set_file("daily.cvd", 1)], NOW).await;
    let second = publish_set(&context, "27901", vec![set_file("daily.cvd", 2)], NOW + HOUR).await;
    (context, [first, second])
}

async fn published(context: &PublisherContext) -> Manifest {
    Before::read(context).await.unwrap().manifest.unwrap()
}

#[test]
fn the_current_version_is_withdrawn_unless_it_is_the_earlier_one() {
    let current = Manifest { withdrawn: vec!["1".to_owned()], ..manifest(2, "27901", NOW) };
    let other = draft_of(&current, manifest(1, "27900", NOW), NOW + HOUR);
    assert_eq!(other.withdrawn, ["1", "27901"]);
    assert_eq!(other.ttl + HOUR, TTL, "its expiry is unchanged");
    assert_eq!(draft_of(&current, manifest(1, "27901", NOW), NOW).withdrawn, ["1"]);
}

#[tokio::test]
async fn an_earlier_set_is_published_under_a_new_serial_number_and_the_current_version_is_withdrawn() {
    let test = TestStores::start().await;
    let (context, [first, second]) = two_sets(&test).await;
    let report = roll_back(&context, first.serial, NOW + HOUR + HOUR).await.unwrap();
    let now_published = published(&context).await;
    let (serial, version) = (now_published.serial, first.definitions.version.clone());
    assert_eq!(report, UpdateReport::Published { serial, version });
    assert!(serial > second.serial);
    assert_eq!((&now_published.files, &now_published.definitions), (&first.files, &first.definitions));
    assert_eq!(now_published.withdrawn, [second.definitions.version]);
    assert_eq!(now_published.expires_at, first.expires_at);
}

#[tokio::test]
async fn an_expired_or_unknown_set_is_refused_and_the_current_one_stays() {
    let test = TestStores::start().await;
    let (context, [first, second]) = two_sets(&test).await;
    let expired = roll_back(&context, first.serial, NOW + TTL).await.unwrap_err();
    assert!(matches!(expired, RollbackError::Refused(ManifestError::Expired(at)) if at == first.expires_at));
    let unknown = roll_back(&context, 7, NOW).await.unwrap_err();
    assert!(matches!(unknown, RollbackError::Unknown(7)), "{unknown}");
    assert_eq!(published(&context).await, second);
}

#[tokio::test]
async fn without_a_published_set_nothing_is_rolled_back() {
    let test = TestStores::start().await;
    let error = roll_back(&publisher(&test), 1, NOW).await.unwrap_err();
    assert!(matches!(error, RollbackError::NothingPublished), "{error}");
}
