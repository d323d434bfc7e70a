//! The supervised engine: one scan at a time, between two canaries of the same process, so that its answer is
//! evidence.

use std::fs::File;
use std::io::{self, Seek as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use domain::verdict::{EngineReply, EngineVersion};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::canary;
use crate::client::{Client, ClientError};
use crate::daemon::{Daemon, DaemonConfig, StartError, free_bytes};
use crate::program::Snapshot;

/// A supervised engine: started on demand, killed when it fails.
#[derive(Debug)]
pub struct Engine {
    config: DaemonConfig,
    /// The snapshot for the next start.
    snapshot: StdMutex<Option<Snapshot>>,
    transport: Transport,
    daemon: Mutex<Option<Daemon>>,
    n_starts: AtomicU64,
}

/// How bytes are passed to clamd.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transport {
    /// clamd copies them first, and reports a lack of space: the safer way, and the default.
    #[default]
    Stream,
    /// clamd reads our descriptor. Without its temporary directory it answers `OK` to plain EICAR (seen on
    /// 1.4.6).
    Descriptor,
}

/// The time that one scan may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanBudget {
    /// Wall-clock time from the call on, including the wait for other scans.
    pub wall: Duration,
    /// Processor time of the engine, for the file and all parts.
    pub cpu: Duration,
}

/// The observations of one scan. `domain::verdict::judge` decides whether they amount to a verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scan {
    /// The reply about the file, then about each part.
    pub replies: Vec<EngineReply>,
    /// Bytes of the file that the engine took.
    pub n_bytes: u64,
    pub canary_found_before: bool,
    pub canary_found_after: bool,
    pub n_engine_errors: usize,
    pub engine: EngineVersion,
}

/// A member of the file that the engine is given as a stream of its own. Reading it must not block for long:
/// it is in memory, or in the page cache.
pub type Part = Box<dyn io::Read + Send>;

