//! Checks which objects of which buckets become files, and whose.

use proptest::prelude::*;

use super::*;
use crate::id::{ETag, FileId, VersionId};
use crate::incoming::IncomingRules;

const RULES: &str = "photos, team.docs/in/=alice, team.docs/users/{owner}/, team.docs/old/";

fn version(id: &str) -> Version {
    let (version_id, etag) = (VersionId::parse(id).unwrap(), ETag::parse("e").unwrap());
    Version { version_id, etag, size_bytes: 7 }
}

fn read(bucket: &str, key: &str, version_id: &str) -> Option<(OwnerId, FileId)> {
    match ProtectedBuckets::parse(RULES, "own").unwrap().read(bucket, key, &version(version_id)) {
        KeyMatch::File { incoming, owner } => {
            assert!(incoming.is_protected());
            let expected = (bucket.to_owned(), key.to_owned());
            assert_eq!((incoming.key().bucket().unwrap().to_string(), incoming.key().to_string()), expected);
            Some((owner, incoming.file_id()))
        }
        KeyMatch::Elsewhere => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_object_of_a_place_is_a_file_of_its_owner() {
    for (bucket, key, owner) in [
        ("photos", "a.png", Some("s3://photos")),
        ("photos", "a.info", Some("s3://photos")),
        ("photos", "uploads/123e4567-e89b-42d3-a456-426614174000", Some("s3://photos")),
        ("photos", "folder/", Some("s3://photos")),
        ("photos", "", None),
        ("team.docs", "in/a", Some("alice")),
        ("team.docs", "in/bob/a", Some("alice")),
        ("team.docs", "users/bob/a", Some("bob")),
        ("team.docs", "users/a", Some("s3://team.docs")),
        ("team.docs", "users/x\ny/a", Some("s3://team.docs")),
        ("team.docs", "old/a", Some("s3://team.docs")),
        ("team.docs", "elsewhere/a", None),
        ("own", "in/a", None),
        ("photo", "a", None),
    ] {
        let found = read(bucket, key, "v").map(|(owner, _)| owner.to_string());
        assert_eq!(found.as_deref(), owner, "{bucket} {key:?}");
    }
    assert_eq!(read("photos", "a.png", "null"), None, "it can be replaced");
    let folder = Version { size_bytes: 0, ..version("v") };
    let rules = ProtectedBuckets::parse(RULES, "own").unwrap();
    assert_eq!(rules.read("photos", "folder/", &folder), KeyMatch::Sidecar);
    assert_eq!(read("photos", &"x".repeat(1025), "v"), None);
}

#[test]
fn a_version_is_one_file_and_no_other() {
    let file = |bucket: &str, key: &str, id: &str| read(bucket, key, id).unwrap().1;
    assert_eq!(file("photos", "in/a", "v1"), file("photos", "in/a", "v1"));
    assert_ne!(file("photos", "in/a", "v1"), file("photos", "in/a", "v2"));
    assert_ne!(file("photos", "in/a", "v1"), file("photos", "in/b", "v1"));
    assert_ne!(file("photos", "in/a", "v1"), file("team.docs", "in/a", "v1"));
    let own = IncomingRules::parse("in/", "=alice").unwrap();
    let KeyMatch::File { incoming, .. } = own.read("in/a", &version("v1").version_id) else { panic!() };
    assert_ne!(file("photos", "in/a", "v1"), incoming.file_id());
}

#[test]
fn lists_that_cannot_be_meant_are_refused() {
    let entry = |text: &str| ProtectedBucketsError::Entry(text.to_owned());
    for (text, expected) in [
        ("Photos", entry("Photos")),
        ("photos/*", entry("photos/*")),
        ("photos=", entry("photos=")),
        ("photos/x{owner}/", entry("photos/x{owner}/")),
        ("photos{owner}/", entry("photos{owner}/")),
        ("photos/{owner}/a", entry("photos/{owner}/a")),
        ("photos/{owner}/{owner}/", entry("photos/{owner}/{owner}/")),
        ("photos,photos/in/=bob", ProtectedBucketsError::Unreachable("photos/in/=bob".into())),
        ("photos,photos", ProtectedBucketsError::Unreachable("photos".into())),
        ("photos, own/in/", ProtectedBucketsError::Own("own/in/".into())),
    ] {
        assert_eq!(ProtectedBuckets::parse(text, "own"), Err(expected), "{text}");
    }
    assert!(ProtectedBuckets::parse("", "own").unwrap().is_empty());
    assert_eq!(ProtectedBuckets::parse("photos/in/=bob,photos", "own").unwrap().places().count(), 2);
}

#[test]
fn nothing_but_tags_is_changed_unless_it_is_named() {
    let changes = |quarantines, deletes| Some(ProtectedChanges { quarantines, deletes });
    for (text, expected) in [
        ("tags", changes(false, false)),
        ("quarantine", changes(true, false)),
        ("delete", changes(false, true)),
        ("tags, quarantine,delete", changes(true, true)),
        ("", None),
        ("remove", None),
    ] {
        assert_eq!(ProtectedChanges::parse(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_key_panics_and_every_file_is_in_its_place(key in "(in/|users/|old/)?\\PC{0,20}") {
        if let Some((owner, _)) = read("team.docs", &key, "v") {
            prop_assert!(["in/", "users/", "old/"].iter().any(|prefix| key.starts_with(prefix)));
            prop_assert!(!key.starts_with("in/") || owner.as_str() == "alice");
        }
    }
}
