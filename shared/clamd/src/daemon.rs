//! One clamd process: started with our configuration, ready when it answers, killed with its whole process group.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::verdict::Engine as EngineStamp;
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::client::{Client, ClientError};
use crate::conf::{ClamdConf, Limits};
use crate::definitions::{self, DefinitionsError};
use crate::stderr::Complaints;

/// How to start clamd.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    /// clamd's binary, found on the search path or absolute.
    pub program: PathBuf,
    /// A program and its arguments that run clamd, for example `setpriv --pdeathsig KILL --`; may be empty.
    pub launcher: Vec<String>,
    /// A directory of our own for the configuration, the socket and temporary files. Its path must be short: a socket's
    /// path has at most 107 bytes.
    pub run_directory: PathBuf,
    pub definitions_directory: PathBuf,
    pub limits: Limits,
    /// Loading a full set takes 6 to 10 seconds of CPU.
    pub start_timeout: Duration,
}

type Fingerprint = Vec<(std::ffi::OsString, [i64; 4])>;

/// A running clamd that has answered. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    pub(crate) client: Client,
    pub(crate) complaints: Complaints,
    pub(crate) stamp: EngineStamp,
    definitions_directory: PathBuf,
    definitions_fingerprint: Fingerprint,
    temporary_directory: PathBuf,
}

/// clamd could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("`{0}` could not be prepared")]
    Directory(PathBuf, #[source] io::Error),
    #[error("`{0}` could not be run; is ClamAV installed?")]
    Spawn(PathBuf, #[source] io::Error),
    #[error("clamd ended while it started ({0})")]
    Ended(std::process::ExitStatus),
    #[error("clamd was not ready in {0:?}")]
    NotReady(Duration),
    #[error("clamd did not say what it is")]
    Version(#[source] ClientError),
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    #[error("clamd loaded definitions `{loaded}`, but `{on_disk}` are there")]
    OtherDefinitions { loaded: String, on_disk: String },
}

impl Daemon {
    /// Starts clamd and waits until it answers PING.
    ///
    /// Call it from a thread that lives as long as the process: `setpriv --pdeathsig` fires when the *thread* ends.
    pub async fn start(config: &DaemonConfig) -> Result<Self, StartError> {
        let definitions_directory = config.definitions_directory.clone();
        let unreadable = |error| DefinitionsError::Unreadable(config.definitions_directory.clone(), error);
        let definitions_fingerprint = definitions::fingerprint(&definitions_directory).map_err(unreadable)?;
        let definitions = definitions::read(&definitions_directory)?;
        let directory = |path: &Path, error| StartError::Directory(path.to_owned(), error);
        let temporary_directory = config.run_directory.join("tmp");
        empty_directory(&temporary_directory).map_err(|error| directory(&temporary_directory, error))?;
        let conf = ClamdConf {
            socket: config.run_directory.join("clamd.sock"),
            temporary_directory: temporary_directory.clone(),
            database_directory: config.definitions_directory.clone(),
            limits: config.limits,
            official_database_only: definitions.kind == domain::freshness::DefinitionsKind::Official,
        };
        let conf_path = config.run_directory.join("clamd.conf");
        std::fs::write(&conf_path, conf.render()).map_err(|error| directory(&conf_path, error))?;
        remove_if_there(&conf.socket).map_err(|error| directory(&conf.socket, error))?;

        let mut child = command(config, &conf_path).spawn();
        let stderr = child.as_mut().ok().and_then(|child| child.stderr.take());
        let child = child.map_err(|error| StartError::Spawn(config.program.clone(), error))?;
        let client = Client::new(conf.socket);
        let complaints = stderr
            .ok_or_else(|| io::Error::other("no stderr"))
            .and_then(|stderr| Complaints::watch(stderr.into_owned_fd()?))
            .map_err(|error| StartError::Spawn(config.program.clone(), error))?;
        let mut starting = Starting { child, client };
        starting.wait_until_ready(config.start_timeout).await?;
        let version = starting.client.version(Duration::from_secs(5)).await.map_err(StartError::Version)?;
        if let Some(loaded) = version.definitions.filter(|loaded| *loaded != definitions.version) {
            return Err(StartError::OtherDefinitions { loaded, on_disk: definitions.version });
        }
        let stamp = EngineStamp { version: version.engine, definitions };
        complaints.take();
        Ok(Self {
            child: starting.child,
            client: starting.client,
            complaints,
            stamp,
            definitions_directory,
            definitions_fingerprint,
            temporary_directory,
        })
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether the process is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether the definitions on disk are still those that were loaded. A clamd that was told to reload says nothing when it then knows
    /// less than before.
    pub(crate) fn has_its_definitions(&self) -> bool {
        definitions::fingerprint(&self.definitions_directory)
            .is_ok_and(|found| found == self.definitions_fingerprint)
    }

    /// Removes what a scan left behind; a killed clamd leaves the user's bytes.
    pub(crate) fn wipe(&self) -> io::Result<()> {
        empty_directory(&self.temporary_directory)
    }

    /// Bytes free for temporary files.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::statvfs(&self.temporary_directory)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Returns when the process has spent `limit` of processor time from now on. Time on the wall says little on a busy machine.
    pub(crate) async fn spend(&self, limit: Duration) -> Duration {
        let begin = self.cpu_time();
        loop {
            sleep(Duration::from_millis(100)).await;
            // A process that is gone spends nothing; whoever asks it something notices.
            if let (Some(begin), Some(now)) = (begin, self.cpu_time())
                && now.saturating_sub(begin) > limit
            {
                return limit;
            }
        }
    }

    /// Fields 14 and 15 of `/proc/[pid]/stat`, user and system time in clock ticks (proc_pid_stat(5)). The second field is the name, which
    /// may hold anything, in parentheses.
    fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()?)).ok()?;
        let fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).take(2);
        let ticks = fields.map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
        Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// Kills the process group and waits for the end, so that nothing of it outlives this call.
    pub(crate) async fn kill(mut self) {
        kill_group(&self.child);
        let _ = self.child.wait().await;
        let _ = self.wipe();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill_group(&self.child);
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
                kill_group(&self.child);
                return Err(StartError::NotReady(limit));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn command(config: &DaemonConfig, conf_path: &Path) -> Command {
    let mut words = config.launcher.iter().map(Into::into).collect::<Vec<std::ffi::OsString>>();
    words.push(config.program.clone().into());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .arg(format!("--config-file={}", conf_path.display()))
        // clamd reads hostile bytes: it gets no credentials and no secrets.
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(&config.run_directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn kill_group(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Makes `path` an empty directory that only we can read.
fn empty_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match std::fs::remove_dir_all(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => std::fs::remove_file(path)?,
        Err(error) => return Err(error),
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
