//! `upload`, for large files: in parts, each with its checksum, several at once, each tried again.

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

use crate::client::{Client, text};
use crate::upload::presigned;

/// Larger files go in parts.
pub(crate) const WHOLE_BYTES: u64 = 16 * 1024 * 1024;
/// Each is held in memory: 8 MiB.
const PARALLEL_PARTS: usize = 3;
/// With pauses that double from half a second, a minute of trouble is lived through.
const MAX_TRIES: u32 = 8;

/// Where the parts go.
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

/// Sends a file's parts and has them joined; of an upload that was begun before, those that are missing.
pub(crate) async fn send(
    client: &Client,
    path: &Path,
    file_id: &str,
    progress: &ProgressBar,
) -> anyhow::Result<()> {
    let list = client.get(&format!("/files/{file_id}/parts")).await?;
    if list["part_checksums"] != json!(true) {
        bail!("this upload was begun without checksums: it cannot be gone on with safely");
    }
    let size = tokio::fs::metadata(path).await?.len();
    let part_size = list["part_size"].as_u64().filter(|size| *size > 0).context("no `part_size`")?;
    if list["part_count"] != json!(size.div_ceil(part_size)) {
        bail!("`{}` is not the file that this upload was begun with", path.display());
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
                    Err(Failed::ForGood(error)) => return Err(error),
                    Err(Failed::ForNow(error)) if tries >= MAX_TRIES => return Err(error),
                    Err(Failed::ForNow(_)) => tokio::time::sleep(pause).await,
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
        let mut file = tokio::fs::File::open(self.path).await?;
        file.seek(SeekFrom::Start(start)).await?;
        let mut bytes = vec![0; usize::try_from(length)?];
        file.read_exact(&mut bytes).await.context("the file has become shorter")?;
        Ok(bytes)
    }

    async fn try_part(&self, number: u64, digest: &str, bytes: &[u8]) -> Result<(), Failed> {
        let wanted = json!({ "parts": [{ "part_number": number, "checksum_sha256": digest }] });
        let path = format!("/files/{}/parts", self.file_id);
        let request = self.client.request(reqwest::Method::POST, &path).json(&wanted);
        let (status, given) = self.client.answer(request).await.map_err(Failed::ForNow)?;
        if !status.is_success() {
            let refusal = crate::client::refusal(status, &given);
            return Err(if is_passing(status) { Failed::ForNow(refusal) } else { Failed::ForGood(refusal) });
        }
        let request = presigned(self.client, &given["parts"][0]).map_err(Failed::ForGood)?;
        let sent = request.body(bytes.to_vec()).send().await;
        let sent = sent.map_err(|error| Failed::ForNow(error.without_url().into()))?;
        if sent.status().is_success() {
            return Ok(());
        }
        // Whatever storage does not like now (damage on the way, a request that has expired), a new request may cure.
        Err(Failed::ForNow(anyhow::anyhow!("storage refused part {number}: {}", sent.status())))
    }
}

/// Whether another try may help.
enum Failed {
    ForNow(anyhow::Error),
    ForGood(anyhow::Error),
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The file's id in the answer to `POST /files`.
pub(crate) async fn announce(client: &Client, mut body: Value) -> anyhow::Result<String> {
    body["method"] = "multipart".into();
    body["part_checksums"] = true.into();
    Ok(text(&client.post("/files", &body).await?, "file_id")?.to_owned())
}
