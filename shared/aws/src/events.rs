//! Reads S3's events from queue messages, strictly, and writes them for scan requests.
//!
//! Only the used fields are read. Notifications form-url-encode keys: `+` is a space and `%2B` a plus (AWS,
//! "Event message structure"). Events of EventBridge have them as they are; see [`bridged`].
//!
//! Invariant: an event of another bucket than the service's own is about a file of that bucket, if it is
//! protected, and about no other, whatever its key.

mod bridged;

use domain::id::{ETag, FileId, IdError, ObjectKey, OwnerId, Version, VersionId};
use domain::incoming::{Incoming, IncomingRules, KeyMatch};
use domain::protected::ProtectedBuckets;
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
    /// A version of a protected bucket was removed for good.
    Removed { incoming: Incoming },
    /// An event without effect: S3's own test event, another kind of event, or an object that belongs to no
    /// file.
    Ignored(IgnoreReason),
}

impl S3Event {
    /// Returns the file that the event concerns; `None` if the event is ignored.
    pub fn file_id(&self) -> Option<FileId> {
        match self {
            Self::Stored { file, .. } => Some(*file),
            Self::Incoming { incoming, .. } | Self::Removed { incoming } => Some(incoming.file_id()),
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

/// Which objects belong to files.
#[derive(Clone, Copy, Debug)]
pub struct EventRules<'a> {
    /// The service's own bucket.
    pub bucket: &'a str,
    /// `None` if only keys that the API issued belong to files.
    pub incoming: Option<&'a IncomingRules>,
    pub protected: &'a ProtectedBuckets,
}

/// Reads one message body, which may hold several records or none.
pub fn read_body(body: &str, rules: &EventRules<'_>) -> Result<Vec<S3Event>, MessageError> {
    let body: Body = serde_json::from_str(body).map_err(MessageError::NotAnEvent)?;
    match body {
        Body::Test { event } if event == "s3:TestEvent" => {
            Ok(vec![S3Event::Ignored(IgnoreReason::TestEvent)])
        }
        Body::Test { .. } => Ok(vec![S3Event::Ignored(IgnoreReason::OtherEvent)]),
        Body::Records { records } => records.into_iter().map(|record| read_record(record, rules)).collect(),
        Body::Bridged(event) => Ok(vec![event.read(rules)?]),
    }
}

/// What happened to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Happening {
    Created,
    /// A version was removed for good: a delete marker is another event.
    Removed,
    Other,
}

/// An event's object. Its key is decoded.
struct EventObject {
    /// The service's own if absent.
    bucket: Option<String>,
    key: String,
    version_id: Option<String>,
    etag: String,
    size_bytes: u64,
}

impl EventObject {
    fn read(self, happening: Happening, rules: &EventRules<'_>) -> Result<S3Event, MessageError> {
        let foreign = self.bucket.as_deref().filter(|bucket| *bucket != rules.bucket);
        match (happening, foreign) {
            (Happening::Other, _) | (Happening::Removed, None) => {
                Ok(S3Event::Ignored(IgnoreReason::OtherEvent))
            }
            (Happening::Created, None) => {
                let Some(version) = self.version()? else { return Ok(NO_VERSION) };
                Ok(match ObjectKey::issued_for(&self.key) {
                    Ok(file) => S3Event::Stored { file, version },
                    Err(_) => match rules.incoming {
                        Some(incoming) => matched(incoming.read(&self.key, &version.version_id), version),
                        None => S3Event::Ignored(IgnoreReason::ForeignKey),
                    },
                })
            }
            (Happening::Created, Some(bucket)) => {
                let Some(version) = self.version()? else { return Ok(NO_VERSION) };
                Ok(matched(rules.protected.read(bucket, &self.key, &version), version))
            }
            (Happening::Removed, Some(bucket)) => {
                let Some(version_id) = &self.version_id else { return Ok(NO_VERSION) };
                let version_id = VersionId::parse(version_id.as_str())?;
                // An event about a removal has no entity tag, and often no size.
                let version = Version { version_id, etag: ETag::parse("removed")?, size_bytes: 1 };
                Ok(match rules.protected.read(bucket, &self.key, &version) {
                    KeyMatch::File { incoming, .. } => S3Event::Removed { incoming },
                    _ => S3Event::Ignored(IgnoreReason::OtherEvent),
                })
            }
        }
    }

    /// `None` if the bucket kept no versions when the object was stored.
    fn version(&self) -> Result<Option<Version>, MessageError> {
        let Some(version_id) = self.version_id.clone().filter(|id| id != "null") else { return Ok(None) };
        Ok(Some(Version {
            version_id: VersionId::parse(version_id)?,
            etag: ETag::parse(self.etag.trim_matches('"'))?,
            size_bytes: self.size_bytes,
        }))
    }
}

const NO_VERSION: S3Event = S3Event::Ignored(IgnoreReason::NoVersion);

fn matched(key: KeyMatch, version: Version) -> S3Event {
    match key {
        KeyMatch::File { incoming, owner } => S3Event::Incoming { incoming, owner, version },
        KeyMatch::Elsewhere => S3Event::Ignored(IgnoreReason::ForeignKey),
        KeyMatch::Sidecar => S3Event::Ignored(IgnoreReason::Sidecar),
        KeyMatch::NoOwner => S3Event::Ignored(IgnoreReason::NoOwner),
    }
}

fn read_record(record: RecordBody, rules: &EventRules<'_>) -> Result<S3Event, MessageError> {
    let happening = match record.event_name.trim_start_matches("s3:") {
        name if name.starts_with("ObjectCreated:") => Happening::Created,
        "ObjectRemoved:Delete" | "LifecycleExpiration:Delete" => Happening::Removed,
        _ => return Ok(S3Event::Ignored(IgnoreReason::OtherEvent)),
    };
    let S3Body { bucket, object } = record.s3;
    let stored = EventObject {
        bucket: bucket.map(|bucket| bucket.name),
        key: decode_key(&object.key)?,
        version_id: object.version_id,
        etag: object.e_tag,
        size_bytes: object.size,
    };
    match object.file_id {
        Some(file) => Ok(stored.version()?.map_or(NO_VERSION, |version| S3Event::Stored { file, version })),
        None => stored.read(happening, rules),
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
    Bridged(bridged::BridgedEvent),
}

#[derive(Deserialize)]
struct RecordBody {
    #[serde(rename = "eventName")]
    event_name: String,
    s3: S3Body,
}

#[derive(Deserialize)]
struct S3Body {
    #[serde(default)]
    bucket: Option<BucketBody>,
    object: ObjectBody,
}

#[derive(Deserialize)]
struct BucketBody {
    name: String,
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
mod tests;
