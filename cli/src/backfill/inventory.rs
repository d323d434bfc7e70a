//! Reads an S3 Inventory in CSV: its manifest, and the compressed files that the manifest names.
//!
//! Each file is fetched as a whole, compared with the manifest's MD5, and added to the plan in one commit.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Seek as _, Write as _};
use std::pin::pin;

use anyhow::{Context as _, bail};
use aws::{ObjectAddress, StoredVersion};
use domain::timestamp::Timestamp;
use flate2::read::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::csv;
use super::interrupt::Interrupt;
use super::left_out::LeftOut;
use super::plan::{Collected, Found, Plan};
use super::progress::Progress;
use super::source::Source;

/// S3 writes a manifest of some kilobytes; one for thousands of files stays below this.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// Rows that are sorted and added together.
const ROWS: usize = 1000;
/// The access tiers of S3 Intelligent-Tiering that cannot be read before they are restored.
const ARCHIVE_TIERS: [&str; 2] = ["ARCHIVE", "DEEP_ARCHIVE"];

/// `manifest.json` (AWS, "Locating your inventory list").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InventoryManifest {
    source_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<InventoryFile>,
}

#[derive(Debug, Deserialize)]
struct InventoryFile {
    key: String,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

/// Adds the files that are not in the plan yet. Returns false after Ctrl-C.
pub(crate) async fn collect(
    source: &Source,
    (bucket, key): (&str, &str),
    plan: &Plan,
    interrupt: &Interrupt,
    progress: &Progress,
) -> anyhow::Result<bool> {
    let n_done = match plan.collected()? {
        Collected::Everything => return Ok(true),
        Collected::Files(n_done) => n_done,
        Collected::Nothing | Collected::UpTo(_) => 0,
    };
    let manifest = manifest(source, bucket, key).await?;
    let columns = Columns::of(&manifest.file_schema)?;
    for (at, file) in manifest.files.iter().enumerate().skip(n_done) {
        let fetched = fetch(source, bucket, &file.key).await?;
        if fetched.md5 != file.md5.to_lowercase() {
            bail!("`{}` is not the file that the manifest names: its MD5 differs", file.key);
        }
        plan.begin_part()?;
        let mut rows = BufReader::new(MultiGzDecoder::new(BufReader::new(fetched.file)));
        loop {
            if interrupt.is_set() {
                return Ok(false);
            }
            let found = some_rows(source, &columns, &mut rows);
            let found = found.with_context(|| format!("`{}` cannot be read", file.key))?;
            let Some(found) = found else { break };
            progress.collected(&found);
            plan.add(&found)?;
        }
        plan.finish_part(&Collected::Files(at + 1))?;
    }
    plan.begin_part()?;
    plan.finish_part(&Collected::Everything)?;
    Ok(true)
}

/// Fetches the manifest, and compares it with the checksum beside it.
async fn manifest(source: &Source, bucket: &str, key: &str) -> anyhow::Result<InventoryManifest> {
    let fetched = fetch(source, bucket, key).await?;
    let beside = format!("{}.checksum", key.strip_suffix(".json").unwrap_or(key));
    let mut checksum = String::new();
    fetch(source, bucket, &beside).await?.file.take(1024).read_to_string(&mut checksum)?;
    if checksum.trim().to_lowercase() != fetched.md5 {
        bail!("`{key}` is damaged: its MD5 is not the one in `{beside}`");
    }
    let manifest = fetched.file.take(MAX_MANIFEST_BYTES);
    let manifest: InventoryManifest = serde_json::from_reader(BufReader::new(manifest))
        .with_context(|| format!("`{key}` is not the manifest of an S3 Inventory"))?;
    if manifest.source_bucket != source.job.bucket {
        bail!("the inventory is of the bucket `{}`, not of `{}`", manifest.source_bucket, source.job.bucket);
    }
    if manifest.file_format != "CSV" {
        bail!(
            "the inventory is in {}, and only CSV is read: change its output format, or list the bucket by \
             leaving out --inventory",
            manifest.file_format
        );
    }
    Ok(manifest)
}

struct Fetched {
    /// At its beginning.
    file: std::fs::File,
    /// In lower-case hexadecimal digits.
    md5: String,
}

async fn fetch(source: &Source, bucket: &str, key: &str) -> anyhow::Result<Fetched> {
    let address = ObjectAddress { bucket, key, version_id: None };
    let object = source.objects.open_foreign(address).await?;
    let object = object.with_context(|| format!("s3://{bucket}/{key} does not exist, or may not be read"))?;
    let mut file = tempfile::tempfile().context("there is no room for temporary files")?;
    let (mut md5, mut chunks) = (Md5::new(), pin!(object.chunks()));
    while let Some(chunk) = chunks.try_next().await? {
        md5.update(&chunk);
        file.write_all(&chunk).context("there is no room for temporary files")?;
    }
    file.rewind()?;
    let mut hex = String::new();
    md5.finalize().iter().try_for_each(|byte| write!(hex, "{byte:02x}"))?;
    Ok(Fetched { file, md5: hex })
}

/// Where the fields are that a backfill needs.
#[derive(Debug)]
struct Columns {
    n: usize,
    key: usize,
    version_id: usize,
    is_latest: usize,
    is_delete_marker: usize,
    size: usize,
    modified_at: usize,
    etag: usize,
    storage_class: Option<usize>,
    access_tier: Option<usize>,
}

impl Columns {
    fn of(schema: &str) -> anyhow::Result<Self> {
        let names: Vec<_> = schema.split(',').map(str::trim).collect();
        let find = |name: &str| names.iter().position(|column| *column == name);
        let need = |name: &str| {
            find(name).with_context(|| match name {
                "VersionId" | "IsLatest" | "IsDeleteMarker" => {
                    "the inventory lists current versions only, without their ids: \
                     let it include all versions"
                        .to_owned()
                }
                _ => {
                    format!("the inventory has no field `{name}`: add it to the inventory's optional fields")
                }
            })
        };
        Ok(Self {
            n: names.len(),
            key: need("Key")?,
            version_id: need("VersionId")?,
            is_latest: need("IsLatest")?,
            is_delete_marker: need("IsDeleteMarker")?,
            size: need("Size")?,
            modified_at: need("LastModifiedDate")?,
            etag: need("ETag")?,
            storage_class: find("StorageClass"),
            access_tier: find("IntelligentTieringAccessTier"),
        })
    }

