//! What does a record look like in DynamoDB?
//!
//! Attributes that conditions and indexes use stand at the top level; the state is one nested map. An index attribute
//! that is absent keeps the item out of that index.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::aftermath::Quarantine;
use domain::content_type::ContentType;
use domain::file_name::FileName;
use domain::id::{FileId, OwnerId, Sha256, VersionId};
use domain::journal::Journal;
use domain::password::SealedPassword;
use domain::record::{Record, State, Status, UploadMethod};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Kind, StoreError};

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// A record outlives its file by a week, so that a link or an id that was good yesterday says "gone", not "unknown".
const TOMBSTONE: Duration = Duration::from_hours(7 * 24);

#[derive(Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) pk: String,
    pub(crate) revision: u64,
    pub(crate) write_id: String,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    version_id: Option<VersionId>,
    /// `by_owner` (with `created_at`): absent once the file is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    by_owner: Option<OwnerId>,
    /// `attention` (with `due_at`): absent when nothing is left to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    attention: Option<String>,
    /// The earliest of the record's appointments.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    state_due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    publish_due_at: Option<Timestamp>,
    /// `feed` (with `changed_at`): the owner, for as long as there is a record.
    feed: OwnerId,
    changed_at: Timestamp,
    journal: Journal,
    link_generation: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    quarantined: Option<Quarantine>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    metered: Option<u64>,
    /// DynamoDB's time to live, in seconds.
    ttl: i64,
    file_id: FileId,
    owner: OwnerId,
    filename: FileName,
    content_type: ContentType,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    declared_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    declared_sha256: Option<Sha256>,
    upload_method: UploadMethod,
    created_at: Timestamp,
    upload_deadline: Timestamp,
    expires_at: Timestamp,
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    max_downloads: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    password: Option<SealedPassword>,
    download_count: u32,
    has_surplus: bool,
    state: State,
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
        let record = record.clone();
        let is_listed = record.state != State::Deleted;
        Self {
            pk: file_pk(record.file_id),
            revision: record.revision,
            write_id: write_id.to_owned(),
            status: record.status(),
            version_id: record.state.version().map(|version| version.version_id.clone()),
            by_owner: is_listed.then(|| record.owner.clone()),
            attention: record.next_look().map(|_| shard_name(record.file_id.shard())),
            due_at: record.next_look(),
            state_due_at: record.due_at,
            publish_due_at: record.publish_due_at,
            feed: record.owner.clone(),
            changed_at: record.changed_at,
            journal: record.journal,
            link_generation: record.link_generation,
            quarantined: record.quarantined,
            metered: record.metered,
            ttl: (record.expires_at + TOMBSTONE).as_secs(),
            file_id: record.file_id,
            owner: record.owner,
            filename: record.filename,
            content_type: record.content_type,
            declared_size: record.declared_size,
            declared_sha256: record.declared_sha256,
            upload_method: record.upload_method,
            created_at: record.created_at,
            upload_deadline: record.upload_deadline,
            expires_at: record.expires_at,
            tags: record.tags,
            max_downloads: record.max_downloads,
            password: record.password,
            download_count: record.download_count,
            has_surplus: record.has_surplus,
            state: record.state,
        }
    }

    pub(crate) fn into_record(self) -> Record {
        Record {
            file_id: self.file_id,
            owner: self.owner,
            filename: self.filename,
            content_type: self.content_type,
            declared_size: self.declared_size,
            declared_sha256: self.declared_sha256,
            upload_method: self.upload_method,
            created_at: self.created_at,
            upload_deadline: self.upload_deadline,
            expires_at: self.expires_at,
            tags: self.tags,
            max_downloads: self.max_downloads,
            password: self.password,
            download_count: self.download_count,
            state: self.state,
            has_surplus: self.has_surplus,
            due_at: self.state_due_at,
            journal: self.journal,
            publish_due_at: self.publish_due_at,
            changed_at: self.changed_at,
            link_generation: self.link_generation,
            quarantined: self.quarantined,
            metered: self.metered,
            revision: self.revision,
        }
    }

    pub(crate) fn into_attributes(self) -> Result<Attributes, StoreError> {
        serde_dynamo::to_item(self)
            .map_err(|error| StoreError::caused("write a record", Kind::Unexpected, error))
    }

    pub(crate) fn from_attributes(attributes: Attributes) -> Result<Self, StoreError> {
        serde_dynamo::from_item(attributes)
            .map_err(|error| StoreError::caused("read a record", Kind::Corrupt, error))
    }
}

/// Attributes that a commit leaves alone: the key, and the count, which has its own atomic write.
const NOT_COMMITTED: [&str; 2] = ["pk", "download_count"];
/// Attributes that a commit removes when the record no longer has them.
const OPTIONAL: [&str; 9] = [
    "version_id",
    "by_owner",
    "attention",
    "due_at",
    "state_due_at",
    "publish_due_at",
    "max_downloads",
    "declared_size",
    "password",
];

/// An update expression that makes the stored item equal to `attributes`.
pub(crate) struct Replacement {
    pub(crate) expression: String,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: Attributes,
}

pub(crate) fn replacement(attributes: Attributes) -> Replacement {
    let (mut sets, mut names, mut values) = (vec![], HashMap::new(), HashMap::new());
    let gone: Vec<String> = OPTIONAL
        .iter()
        .filter(|name| !attributes.contains_key(**name))
        .map(|name| format!("#{name}"))
        .collect();
    for name in &OPTIONAL {
        if !attributes.contains_key(*name) {
            names.insert(format!("#{name}"), (*name).to_owned());
        }
    }
    for (name, value) in attributes {
        if NOT_COMMITTED.contains(&name.as_str()) {
            continue;
        }
        sets.push(format!("#{name} = :{name}"));
        names.insert(format!("#{name}"), name.clone());
        values.insert(format!(":{name}"), value);
    }
    sets.sort_unstable();
    let mut expression = format!("SET {}", sets.join(", "));
    if !gone.is_empty() {
        expression = format!("{expression} REMOVE {}", gone.join(", "));
    }
    Replacement { expression, names, values }
}

#[cfg(test)]
mod tests {
    use domain::aftermath::{Aftermath, Rescan};
    use domain::freshness::{Definitions, DefinitionsKind};
    use domain::id::{ETag, ScanId, Version};
    use domain::record::Lease;
    use domain::upload::{UploadPolicy, UploadRequest, accept};
    use domain::verdict::{Engine, Judgement, ScanError, Unscannable, Verdict};
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
            aftermath: Aftermath { rescan: Rescan::Planned { when: now }, ..Aftermath::default() },
            version: version.clone(),
            judgement: Judgement {
                verdict,
                judged_at: now,
                duration: Duration::from_millis(2500),
                sha256: Some(Sha256::from_bytes([9; 32])),
                engine: Some(Engine {
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
    fn a_commit_removes_what_is_gone_and_leaves_the_count() {
        let deleted = Record { due_at: None, ..record(State::Deleted) };
        let replacement = replacement(Item::of(&deleted, "w").into_attributes().unwrap());
        assert!(!replacement.expression.contains("download_count"));
        assert!(
            replacement
                .expression
                .contains("REMOVE #version_id, #by_owner, #attention, #due_at, #state_due_at, #publish_due_at, #max_downloads")
        );
    }
}
