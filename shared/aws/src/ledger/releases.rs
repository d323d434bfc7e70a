//! Stores operators' releases by digest: they apply to every owner and every later upload of the same bytes.
//!
//! The files that a release made downloadable are listed in sets, by shard. A file enters its set in the
//! transaction that makes it `released`, which also checks that the release is in force, and leaves it in the
//! transaction that gives it another status. A revocation therefore finds every file, and no file can become
//! `released` after it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use domain::id::{FileId, Sha256};
use domain::post_verdict::{Release, Revocation};
use domain::record::{Record, Status};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::listed::ListedKeys;
use super::meter::wrapped;
use super::{Ledger, attributes_of, condition_failure};
use crate::error::{StoreError, StoreErrorKind};
use crate::item::{Attributes, due_key, text};

/// A release, in force unless it was revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseEntry {
    pub release: Release,
    pub revocation: Option<Revocation>,
}

/// Where the next page of releases begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReleasePageStart {
    pub released_at: Timestamp,
    pub sha256: Sha256,
}

#[derive(Serialize, Deserialize)]
struct ReleaseItem {
    pk: String,
    release: Release,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    revocation: Option<Revocation>,
    /// The key of the index `due` (with `due_at`), which lists all releases by their time. Absent in items
    /// that were stored before releases were listed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    due_at: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
struct ReleasedFilesItem {
    #[serde(default)]
    files: BTreeSet<FileId>,
}

/// The value of `due` that all releases share.
const LISTED: &str = "releases";

impl Ledger {
    /// Stores a release, in force. It never expires, because it also documents which operator released these
    /// bytes, and why. The last writer wins: an earlier release of the same bytes is replaced, with its
    /// revocation.
    pub async fn keep_release(&self, release: Release) -> Result<(), StoreError> {
        let item = ReleaseItem {
            pk: pk(release.sha256),
            due: Some(LISTED.to_owned()),
            due_at: Some(release.at),
            release,
            revocation: None,
        };
        self.put(item, "store a release").await
    }

    /// Returns the release of these bytes that is in force, if any. The domain decides whether it covers a
    /// finding.
    pub async fn release(&self, sha256: Sha256) -> Result<Option<Release>, StoreError> {
        let item = self.get_as::<ReleaseItem>(pk(sha256), "read a release").await?;
        Ok(item.filter(|item| item.revocation.is_none()).map(|item| item.release))
    }

    /// Returns the release in force of a `released` file's bytes; `None` for a file with another status.
    pub async fn release_of(&self, record: &Record) -> Result<Option<Release>, StoreError> {
        match record.judgement().and_then(|judgement| judgement.sha256) {
            Some(sha256) if record.status() == Status::Released => self.release(sha256).await,
            _ => Ok(None),
        }
    }

    /// Revokes the release of these bytes; `None` if there is none. Idempotent: the first revocation is kept.
    /// The files must still be changed: see [`Ledger::released_files`].
    pub async fn revoke_release(&self, revocation: &Revocation) -> Result<Option<ReleaseEntry>, StoreError> {
        let operation = "revoke a release";
        let value = AttributeValue::M(attributes_of(revocation, operation)?);
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(pk(revocation.sha256)))
            .update_expression("SET revocation = :revocation")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(revocation)")
            .expression_attribute_values(":revocation", value)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let stored = match written {
            Ok(output) => output.attributes.unwrap_or_default(),
            Err(error) => match condition_failure(&error) {
                Some(stored) => stored,
                None => return Err(StoreError::of_sdk(operation, error)),
            },
        };
        if stored.is_empty() { Ok(None) } else { entry(stored).map(Some) }
    }

    /// Returns at most `limit` releases, in force or revoked, the newest first, with the start of the next
    /// page. Eventually consistent.
    pub async fn releases(
        &self,
        start: Option<ReleasePageStart>,
        limit: i32,
    ) -> Result<(Vec<ReleaseEntry>, Option<ReleasePageStart>), StoreError> {
        let start = start.map(|start| ListedKeys { pk: pk(start.sha256), due_at: start.released_at });
        let (items, next) = self.listed(LISTED, start, limit, "list releases").await?;
        let mut found = items.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|entry| Reverse(entry.release.at));
        Ok((found, next.as_ref().map(page_start).transpose()?))
    }

    /// Returns the files with these bytes that are `released`. Strongly consistent.
    pub async fn released_files(&self, sha256: Sha256) -> Result<Vec<FileId>, StoreError> {
        let mut found = vec![];
        for shard in 0..Self::N_SHARDS {
            let item =
                self.get_as::<ReleasedFilesItem>(files_pk(sha256, shard), "find released files").await?;
            found.extend(item.unwrap_or_default().files);
        }
        Ok(found)
    }

    /// Returns the writes that keep the sets of released files; none if the change does not concern them. A
    /// file can become `released` only while the release of its finding is in force.
    pub(super) fn release_updates(
        &self,
        before: &Record,
        next: &Record,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let release = |record: &Record| -> Option<Release> {
            let is_released = record.status() == Status::Released;
            record.post_verdict()?.release.clone().filter(|_| is_released)
        };
        match (release(before), release(next)) {
            (None, Some(release)) => Ok(vec![
                self.release_in_force(&release)?,
                self.change_released_files("ADD files :file", release.sha256, next.file_id)?,
            ]),
            (Some(release), None) => {
                Ok(vec![self.change_released_files("DELETE files :file", release.sha256, next.file_id)?])
            }
            _ => Ok(vec![]),
        }
    }

    fn release_in_force(&self, release: &Release) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", text(pk(release.sha256)))
            .condition_expression("#release.signature = :signature AND attribute_not_exists(revocation)")
            .expression_attribute_names("#release", "release")
            .expression_attribute_values(":signature", text(&release.signature));
        wrapped(check.build(), |check, item| item.condition_check(check))
    }

    fn change_released_files(
        &self,
        expression: &str,
        sha256: Sha256,
        file: FileId,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(files_pk(sha256, file.shard())))
            .update_expression(expression)
            .expression_attribute_values(":file", AttributeValue::Ss(vec![file.to_string()]));
        wrapped(update.build(), |update, item| item.update(update))
    }
}

fn entry(attributes: Attributes) -> Result<ReleaseEntry, StoreError> {
    let item: ReleaseItem = serde_dynamo::from_item(attributes)
        .map_err(|error| StoreError::caused("read a release", StoreErrorKind::Corrupt, error))?;
    Ok(ReleaseEntry { release: item.release, revocation: item.revocation })
}

fn page_start(last: &ListedKeys) -> Result<ReleasePageStart, StoreError> {
    let sha256 = last.pk.strip_prefix(PREFIX).and_then(|hex| Sha256::parse(hex).ok());
    let sha256 = sha256.ok_or_else(|| StoreError::new("list releases", StoreErrorKind::Corrupt))?;
    Ok(ReleasePageStart { released_at: last.due_at, sha256 })
}

const PREFIX: &str = "release#";

fn pk(sha256: Sha256) -> String {
    format!("{PREFIX}{sha256}")
}

fn files_pk(sha256: Sha256, shard: u8) -> String {
    format!("released#{sha256}#{}", due_key(shard))
}