    /// Reads a row; `None` for a delete marker. Errors: a field that is not what it should be.
    fn read(&self, row: &[String]) -> anyhow::Result<Option<StoredVersion>> {
        if row.len() != self.n {
            bail!("a row has {} fields instead of {}", row.len(), self.n);
        }
        if row[self.is_delete_marker] == "true" {
            return Ok(None);
        }
        let at = |column: Option<usize>| column.map_or("", |column| row[column].as_str());
        let version_id = Some(row[self.version_id].clone()).filter(|id| !id.is_empty());
        Ok(Some(StoredVersion {
            key: aws::events::decode_key(&row[self.key])?,
            version_id: version_id.unwrap_or_else(|| StoredVersion::NULL.to_owned()),
            etag: row[self.etag].trim_matches('"').to_owned(),
            size_bytes: row[self.size].parse().context("a size is not a number")?,
            modified_at: Timestamp::parse_rfc3339(&row[self.modified_at])
                .with_context(|| format!("`{}` is not a time", row[self.modified_at]))?,
            is_latest: row[self.is_latest] == "true",
            is_archived: StoredVersion::is_archive(at(self.storage_class))
                || ARCHIVE_TIERS.contains(&at(self.access_tier)),
        }))
    }
}

/// Reads and sorts some rows; `None` at the end of the file.
fn some_rows(source: &Source, columns: &Columns, input: &mut impl BufRead) -> anyhow::Result<Option<Found>> {
    let mut found = Found::default();
    for n_read in 0..ROWS {
        let Some(row) = csv::next_row(input)? else { return Ok((n_read > 0).then_some(found)) };
        match columns.read(&row)? {
            Some(version) if version.key.starts_with(&source.job.prefix) => source.sort(version, &mut found),
            // The inventory is of the whole bucket, the job of a part of it.
            Some(_) => {}
            None => {
                let key = aws::events::decode_key(&row[columns.key])?;
                if key.starts_with(&source.job.prefix) {
                    found.leave_out(LeftOut::DeleteMarker, &key);
                }
            }
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, \
                          StorageClass";

    fn row(fields: [&str; 9]) -> Vec<String> {
        fields.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_row_is_one_version() {
        let columns = Columns::of(SCHEMA).unwrap();
        let time = "2026-01-31T12:00:00.000Z";
        let read =
            columns.read(&row(["b", "a%2Bb+%C3%A4", "v1", "true", "false", "5", time, "e", "GLACIER"]));
        let version = read.unwrap().unwrap();
        assert_eq!((version.key.as_str(), version.size_bytes), ("a+b \u{e4}", 5));
        assert!(version.is_latest && version.is_archived);
        let null = columns.read(&row(["b", "k", "", "false", "false", "0", time, "e", "STANDARD"]));
        let null = null.unwrap().unwrap();
        assert_eq!((null.version_id.as_str(), null.is_latest, null.is_archived), ("null", false, false));
        let marker = columns.read(&row(["b", "k", "v2", "true", "true", "", time, "", ""]));
        assert_eq!(marker.unwrap(), None);
        for bad in [
            row(["b", "%zz", "v", "true", "false", "5", time, "e", ""]),
            row(["b", "k", "v", "true", "false", "", time, "e", ""]),
            row(["b", "k", "v", "true", "false", "5", "yesterday", "e", ""]),
            vec!["b".to_owned()],
        ] {
            assert!(columns.read(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_inventory_that_lacks_a_field_is_told_which() {
        let without_versions = Columns::of("Bucket, Key, Size, LastModifiedDate, ETag");
        assert!(without_versions.unwrap_err().to_string().contains("include all versions"));
        let without_etag = Columns::of("Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size");
        assert!(without_etag.unwrap_err().to_string().contains("`LastModifiedDate`"));
    }
}
