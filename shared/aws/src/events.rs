//! Reads S3 event notifications from queue messages, strictly, and writes them for scan requests.
//!
//! Only the used fields are read. Keys arrive form-url-encoded: `+` is a space and `%2B` a plus
//! (AWS, "Event message structure").

use domain::id::{ETag, FileId, IdError, ObjectKey, OwnerId, Version, VersionId};
use domain::incoming::{Incoming, IncomingRules, KeyMatch};
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

use crate::objects::KEY;
use crate::stored_version::StoredVersion;

/// One event of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Event {
    /// A version was stored under the key that was issued for this file.
    Stored { file: FileId, version: Version },
    /// A program stored a version below the incoming prefix; the rules derive its owner from the key.
    Incoming { incoming: Incoming, owner: OwnerId, version: Version },
    /// An event without effect: S3's own test event, another kind of event, or an object that belongs to no
    /// file.
    Ignored(IgnoreReason),
}

impl S3Event {
    /// Returns the file that the event concerns; `None` if the event is ignored.
    pub fn file_id(&self) -> Option<FileId> {
        match self {
            Self::Stored { file, .. } => Some(*file),
            Self::Incoming { incoming, .. } => Some(incoming.file_id()),
            Self::Ignored(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoreReason {
    TestEvent,
    OtherEvent,
    ForeignKey,
    /// A tus server's metadata object beside an upload, or an empty object that represents a folder.
    Sidecar,
    /// The key is below the incoming prefix, but no rule assigns it an owner.
    NoOwner,
    /// The bucket is not versioned, so no verdict could identify the bytes.
    NoVersion,
}

/// Why a message is not a valid S3 event. The message is retried and then moves to the dead-letter queue.
#[derive(Debug, Error)]
pub enum MessageError {
    #[error("the body is not an S3 event")]
    NotAnEvent(#[source] serde_json::Error),
    #[error("the object's key cannot be decoded")]
    BadKey,
    #[error(transparent)]
    BadField(#[from] IdError),
}

/// Reads one message body, which may hold several records or none. Without `rules`, only issued keys belong
/// to a file.
pub fn read_body(body: &str, rules: Option<&IncomingRules>) -> Result<Vec<S3Event>, MessageError> {
    let body: Body = serde_json::from_str(body).map_err(MessageError::NotAnEvent)?;
    match body {
        Body::Test { event } if event == "s3:TestEvent" => {
            Ok(vec![S3Event::Ignored(IgnoreReason::TestEvent)])
        }
        Body::Test { .. } => Ok(vec![S3Event::Ignored(IgnoreReason::OtherEvent)]),
        Body::Records { records } => records.into_iter().map(|record| read_record(record, rules)).collect(),
    }
}

fn read_record(record: RecordBody, rules: Option<&IncomingRules>) -> Result<S3Event, MessageError> {
    if !record.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return Ok(S3Event::Ignored(IgnoreReason::OtherEvent));
    }
    let object = record.s3.object;
    let key = decode_key(&object.key)?;
    let Some(version_id) = object.version_id.filter(|id| id != "null") else {
        return Ok(S3Event::Ignored(IgnoreReason::NoVersion));
    };
    let version = Version {
        version_id: VersionId::parse(version_id)?,
        etag: ETag::parse(object.e_tag.trim_matches('"'))?,
        size_bytes: object.size,
    };
    Ok(match object.file_id.ok_or(()).or_else(|()| ObjectKey::issued_for(&key)) {
        Ok(file) => S3Event::Stored { file, version },
        Err(_) => incoming(&key, version, rules),
    })
}

fn incoming(key: &str, version: Version, rules: Option<&IncomingRules>) -> S3Event {
    let Some(rules) = rules else { return S3Event::Ignored(IgnoreReason::ForeignKey) };
    match rules.read(key, &version.version_id) {
        KeyMatch::File { incoming, owner } => S3Event::Incoming { incoming, owner, version },
        KeyMatch::Elsewhere => S3Event::Ignored(IgnoreReason::ForeignKey),
        KeyMatch::Sidecar => S3Event::Ignored(IgnoreReason::Sidecar),
        KeyMatch::NoOwner => S3Event::Ignored(IgnoreReason::NoOwner),
    }
}

/// Decodes a key exactly once. Fails on a stray `%` and on bytes that are not UTF-8.
pub fn decode_key(key: &str) -> Result<String, MessageError> {
    let bytes = key.as_bytes();
    let is_escape =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
    let has_stray_percent = bytes.iter().enumerate().any(|(at, byte)| *byte == b'%' && !is_escape(at));
    if has_stray_percent {
        return Err(MessageError::BadKey);
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(String::from).map_err(|_| MessageError::BadKey)
}

/// Returns the body that S3 would send for this version. With `file`, its reader does not apply the rules for
/// incoming objects again, which may have changed since.
pub(crate) fn stored_body(bucket: &str, key: &ObjectKey, version: &Version, file: Option<FileId>) -> String {
    let key = utf8_percent_encode(&key.to_string(), KEY).to_string();
    json!({ "Records": [{
        "eventSource": "airlock:sweep",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": { "name": bucket },
            "object": {
                "key": key,
                "size": version.size_bytes,
                "eTag": version.etag.as_str(),
                "versionId": version.version_id.as_str(),
                "airlockFileId": file,
            },
        },
    }]})
    .to_string()
}

/// Returns the notification that S3 would have sent when the version was stored (AWS, "Event message
/// structure"): the scan function makes nothing else of it than of S3's own.
pub(crate) fn created_body(bucket: &str, region: &str, version: &StoredVersion) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": version.modified_at.to_string(),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
            "object": {
                "key": utf8_percent_encode(&version.key, KEY).to_string().replace("%20", "+"),
                "size": version.size_bytes,
                "eTag": version.etag,
                "versionId": version.version_id,
            },
        },
    }]})
    .to_string()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Records {
        #[serde(rename = "Records")]
        records: Vec<RecordBody>,
    },
    Test {
        #[serde(rename = "Event")]
        event: String,
    },
}

