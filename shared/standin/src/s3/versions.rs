//! Lists and removes versions.

use rusqlite::{OptionalExtension as _, params};
use s3s::dto::{
    DeleteMarkerEntry, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ListObjectVersionsInput,
    ListObjectVersionsOutput, ObjectVersion,
};
use s3s::{S3Error, S3Result, s3_error};

use super::Store;
use super::listing::Shown;
use super::rows::{self, Meta, ObjectRow};
use crate::clock::{now_millis, random_id};

/// The most versions on one of S3's pages.
const PAGE: usize = 1000;

impl Store {
    /// Removes one version permanently, or without an id adds a delete marker. Removing a missing version
    /// succeeds.
    pub(super) async fn delete(&self, key: String, version: Option<String>) -> S3Result<DeletedObject> {
        let named = key.clone();
        let (blob, deleted) = self
            .database
            .transact(move |tx| {
                let Some(version) = version else {
                    let marker = delete_marker(key);
                    rows::insert(tx, &marker)?;
                    let deleted = DeletedObject {
                        delete_marker: Some(true),
                        delete_marker_version_id: Some(marker.version),
                        ..Default::default()
                    };
                    return Ok::<_, S3Error>((None, deleted));
                };
                let sql = "DELETE FROM objects WHERE key = ? AND version = ? RETURNING blob, is_marker";
                let read =
                    |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, bool>(1)?));
                let gone = tx.query_row(sql, params![key, version], read).optional().map_err(rows::sqlite)?;
                let (blob, was_marker) = gone.unwrap_or((None, false));
                let delete_marker = was_marker.then_some(true);
                Ok((blob, DeletedObject { version_id: Some(version), delete_marker, ..Default::default() }))
            })
            .await?;
        if let Some(blob) = blob {
            self.blobs.remove(&blob);
        }
        Ok(DeletedObject { key: Some(named), ..deleted })
    }

    pub(super) async fn delete_many(&self, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
        self.check_bucket(&input.bucket)?;
        let mut deleted = Vec::new();
        for object in input.delete.objects {
            deleted.push(self.delete(object.key, object.version_id).await?);
        }
        let is_quiet = input.delete.quiet == Some(true);
        Ok(DeleteObjectsOutput { deleted: (!is_quiet).then_some(deleted), ..Default::default() })
    }

    /// Lists the versions and markers under a prefix, newest first within a key, one page.
    pub(super) async fn list_versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> S3Result<ListObjectVersionsOutput> {
        self.check_bucket(&input.bucket)?;
        if input.delimiter.is_some() {
            return Err(s3_error!(NotImplemented));
        }
        let prefix = input.prefix.clone().unwrap_or_default();
        let (key_marker, version_marker) = (input.key_marker.clone(), input.version_id_marker.clone());
        let page = input.max_keys.and_then(|max| usize::try_from(max).ok()).map_or(PAGE, |max| max.min(PAGE));
        let mut found = self
            .database
            .transact(move |tx| {
                // After the marked version comes the next older one of its key, then the next key.
                let sql = format!(
                    "SELECT {} FROM objects WHERE key >= ?1 AND key < ?1 || char(1114111, 1114111)
                     AND (?2 IS NULL OR key > ?2
                          OR (key = ?2 AND seq < (SELECT seq FROM objects WHERE key = ?2 AND version = ?3)))
                     ORDER BY key, seq DESC LIMIT ?4",
                    rows::COLUMNS
                );
                let mut statement = tx.prepare(&sql).map_err(rows::sqlite)?;
                let asked = params![prefix, key_marker, version_marker, page + 1];
                let found = statement.query_map(asked, rows::read_row).map_err(rows::sqlite)?;
                found.collect::<Result<Vec<_>, _>>().map_err(rows::sqlite)
            })
            .await?;
        let shown = Shown::of(input.encoding_type.as_ref())?;
        let is_truncated = found.len() > page;
        found.truncate(page);
        let last = found.last().filter(|_| is_truncated).map(|row| (row.key.clone(), row.version.clone()));
        let (next_key_marker, next_version_id_marker) = last.unzip();
        // The newest version of the marked key was on the previous page.
        let (mut versions, mut markers, mut newest_of) = (vec![], vec![], input.key_marker.clone());
        for row in found {
            let is_latest = Some(newest_of.replace(row.key.clone())) != Some(Some(row.key.clone()));
            let row = ObjectRow { key: shown.text(row.key), ..row };
            if row.is_marker {
                markers.push(marker_entry(row, is_latest));
            } else {
                versions.push(version_entry(row, is_latest));
            }
        }
        Ok(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: input.prefix.map(|prefix| shown.text(prefix)),
            versions: Some(versions),
            delete_markers: Some(markers),
            is_truncated: Some(is_truncated),
            next_key_marker: next_key_marker.map(|key| shown.text(key)),
            next_version_id_marker,
            key_marker: input.key_marker.map(|key| shown.text(key)),
            version_id_marker: input.version_id_marker,
            max_keys: i32::try_from(page).ok(),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }
}

fn delete_marker(key: String) -> ObjectRow {
    ObjectRow {
        key,
        version: random_id(),
        is_marker: true,
        size: 0,
        etag: String::new(),
        blob: None,
        meta: Meta::default(),
        tags: vec![],
        modified_at: now_millis(),
    }
}

fn version_entry(row: ObjectRow, is_latest: bool) -> ObjectVersion {
    ObjectVersion {
        key: Some(row.key),
        version_id: Some(row.version),
        size: row.size.try_into().ok(),
        is_latest: Some(is_latest),
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(rows::timestamp(row.modified_at)),
        ..Default::default()
    }
}

fn marker_entry(row: ObjectRow, is_latest: bool) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(row.key),
        version_id: Some(row.version),
        is_latest: Some(is_latest),
        last_modified: Some(rows::timestamp(row.modified_at)),
        ..Default::default()
    }
}
