//! Converts records to DynamoDB items and back.
//!
//! Attributes that indexes use are at the top level; the state is one nested map. An item without an index's
//! attributes does not appear in that index. Indexes hold keys only, so that a change is written to those
//! alone whose key it changes.

mod compact;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::FileId;
use domain::post_verdict::Rescan;
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
    /// The range key of the index `by_owner` (with `owner`): when the file was created; absent once it is
    /// deleted, and for a file on demand. The index `feed` (`owner` and `changed_at`) has every record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    listed_at: Option<Timestamp>,
    /// The key of the index `due` (with `due_at`): the shard; absent if the record is never due.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due: Option<String>,
    /// The earliest time at which the record is due, its rescan apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due_at: Option<Timestamp>,
    /// The key of the index `rescan` (with `rescan_at`): the shard, apart for planned rescans, so that they
    /// can wait for years without delaying anything else; absent without a rescan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rescan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rescan_at: Option<Timestamp>,
    /// DynamoDB's time to live, in seconds.
    ttl: i64,
    #[serde(flatten)]
    record: Record,
}

const FILE_PREFIX: &str = "file#";

pub(crate) fn file_pk(file: FileId) -> String {
    format!("{FILE_PREFIX}{file}")
}

/// The file whose record has this key; `None` for the key of another item.
pub(crate) fn file_of_pk(pk: &str) -> Option<FileId> {
    pk.strip_prefix(FILE_PREFIX).and_then(|id| FileId::parse(id).ok())
}

/// The key of a shard in the index `due`.
pub(crate) fn due_key(shard: u8) -> String {
    format!("{shard:02}")
}

/// The key of a shard's planned rescans in the index `rescan`.
pub(crate) fn planned_key(shard: u8) -> String {
    format!("p{shard:02}")
}

/// The key of a shard's queued and running rescans in the index `rescan`.
pub(crate) fn active_key(shard: u8) -> String {
    format!("a{shard:02}")
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

impl Item {
    pub(crate) fn of(record: &Record, write_id: &str) -> Self {
        let is_listed = !matches!(record.state, State::Deleted) && !record.is_on_demand();
        let shard = record.file_id.shard();
        Self {
            pk: file_pk(record.file_id),
            write_id: write_id.to_owned(),
            status: record.status(),
            listed_at: is_listed.then_some(record.created_at),
            due: record.next_due_at().map(|_| due_key(shard)),
            due_at: record.next_due_at(),
            rescan: match record.rescan() {
                Rescan::None => None,
                Rescan::Planned { .. } => Some(planned_key(shard)),
                Rescan::Queued { .. } | Rescan::Running { .. } => Some(active_key(shard)),
            },
            rescan_at: record.rescan().due_at(),
            ttl: (record.expires_at + TOMBSTONE).as_secs(),
            record: record.clone(),
        }
    }

    pub(crate) fn into_record(self) -> Record {
        self.record
    }

    /// Whether the indexes have the record where this release looks for it. Those of an item of an earlier
    /// release may not.
    pub(crate) fn is_indexed(&self) -> bool {
        let derived = Self::of(&self.record, &self.write_id);
        self.listed_at == derived.listed_at
            && (&self.due, self.due_at) == (&derived.due, derived.due_at)
            && (&self.rescan, self.rescan_at) == (&derived.rescan, derived.rescan_at)
    }

    pub(crate) fn into_attributes(self) -> Result<Attributes, StoreError> {
        let mut attributes = serde_dynamo::to_item(self)
            .map_err(|error| StoreError::caused("write a record", StoreErrorKind::Unexpected, error))?;
        compact::compact(&mut attributes);
        Ok(attributes)
    }

    pub(crate) fn from_attributes(mut attributes: Attributes) -> Result<Self, StoreError> {
        compact::expand(&mut attributes);
        serde_dynamo::from_item(attributes)
            .map_err(|error| StoreError::caused("read a record", StoreErrorKind::Corrupt, error))
    }
}

/// Attributes that a commit does not change: the key, and the download count, which has its own atomic write.
const NOT_COMMITTED: [&str; 2] = ["pk", "download_count"];

/// Attributes that follow from the record. Another release may have derived them in another way, so that they
/// are removed whenever the next item lacks them: one that stays would keep the item in an index.
const DERIVED: [&str; 5] = ["listed_at", "due", "due_at", "rescan", "rescan_at"];

/// Attributes of earlier releases, which a commit removes: they only make the item larger.
const FORMER: [&str; 4] = ["attention", "by_owner", "feed", "version_id"];

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
        let former = DERIVED.into_iter().chain(FORMER).chain(compact::OMITTED);
        let removable: BTreeSet<&str> = stored.keys().map(String::as_str).chain(former).collect();
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
mod tests;
