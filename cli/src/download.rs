//! `download`: follows a link and checks the bytes against the digest of the verdict.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use domain::file_name::FileName;
use domain::id::Sha256;
use futures_util::StreamExt as _;
use reqwest::{Method, Response};
use serde_json::Value;
use sha2::Digest as _;
use tempfile::NamedTempFile;

use crate::client::{Client, send_elsewhere, text};
use crate::output::{self, Output};
use crate::{failure, parse, progress};

/// Bytes of the longest name that Linux takes (limits.h).
const NAME_MAX: usize = 255;

/// Where a download is written.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    /// A file or a directory, `-` for standard output; `None` for the file's own name.
    pub(crate) to: Option<&'a Path>,
    /// Whether an existing file is replaced.
    pub(crate) may_replace: bool,
}

pub(crate) async fn download(
    client: &Client,
    output: Output,
    file: &str,
    destination: Destination<'_>,
) -> anyhow::Result<ExitCode> {
    // Before the link is used, because each use counts.
    if let Some(to) = destination.to.filter(|to| !to.is_dir()) {
        destination.check(to)?;
    }
    let Link { client, path, name, sha256 } = resolve(client, file).await?;
    let name = name.map_or_else(|| "download".to_owned(), |name| name.within_bytes(NAME_MAX));
    let target = destination.target(name)?;
    let request = client.request(Method::GET, &path).header("accept", "application/json");
    let address = client.success(request).await?;
    let response = send_elsewhere(client.elsewhere(Method::GET, text(&address, "url")?)).await?;
    if !response.status().is_success() {
        bail!("the storage answered {}", response.status());
    }
    destination.save(target.as_deref(), response, sha256.as_deref(), output).await?;
    Ok(ExitCode::SUCCESS)
}

impl Destination<'_> {
    /// The file to write, which may be written; `None` for standard output. `name` is what the file is called
    /// if the caller names none.
    pub(crate) fn target(&self, name: String) -> anyhow::Result<Option<PathBuf>> {
        let target = match self.to {
            Some(to) if to == Path::new("-") => return Ok(None),
            Some(to) if to.is_dir() => to.join(name),
            Some(to) => to.to_owned(),
            None => PathBuf::from(name),
        };
        self.check(&target)?;
        Ok(Some(target))
    }

    /// Writes a body to the target, or to standard output, and says where it is.
    pub(crate) async fn save(
        &self,
        target: Option<&Path>,
        response: Response,
        sha256: Option<&str>,
        output: Output,
    ) -> anyhow::Result<()> {
        let Some(target) = target else {
            return save(response, std::io::stdout().lock(), sha256).await;
        };
        self.write(target, response, sha256).await?;
        let shown = target.to_string_lossy();
        match output {
            Output::Json => output::line(serde_json::json!({ "path": shown }))?,
            Output::Table => output.remark(&shown),
        }
        Ok(())
    }

    fn check(&self, target: &Path) -> anyhow::Result<()> {
        let Ok(existing) = target.symlink_metadata() else { return Ok(()) };
        if target == Path::new("-") {
            return Ok(());
        }
        let shown = target.display();
        if !self.may_replace {
            bail!("`{shown}` exists already: choose another name with --to, or replace it with --force");
        }
        if !existing.is_file() && !existing.is_symlink() {
            bail!("`{shown}` is not a regular file and is not replaced: `--to -` writes to standard output");
        }
        Ok(())
    }

    /// Writes beside the target, and renames once the bytes are those that were judged: a download that fails
    /// leaves no file, and replaces none.
    async fn write(&self, target: &Path, response: Response, sha256: Option<&str>) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |error| failure::of_path("write", target, &error);
        let directory = target.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        // As the shell's redirection would create it: the process's mask applies.
        let mode = std::fs::Permissions::from_mode(0o666);
        let new = tempfile::Builder::new().prefix(".airlock-").permissions(mode).tempfile_in(directory);
        let mut new = new.map_err(failed)?;
        save(response, &mut new, sha256).await.map_err(|error| match error.downcast() {
            Ok(error) => failed(error),
            Err(other) => other,
        })?;
        self.rename(new, target).map_err(failed)
    }

    fn rename(&self, new: NamedTempFile, target: &Path) -> std::io::Result<()> {
        let renamed = if self.may_replace { new.persist(target) } else { new.persist_noclobber(target) };
        renamed.map(drop).map_err(|error| error.error)
    }
}

/// Copies a body, and compares its digest with that of the verdict.
async fn save(
    response: Response,
    mut sink: impl std::io::Write,
    expected: Option<&str>,
) -> anyhow::Result<()> {
    let progress = progress::bytes(response.content_length());
    let mut hasher = sha2::Sha256::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| anyhow::anyhow!("the connection ended before the file did"))?;
        hasher.update(&chunk);
        sink.write_all(&chunk)?;
        progress.inc(u64::try_from(chunk.len()).unwrap_or(0));
    }
    sink.flush()?;
    let found = Sha256::from_bytes(hasher.finalize().into()).to_string();
    match expected {
        Some(expected) if expected != found => {
            bail!("the bytes are not those that were judged: their SHA-256 is {found}, not {expected}")
        }
        _ => Ok(()),
    }
}

struct Link {
    /// The service that the link names.
    client: Client,
    path: String,
    /// Sanitized by the service, and again here, because it becomes a path.
    name: Option<FileName>,
    sha256: Option<String>,
}

/// Takes a link as it is, or creates one for a file's id.
async fn resolve(client: &Client, file: &str) -> anyhow::Result<Link> {
    if let Some((service, token)) = file.trim().rsplit_once("/download/") {
        // A link is its own permission, so another service gets no token of this one.
        let service = match parse::base_url(service) {
            Ok(url) => Client::new(&url, None)?,
            Err(_) if service.is_empty() => client.clone(),
            Err(expected) => bail!("`{file}` is not a link: {expected}/download/TOKEN"),
        };
        return Ok(Link { client: service, path: format!("/download/{token}"), name: None, sha256: None });
    }
    let file_id =
        parse::file_id(file).map_err(|expected| anyhow::anyhow!("`{file}`: {expected}; or a link"))?;
    let link = client.get(&format!("/files/{file_id}/download-link")).await?;
    let info = &link["file_info"];
    let own = |value: &Value| value.as_str().map(ToOwned::to_owned);
    Ok(Link {
        client: client.clone(),
        path: text(&link, "download_url")?.to_owned(),
        name: info["filename"].as_str().and_then(|name| FileName::sanitize(name).ok()),
        sha256: own(&info["scan_result"]["sha256"]),
    })
}
