//! Stores objects: staged, flushed, renamed, then named by a row in the same transaction as the event.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::Transaction;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, ETag, ETagCondition, PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Result, TrailingHeaders, s3_error};
use serde_json::json;

use super::Store;
use super::rows::{self, Meta, ObjectRow};
use crate::clock::{now_millis, random_id};
use crate::database::StandinError;
use crate::queue;

/// An object that is about to become a version.
pub(super) struct NewVersion {
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) meta: Meta,
    pub(super) tags: Vec<(String, String)>,
    pub(super) condition: Condition,
    pub(super) event: &'static str,
    /// The multipart upload that this completes.
    pub(super) upload: Option<String>,
}

impl Store {
    pub(super) async fn put(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let is_form = request.method == "POST";
        let event = if is_form { "ObjectCreated:Post" } else { "ObjectCreated:Put" };
        let trailers = request.trailing_headers;
        let mut input = request.input;
        self.check_bucket(&input.bucket)?;
        let meta = if is_form { Meta::of_form(&input)? } else { Meta::of_put(&input)? };
        let condition = Condition::of(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        // Checked early to answer before the body is read; the transaction that makes the version decides.
        self.check(condition.clone(), input.key.clone()).await?;
        let wanted = Wanted::of(&input, trailers.is_some());
        let announced =
            input.content_length.filter(|_| trailers.is_none()).and_then(|length| length.try_into().ok());
        let mut staged = self.blobs.stage(input.body.take(), announced, wanted.hasher()).await?;
        let wanted = wanted.with_trailers(trailers);
        wanted.check(&staged.checksums)?;
        if let Some(md5) = &input.content_md5 {
            check_md5(md5, staged.md5)?;
        }
        let meta = Meta {
            crc32: staged.checksums.checksum_crc32.clone(),
            sha256: staged.checksums.checksum_sha256.clone(),
            ..meta
        };
        let etag = hex(&staged.md5);
        let new = NewVersion {
            key: input.key,
            blob: self.blobs.keep(&mut staged).await?,
            size: staged.size,
            etag: etag.clone(),
            meta: meta.clone(),
            tags: parse_tags(input.tagging.as_deref()),
            condition,
            event,
            upload: None,
        };
        let version = self.commit(new).await?;
        Ok(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            version_id: Some(version),
            checksum_crc32: meta.crc32,
            checksum_sha256: meta.sha256,
            ..Default::default()
        })
    }

    /// Makes the version visible and its event durable, in one transaction. If that fails neither happens,
    /// and the bytes are removed.
    pub(super) async fn commit(&self, new: NewVersion) -> S3Result<String> {
        let storage = self.clone();
        // A task of its own: the event's receivers are woken even if the client gives up.
        let committed = tokio::spawn(async move { storage.commit_to_end(new).await });
        committed.await.unwrap_or_else(|_| Err(s3_error!(InternalError)))
    }

    async fn commit_to_end(&self, new: NewVersion) -> S3Result<String> {
        let (bucket, key, blob) = (self.bucket.clone(), new.key.clone(), new.blob.clone());
        let committed = self
            .database
            .transact(move |tx| {
                new.condition.check(rows::current(tx, &new.key)?.as_ref())?;
                let version = random_id();
                let row = ObjectRow {
                    key: new.key.clone(),
                    version: version.clone(),
                    is_marker: false,
                    size: new.size,
                    etag: new.etag.clone(),
                    blob: Some(new.blob),
                    meta: new.meta,
                    tags: new.tags,
                    modified_at: now_millis(),
                };
                let seq = rows::insert(tx, &row)?;
                if let Some(upload) = new.upload {
                    tx.execute("DELETE FROM uploads WHERE id = ?", [upload]).map_err(rows::sqlite)?;
                }
                queue::insert(tx, &notification(&bucket, &row, new.event, seq))?;
                Ok(version)
            })
            .await;
        match &committed {
            Ok(_) => self.queue.wake(),
            Err(_) if self.is_unnamed(key, blob.clone()).await => self.blobs.remove(&blob),
            // Committed, though not known to be durable.
            Err(_) => {}
        }
        committed
    }

    /// Whether no version of the object has these bytes; false if that is unknown.
    async fn is_unnamed(&self, key: String, blob: String) -> bool {
        let sql = "SELECT count(*) FROM objects WHERE key = ? AND blob = ?";
        let count = move |tx: &Transaction<'_>| Ok(tx.query_row(sql, [key, blob], |row| row.get(0))?);
        let counted: Result<i64, StandinError> = self.database.transact_unflushed(count).await;
        counted.is_ok_and(|n_versions| n_versions == 0)
    }

