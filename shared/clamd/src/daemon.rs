//! One engine process: started with our configuration, ready when it answers, killed with its process group.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::freshness::{Definitions, DefinitionsKind};
use domain::verdict::EngineVersion;
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use crate::client::{Client, ClientError};
use crate::conf::{ClamdConf, EngineLimits};
use crate::cpu_time;
use crate::definitions::{self, DefinitionsError};
use crate::program::{EngineProgram, Place, Snapshot, empty_directory};
use crate::stderr::Complaints;

/// The parameters of an engine's start.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    pub program: EngineProgram,
    /// A program and its arguments that run it, such as [`bound_launcher`]; may be empty.
    pub launcher: Vec<String>,
    /// A private directory for the configuration, the socket and temporary files. Its path must be short: a
    /// socket's path has at most 107 bytes.
    pub run_directory: PathBuf,
    pub definitions_directory: PathBuf,
    pub limits: EngineLimits,
    /// Loading a full set takes 6 to 10 seconds of CPU.
    pub start_timeout: Duration,
}

type Fingerprint = Vec<(std::ffi::OsString, [i64; 4])>;

/// A running clamd that has answered. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    child: Mutex<Process>,
    pub(crate) client: Client,
    pub(crate) error_lines: Complaints,
    pub(crate) stamp: EngineVersion,
    program: EngineProgram,
    definitions_directory: PathBuf,
    /// `None` if a manifest vouches for the definitions in memory; the directory may then be empty.
    definitions_fingerprint: Option<Fingerprint>,
    temporary_directory: PathBuf,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Whether it has ended and its temporary files are removed. Another one may use the directory then.
    is_cleared: bool,
}

