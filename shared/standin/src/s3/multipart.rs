//! Multipart uploads. Each part is durable by itself; the object appears with the last step.

use rusqlite::{OptionalExtension as _, params};
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ETag, ListPartsInput, ListPartsOutput, Part, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3Request, S3Result, s3_error};

use super::Store;
use super::put::{Condition, NewVersion, Wanted, hex};
use super::rows::{self, Meta, internal};
use crate::clock::{now_millis, random_id};

/// The minimum size of every part but the last.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

#[derive(Clone)]
struct PartRow {
    number: i32,
    size: u64,
    md5: Vec<u8>,
    blob: String,
    sha256: Option<String>,
}

/// The most parts on one of S3's pages.
const PAGE: usize = 1000;

const PART_NUMBERS: std::ops::RangeInclusive<i32> = 1..=10_000;

impl Store {
    pub(super) async fn begin(
        &self,
        input: CreateMultipartUploadInput,
    ) -> S3Result<CreateMultipartUploadOutput> {
        self.check_bucket(&input.bucket)?;
        let meta = Meta {
            needs_sha256: input.checksum_algorithm.as_ref().is_some_and(|name| name.as_str() == "SHA256"),
            ..Meta::of_multipart(&input)?
        };
        let (id, key, meta) = (random_id(), input.key.clone(), rows::to_json(&meta)?);
        let upload_id = id.clone();
        self.database
            .transact(move |tx| {
                let row = params![id, key, meta, now_millis()];
                tx.execute("INSERT INTO uploads (id, key, meta, started_at) VALUES (?, ?, ?, ?)", row)
                    .map_err(rows::sqlite)
            })
            .await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload_id),
            ..Default::default()
        })
    }

    pub(super) async fn put_part(&self, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        let trailers = request.trailing_headers;
        let mut input = request.input;
        self.check_bucket(&input.bucket)?;
        if !PART_NUMBERS.contains(&input.part_number) {
            return Err(s3_error!(InvalidArgument, "a part number is 1 to 10,000"));
        }
        let (meta, _) = self.upload(&input.upload_id, &input.key).await?;
        if meta.needs_sha256 != input.checksum_sha256.is_some() && trailers.is_none() {
            // S3: "Checksum Type mismatch occurred".
            return Err(s3_error!(InvalidRequest));
        }
        let wanted =
            Wanted::new(input.checksum_crc32.clone(), input.checksum_sha256.clone(), trailers.is_some());
        let announced =
            input.content_length.filter(|_| trailers.is_none()).and_then(|length| length.try_into().ok());
        let mut staged = self.blobs.stage(input.body.take(), announced, wanted.hasher()).await?;
        wanted.with_trailers(trailers).check(&staged.checksums)?;
        let part = PartRow {
            number: input.part_number,
            size: staged.size,
            md5: staged.md5.to_vec(),
            blob: self.blobs.keep(&mut staged).await?,
            sha256: staged.checksums.checksum_sha256.clone(),
        };
        let (upload, row, blob) = (input.upload_id, part.clone(), part.blob.clone());
        let stored = self.database.transact(move |tx| replace_part(tx, &upload, &row)).await;
        match stored {
            Ok(Some(replaced)) => self.blobs.remove(&replaced),
            Ok(None) => {}
            Err(error) => {
                self.blobs.remove(&blob);
                return Err(error);
            }
        }
        Ok(UploadPartOutput {
            e_tag: Some(ETag::Strong(hex(&part.md5))),
            checksum_crc32: staged.checksums.checksum_crc32.clone(),
            checksum_sha256: staged.checksums.checksum_sha256.clone(),
            ..Default::default()
        })
    }

    pub(super) async fn complete(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        self.check_bucket(&input.bucket)?;
        let condition = Condition::of(input.if_none_match.as_ref(), input.if_match.as_ref())?;
        let (meta, stored) = self.upload(&input.upload_id, &input.key).await?;
        let wanted = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let chosen = choose_parts(&wanted, &stored)?;
        let blobs: Vec<String> = chosen.iter().map(|part| part.blob.clone()).collect();
        let store = self.clone();
        let mut joined =
            tokio::task::spawn_blocking(move || store.blobs.join(&blobs)).await.map_err(internal)??;
        let etag = multipart_etag(&chosen);
        let new = NewVersion {
            key: input.key.clone(),
            blob: self.blobs.keep(&mut joined).await?,
            size: joined.size,
            etag: etag.clone(),
            meta,
            tags: vec![],
            condition,
            event: "ObjectCreated:CompleteMultipartUpload",
            upload: Some(input.upload_id),
        };
        let version = self.commit(new).await?;
        for part in &stored {
            self.blobs.remove(&part.blob);
        }
        Ok(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            version_id: Some(version),
            ..Default::default()
        })
    }

    pub(super) async fn abort(
        &self,
        input: AbortMultipartUploadInput,
    ) -> S3Result<AbortMultipartUploadOutput> {
        self.check_bucket(&input.bucket)?;
        let (_, parts) = self.upload(&input.upload_id, &input.key).await?;
        let n_removed = self
            .database
            .transact(move |tx| {
                tx.execute("DELETE FROM uploads WHERE id = ?", [input.upload_id]).map_err(rows::sqlite)
            })
            .await?;
        if n_removed == 0 {
            return Err(s3_error!(NoSuchUpload));
        }
        for part in &parts {
            self.blobs.remove(&part.blob);
        }
        Ok(AbortMultipartUploadOutput::default())
    }

    /// Lists the stored parts, one page.
    pub(super) async fn list_parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        self.check_bucket(&input.bucket)?;
        let (_, mut found) = self.upload(&input.upload_id, &input.key).await?;
        let after = input.part_number_marker.unwrap_or(0);
        let page =
            input.max_parts.and_then(|max| usize::try_from(max).ok()).map_or(PAGE, |max| max.min(PAGE));
        found.retain(|part| part.number > after);
        let is_truncated = found.len() > page;
        found.truncate(page);
        let last = found.last().map(|part| part.number);
        let parts = found.into_iter().map(|part| Part {
            part_number: Some(part.number),
            size: part.size.try_into().ok(),
            e_tag: Some(ETag::Strong(hex(&part.md5))),
            checksum_sha256: part.sha256,
            ..Default::default()
        });
        Ok(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            parts: Some(parts.collect()),
            is_truncated: Some(is_truncated),
            next_part_number_marker: last,
            max_parts: i32::try_from(page).ok(),
            ..Default::default()
        })
    }

    /// Reads an upload and its parts in one transaction, so that a concurrent completion or abortion never
    /// shows an upload without parts. An upload belongs to one key: with another it is not found.
    async fn upload(&self, upload: &str, key: &str) -> S3Result<(Meta, Vec<PartRow>)> {
        let (upload, key) = (upload.to_owned(), key.to_owned());
        self.database
            .transact(move |tx| {
                let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
                let sql = "SELECT meta FROM uploads WHERE id = ? AND key = ?";
                let meta = tx.query_row(sql, [&upload, &key], read).optional().map_err(rows::sqlite)?;
                let meta = meta.ok_or_else(|| s3_error!(NoSuchUpload))?;
                Ok((serde_json::from_str(&meta).map_err(internal)?, parts_of(tx, &upload)?))
            })
            .await
    }
}