/// There is no scan result. The engine was killed if it was at fault; the next scan starts another one.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("the engine could not be started")]
    Start(#[from] StartError),
    #[error("the engine failed")]
    Client(#[from] ClientError),
    #[error("the engine has {free_bytes} bytes of temporary space and may need {needed_bytes}")]
    NoSpace { free_bytes: u64, needed_bytes: u64 },
    #[error("the engine's temporary directory cannot be used")]
    TemporaryDirectory(#[source] io::Error),
    #[error("the time for this scan ended before the engine was free")]
    Busy,
    #[error("the engine does not find the canary: its definitions are damaged or incomplete")]
    NoCanary,
    #[error("the definitions were changed under the engine")]
    DefinitionsChanged,
    /// This concerns the file and not the engine: another attempt would end the same way.
    #[error("the scan took more than {limit:?} of processor time")]
    TooCostly { limit: Duration },
}

/// The canary has 68 bytes; an engine that needs longer than this for it is broken.
const CANARY_TIMEOUT: Duration = Duration::from_secs(20);

impl Engine {
    pub fn new(config: DaemonConfig, transport: Transport) -> Self {
        let snapshot = StdMutex::default();
        Self { config, transport, snapshot, daemon: Mutex::new(None), n_starts: AtomicU64::new(0) }
    }

    /// Sets the snapshot for later starts and returns the previous one. clamd ignores it.
    pub fn begin_with(&self, snapshot: Option<Snapshot>) -> Option<Snapshot> {
        std::mem::replace(&mut self.snapshot.lock().unwrap_or_else(PoisonError::into_inner), snapshot)
    }

    /// Returns the parameters of its start.
    pub fn config(&self) -> &DaemonConfig {
        &self.config
    }

    /// Starts clamd if it is not running, and returns its version. Tries twice, because a socket or a lock
    /// may have been left behind.
    pub async fn ensure_running(&self) -> Result<EngineVersion, StartError> {
        let mut slot = self.daemon.lock().await;
        let daemon = self.take_running(&mut slot).await?;
        Ok(slot.insert(daemon).stamp.clone())
    }

    /// Starts clamd if it is not running, and verifies that it finds the canary.
    pub async fn check(&self) -> Result<EngineVersion, EngineError> {
        let mut slot = self.daemon.lock().await;
        let daemon = self.take_running(&mut slot).await?;
        match finds_canary(&daemon.client).await {
            Ok(true) => Ok(slot.insert(daemon).stamp.clone()),
            found => {
                daemon.kill().await;
                Err(found.map_or_else(EngineError::from, |_| EngineError::NoCanary))
            }
        }
    }

    /// Returns whether there is less temporary space than the engine may need for a file of `size_bytes`.
    pub fn lacks_room(&self, size_bytes: u64) -> bool {
        let free_bytes = free_bytes(&self.config.run_directory);
        free_bytes.is_ok_and(|free_bytes| free_bytes < self.config.limits.engine_room(size_bytes))
    }

    /// Returns how often clamd was started.
    pub fn n_starts(&self) -> u64 {
        self.n_starts.load(Ordering::Relaxed)
    }

    /// Returns the running clamd's process id, for tests that break it.
    pub async fn pid(&self) -> Option<u32> {
        self.daemon.lock().await.as_ref().and_then(Daemon::pid)
    }

    /// Ends clamd; the next scan starts another one.
    pub async fn stop(&self) {
        if let Some(daemon) = self.daemon.lock().await.take() {
            daemon.kill().await;
        }
    }

    /// [`Engine::scan_within`] `wall` and the processor time that a file of this size may cost.
    pub async fn scan(
        &self,
        file: &File,
        size_bytes: u64,
        parts: Vec<Part>,
        wall: Duration,
    ) -> Result<Scan, EngineError> {
        let budget = ScanBudget { wall, cpu: self.config.limits.max_cpu_time(size_bytes) };
        self.scan_within(file, size_bytes, parts, budget).await
    }

    /// Scans `file` from its start, and each part, within `budget`.
    ///
    /// On any error, and when the future is dropped early, the engine is killed and its temporary files are
    /// removed, so that no scan inherits from another.
    pub async fn scan_within(
        &self,
        file: &File,
        size_bytes: u64,
        parts: Vec<Part>,
        budget: ScanBudget,
    ) -> Result<Scan, EngineError> {
        let deadline = Instant::now() + budget.wall;
        let mut slot =
            tokio::time::timeout_at(deadline, self.daemon.lock()).await.map_err(|_| EngineError::Busy)?;
        // It leaves its slot during the scan and returns only after a sound one; dropping it kills the
        // process.
        let daemon = self.take_running(&mut slot).await?;
        let scanned = tokio::select! {
            scanned = self.scan_with(&daemon, file, size_bytes, parts, deadline) => scanned,
            limit = daemon.cpu_limit_reached(budget.cpu) => Err(EngineError::TooCostly { limit }),
        };
        let is_sound = scanned.as_ref().is_ok_and(|scan| {
            scan.canary_found_before && scan.canary_found_after && scan.n_engine_errors == 0
        });
        if is_sound {
            *slot = Some(daemon);
        } else {
            daemon.kill().await;
        }
        scanned
    }

    async fn scan_with(
        &self,
        daemon: &Daemon,
        file: &File,
        size_bytes: u64,
        parts: Vec<Part>,
        deadline: Instant,
    ) -> Result<Scan, EngineError> {
        daemon.wipe().map_err(EngineError::TemporaryDirectory)?;
        let free_bytes = daemon.free_bytes().map_err(EngineError::TemporaryDirectory)?;
        let needed_bytes = self.config.limits.engine_room(size_bytes);
        if free_bytes < needed_bytes {
            return Err(EngineError::NoSpace { free_bytes, needed_bytes });
        }
        daemon.error_lines.take();
        let canary_found_before = finds_canary(&daemon.client).await?;
        let time_left = || deadline.saturating_duration_since(Instant::now());
        let (reply, n_bytes) = self.ask(&daemon.client, file, size_bytes, time_left()).await?;
        let mut replies = vec![reply];
        for part in parts {
            replies.push(daemon.client.scan_stream(Immediate(part), time_left()).await?.0);
        }
        let canary_found_after = finds_canary(&daemon.client).await?;
        let n_engine_errors = daemon.error_lines.take();
        if !daemon.has_its_definitions() {
            return Err(EngineError::DefinitionsChanged);
        }
        daemon.wipe().map_err(EngineError::TemporaryDirectory)?;
        let engine = daemon.stamp.clone();
        Ok(Scan { replies, n_bytes, canary_found_before, canary_found_after, n_engine_errors, engine })
    }

    async fn ask(
        &self,
        client: &Client,
        file: &File,
        size_bytes: u64,
        budget: Duration,
    ) -> Result<(EngineReply, u64), ClientError> {
        let mut handle = file.try_clone().map_err(ClientError::Source)?;
        handle.rewind().map_err(ClientError::Source)?;
        match self.transport {
            Transport::Stream => client.scan_stream(tokio::fs::File::from_std(handle), budget).await,
            Transport::Descriptor => Ok((client.scan_descriptor(handle.as_fd(), budget).await?, size_bytes)),
        }
    }

    async fn take_running(&self, slot: &mut Option<Daemon>) -> Result<Daemon, StartError> {
        if let Some(mut daemon) = slot.take()
            && daemon.is_alive()
        {
            return Ok(daemon);
        }
        self.n_starts.fetch_add(1, Ordering::Relaxed);
        let snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match Daemon::start(&self.config, snapshot.as_ref()).await {
            Ok(daemon) => Ok(daemon),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "clamd did not start; retrying once"
                );
                Daemon::start(&self.config, snapshot.as_ref()).await
            }
        }
    }
}

/// A part, read by the task that scans.
struct Immediate(Part);

impl tokio::io::AsyncRead for Immediate {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let n_bytes = self.0.read(buffer.initialize_unfilled());
        std::task::Poll::Ready(n_bytes.map(|n_bytes| buffer.advance(n_bytes)))
    }
}

async fn finds_canary(client: &Client) -> Result<bool, ClientError> {
    let (reply, _) = client.scan_stream(canary::eicar().as_slice(), CANARY_TIMEOUT).await?;
    Ok(reply.names_malware())
}
