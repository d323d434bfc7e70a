//! `watch`: keeps a verdict beside every file of a directory, by `POST /scan` of a running service.
//!
//! Nothing is remembered but the verdicts beside the files, so a restart continues where it was. A file is
//! judged once it has rested for a moment, and again when its bytes or the engine's release change.

pub(crate) mod arguments;
mod changes;
mod fingerprint;
mod judge;
mod look;
mod mark;
mod quarantine;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};

use self::changes::Changes;
use self::judge::Judged;
use self::look::Candidate;
use self::mark::Mark;
use self::quarantine::QuarantineDirectory;
use crate::client::Client;
use crate::output::{self, Output};
use crate::{failure, verdict};

/// Files that are judged concurrently.
const N_FILES: usize = 4;
/// After an event, more of them are likely to follow.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// How soon the service is called again after a failure.
const RETRY: Duration = Duration::from_secs(10);

/// The options of `watch`.
#[derive(Clone, Debug)]
pub(crate) struct WatchOptions {
    pub(crate) directory: PathBuf,
    /// Where infected files are moved.
    pub(crate) quarantine: Option<PathBuf>,
    /// Whether files that could not be checked are moved as well.
    pub(crate) moves_unscannable: bool,
    /// How often all files are looked at, whether or not the system reported a change.
    pub(crate) every: Duration,
    /// How long a file must rest before it is judged.
    pub(crate) settle: Duration,
    /// Whether to end when every file has its verdict.
    pub(crate) is_once: bool,
}

/// What one look at the directory came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Files that have not rested long enough, or changed while they were judged.
    n_unsettled: usize,
    n_failed: usize,
    /// The highest exit code of the verdicts.
    worst: u8,
}

/// Watches until Ctrl-C, or with `is_once` until every file has its verdict.
pub(crate) async fn watch(
    client: &Client,
    output: Output,
    options: WatchOptions,
) -> anyhow::Result<ExitCode> {
    let watcher = Watcher::new(client, output, options)?;
    let mut changes = Changes::new();
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let (options, mut worst) = (&watcher.options, 0);
    loop {
        let tally = tokio::select! {
            tally = watcher.look(&mut changes) => tally?,
            _ = &mut interrupt => return Ok(ExitCode::from(failure::INTERRUPTED)),
        };
        worst = worst.max(tally.worst);
        if options.is_once && tally.n_unsettled == 0 {
            return Ok(ExitCode::from(if tally.n_failed > 0 { worst.max(1) } else { worst }));
        }
        let pause = match tally {
            Tally { n_unsettled: 1.., .. } => options.settle.max(DEBOUNCE).min(options.every),
            Tally { n_failed: 1.., .. } => RETRY.min(options.every),
            _ => options.every,
        };
        tokio::select! {
            () = changes.changed() => tokio::time::sleep(DEBOUNCE).await,
            () = tokio::time::sleep(pause) => {}
            _ = &mut interrupt => return Ok(ExitCode::from(failure::INTERRUPTED)),
        }
    }
}

struct Watcher<'a> {
    client: &'a Client,
    output: Output,
    /// Without symbolic links in it.
    root: PathBuf,
    quarantine: Option<QuarantineDirectory>,
    options: WatchOptions,
}

impl<'a> Watcher<'a> {
    fn new(client: &'a Client, output: Output, options: WatchOptions) -> anyhow::Result<Self> {
        let root = canonical(&options.directory)?;
        if !root.is_dir() {
            bail!("`{}` is not a directory", options.directory.display());
        }
        let quarantine = options.quarantine.as_deref();
        let quarantine = quarantine.map(|path| QuarantineDirectory::open(path, &root)).transpose()?;
        Ok(Self { client, output, root, quarantine, options })
    }

