//! `upload`: straight to storage, and then the verdict.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::id::Sha256;
use futures_util::TryStreamExt as _;
use indicatif::ProgressBar;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use crate::client::{Client, text};
use crate::download::bar;
use crate::output::Output;
use crate::{files, verdict};

/// Large enough that system calls do not count.
const READ_BYTES: usize = 256 * 1024;

pub(crate) async fn upload(
    client: &Client,
    output: Output,
    paths: &[impl AsRef<Path>],
    max_downloads: Option<u32>,
    wait: Option<Duration>,
) -> anyhow::Result<ExitCode> {
    let (mut infos, mut code) = (Vec::new(), 0);
    for path in paths {
        let path = path.as_ref();
        let accepted = send(client, path, max_downloads).await;
        let file_id = accepted.with_context(|| format!("`{}`", path.display()))?;
        let info = match wait {
            Some(limit) => until_verdict(client, &file_id, limit).await?,
            None => client.get(&format!("/files/{file_id}")).await?,
        };
        code = code.max(if wait.is_some() { verdict::code(&info) } else { 0 });
        infos.push(info);
    }
    files::print(output, &Value::Array(infos.clone()), &infos);
    Ok(ExitCode::from(code))
}

async fn until_verdict(client: &Client, file_id: &str, limit: Duration) -> anyhow::Result<Value> {
    let deadline = Instant::now() + limit;
    loop {
        let info = client.wait(file_id).await?;
        if verdict::is_final(&info) || Instant::now() >= deadline {
            return Ok(info);
        }
    }
}

/// Uploads one file; its id.
async fn send(client: &Client, path: &Path, max_downloads: Option<u32>) -> anyhow::Result<String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name else { bail!("not a file") };
    let size = tokio::fs::metadata(path).await?.len();
    let progress = bar(Some(size), true).with_message(name.clone());
    let digest = digest(path, &progress).await?;
    let mut body = json!({ "filename": name, "size": size, "checksum_sha256": digest });
    if let Some(limit) = max_downloads {
        body["max_downloads"] = limit.into();
    }
    let accepted = client.post("/files", &body).await?;
    put(client, &accepted["upload"], path, &progress).await?;
    Ok(text(&accepted, "file_id")?.to_owned())
}

/// With it, storage takes these bytes and no others.
async fn digest(path: &Path, progress: &ProgressBar) -> anyhow::Result<String> {
    let mut hasher = sha2::Sha256::new();
    let mut chunks = ReaderStream::with_capacity(tokio::fs::File::open(path).await?, READ_BYTES);
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
        progress.inc(u64::try_from(chunk.len()).unwrap_or(0));
    }
    progress.reset();
    Ok(Sha256::from_bytes(hasher.finalize().into()).to_string())
}

async fn put(
    client: &Client,
    instructions: &Value,
    path: &Path,
    progress: &ProgressBar,
) -> anyhow::Result<()> {
    let counted = progress.clone();
    let chunks = ReaderStream::with_capacity(tokio::fs::File::open(path).await?, READ_BYTES);
    let chunks = chunks.inspect_ok(move |chunk| counted.inc(u64::try_from(chunk.len()).unwrap_or(0)));
    let request = presigned(client, instructions)?.body(Body::wrap_stream(chunks));
    let response =
        request.send().await.map_err(reqwest::Error::without_url).context("storage does not answer")?;
    progress.finish_and_clear();
    if !response.status().is_success() {
        bail!("storage refused the upload: {}", response.status());
    }
    Ok(())
}

/// The presigned request as it was given, without its body.
pub(crate) fn presigned(client: &Client, instructions: &Value) -> anyhow::Result<reqwest::RequestBuilder> {
    let mut request = client.elsewhere(Method::PUT, text(instructions, "url")?);
    for (name, value) in instructions["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    Ok(request)
}
