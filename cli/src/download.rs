//! `download`: follows a link and checks the bytes against the digest of the verdict.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use domain::file_name::FileName;
use domain::id::Sha256;
use futures_util::StreamExt as _;
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::Value;
use sha2::Digest as _;

use crate::client::{Client, text};

/// Bytes of the longest name that Linux takes (limits.h).
const NAME_MAX: usize = 255;

pub(crate) async fn download(client: &Client, file: &str, to: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Link { path, name, sha256 } = resolve(client, file).await?;
    let request = client.request(Method::GET, &path).header("accept", "application/json");
    let address = client.success(request).await?;
    let url = text(&address, "url")?;
    let response = client.elsewhere(Method::GET, url).send().await.map_err(reqwest::Error::without_url)?;
    let response = response.error_for_status().map_err(reqwest::Error::without_url)?;
    let name = name.map_or_else(|| "download".to_owned(), |name| name.within_bytes(NAME_MAX));
    let (mut sink, target): (Box<dyn std::io::Write>, _) = match to {
        Some(to) if to == Path::new("-") => (Box::new(std::io::stdout()), None),
        to => {
            let target = to.map_or_else(|| PathBuf::from(&name), ToOwned::to_owned);
            let file = std::fs::File::create_new(&target);
            let file = file.with_context(|| format!("cannot create `{}`", target.display()))?;
            (Box::new(file), Some(target))
        }
    };
    let progress = bar(response.content_length(), target.is_some());
    let mut hasher = sha2::Sha256::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(reqwest::Error::without_url).context("the connection ended early")?;
        hasher.update(&chunk);
        sink.write_all(&chunk)?;
        progress.inc(u64::try_from(chunk.len()).unwrap_or(0));
    }
    sink.flush()?;
    progress.finish_and_clear();
    let found = Sha256::from_bytes(hasher.finalize().into()).to_string();
    if let Some(expected) = sha256.filter(|expected| *expected != found) {
        if let Some(target) = &target {
            std::fs::remove_file(target)?;
        }
        bail!("the bytes are not those that were judged: their SHA-256 is {found}, not {expected}");
    }
    if let Some(target) = target {
        eprintln!("{}", target.display());
    }
    Ok(ExitCode::SUCCESS)
}

struct Link {
    path: String,
    /// Sanitized by the service, and again here, because it becomes a path.
    name: Option<FileName>,
    sha256: Option<String>,
}

/// Takes a link as it is, or creates one for a file's id.
async fn resolve(client: &Client, file: &str) -> anyhow::Result<Link> {
    if let Some((_, token)) = file.rsplit_once("/download/") {
        return Ok(Link { path: format!("/download/{token}"), name: None, sha256: None });
    }
    let link = client.get(&format!("/files/{file}/download-link")).await?;
    let info = &link["file_info"];
    let own = |value: &Value| value.as_str().map(ToOwned::to_owned);
    Ok(Link {
        path: text(&link, "download_url")?.to_owned(),
        name: info["filename"].as_str().and_then(|name| FileName::sanitize(name).ok()),
        sha256: own(&info["scan_result"]["sha256"]),
    })
}

/// Shows progress in bytes, if standard error is a terminal.
pub(crate) fn bar(length: Option<u64>, is_wanted: bool) -> ProgressBar {
    if !is_wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        indicatif::ProgressStyle::with_template("{msg:20!} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
