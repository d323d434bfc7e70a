//! Events that S3 sends through EventBridge: another shape, in which keys are not encoded (AWS, "EventBridge
//! event message structure").

use serde::Deserialize;

use super::{EventObject, EventRules, Happening, IgnoreReason, MessageError, S3Event};

/// An event as EventBridge hands it to a queue. S3 alone can have events of this source.
#[derive(Deserialize)]
pub(super) struct BridgedEvent {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: serde_json::Value,
}

const SOURCE: &str = "aws.s3";

#[derive(Deserialize)]
struct Detail {
    bucket: super::BucketBody,
    object: BridgedObject,
    #[serde(default, rename = "deletion-type")]
    deletion_type: Option<String>,
}

#[derive(Deserialize)]
struct BridgedObject {
    key: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    etag: String,
    #[serde(default, rename = "version-id")]
    version_id: Option<String>,
}

impl BridgedEvent {
    pub(super) fn read(self, rules: &EventRules<'_>) -> Result<S3Event, MessageError> {
        let is_object = ["Object Created", "Object Deleted"].contains(&self.detail_type.as_str());
        if self.source != SOURCE || !is_object {
            return Ok(S3Event::Ignored(IgnoreReason::OtherEvent));
        }
        let Detail { bucket, object, deletion_type } =
            serde_json::from_value(self.detail).map_err(MessageError::NotAnEvent)?;
        let happening = match (self.detail_type.as_str(), deletion_type.as_deref()) {
            ("Object Created", _) => Happening::Created,
            ("Object Deleted", Some("Permanently Deleted")) => Happening::Removed,
            _ => Happening::Other,
        };
        let BridgedObject { key, size, etag, version_id } = object;
        EventObject { bucket: Some(bucket.name), key, version_id, etag, size_bytes: size }
            .read(happening, rules)
    }
}
