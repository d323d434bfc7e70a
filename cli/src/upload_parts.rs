//! `upload` of large files in parts: concurrently, each with its checksum and retries.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::id::Sha256;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::client::{Client, presigned, send_elsewhere, text};
use crate::failure;

/// Larger files are uploaded in parts.
pub(crate) const WHOLE_BYTES: u64 = 16 * 1024 * 1024;
/// Each is held in memory: 8 MiB.
const PARALLEL_PARTS: usize = 3;
/// With pauses that double from half a second, retries last for a minute.
const MAX_TRIES: u32 = 8;

/// A multipart upload in progress.
struct Upload<'a> {
    client: &'a Client,
    path: &'a Path,
    file_id: &'a str,
    size: u64,
    part_size: u64,
    /// Checksums of the parts that storage has.
    stored: BTreeMap<u64, String>,
    progress: &'a ProgressBar,
}

/// Sends the parts that storage does not have yet, and completes the upload.
pub(crate) async fn send(
    client: &Client,
    path: &Path,
    file_id: &str,
    progress: &ProgressBar,
) -> anyhow::Result<()> {
    let list = client.get(&format!("/files/{file_id}/parts")).await?;
    if list["part_checksums"] != json!(true) {
        bail!("this upload has no part checksums and cannot be resumed safely: upload the file again");
    }
    let metadata = tokio::fs::metadata(path).await;
    let size = metadata.map_err(|error| failure::unreadable(&error))?.len();
    let part_size = list["part_size"].as_u64().filter(|size| *size > 0).context("no `part_size`")?;
    if list["part_count"] != json!(size.div_ceil(part_size)) {
        bail!("`{}` is not the file of this upload: its number of parts differs", path.display());
    }
    let stored = list["parts"].as_array().into_iter().flatten();
    let stored = stored.filter_map(|part| {
        Some((part["part_number"].as_u64()?, part["checksum_sha256"].as_str()?.to_owned()))
    });
    let upload = Upload { client, path, file_id, size, part_size, stored: stored.collect(), progress };
    let parts = stream::iter((1..=size.div_ceil(part_size)).map(|number| upload.part(number)));
    parts.buffer_unordered(PARALLEL_PARTS).try_collect::<()>().await?;
    client.post(&format!("/files/{file_id}/complete"), &json!({})).await?;
    progress.finish_and_clear();
    Ok(())
}

impl Upload<'_> {
    async fn part(&self, number: u64) -> anyhow::Result<()> {
        let bytes = self.read(number).await?;
        let digest = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into()).to_string();
        let n_bytes = u64::try_from(bytes.len())?;
        if self.stored.get(&number) != Some(&digest) {
            let mut pause = Duration::from_millis(500);
            for tries in 1.. {
                match self.try_part(number, &digest, &bytes).await {
                    Ok(()) => break,
                    Err(Failed::Permanent(error)) => return Err(error),
                    Err(Failed::Transient(error)) if tries >= MAX_TRIES => return Err(error),
                    Err(Failed::Transient(_)) => tokio::time::sleep(pause).await,
                }
                pause *= 2;
            }
        }
        self.progress.inc(n_bytes);
        Ok(())
    }

    async fn read(&self, number: u64) -> anyhow::Result<Vec<u8>> {
        let start = (number - 1) * self.part_size;
        let length = self.part_size.min(self.size - start);
        let failed = |error| failure::unreadable(&error);
        let mut file = tokio::fs::File::open(self.path).await.map_err(failed)?;
        file.seek(SeekFrom::Start(start)).await.map_err(failed)?;
        let mut bytes = vec![0; usize::try_from(length)?];
        file.read_exact(&mut bytes).await.context("the file was truncated during the upload")?;
        Ok(bytes)
    }

    async fn try_part(&self, number: u64, digest: &str, bytes: &[u8]) -> Result<(), Failed> {
        let wanted = json!({ "parts": [{ "part_number": number, "checksum_sha256": digest }] });
        let path = format!("/files/{}/parts", self.file_id);
        let request = self.client.request(reqwest::Method::POST, &path).json(&wanted);
        let (status, given) = self.client.answer(request).await.map_err(Failed::Transient)?;
        if !status.is_success() {
            let refusal = crate::failure::refusal(status, &given).into();
            return Err(if is_transient(status) {
                Failed::Transient(refusal)
            } else {
                Failed::Permanent(refusal)
            });
        }
        let request = presigned(self.client, &given["parts"][0]).map_err(Failed::Permanent)?;
        let sent = send_elsewhere(request.body(bytes.to_vec())).await.map_err(Failed::Transient)?;
        if sent.status().is_success() {
            return Ok(());
        }
        // A new request may cure damage in transit or an expired signature.
        Err(Failed::Transient(anyhow::anyhow!("storage refused part {number}: {}", sent.status())))
    }
}

/// A failed attempt: retried or not.
enum Failed {
    Transient(anyhow::Error),
    Permanent(anyhow::Error),
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Creates a multipart upload and returns its file id.
pub(crate) async fn create(client: &Client, mut body: Value) -> anyhow::Result<String> {
    body["method"] = "multipart".into();
    body["part_checksums"] = true.into();
    Ok(text(&client.post("/files", &body).await?, "file_id")?.to_owned())
}
