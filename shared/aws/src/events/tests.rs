//! Checks which events are about files, and that no foreign event is.

use percent_encoding::NON_ALPHANUMERIC;
use proptest::prelude::*;

use super::*;

const ID: &str = "123e4567-e89b-42d3-a456-426614174000";

fn record(key: &str, event_name: &str) -> serde_json::Value {
    json!({ "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event_name, "s3": {
        "s3SchemaVersion": "1.0", "bucket": { "name": "b" },
        "object": { "key": key, "size": 5, "eTag": "abc", "versionId": "v1", "sequencer": "0055" } } })
}

fn rules() -> IncomingRules {
    IncomingRules::parse("in/", "{owner}/").unwrap()
}

fn protected() -> ProtectedBuckets {
    ProtectedBuckets::parse("docs/in/=alice, photos", "b").unwrap()
}

fn read(body: &str, incoming: Option<&IncomingRules>) -> Result<Vec<S3Event>, MessageError> {
    read_body(body, &EventRules { bucket: "b", incoming, protected: &protected() })
}

fn notices(body: &serde_json::Value) -> Vec<S3Event> {
    read(&body.to_string(), None).unwrap()
}

#[test]
fn every_shape_of_body_is_distinguished() {
    let ours = format!("uploads/{ID}");
    let stored = notices(&json!({ "Records": [record(&ours, "ObjectCreated:Post")] }));
    assert!(matches!(&stored[..], [S3Event::Stored { file, version }]
        if file.to_string() == ID && version.size_bytes == 5 && version.version_id.as_str() == "v1"));
    let many =
        json!({ "Records": [record(&ours, "ObjectCreated:Put"), record("other", "ObjectCreated:Put")] });
    assert_eq!(notices(&many)[1], S3Event::Ignored(IgnoreReason::ForeignKey));
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
    assert_eq!(notices(&test), [S3Event::Ignored(IgnoreReason::TestEvent)]);
    let other = json!({ "Service": "Amazon S3", "Event": "s3:AnotherEvent", "Bucket": "b" });
    assert_eq!(notices(&other), [S3Event::Ignored(IgnoreReason::OtherEvent)]);
    assert_eq!(notices(&json!({ "Records": [] })), []);
    let removed = json!({ "Records": [record(&ours, "ObjectRemoved:Delete")] });
    assert_eq!(notices(&removed), [S3Event::Ignored(IgnoreReason::OtherEvent)]);
    let mut unversioned = record(&ours, "ObjectCreated:Put");
    unversioned["s3"]["object"]["versionId"] = serde_json::Value::Null;
    assert_eq!(notices(&json!({ "Records": [unversioned] })), [S3Event::Ignored(IgnoreReason::NoVersion)]);
}

#[test]
fn a_body_that_is_not_an_event_is_an_error() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "\"x\"",
        "{\"Records\":1}",
        "{\"Records\":[{}]}",
        "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\"}]}",
    ] {
        assert!(read(body, None).is_err(), "{body}");
    }
    let bad_key = json!({ "Records": [record("uploads/%zz", "ObjectCreated:Put")] });
    assert!(matches!(read(&bad_key.to_string(), None), Err(MessageError::BadKey)));
}

