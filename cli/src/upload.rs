//! `upload`: straight to storage, and then the verdict.

use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use domain::id::Sha256;
use domain::password::Password;
use futures_util::TryStreamExt as _;
use indicatif::ProgressBar;
use reqwest::Body;
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use crate::client::{Client, presigned, send_elsewhere, text};
use crate::failure::InterruptedError;
use crate::output::{self, Output};
use crate::sources::{self, Source};
use crate::{failure, files, progress, upload_parts, verdict};

/// Large enough that system calls do not count.
const READ_BYTES: usize = 256 * 1024;

/// The options of `upload`.
pub(crate) struct How {
    pub(crate) max_downloads: Option<u32>,
    /// The password of the files, for their scan.
    pub(crate) password: Option<Password>,
    /// The file whose multipart upload is resumed.
    pub(crate) resume: Option<String>,
    /// The name under which one file is uploaded, instead of its own.
    pub(crate) name: Option<String>,
    /// Whether directories are replaced by their files.
    pub(crate) is_recursive: bool,
    /// How long to wait for verdicts; `None` to return after the upload.
    pub(crate) wait: Option<Duration>,
}

/// What became of one path.
struct Outcome {
    path: PathBuf,
    /// Known once the service has accepted the upload, also if it failed afterwards.
    file_id: Option<String>,
    result: anyhow::Result<Value>,
}

impl Outcome {
    fn is_interrupted(&self) -> bool {
        self.result.as_ref().is_err_and(anyhow::Error::is::<InterruptedError>)
    }
}

/// Uploads all files, then waits for their verdicts. A file that fails does not stop the others.
pub(crate) async fn upload(
    client: &Client,
    output: Output,
    paths: &[PathBuf],
    how: How,
) -> anyhow::Result<ExitCode> {
    let is_one = paths.len() == 1 && !how.is_recursive;
    if how.resume.is_some() && !is_one {
        bail!("`--resume` takes one file, not {}", paths.len());
    }
    if how.name.is_some() && !is_one {
        bail!("`--name` takes one file, not {}", paths.len());
    }
    let paths: Vec<_> =
        if how.is_recursive { sources::expand(paths) } else { paths.iter().cloned().map(Ok).collect() };
    // All of them first: standard input is read here, before Ctrl-C gets another meaning.
    let opened: Vec<_> = paths.into_iter().map(|path| open_source(path, &how)).collect();
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let (mut outcomes, mut is_interrupted) = (Vec::new(), false);
    for (path, source) in opened {
        let outcome = match source {
            Ok(source) => send(client, path, &source, &how, interrupt.as_mut()).await,
            Err(error) => Outcome { path, file_id: None, result: Err(error) },
        };
        report_failure(output, &outcome);
        is_interrupted = outcome.is_interrupted();
        outcomes.push(outcome);
        if is_interrupted {
            break;
        }
    }
    if let (Some(limit), false) = (how.wait, is_interrupted) {
        tokio::select! {
            () = judge_all(client, output, &mut outcomes, limit) => {}
            _ = interrupt => is_interrupted = true,
        }
    }
    print(output, &outcomes)?;
    let code = outcomes.iter().map(|outcome| exit_code(outcome, &how)).max().unwrap_or(0);
    Ok(ExitCode::from(if is_interrupted { failure::INTERRUPTED } else { code }))
}

fn open_source(
    path: Result<PathBuf, (PathBuf, anyhow::Error)>,
    how: &How,
) -> (PathBuf, anyhow::Result<Source>) {
    match path {
        Ok(path) => {
            let source = Source::open(&path, how.name.as_deref());
            (path, source)
        }
        Err((path, error)) => (path, Err(error)),
    }
}

fn exit_code(outcome: &Outcome, how: &How) -> u8 {
    match &outcome.result {
        Ok(_) if how.wait.is_none() => 0,
        Ok(info) => verdict::code(info),
        Err(error) => failure::code(error),
    }
}

/// Tells people of a failure as it happens. Programs find it in the list.
fn report_failure(output: Output, outcome: &Outcome) {
    if let (Output::Table, Err(error)) = (output, &outcome.result) {
        let accepted = outcome.file_id.as_ref().map_or_else(String::new, |id| format!(" (file {id})"));
        output.fail(&anyhow::anyhow!("`{}`{accepted}: {error:#}", outcome.path.display()));
    }
}

