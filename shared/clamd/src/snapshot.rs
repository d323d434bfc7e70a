//! Makes snapshots of a loaded engine with `airlock-engine`, from the definitions in the engine's directory,
//! while an engine runs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use domain::id::Sha256;
use thiserror::Error;

use crate::clean_samples;
use crate::daemon::{ConfError, DaemonConfig, write_conf};
use crate::program::{EngineProgram, Place, configured, empty_directory};

/// Makes and checks snapshots for engines of one configuration.
#[derive(Clone, Debug)]
pub struct Snapshots {
    config: DaemonConfig,
    /// Training files, scanned after small documents, which show the pages that scans need first; only the
    /// first ones are used.
    training: Vec<PathBuf>,
}

/// The snapshot could not be made. Definitions can still be loaded.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("only `airlock-engine` makes snapshots")]
    NotThisEngine,
    #[error("`{0}` could not be prepared")]
    Directory(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Conf(#[from] ConfError),
    #[error("`{0}` could not be run")]
    Spawn(PathBuf, #[source] io::Error),
    #[error("the snapshot could not be made ({status}): {said}")]
    Failed { status: ExitStatus, said: String },
    #[error("the snapshot was not made within {0:?}")]
    TimedOut(Duration),
    #[error("`{0}` is no snapshot")]
    NotOne(PathBuf),
}

/// Two loads, a trial of the training files, and packing: 20 seconds for a full set on two cores.
const LIMIT: Duration = Duration::from_mins(10);
/// As many as `airlock-engine snapshot` takes.
const MAX_TRAINING_FILES: usize = 30;
/// Where the digest of its contents is in a snapshot.
const CONTENTS_DIGEST: std::ops::Range<usize> = 16..48;

impl SnapshotError {
    fn failed(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Self::Failed { status: output.status, said }
    }
}

impl Snapshots {
    /// Makes snapshots for engines with `config`, in a directory of its own below the run directory, so that
    /// it may run beside the engine.
    pub fn new(config: &DaemonConfig, training: Vec<PathBuf>) -> Self {
        let run_directory = config.run_directory.join("snapshot-work");
        Self { config: DaemonConfig { run_directory, ..config.clone() }, training }
    }

    /// Ensures that there is a usable snapshot at `path`, and returns whether one had to be made. Writes it
    /// atomically. Callers must serialize their calls.
    pub async fn ensure(&self, path: &Path) -> Result<bool, SnapshotError> {
        let conf = self.prepare()?;
        let checked =
            self.run("check", &[configured(&conf), format!("--snapshot={}", path.display())]).await?;
        if checked.status.success() {
            return Ok(false);
        }
        self.make_with(&conf, path).await.map(|()| true)
    }

    /// Makes a snapshot at `path`, atomically.
    pub async fn make(&self, path: &Path) -> Result<(), SnapshotError> {
        let conf = self.prepare()?;
        self.make_with(&conf, path).await
    }

    async fn make_with(&self, conf: &Path, path: &Path) -> Result<(), SnapshotError> {
        let mut words = vec![configured(conf), format!("--out={}", path.display()), "--training".to_owned()];
        let documents = self.write_documents()?;
        let training = documents.iter().chain(&self.training).take(MAX_TRAINING_FILES);
        words.extend(training.map(|path| path.display().to_string()));
        let made = self.run("snapshot", &words).await?;
        if made.status.success() {
            return Ok(());
        }
        Err(SnapshotError::failed(&made))
    }

    /// Returns the build of the engine. A snapshot works with the same build only.
    pub async fn build(&self) -> Result<String, SnapshotError> {
        self.make_directory()?;
        let told = self.run("build", &[]).await?;
        if told.status.success() {
            return Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned());
        }
        Err(SnapshotError::failed(&told))
    }

    fn prepare(&self) -> Result<PathBuf, SnapshotError> {
        self.make_directory()?;
        Ok(write_conf(&self.config)?)
    }

    fn make_directory(&self) -> Result<(), SnapshotError> {
        if !matches!(self.config.program, EngineProgram::AirlockEngine(_)) {
            return Err(SnapshotError::NotThisEngine);
        }
        let directory = &self.config.run_directory;
        let temporary = directory.join("tmp");
        let made = empty_directory(directory).and_then(|()| empty_directory(&temporary));
        made.map_err(|error| SnapshotError::Directory(temporary, error))
    }

    fn write_documents(&self) -> Result<Vec<PathBuf>, SnapshotError> {
        let write = |(name, bytes): (&str, &[u8])| {
            let path = self.config.run_directory.join(name);
            let written = std::fs::write(&path, bytes);
            written.map_err(|error| SnapshotError::Directory(path.clone(), error))?;
            Ok(path)
        };
        clean_samples::DOCUMENTS.into_iter().map(write).collect()
    }

    async fn run(&self, command: &str, words: &[String]) -> Result<Output, SnapshotError> {
        let config = &self.config;
        let place = Place { launcher: &config.launcher, directory: &config.run_directory };
        let mut command_line = config.program.command(place);
        command_line.arg(command).args(words).stdout(Stdio::piped());
        let spawned = command_line.spawn();
        let child = spawned.map_err(|error| SnapshotError::Spawn(config.program.path().to_owned(), error))?;
        let group = crate::daemon::Group::of(&child);
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        // Its own children too.
        group.kill();
        match ended {
            Ok(ended) => ended.map_err(|error| SnapshotError::Spawn(config.program.path().to_owned(), error)),
            Err(_) => Err(SnapshotError::TimedOut(LIMIT)),
        }
    }
}

/// Returns the digest of the contents of the snapshot at `path`, which a manifest vouches for.
pub fn contents_digest(path: &Path) -> Result<Sha256, SnapshotError> {
    let mut head = [0; CONTENTS_DIGEST.end];
    let read = std::fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
    read.map_err(|error| SnapshotError::Directory(path.to_owned(), error))?;
    let digest = head[CONTENTS_DIGEST].try_into();
    digest.map(Sha256::from_bytes).map_err(|_| SnapshotError::NotOne(path.to_owned()))
}