fn parts_of(tx: &rusqlite::Transaction<'_>, upload: &str) -> S3Result<Vec<PartRow>> {
    let sql = "SELECT number, size, md5, blob, sha256 FROM parts WHERE upload = ? ORDER BY number";
    let mut statement = tx.prepare(sql).map_err(rows::sqlite)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(PartRow {
            number: row.get(0)?,
            size: row.get(1)?,
            md5: row.get(2)?,
            blob: row.get(3)?,
            sha256: row.get(4)?,
        })
    };
    let parts = statement.query_map([upload], read).map_err(rows::sqlite)?;
    parts.collect::<Result<Vec<_>, _>>().map_err(rows::sqlite)
}

/// Stores a part in the place of one with the same number, and returns that one's file.
fn replace_part(
    tx: &rusqlite::Transaction<'_>,
    upload: &str,
    part: &PartRow,
) -> Result<Option<String>, S3Error> {
    let same = "DELETE FROM parts WHERE upload = ? AND number = ? RETURNING blob";
    let replaced = tx
        .query_row(same, params![upload, part.number], |row| row.get(0))
        .optional()
        .map_err(rows::sqlite)?;
    tx.execute(
        "INSERT INTO parts (upload, number, size, md5, blob, sha256) VALUES (?, ?, ?, ?, ?, ?)",
        params![upload, part.number, part.size, part.md5, part.blob, part.sha256],
    )
    .map_err(rows::sqlite)?;
    Ok(replaced)
}

/// Returns the listed parts, in order, if each has the listed ETag.
fn choose_parts(wanted: &[CompletedPart], stored: &[PartRow]) -> S3Result<Vec<PartRow>> {
    let mut chosen: Vec<PartRow> = Vec::with_capacity(wanted.len());
    for part in wanted {
        let is_it = |row: &&PartRow| {
            Some(row.number) == part.part_number
                && part.e_tag.as_ref().is_some_and(|etag| etag.value() == hex(&row.md5))
        };
        chosen.push(stored.iter().find(is_it).ok_or_else(|| s3_error!(InvalidPart))?.clone());
    }
    let is_ascending = chosen.windows(2).all(|pair| pair[0].number < pair[1].number);
    if chosen.is_empty() || !is_ascending {
        return Err(s3_error!(InvalidPartOrder));
    }
    let all_but_last = &chosen[..chosen.len() - 1];
    if all_but_last.iter().any(|part| part.size < MIN_PART_BYTES) {
        return Err(s3_error!(EntityTooSmall));
    }
    Ok(chosen)
}

/// S3's ETag of a multipart object: the MD5 of the parts' MD5s, and their number.
fn multipart_etag(parts: &[PartRow]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&part.md5);
    }
    format!("{}-{}", hex(md5.finalize().as_ref()), parts.len())
}