/// The configuration could not be written.
#[derive(Debug, Error)]
pub enum ConfError {
    #[error("`{0}` could not be written")]
    Unwritable(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
}

/// clamd could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("`{0}` could not be prepared")]
    Directory(PathBuf, #[source] io::Error),
    #[error("`{0}` could not be run; is ClamAV installed?")]
    Spawn(PathBuf, #[source] io::Error),
    /// Without them, ClamAV finds nothing in HTML in UTF-32.
    #[error("the layer has no `{0}`, which ClamAV converts text with; build the layer again")]
    NoConversions(PathBuf),
    #[error("the engine was closed")]
    Closed,
    #[error("clamd ended while it started ({0})")]
    Ended(std::process::ExitStatus),
    #[error("clamd was not ready within {0:?}")]
    NotReady(Duration),
    #[error("clamd did not report its version")]
    Version(#[source] ClientError),
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    #[error(transparent)]
    Conf(#[from] ConfError),
    #[error("clamd loaded definitions `{loaded}`, but its directory has `{on_disk}`")]
    OtherDefinitions { loaded: String, on_disk: String },
}

/// The launcher of an engine that ends when this process does, however that ends, and that cannot gain
/// privileges.
pub fn bound_launcher() -> Vec<String> {
    ["setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--"].map(ToOwned::to_owned).to_vec()
}

impl Daemon {
    /// Starts clamd and waits until it answers PING.
    ///
    /// Call it from a thread that lives as long as the process: `setpriv --pdeathsig` fires when the *thread*
    /// ends.
    pub async fn start(config: &DaemonConfig, snapshot: Option<&Snapshot>) -> Result<Self, StartError> {
        require_conversions(config)?;
        let definitions_directory = config.definitions_directory.clone();
        let vouched = snapshot.and_then(|snapshot| snapshot.vouched_for(&config.program));
        let (definitions, definitions_fingerprint) = if let Some(definitions) = vouched {
            (definitions.clone(), None)
        } else {
            let unreadable = |error| DefinitionsError::Unreadable(definitions_directory.clone(), error);
            let fingerprint = definitions::fingerprint(&definitions_directory).map_err(unreadable)?;
            (definitions::read(&definitions_directory)?, Some(fingerprint))
        };
        let directory = |path: &Path, error| StartError::Directory(path.to_owned(), error);
        let temporary_directory = config.run_directory.join("tmp");
        empty_directory(&temporary_directory).map_err(|error| directory(&temporary_directory, error))?;
        let conf_path = write_conf_for(config, &definitions)?;
        let socket = socket(config);
        remove_if_there(&socket).map_err(|error| directory(&socket, error))?;

        let place = Place { launcher: &config.launcher, directory: &config.run_directory };
        let not_run = |error| StartError::Spawn(config.program.path().to_owned(), error);
        let mut child = config.program.serving(&conf_path, snapshot, place).spawn().map_err(not_run)?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no stderr"));
        let error_lines =
            stderr.and_then(|stderr| Complaints::watch(stderr.into_owned_fd()?)).map_err(not_run)?;
        let client = Client::new(socket);
        let mut starting = Starting { child, client };
        starting.wait_until_ready(config.start_timeout).await?;
        let version = starting.client.version(Duration::from_secs(5)).await.map_err(StartError::Version)?;
        if let Some(loaded) = version.definitions.filter(|loaded| *loaded != definitions.version) {
            return Err(StartError::OtherDefinitions { loaded, on_disk: definitions.version });
        }
        let stamp = EngineVersion { version: version.engine, openers: vec![], definitions };
        error_lines.take();
        Ok(Self {
            child: Mutex::new(Process { child: starting.child, is_cleared: false }),
            client: starting.client,
            error_lines,
            stamp,
            program: config.program.clone(),
            definitions_directory,
            definitions_fingerprint,
            temporary_directory,
        })
    }

    /// Returns the process id while the process runs.
    pub fn pid(&self) -> Option<u32> {
        self.process().child.id()
    }

    /// Returns whether the process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.process().child.try_wait(), Ok(None))
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the definitions on disk are still those that were loaded. A clamd that is told to
    /// reload does not report that it then has fewer signatures.
    pub(crate) fn has_its_definitions(&self) -> bool {
        let Some(then) = &self.definitions_fingerprint else { return true };
        definitions::fingerprint(&self.definitions_directory).is_ok_and(|found| found == *then)
    }

    /// Removes the temporary files of scans; a killed clamd leaves the user's bytes there.
    pub(crate) fn wipe(&self) -> io::Result<()> {
        empty_directory(&self.temporary_directory)
    }

    /// Returns the bytes that are free for temporary files.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        free_bytes(&self.temporary_directory)
    }

    /// Returns the processor time that scans have cost so far; `None` once the process has ended.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        cpu_time::spent(&self.program, self.pid()?)
    }

    /// Kills the process group, if the process still runs.
    pub(crate) fn kill(&self) {
        Group::of(&self.process().child).kill();
    }

    /// Waits for the end of the killed process, and removes its temporary files once.
    pub(crate) async fn end(&self) {
        while self.is_alive() {
            sleep(Duration::from_millis(1)).await;
        }
        let mut process = self.process();
        if !std::mem::replace(&mut process.is_cleared, true) {
            let _ = self.wipe();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Starting {
    child: Child,
    client: Client,
}

impl Starting {
    async fn wait_until_ready(&mut self, limit: Duration) -> Result<(), StartError> {
        let began = Instant::now();
        loop {
            if self.client.ping(Duration::from_secs(2)).await.is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(StartError::Ended(status));
            }
            if began.elapsed() > limit {
                Group::of(&self.child).kill();
                return Err(StartError::NotReady(limit));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Returns the bytes that this process may still write to the file system of `path`.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(path)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Returns the process group that a child leads; `None` once the child was waited for.
pub(crate) struct Group(Option<Pid>);

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    pub(crate) fn kill(&self) {
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Fails if the program is the layer's and the layer lacks libc's modules for iconv. A launcher may give the
/// program another root, where this process cannot look.
fn require_conversions(config: &DaemonConfig) -> Result<(), StartError> {
    let Some(directory) = config.program.conversions().filter(|_| config.launcher.is_empty()) else {
        return Ok(());
    };
    let modules = directory.join("gconv-modules");
    if modules.is_file() { Ok(()) } else { Err(StartError::NoConversions(modules)) }
}

fn socket(config: &DaemonConfig) -> PathBuf {
    config.run_directory.join("clamd.sock")
}

/// Writes the configuration for the definitions in the directory, and returns its path.
pub(crate) fn write_conf(config: &DaemonConfig) -> Result<PathBuf, ConfError> {
    write_conf_for(config, &definitions::read(&config.definitions_directory)?)
}

fn write_conf_for(config: &DaemonConfig, definitions: &Definitions) -> Result<PathBuf, ConfError> {
    let conf = ClamdConf {
        socket: socket(config),
        temporary_directory: config.run_directory.join("tmp"),
        database_directory: config.definitions_directory.clone(),
        limits: config.limits,
        official_database_only: definitions.kind == DefinitionsKind::Official,
    };
    let path = config.run_directory.join("clamd.conf");
    std::fs::write(&path, conf.render()).map_err(|error| ConfError::Unwritable(path.clone(), error))?;
    Ok(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_layers_engine_does_not_start_without_the_layers_conversions() {
        let config = DaemonConfig {
            program: EngineProgram::Clamd("/opt/bin/clamd".into()),
            launcher: vec![],
            run_directory: "/nonexistent".into(),
            definitions_directory: "/nonexistent".into(),
            limits: EngineLimits { max_file_size: 1, max_scan_time: Duration::from_secs(1) },
            start_timeout: Duration::from_secs(1),
        };
        let refused = Daemon::start(&config, None).await.map(|_| ());
        assert!(matches!(refused, Err(StartError::NoConversions(_))), "{refused:?}");
        let elsewhere = DaemonConfig { launcher: vec!["chroot".to_owned()], ..config };
        let refused = Daemon::start(&elsewhere, None).await.map(|_| ());
        assert!(matches!(refused, Err(StartError::Definitions(_))), "{refused:?}");
    }
}