fn print(output: Output, outcomes: &[Outcome]) -> std::io::Result<()> {
    let listed = outcomes.iter().map(|outcome| match &outcome.result {
        Ok(info) => info.clone(),
        Err(error) => json!({
            "path": outcome.path.to_string_lossy(),
            "file_id": outcome.file_id,
            "error": failure::as_json(error),
        }),
    });
    let infos: Vec<Value> =
        outcomes.iter().filter_map(|outcome| outcome.result.as_ref().ok()).cloned().collect();
    if output == Output::Table && infos.is_empty() {
        return Ok(());
    }
    files::print(output, &listed.collect(), &infos)?;
    files::remark_test_definitions(output, &infos);
    Ok(())
}

/// Waits for the verdicts of the files that were uploaded.
async fn judge_all(client: &Client, output: Output, outcomes: &mut [Outcome], limit: Duration) {
    for outcome in outcomes {
        let (Some(file_id), Ok(info)) = (&outcome.file_id, &outcome.result) else { continue };
        if verdict::is_final(info) {
            continue;
        }
        let name = outcome.path.file_name().unwrap_or_default().to_string_lossy();
        let turning = progress::spinner(&format!("Scanning {name}"));
        outcome.result = until_verdict(client, file_id, limit).await;
        drop(turning);
        report_failure(output, outcome);
    }
}

/// Reads the first line of a file or of standard input. An argument would show in every list of processes.
pub(crate) fn read_password(path: &Path) -> anyhow::Result<Password> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| failure::of_path("read the password from", path, &error))?;
    Ok(Password::parse(text.lines().next().unwrap_or_default())?)
}

async fn until_verdict(client: &Client, file_id: &str, limit: Duration) -> anyhow::Result<Value> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let info = client.wait_for(file_id, left).await?;
        if verdict::is_final(&info) || Instant::now() >= deadline {
            return Ok(info);
        }
    }
}

/// Uploads one file and shows its status, unless it is interrupted.
async fn send(
    client: &Client,
    path: PathBuf,
    source: &Source,
    how: &How,
    interrupt: Pin<&mut impl Future<Output = std::io::Result<()>>>,
) -> Outcome {
    let mut file_id = how.resume.clone();
    let result = tokio::select! {
        result = try_send(client, source, how, &mut file_id) => result,
        _ = interrupt => Err(InterruptedError.into()),
    };
    let result = result.map_err(|error| match &file_id {
        Some(file_id) if source.can_resume() => {
            let path = path.display();
            error.context(format!("resume with: airlock upload --resume {file_id} {path}"))
        }
        _ => error,
    });
    Outcome { path, file_id, result }
}

/// Sets `file_id` as soon as the service has accepted the upload.
async fn try_send(
    client: &Client,
    source: &Source,
    how: &How,
    file_id: &mut Option<String>,
) -> anyhow::Result<Value> {
    let progress = progress::bytes(Some(source.size)).with_message(output::one_line(&source.name));
    if let Some(resumed) = &how.resume {
        upload_parts::send(client, &source.path, resumed, &progress).await?;
        return client.get(&format!("/files/{resumed}")).await;
    }
    let mut body = json!({ "filename": source.name, "size": source.size });
    if let Some(limit) = how.max_downloads {
        body["max_downloads"] = limit.into();
    }
    if let Some(password) = &how.password {
        body["password"] = password.exposed().into();
    }
    if source.size > upload_parts::WHOLE_BYTES {
        let id = upload_parts::create(client, body).await?;
        upload_parts::send(client, &source.path, file_id.insert(id), &progress).await?;
    } else {
        body["checksum_sha256"] = digest(&source.path, &progress).await?.into();
        let accepted = client.post("/files", &body).await?;
        *file_id = Some(text(&accepted, "file_id")?.to_owned());
        put(client, &accepted["upload"], &source.path, &progress).await?;
    }
    client.get(&format!("/files/{}", file_id.as_deref().unwrap_or_default())).await
}

async fn open(path: &Path) -> anyhow::Result<tokio::fs::File> {
    tokio::fs::File::open(path).await.map_err(|error| failure::unreadable(&error))
}

/// The SHA-256 of a file: storage then accepts these bytes and no others.
async fn digest(path: &Path, progress: &ProgressBar) -> anyhow::Result<String> {
    let mut hasher = sha2::Sha256::new();
    let mut chunks = ReaderStream::with_capacity(open(path).await?, READ_BYTES);
    let failed = |error| failure::unreadable(&error);
    while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
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
    let chunks = ReaderStream::with_capacity(open(path).await?, READ_BYTES);
    let chunks = chunks.inspect_ok(move |chunk| counted.inc(u64::try_from(chunk.len()).unwrap_or(0)));
    let request = presigned(client, instructions)?.body(Body::wrap_stream(chunks));
    let response = send_elsewhere(request).await?;
    progress.finish_and_clear();
    if !response.status().is_success() {
        bail!("storage refused the upload: {}", response.status());
    }
    Ok(())
}