    async fn check(&self, condition: Condition, key: String) -> S3Result<()> {
        self.database.transact(move |tx| condition.check(rows::current(tx, &key)?.as_ref())).await
    }

    pub(super) fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if bucket == self.bucket { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }
}

/// The condition of a write (S3, "Conditional writes").
#[derive(Clone)]
pub(super) enum Condition {
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`, with the entity tag.
    Is(String),
}

impl Condition {
    /// Any other condition is refused, not ignored.
    pub(super) fn of(
        if_none_match: Option<&ETagCondition>,
        if_match: Option<&ETagCondition>,
    ) -> S3Result<Self> {
        match (if_none_match, if_match) {
            (None, None) => Ok(Self::None),
            (Some(condition), None) if condition.is_any() => Ok(Self::Absent),
            (None, Some(condition)) => {
                let etag = condition.as_etag().ok_or_else(|| s3_error!(NotImplemented))?;
                Ok(Self::Is(etag.value().to_owned()))
            }
            _ => Err(s3_error!(NotImplemented)),
        }
    }

    fn check(&self, current: Option<&ObjectRow>) -> S3Result<()> {
        let current = current.filter(|current| !current.is_marker);
        match (self, current) {
            (Self::None, _) | (Self::Absent, None) => Ok(()),
            (Self::Is(etag), Some(current)) if current.etag == *etag => Ok(()),
            (Self::Is(_), None) => Err(s3_error!(NoSuchKey)),
            (Self::Absent | Self::Is(_), Some(_)) => Err(s3_error!(PreconditionFailed)),
        }
    }
}

/// Returns the checksums that the client declared, in headers or in trailers.
pub(super) struct Wanted {
    crc32: Option<String>,
    sha256: Option<String>,
    may_be_in_trailers: bool,
}

impl Wanted {
    fn of(input: &PutObjectInput, may_be_in_trailers: bool) -> Self {
        Self {
            crc32: input.checksum_crc32.clone(),
            sha256: input.checksum_sha256.clone(),
            may_be_in_trailers,
        }
    }

    pub(super) fn new(crc32: Option<String>, sha256: Option<String>, may_be_in_trailers: bool) -> Self {
        Self { crc32, sha256, may_be_in_trailers }
    }

    pub(super) fn hasher(&self) -> ChecksumHasher {
        ChecksumHasher {
            crc32: (self.crc32.is_some() || self.may_be_in_trailers).then(Default::default),
            sha256: (self.sha256.is_some() || self.may_be_in_trailers).then(Default::default),
            ..Default::default()
        }
    }

    pub(super) fn with_trailers(mut self, trailers: Option<TrailingHeaders>) -> Self {
        if let Some(trailers) = trailers.and_then(|trailers| trailers.take()) {
            let text =
                |name: &str| trailers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
            self.crc32 = self.crc32.or_else(|| text("x-amz-checksum-crc32"));
            self.sha256 = self.sha256.or_else(|| text("x-amz-checksum-sha256"));
        }
        self
    }

    pub(super) fn check(&self, found: &Checksum) -> S3Result<()> {
        let agrees = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let all_agree =
            agrees(&self.crc32, &found.checksum_crc32) && agrees(&self.sha256, &found.checksum_sha256);
        if all_agree { Ok(()) } else { Err(s3_error!(BadDigest)) }
    }
}

fn check_md5(wanted: &str, found: [u8; 16]) -> S3Result<()> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(wanted);
    if decoded.is_ok_and(|wanted| wanted == found) { Ok(()) } else { Err(s3_error!(BadDigest)) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn parse_tags(header: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
    };
    let pairs = header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Encodes a key as in events: form-url-encoded, with slashes unchanged.
pub(super) const EVENT_KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// Makes the event that S3 would send (AWS, "Event message structure").
fn notification(bucket: &str, row: &ObjectRow, event: &str, seq: i64) -> String {
    let key = utf8_percent_encode(&row.key, EVENT_KEY).to_string().replace("%20", "+");
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": event_time(row.modified_at),
        "eventName": event,
        "userIdentity": { "principalId": "local" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "airlock",
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": "local" },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": {
                "key": key,
                "size": row.size,
                "eTag": row.etag,
                "versionId": row.version,
                "sequencer": format!("{seq:016X}"),
            },
        },
    }]})
    .to_string()
}

fn event_time(millis: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    let text =
        moment.ok().and_then(|moment| moment.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_default()
}