#[test]
fn keys_are_decoded_once() {
    for (key, decoded) in
        [("red+flower.jpg", "red flower.jpg"), ("a%2Bb", "a+b"), ("a%252Bb", "a%2Bb"), ("%C3%A4", "\u{e4}")]
    {
        assert_eq!(decode_key(key).unwrap(), decoded);
    }
    for bad in ["%", "%z", "a%2", "%ff"] {
        assert!(decode_key(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_sweeps_body_reads_back() {
    let version = Version {
        version_id: VersionId::parse("v 1").unwrap(),
        etag: ETag::parse("e").unwrap(),
        size_bytes: 7,
    };
    let file = FileId::parse(ID).unwrap();
    let body = stored_body("b", &ObjectKey::Issued(file), &version, Some(file));
    assert_eq!(read(&body, None).unwrap(), [S3Event::Stored { file, version: version.clone() }]);
    let key = "in/bob/a+b %2B \u{e4}.pdf";
    let key_alone = ObjectKey::Incoming(key.to_owned());
    let known = stored_body("b", &key_alone, &version, Some(file));
    assert_eq!(read(&known, None).unwrap(), [S3Event::Stored { file, version: version.clone() }]);
    let body = stored_body("b", &key_alone, &version, None);
    let found = read(&body, Some(&rules())).unwrap();
    assert!(matches!(&found[..], [S3Event::Incoming { incoming, owner, version: found }]
        if incoming.key().to_string() == key && owner.as_str() == "bob" && *found == version));
}

#[test]
fn the_rules_decide_about_objects_of_other_uploaders() {
    let of = |key: &str| {
        let body = json!({ "Records": [record(key, "ObjectCreated:CompleteMultipartUpload")] });
        read(&body.to_string(), Some(&rules())).unwrap().remove(0)
    };
    assert!(matches!(of("in/bob/a.pdf"), S3Event::Incoming { owner, .. } if owner.as_str() == "bob"));
    assert_eq!(of("in/bob/a.info"), S3Event::Ignored(IgnoreReason::Sidecar));
    assert_eq!(of("in/a.pdf"), S3Event::Ignored(IgnoreReason::NoOwner));
    assert_eq!(of("other/bob/a.pdf"), S3Event::Ignored(IgnoreReason::ForeignKey));
    assert!(matches!(of(&format!("uploads/{ID}")), S3Event::Stored { .. }));
}

/// One record about an object in this bucket.
fn in_bucket(bucket: &str, key: &str, event_name: &str) -> S3Event {
    let mut record = record(key, event_name);
    record["s3"]["bucket"]["name"] = json!(bucket);
    read(&json!({ "Records": [record] }).to_string(), Some(&rules())).unwrap().remove(0)
}

#[test]
fn an_event_of_another_bucket_is_about_its_protected_objects_alone() {
    let created = |bucket: &str, key: &str| in_bucket(bucket, key, "ObjectCreated:Put");
    let S3Event::Incoming { incoming, owner, version } = created("docs", "in/a+b") else { panic!() };
    let place = (incoming.key().bucket().unwrap().to_string(), incoming.key().to_string());
    assert_eq!(place, ("docs".to_owned(), "in/a b".to_owned()));
    assert_eq!((owner.as_str(), version.size_bytes), ("alice", 5));
    // A key that the API issued, or one below the incoming prefix, is another object there.
    for key in [format!("uploads/{ID}"), "in/bob/a".to_owned()] {
        assert!(matches!(created("photos", &key), S3Event::Incoming { incoming, .. }
            if incoming.key().bucket().is_some()));
        assert_eq!(created("elsewhere", &key), S3Event::Ignored(IgnoreReason::ForeignKey), "{key}");
    }
    assert_eq!(created("docs", "out/a"), S3Event::Ignored(IgnoreReason::ForeignKey));
    for (name, is_removed) in [
        ("ObjectRemoved:Delete", true),
        ("LifecycleExpiration:Delete", true),
        ("ObjectRemoved:DeleteMarkerCreated", false),
        ("ObjectTagging:Put", false),
    ] {
        let removed = in_bucket("photos", "a", name);
        assert_eq!(matches!(removed, S3Event::Removed { .. }), is_removed, "{name}");
        assert_eq!(in_bucket("b", "in/bob/a", name), S3Event::Ignored(IgnoreReason::OtherEvent), "{name}");
    }
    assert_eq!(created("photos", "a").file_id(), in_bucket("photos", "a", "ObjectRemoved:Delete").file_id());
}

/// An event as EventBridge sends it (AWS, "EventBridge event message structure").
fn bridged(detail_type: &str, key: &str) -> serde_json::Value {
    json!({ "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": detail_type,
        "source": "aws.s3", "account": "111122223333", "time": "2021-11-12T00:00:00Z",
        "region": "ca-central-1", "resources": ["arn:aws:s3:::photos"],
        "detail": { "version": "0", "bucket": { "name": "photos" },
            "object": { "key": key, "size": 5, "etag": "abc", "version-id": "v1", "sequencer": "0055" },
            "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "reason": "PutObject" } })
}

#[test]
fn an_event_of_eventbridge_is_the_same_with_its_key_as_it_is() {
    let of = |event: &serde_json::Value| read(&event.to_string(), Some(&rules())).unwrap().remove(0);
    let plain = "a b+c %2B \u{e4}.pdf";
    let encoded = utf8_percent_encode(plain, NON_ALPHANUMERIC).to_string();
    let created = bridged("Object Created", plain);
    assert_eq!(of(&created), in_bucket("photos", &encoded, "ObjectCreated:Put"));
    let mut removed = bridged("Object Deleted", plain);
    assert_eq!(of(&removed), S3Event::Ignored(IgnoreReason::OtherEvent), "it does not say how");
    removed["detail"]["deletion-type"] = json!("Delete Marker Created");
    assert_eq!(of(&removed), S3Event::Ignored(IgnoreReason::OtherEvent));
    removed["detail"]["deletion-type"] = json!("Permanently Deleted");
    removed["detail"]["object"] = json!({ "key": plain, "version-id": "v1", "sequencer": "0056" });
    assert_eq!(of(&removed), in_bucket("photos", &encoded, "ObjectRemoved:Delete"));
    let mut other = created.clone();
    other["source"] = json!("custom.s3");
    assert_eq!(of(&other), S3Event::Ignored(IgnoreReason::OtherEvent));
    assert_eq!(of(&bridged("Object Tags Added", plain)), S3Event::Ignored(IgnoreReason::OtherEvent));
    let mut unversioned = created.clone();
    unversioned["detail"]["object"].as_object_mut().unwrap().remove("version-id");
    assert_eq!(of(&unversioned), S3Event::Ignored(IgnoreReason::NoVersion));
    let mut own = created;
    own["detail"]["bucket"]["name"] = json!("b");
    own["detail"]["object"]["key"] = json!("in/bob/a");
    assert!(matches!(of(&own), S3Event::Incoming { incoming, .. } if incoming.key().bucket().is_none()));
}

proptest! {
    #[test]
    fn any_key_survives_the_trip(key in any::<String>()) {
        let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string().replace("%20", "+");
        prop_assert_eq!(decode_key(&encoded).unwrap(), key);
    }

    #[test]
    fn no_body_panics(body in any::<String>()) {
        let _ = read(&body, Some(&rules()));
        let _ = decode_key(&body);
    }
}
