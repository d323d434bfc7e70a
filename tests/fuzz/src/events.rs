//! Any queue message is either read or rejected, and no foreign key is ever taken for one of a file.

use aws::events::{EventRules, MessageError, S3Event, decode_key, read_body};
use bolero::TypeGenerator;
use domain::id::{FileId, ObjectKey};
use domain::incoming::IncomingRules;
use domain::protected::ProtectedBuckets;
use serde_json::json;

/// A record as S3 could send it, with hostile values.
#[derive(Clone, Debug, TypeGenerator)]
struct Record {
    /// A key that the API issued, or a foreign one.
    key: Result<u128, String>,
    is_created: bool,
    size_bytes: u64,
    etag: String,
    version_id: Option<String>,
}

impl Record {
    fn key(&self) -> String {
        match &self.key {
            Ok(id) => ObjectKey::Issued(FileId::from_random(uuid::Uuid::from_u128(*id))).to_string(),
            Err(text) => format!("in/{text}"),
        }
    }

    fn body(&self) -> serde_json::Value {
        let event = if self.is_created { "ObjectCreated:Put" } else { "ObjectRemoved:Delete" };
        json!({ "eventName": event, "s3": { "object": {
            "key": self.key(), "size": self.size_bytes, "eTag": self.etag, "versionId": self.version_id } } })
    }
}

fn read(body: &str) -> Result<Vec<S3Event>, MessageError> {
    let incoming = IncomingRules::parse("in/", "{owner}/").unwrap();
    let protected = ProtectedBuckets::parse("photos", "airlock").unwrap();
    read_body(body, &EventRules { bucket: "airlock", incoming: Some(&incoming), protected: &protected })
}

#[test]
fn any_text_is_read_or_refused() {
    bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let _ = read(&text);
        if let Ok(key) = decode_key(&text) {
            assert!(key.len() <= text.len());
        }
    });
}

#[test]
fn only_created_objects_under_known_keys_are_noticed() {
    bolero::check!().with_iterations(4_000).with_type::<Vec<Record>>().for_each(|records| {
        let body = json!({ "Records": records.iter().map(Record::body).collect::<Vec<_>>() }).to_string();
        let Ok(notices) = read(&body) else { return };
        assert_eq!(notices.len(), records.len());
        for (record, notice) in records.iter().zip(notices) {
            let key = decode_key(&record.key()).unwrap_or_default();
            let version = match notice {
                S3Event::Stored { file, version } => {
                    assert_eq!(ObjectKey::Issued(file).to_string(), key);
                    version
                }
                S3Event::Incoming { incoming, version, .. } => {
                    assert_eq!(incoming.key().to_string(), key);
                    assert!(key.starts_with("in/"));
                    version
                }
                S3Event::Removed { .. } => panic!("its bucket is not protected"),
                S3Event::Ignored(_) => continue,
            };
            assert!(record.is_created);
            assert_eq!(version.size_bytes, record.size_bytes);
            assert_eq!(Some(version.version_id.as_str()), record.version_id.as_deref());
        }
    });
}
