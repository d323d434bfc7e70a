//! Which virus definitions are loaded? freshclam's, when it can reach its mirror; else the announced test set.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::freshness::{Definitions, DefinitionsKind};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// Where definitions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// freshclam; without it, what it left earlier; without that, the test set.
    Auto,
    /// EICAR and ClamAV's own test files, and nothing else.
    TestSet,
    /// A directory that somebody else keeps current.
    Directory(PathBuf),
}

/// The directory that clamd loads, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) directory: PathBuf,
    pub(crate) definitions: Definitions,
}

/// A first download of 100 MB on a slow line; later ones are small.
const UPDATE_TIMEOUT: Duration = Duration::from_mins(10);

/// Finds definitions to start with. Prints what freshclam does, because it can take minutes.
pub(crate) async fn choose(source: &Source, data_dir: &Path) -> anyhow::Result<Chosen> {
    let (official, test) = (data_dir.join("definitions"), data_dir.join("definitions-test"));
    let directory = match source {
        Source::Directory(directory) => directory.clone(),
        Source::TestSet => write_test_set(test)?,
        Source::Auto => {
            println!(
                "Updating virus definitions with freshclam (at most {} minutes) ...",
                UPDATE_TIMEOUT.as_secs() / 60
            );
            update(&official, Verbosity::Shown).await?;
            match clamd::definitions::read(&official) {
                Ok(_) => official,
                Err(_) => write_test_set(test)?,
            }
        }
    };
    let definitions = clamd::definitions::read(&directory);
    let definitions =
        definitions.with_context(|| format!("no virus definitions in `{}`", directory.display()))?;
    Ok(Chosen { directory, definitions })
}

fn write_test_set(directory: PathBuf) -> anyhow::Result<PathBuf> {
    clamd::definitions::write_test_set(&directory).context("cannot write the test definitions")?;
    Ok(directory)
}

/// Whether freshclam's progress is for a person to see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Shown,
    Silent,
}

/// Runs freshclam once. That it fails is no error: it says so, and the age of what is there decides what that means.
pub(crate) async fn update(directory: &Path, verbosity: Verbosity) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    let conf = directory.with_extension("conf");
    std::fs::write(&conf, freshclam_conf(directory)).context("cannot write freshclam's configuration")?;
    let child = Command::new("freshclam")
        .arg(format!("--config-file={}", conf.display()))
        .args(["--stdout", "--no-warnings"])
        .env_remove("SECRET_KEY")
        .env_remove("JWT_SECRET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            println!("  freshclam cannot be run: {error}");
            return Ok(());
        }
    };
    let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
    let finished = tokio::time::timeout(UPDATE_TIMEOUT, async {
        if let Some(mut lines) = lines {
            while let Ok(Some(line)) = lines.next_line().await {
                if verbosity == Verbosity::Shown {
                    println!("  {line}");
                }
            }
        }
        child.wait().await
    });
    match finished.await {
        Ok(Ok(status)) if status.success() => {}
        Ok(_) => tracing::warn!("freshclam could not update the virus definitions"),
        Err(_) => tracing::warn!("freshclam did not finish in time and was stopped"),
    }
    Ok(())
}

fn freshclam_conf(directory: &Path) -> String {
    let mut conf = format!(
        "DatabaseDirectory {}\nDatabaseMirror database.clamav.net\nForeground yes\nMaxAttempts 1\n\
         ConnectTimeout 10\nReceiveTimeout 60\nTestDatabases no\n",
        directory.display()
    );
    // As root, freshclam would drop to a user who cannot write here.
    if rustix::process::geteuid().is_root() {
        conf.push_str("DatabaseOwner root\n");
    }
    conf
}

/// Keeps official definitions current; a test set stays what it is.
pub(crate) async fn keep_current(chosen: Chosen, source: Source, scan: Arc<scan::Context>) {
    /// ClamAV's mirrors ask for at most one request an hour.
    const EVERY: Duration = Duration::from_hours(2);
    let is_ours = source == Source::Auto && chosen.definitions.kind == DefinitionsKind::Official;
    let mut version = chosen.definitions.version;
    loop {
        tokio::time::sleep(EVERY).await;
        if is_ours && let Err(error) = update(&chosen.directory, Verbosity::Silent).await {
            tracing::warn!(%error, "the virus definitions could not be updated");
        }
        if let Ok(found) = clamd::definitions::read(&chosen.directory)
            && found.version != version
        {
            version = found.version;
            // The next scan, or the next heartbeat, starts an engine with what is there now.
            scan.engine.stop().await;
        }
    }
}
