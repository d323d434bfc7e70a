//! `upload`: straight to storage, and then the verdict.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::id::Sha256;
use domain::password::Password;
use futures_util::TryStreamExt as _;
use indicatif::ProgressBar;
use reqwest::Body;
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use crate::client::{Client, presigned, text};
use crate::download::bar;
use crate::output::Output;
use crate::{files, upload_parts, verdict};

/// Large enough that system calls do not count.
const READ_BYTES: usize = 256 * 1024;

/// The options of `upload`.
pub(crate) struct How {
    pub(crate) max_downloads: Option<u32>,
    /// The password of the files, for their scan.
    pub(crate) password: Option<Password>,
    /// The file whose multipart upload is resumed.
    pub(crate) resume: Option<String>,
    /// How long to wait for verdicts; `None` to return after the upload.
    pub(crate) wait: Option<Duration>,
}

pub(crate) async fn upload(
    client: &Client,
    output: Output,
    paths: &[impl AsRef<Path>],
    how: How,
) -> anyhow::Result<ExitCode> {
    if how.resume.is_some() && paths.len() != 1 {
        bail!("`--resume` takes one file, not {}", paths.len());
    }
    let (mut infos, mut code) = (Vec::new(), 0);
    for path in paths {
        let path = path.as_ref();
        let sent = match &how.resume {
            Some(file_id) => resume(client, path, file_id).await,
            None => send(client, path, &how).await,
        };
        let file_id = sent.with_context(|| format!("`{}`", path.display()))?;
        let info = match how.wait {
            Some(limit) => until_verdict(client, &file_id, limit).await?,
            None => client.get(&format!("/files/{file_id}")).await?,
        };
        code = code.max(if how.wait.is_some() { verdict::code(&info) } else { 0 });
        infos.push(info);
    }
    files::print(output, &Value::Array(infos.clone()), &infos);
    Ok(ExitCode::from(code))
}

/// Reads the first line of a file or of standard input. An argument would show in every list of processes.
pub(crate) fn read_password(path: &Path) -> anyhow::Result<Password> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.with_context(|| format!("cannot read the password from `{}`", path.display()))?;
    Ok(Password::parse(text.lines().next().unwrap_or_default())?)
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

/// Uploads one file and returns its id.
async fn send(client: &Client, path: &Path, how: &How) -> anyhow::Result<String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name else { bail!("this path names no file") };
    let size = tokio::fs::metadata(path).await?.len();
    let progress = bar(Some(size), true).with_message(name.clone());
    let mut body = json!({ "filename": name, "size": size });
    if let Some(limit) = how.max_downloads {
        body["max_downloads"] = limit.into();
    }
    if let Some(password) = &how.password {
        body["password"] = password.exposed().into();
    }
    if size > upload_parts::WHOLE_BYTES {
        let file_id = upload_parts::create(client, body).await?;
        in_parts(client, path, &file_id, &progress).await?;
        return Ok(file_id);
    }
    body["checksum_sha256"] = digest(path, &progress).await?.into();
    let accepted = client.post("/files", &body).await?;
    put(client, &accepted["upload"], path, &progress).await?;
    Ok(text(&accepted, "file_id")?.to_owned())
}

/// Resumes an interrupted multipart upload and returns its id.
async fn resume(client: &Client, path: &Path, file_id: &str) -> anyhow::Result<String> {
    let progress = bar(Some(tokio::fs::metadata(path).await?.len()), true);
    in_parts(client, path, file_id, &progress).await?;
    Ok(file_id.to_owned())
}

async fn in_parts(client: &Client, path: &Path, file_id: &str, progress: &ProgressBar) -> anyhow::Result<()> {
    let sent = upload_parts::send(client, path, file_id, progress).await;
    let how = || format!("resume with: airlock upload --resume {file_id} {}", path.display());
    sent.with_context(how)
}

/// The SHA-256 of a file: storage then accepts these bytes and no others.
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