    /// Judges every file that has rested and has no verdict that still holds.
    async fn look(&self, changes: &mut Changes) -> anyhow::Result<Tally> {
        let release = match self.release().await {
            Ok(release) => release,
            // Not an end: the service may be restarted while files arrive.
            Err(error) if !self.options.is_once => {
                self.output.fail(&error);
                return Ok(Tally { n_failed: 1, ..Tally::default() });
            }
            Err(error) => return Err(error),
        };
        let found = look::files(&self.root, |directory| changes.add(directory));
        let mut tally = Tally::default();
        let mut ready = vec![];
        for candidate in found {
            match candidate {
                Ok(candidate) => match self.kept(&candidate, &release) {
                    Some(mark) => tally.worst = tally.worst.max(code(&mark)),
                    None if candidate.fingerprint.has_rested(self.options.settle) => ready.push(candidate),
                    None => tally.n_unsettled += 1,
                },
                Err(error) => {
                    self.output.fail(&error);
                    tally.n_failed += 1;
                }
            }
        }
        let judged = ready.into_iter().map(|candidate| self.judge(candidate));
        let mut judged = stream::iter(judged).buffer_unordered(N_FILES);
        while let Some((path, result)) = judged.next().await {
            match result {
                Ok(Some(code)) => tally.worst = tally.worst.max(code),
                Ok(None) => tally.n_unsettled += 1,
                Err(error) => {
                    self.output.fail(&error.context(format!("`{}`", path.display())));
                    tally.n_failed += 1;
                }
            }
        }
        Ok(tally)
    }

    /// The engine's release, such as `ClamAV 1.4.6`. Definitions change daily, so they are not part of it.
    async fn release(&self) -> anyhow::Result<String> {
        let (_, health) = self.client.answer(self.client.request(Method::GET, "/health")).await?;
        match health["engine"]["version"].as_str() {
            Some(version) => Ok(version.to_owned()),
            None => bail!("the service at {} has no engine at present", self.client.url),
        }
    }

    /// The file's verdict, if it is on these bytes by this engine and the file is where it belongs.
    fn kept(&self, candidate: &Candidate, release: &str) -> Option<Mark> {
        let mark = mark::read(&candidate.path)?;
        (mark.fits(&candidate.fingerprint, release) && !self.must_move(&mark)).then_some(mark)
    }

    fn must_move(&self, mark: &Mark) -> bool {
        let is_bad = match mark.verdict.as_str() {
            "infected" => true,
            "clean" | "released" => false,
            _ => self.options.moves_unscannable,
        };
        is_bad && self.quarantine.is_some()
    }

    /// Judges one file, notes the verdict and moves the file if it must be. Returns the verdict's exit code;
    /// `None` if the file changed meanwhile.
    async fn judge(&self, candidate: Candidate) -> (PathBuf, anyhow::Result<Option<u8>>) {
        let result = self.try_to_judge(&candidate).await;
        (candidate.path, result)
    }

    async fn try_to_judge(&self, candidate: &Candidate) -> anyhow::Result<Option<u8>> {
        let Some(Judged { file, mark }) = judge::judge(self.client, candidate).await? else {
            return Ok(None);
        };
        let written = mark::write(&file, &candidate.path, &mark);
        // A file is moved also if its verdict could not be written: the uploader may have seen to that. The
        // verdict is in the quarantine's note as well.
        let moved = match &self.quarantine {
            Some(quarantine) if self.must_move(&mark) => match quarantine.take(candidate, &file, &mark)? {
                Some(moved) => Some(moved),
                None => return Ok(None),
            },
            _ => {
                written?;
                None
            }
        };
        self.print(&candidate.path, &mark, moved.as_deref())?;
        Ok(Some(code(&mark)))
    }

    fn print(&self, path: &Path, mark: &Mark, moved: Option<&Path>) -> std::io::Result<()> {
        let mut value = serde_json::to_value(mark).unwrap_or(Value::Null);
        value["path"] = path.to_string_lossy().into();
        let reason = mark.reason.as_ref().map(|reason| format!("  ({reason})"));
        let moved_to = moved.map(|moved| format!("  -> {}", moved.display()));
        if let Some(moved) = moved {
            value["moved_to"] = moved.to_string_lossy().into();
        }
        let (reason, moved_to) = (reason.unwrap_or_default(), moved_to.unwrap_or_default());
        let file = output::one_line(&format!("{}{reason}{moved_to}", path.display()));
        let status = output::styled_status(&mark.verdict);
        self.output.say(&value, &format!("{status:<12} {file}"))
    }
}

/// The exit code of a verdict.
fn code(mark: &Mark) -> u8 {
    verdict::code(&json!({ "scan_status": mark.verdict }))
}

fn canonical(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize().map_err(|error| failure::of_path("open", path, &error))
}
