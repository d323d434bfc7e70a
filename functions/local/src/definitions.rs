//! Virus definitions on one machine: freshclam's, a test set, or those in a directory of the operator's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use clamd::freshclam::{Databases, Freshclam, Mirror};
use domain::freshness::{Definitions, DefinitionsKind};
use domain::timestamp::Timestamp;
use settings::{Environment, HostSettings, SecretText};
use tokio::time::Instant;

use crate::snapshot::Kept;

/// Where definitions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// freshclam's, or those it fetched earlier; where there are none, the test set.
    Auto,
    /// EICAR and ClamAV's own test files, and nothing else.
    TestSet,
    /// A directory that the operator keeps current.
    Directory(PathBuf),
}

/// The directory that clamd loads, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) directory: PathBuf,
    pub(crate) definitions: Definitions,
    proxy: Vec<(String, SecretText)>,
    pub(crate) next_update: NextUpdate,
}

/// When freshclam runs next; nothing while this service does not update its definitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct NextUpdate(Arc<OnceLock<AtomicI64>>);

impl NextUpdate {
    pub(crate) fn read(&self) -> Option<Timestamp> {
        self.0.get().map(|secs| Timestamp::from_secs(secs.load(Ordering::Relaxed)))
    }

    fn set_in(&self, wait: Duration) {
        let at = (aws::clock::now() + wait).as_secs();
        self.0.get_or_init(|| AtomicI64::new(at)).store(at, Ordering::Relaxed);
    }
}

/// A first download of 100 MB on a slow line; later ones are small.
const UPDATE_TIMEOUT: Duration = Duration::from_mins(10);

/// ClamAV's mirrors ask for at most one request an hour.
const UPDATE_EVERY: Duration = Duration::from_hours(2);

/// Finds definitions to start with. Prints freshclam's progress, because a download can take minutes.
pub(crate) async fn choose(
    source: &Source,
    data_dir: &Path,
    proxy: Vec<(String, SecretText)>,
) -> anyhow::Result<Chosen> {
    let (official, test) = (data_dir.join("definitions"), data_dir.join("definitions-test"));
    let directory = match source {
        Source::Directory(directory) => directory.clone(),
        Source::TestSet => write_test_set(test)?,
        Source::Auto => {
            println!(
                "Updating virus definitions with freshclam (at most {} minutes) ...",
                UPDATE_TIMEOUT.as_secs() / 60
            );
            update(&official, &proxy, Verbosity::Shown).await;
            match clamd::definitions::read(&official) {
                Ok(_) => official,
                Err(_) => write_test_set(test)?,
            }
        }
    };
    let definitions = clamd::definitions::read(&directory);
    let definitions =
        definitions.with_context(|| format!("no virus definitions in `{}`", directory.display()))?;
    Ok(Chosen { directory, definitions, proxy, next_update: NextUpdate::default() })
}

fn write_test_set(directory: PathBuf) -> anyhow::Result<PathBuf> {
    clamd::definitions::write_test_set(&directory).context("cannot write the test definitions")?;
    Ok(directory)
}

/// Whether freshclam's progress is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verbosity {
    Shown,
    Silent,
}

/// Runs freshclam once. A failure is logged and is no error: verdicts depend on the age of the definitions.
async fn update(directory: &Path, proxy: &[(String, SecretText)], verbosity: Verbosity) {
    let freshclam = Freshclam {
        program: "freshclam".into(),
        directory: directory.to_owned(),
        mirror: Mirror::Official,
        databases: Databases::Official,
        certificates: None,
        proxy: proxy.iter().map(|(name, value)| (name.clone(), value.exposed().to_owned())).collect(),
    };
    let shown = |line: &str| {
        if verbosity == Verbosity::Shown {
            println!("  {line}");
        }
    };
    if let Err(error) = freshclam.run(UPDATE_TIMEOUT, shown).await {
        shown(&error.to_string());
        tracing::warn!(error = aws::log::chain(&error), "the virus definitions could not be updated");
    }
}

/// Runs freshclam for the service with this data directory, by default that of `DATA_DIR`. A running service
/// loads the result by itself.
pub async fn update_definitions(data_dir: Option<PathBuf>) -> anyhow::Result<()> {
    let env = Environment::of_process();
    let directory = match data_dir {
        Some(chosen) => chosen,
        None => HostSettings::read(&env)?.data_dir,
    }
    .join("definitions");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("`{}` cannot be made", directory.display()))?;
    update(&directory, &env.proxy(), Verbosity::Shown).await;
    let definitions = clamd::definitions::read(&directory);
    let definitions = definitions.with_context(|| format!("no definitions in `{}`", directory.display()))?;
    println!("definitions {} of {}", definitions.version, definitions.built_at);
    Ok(())
}

/// Keeps official definitions current, and a snapshot of the engine with them. A test set is never updated.
pub(crate) async fn keep_current(
    chosen: Chosen,
    source: Source,
    every: Duration,
    scan: Arc<scan::ScanContext>,
    snapshot: Option<Kept>,
) {
    let is_ours = source == Source::Auto && chosen.definitions.kind == DefinitionsKind::Official;
    let mut version = chosen.definitions.version;
    let mut updated_at = Instant::now();
    if is_ours {
        chosen.next_update.set_in(UPDATE_EVERY);
    }
    let mut is_snapshot_due = true;
    loop {
        if let Some(snapshot) = snapshot.as_ref().filter(|_| std::mem::take(&mut is_snapshot_due))
            && snapshot.ensure().await
            && is_large(&chosen.directory)
        {
            restart(&scan).await;
        }
        tokio::time::sleep(every).await;
        if is_ours && updated_at.elapsed() >= UPDATE_EVERY {
            updated_at = Instant::now();
            chosen.next_update.set_in(UPDATE_EVERY);
            update(&chosen.directory, &chosen.proxy, Verbosity::Silent).await;
        }
        if let Ok(found) = clamd::definitions::read(&chosen.directory)
            && found.version != version
        {
            version = found.version;
            is_snapshot_due = true;
            restart(&scan).await;
        }
    }
}

/// Whether an engine that loaded the set itself is worth a restart. It forks a child for each file, which
/// copies the page tables of all that it loaded: with a full set, 33 ms of processor time a file, against 3
/// of an engine that a snapshot was mapped into.
fn is_large(directory: &Path) -> bool {
    const LARGE: u64 = 100_000;
    clamd::definitions::read(directory).is_ok_and(|definitions| definitions.n_signatures >= LARGE)
}

/// Starts an engine with the current definitions, after the running scans, and records it, which makes
/// rescans due if the definitions are new.
async fn restart(scan: &scan::ScanContext) {
    scan.engine.stop().await;
    if let Err(error) = scan.beat().await {
        tracing::error!(error = format!("{error:#}"), "the engine does not run");
    }
}
