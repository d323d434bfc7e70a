//! The rows of objects, and the two queries that every operation needs.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use s3s::dto::Timestamp;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use crate::clock::now_millis;
use crate::database::StandinError;

/// The headers that the uploader stored with an object, and its checksums.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) content_type: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) website_redirect: Option<String>,
    /// `None` for the default.
    pub(super) storage_class: Option<String>,
    pub(super) user: Option<HashMap<String, String>>,
    pub(super) crc32: Option<String>,
    pub(super) sha256: Option<String>,
    /// For a multipart upload: every part must have its SHA-256.
    #[serde(default)]
    pub(super) needs_sha256: bool,
}

/// One version, or a delete marker.
#[derive(Clone, Debug)]
pub(super) struct ObjectRow {
    pub(super) key: String,
    pub(super) version: String,
    pub(super) is_marker: bool,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) blob: Option<String>,
    pub(super) meta: Meta,
    pub(super) tags: Vec<(String, String)>,
    pub(super) modified_at: i64,
}

pub(super) const COLUMNS: &str = "key, version, is_marker, size, etag, blob, meta, tags, modified_at";

pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<ObjectRow> {
    let json = |column: &str| row.get::<_, String>(column);
    Ok(ObjectRow {
        key: row.get("key")?,
        version: row.get("version")?,
        is_marker: row.get("is_marker")?,
        size: row.get("size")?,
        etag: row.get("etag")?,
        blob: row.get("blob")?,
        meta: serde_json::from_str(&json("meta")?).unwrap_or_default(),
        tags: serde_json::from_str(&json("tags")?).unwrap_or_default(),
        modified_at: row.get("modified_at")?,
    })
}

/// Returns the named version, or the current one. Errors are S3's: a delete marker is `NoSuchKey`, or
/// `MethodNotAllowed` by id.
pub(super) fn find(tx: &Transaction<'_>, key: &str, version: Option<&str>) -> S3Result<ObjectRow> {
    let row = match version {
        None => current(tx, key)?,
        Some(version) => {
            let sql = format!("SELECT {COLUMNS} FROM objects WHERE key = ? AND version = ?");
            let mut statement = tx.prepare_cached(&sql).map_err(sqlite)?;
            statement.query_row(params![key, version], read_row).optional().map_err(sqlite)?
        }
    };
    let row =
        row.ok_or_else(|| if version.is_some() { s3_error!(NoSuchVersion) } else { s3_error!(NoSuchKey) })?;
    match (row.is_marker, version) {
        (false, _) => Ok(row),
        (true, None) => Err(s3_error!(NoSuchKey)),
        (true, Some(_)) => Err(s3_error!(MethodNotAllowed)),
    }
}

/// Returns the newest row under a key, which may be a delete marker.
pub(super) fn current(tx: &Transaction<'_>, key: &str) -> S3Result<Option<ObjectRow>> {
    let sql = format!("SELECT {COLUMNS} FROM objects WHERE key = ? ORDER BY seq DESC LIMIT 1");
    let mut statement = tx.prepare_cached(&sql).map_err(sqlite)?;
    statement.query_row([key], read_row).optional().map_err(sqlite)
}

/// Adds a version, or without a blob a delete marker, as the current one. Returns its sequence number.
pub(super) fn insert(tx: &Transaction<'_>, row: &ObjectRow) -> S3Result<i64> {
    let (meta, tags) = (to_json(&row.meta)?, to_json(&row.tags)?);
    let sql = "INSERT INTO objects (key, version, is_marker, size, etag, blob, meta, tags, modified_at)
               VALUES (?,?,?,?,?,?,?,?,?)";
    let values =
        params![row.key, row.version, row.is_marker, row.size, row.etag, row.blob, meta, tags, now_millis()];
    tx.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(sqlite)?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn to_json(value: &impl Serialize) -> S3Result<String> {
    serde_json::to_string(value).map_err(internal)
}

pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap_or(0)))
}

pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    S3Error::with_source(S3ErrorCode::InternalError, Box::new(error))
}

pub(super) fn sqlite(error: rusqlite::Error) -> S3Error {
    internal(error)
}

impl From<StandinError> for S3Error {
    fn from(error: StandinError) -> Self {
        internal(error)
    }
}