#[derive(Deserialize)]
struct RecordBody {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3Body,
}

#[derive(Deserialize)]
struct S3Body {
    object: ObjectBody,
}

#[derive(Deserialize)]
struct ObjectBody {
    key: String,
    #[serde(default)]
    size: u64,
    #[serde(default, rename = "eTag")]
    e_tag: String,
    #[serde(rename = "versionId")]
    version_id: Option<String>,
    /// Set only in the service's own messages. S3 writes no such field, and no other program may write to the
    /// queue.
    #[serde(default, rename = "airlockFileId")]
    file_id: Option<FileId>,
}

#[cfg(test)]
mod tests {
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

    fn notices(body: &serde_json::Value) -> Vec<S3Event> {
        read_body(&body.to_string(), None).unwrap()
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
        assert_eq!(
            notices(&json!({ "Records": [unversioned] })),
            [S3Event::Ignored(IgnoreReason::NoVersion)]
        );
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
            assert!(read_body(body, None).is_err(), "{body}");
        }
        let bad_key = json!({ "Records": [record("uploads/%zz", "ObjectCreated:Put")] });
        assert!(matches!(read_body(&bad_key.to_string(), None), Err(MessageError::BadKey)));
    }

    #[test]
    fn keys_are_decoded_once() {
        for (key, decoded) in [
            ("red+flower.jpg", "red flower.jpg"),
            ("a%2Bb", "a+b"),
            ("a%252Bb", "a%2Bb"),
            ("%C3%A4", "\u{e4}"),
        ] {
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
        assert_eq!(read_body(&body, None).unwrap(), [S3Event::Stored { file, version: version.clone() }]);
        let key = "in/bob/a+b %2B \u{e4}.pdf";
        let key_alone = ObjectKey::Incoming(key.to_owned());
        let known = stored_body("b", &key_alone, &version, Some(file));
        assert_eq!(read_body(&known, None).unwrap(), [S3Event::Stored { file, version: version.clone() }]);
        let body = stored_body("b", &key_alone, &version, None);
        let read = read_body(&body, Some(&rules())).unwrap();
        assert!(matches!(&read[..], [S3Event::Incoming { incoming, owner, version: found }]
            if incoming.key().to_string() == key && owner.as_str() == "bob" && *found == version));
    }

    #[test]
    fn the_rules_decide_about_objects_of_other_uploaders() {
        let read = |key: &str| {
            let body = json!({ "Records": [record(key, "ObjectCreated:CompleteMultipartUpload")] });
            read_body(&body.to_string(), Some(&rules())).unwrap().remove(0)
        };
        assert!(matches!(read("in/bob/a.pdf"), S3Event::Incoming { owner, .. } if owner.as_str() == "bob"));
        assert_eq!(read("in/bob/a.info"), S3Event::Ignored(IgnoreReason::Sidecar));
        assert_eq!(read("in/a.pdf"), S3Event::Ignored(IgnoreReason::NoOwner));
        assert_eq!(read("other/bob/a.pdf"), S3Event::Ignored(IgnoreReason::ForeignKey));
        assert!(matches!(read(&format!("uploads/{ID}")), S3Event::Stored { .. }));
    }

    proptest! {
        #[test]
        fn any_key_survives_the_trip(key in any::<String>()) {
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string().replace("%20", "+");
            prop_assert_eq!(decode_key(&encoded).unwrap(), key);
        }

        #[test]
        fn no_body_panics(body in any::<String>()) {
            let _ = read_body(&body, Some(&rules()));
            let _ = decode_key(&body);
        }
    }
}
