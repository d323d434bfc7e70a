//! Converts records to DynamoDB items and back.
//!
//! Attributes that conditions and indexes use are at the top level; the state is one nested map. An item
//! without an index's attribute does not appear in that index.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{FileId, OwnerId, VersionId};
use domain::record::{Record, State, Status};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{StoreError, StoreErrorKind};

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// A record outlives its file by a week, so that a recently valid link or id yields "gone" instead of
/// "unknown".
const TOMBSTONE: Duration = Duration::from_hours(7 * 24);

/// A record with the attributes that only the table needs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) pk: String,
    pub(crate) write_id: String,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    version_id: Option<VersionId>,
    /// The key of the index `by_owner` (with `created_at`); absent once the file is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    by_owner: Option<OwnerId>,
    /// The key of the index `attention` (with `due_at`); absent if the record is never due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    attention: Option<String>,
    /// The earliest time at which the record is due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due_at: Option<Timestamp>,
    /// The key of the index `feed` (with `changed_at`): the owner, as long as the record exists.
    feed: OwnerId,
    /// DynamoDB's time to live, in seconds.
    ttl: i64,
    #[serde(flatten)]
    record: Record,
}

pub(crate) fn file_pk(file: FileId) -> String {
    format!("file#{file}")
}

pub(crate) fn shard_name(shard: u8) -> String {
    format!("{shard:02}")
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

impl Item {
    pub(crate) fn of(record: &Record, write_id: &str) -> Self {
        let is_listed = !matches!(record.state, State::Deleted);
        Self {
            pk: file_pk(record.file_id),
            write_id: write_id.to_owned(),
            status: record.status(),
            version_id: record.state.version().map(|version| version.version_id.clone()),
            by_owner: is_listed.then(|| record.owner.clone()),
            attention: record.next_due_at().map(|_| shard_name(record.file_id.shard())),
            due_at: record.next_due_at(),
            feed: record.owner.clone(),
            ttl: (record.expires_at + TOMBSTONE).as_secs(),
            record: record.clone(),
        }
    }

    pub(crate) fn into_record(self) -> Record {
        self.record
    }

    pub(crate) fn into_attributes(self) -> Result<Attributes, StoreError> {
        serde_dynamo::to_item(self)
            .map_err(|error| StoreError::caused("write a record", StoreErrorKind::Unexpected, error))
    }

    pub(crate) fn from_attributes(attributes: Attributes) -> Result<Self, StoreError> {
        serde_dynamo::from_item(attributes)
            .map_err(|error| StoreError::caused("read a record", StoreErrorKind::Corrupt, error))
    }
}

/// Attributes that a commit does not change: the key, and the download count, which has its own atomic write.
const NOT_COMMITTED: [&str; 2] = ["pk", "download_count"];

/// Attributes that follow from the record. Another release may have derived them in another way, so that they
/// are removed whenever the next item lacks them: one that stays would keep the item in an index.
const DERIVED: [&str; 4] = ["version_id", "by_owner", "attention", "due_at"];

/// An update expression that makes the stored item equal to another one.
pub(crate) struct Replacement {
    pub(crate) expression: String,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: Attributes,
}

impl Replacement {
    /// Sets every attribute of `next` and removes those that only `stored` has.
    pub(crate) fn of(stored: &Attributes, next: Attributes) -> Self {
        let is_committed = |name: &str| !NOT_COMMITTED.contains(&name);
        let removable: BTreeSet<&str> = stored.keys().map(String::as_str).chain(DERIVED).collect();
        let gone = removable.into_iter().filter(|name| !next.contains_key(*name) && is_committed(name));
        let removed: Vec<&str> = gone.collect();
        let mut names: HashMap<_, _> =
            removed.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let mut sets = vec![];
        let mut values = HashMap::new();
        for (name, value) in next.into_iter().filter(|(name, _)| is_committed(name)) {
            sets.push(format!("#{name} = :{name}"));
            values.insert(format!(":{name}"), value);
            names.insert(format!("#{name}"), name);
        }
        sets.sort_unstable();
        let mut expression = format!("SET {}", sets.join(", "));
        if !removed.is_empty() {
            expression = format!("{expression} REMOVE #{}", removed.join(", #"));
        }
        Self { expression, names, values }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::freshness::{Definitions, DefinitionsKind};
    use domain::id::{ETag, ScanId, Sha256, Version};
    use domain::password::SealedPassword;
    use domain::post_verdict::{PostVerdict, Quarantine, Rescan};
    use domain::record::{Lease, UploadMethod};
    use domain::upload::{UploadPolicy, UploadRequest, accept};
    use domain::verdict::{EngineVersion, Judgement, ScanError, Unscannable, Verdict};
    use uuid::Uuid;

    use super::*;

    fn record(state: State) -> Record {
        let policy = UploadPolicy {
            max_file_size: 100,
            allowed_extensions: domain::upload::AllowedExtensions::All,
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: Duration::from_hours(1),
        };
        let request =
            UploadRequest { filename: "na\u{ef}ve.txt", size_bytes: Some(5), ..UploadRequest::default() };
        let upload = accept(&request, &policy).unwrap();
        let (id, now) = (FileId::from_random(Uuid::from_u128(5)), Timestamp::from_millis(1_700_000_000_123));
        let new = Record::new(
            id,
            OwnerId::local(),
            upload,
            UploadMethod::Put,
            &policy,
            Duration::from_mins(1),
            now,
        );
        let password = Some(SealedPassword::of("sealed".into()));
        Record { state, password, tags: BTreeMap::from([("k".into(), String::new())]), ..new }
    }

    #[test]
    fn every_state_survives_the_ledger() {
        let version = Version {
            version_id: VersionId::parse("v1").unwrap(),
            etag: ETag::parse("e").unwrap(),
            size_bytes: 5,
        };
        let now = Timestamp::from_millis(1_700_000_000_456);
        let definitions = Definitions {
            kind: DefinitionsKind::Official,
            version: "27900".into(),
            built_at: now,
            n_signatures: 3_600_000,
        };
        let clean: Verdict =
            serde_json::from_value(serde_json::json!({ "status": "clean", "sha256": "0".repeat(64) }))
                .unwrap();
        let judged = |verdict| State::Judged {
            post_verdict: PostVerdict { rescan: Rescan::Planned { when: now }, ..PostVerdict::default() },
            version: version.clone(),
            judgement: Judgement {
                verdict,
                judged_at: now,
                duration: Duration::from_millis(2500),
                sha256: Some(Sha256::from_bytes([9; 32])),
                engine: Some(EngineVersion {
                    version: "ClamAV 1.4.6".into(),
                    openers: vec!["7-Zip 26.02".into()],
                    definitions: definitions.clone(),
                }),
                needed_password: true,
            },
        };
        let lease = Lease { holder: ScanId::from_random(Uuid::from_u128(1)), epoch: 2, until: now };
        for state in [
            State::Awaiting,
            State::Queued { version: version.clone(), n_attempts: 1 },
            State::Scanning { version: version.clone(), lease },
            judged(clean),
            judged(Verdict::Infected { signature: "Eicar".into() }),
            judged(Verdict::Unscannable { reason: Unscannable::TooDeep }),
            judged(Verdict::Error { reason: ScanError::EngineTrouble }),
            State::Expired,
            State::Deleted,
        ] {
            let record = record(state);
            let attributes = Item::of(&record, "w").into_attributes().unwrap();
            assert_eq!(Item::from_attributes(attributes).unwrap().into_record(), record);
        }
    }

    #[test]
    fn a_commit_removes_absent_attributes_and_keeps_the_count() {
        let now = Timestamp::from_secs(1_700_000_000);
        let (declared_sha256, quarantined) = (Some(Sha256::from_bytes([1; 32])), Some(Quarantine::Delete));
        let before = Record { declared_sha256, quarantined, metered: Some(5), ..record(State::Awaiting) };
        let after = Record {
            due_at: None,
            password: None,
            declared_sha256: None,
            quarantined: None,
            metered: None,
            publish_due_at: None,
            ..Record { state: State::Deleted, ..before.clone() }
        };
        let before = Record { publish_due_at: Some(now), ..before };
        let attributes = |record: &Record| Item::of(record, "w").into_attributes().unwrap();
        let replacement = Replacement::of(&attributes(&before), attributes(&after));
        assert!(!replacement.expression.contains("download_count"));
        let (_, removed) = replacement.expression.split_once(" REMOVE ").unwrap();
        assert_eq!(
            removed,
            "#attention, #by_owner, #declared_sha256, #due_at, #metered, #password, #publish_due_at, \
             #quarantined, #state_due_at, #version_id"
        );
        assert!(removed.split(", ").all(|name| replacement.names.contains_key(name)));
    }
}
