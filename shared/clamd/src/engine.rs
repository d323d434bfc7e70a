//! The supervised engine: a limited number of concurrent scans, each between two canaries of the same
//! process, so that its answers are evidence.
//!
//! Invariant: when scans in flight fail together, each of them is repeated once, alone.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use domain::verdict::{EngineReply, EngineVersion};
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, ClientError};
use crate::daemon::{Daemon, DaemonConfig, StartError, free_bytes};
use crate::part::{Immediate, Part};
use crate::program::Snapshot;
use crate::shared_daemon::{Confirmation, Flight, NotBoarded, SharedDaemon};

/// A supervised engine: one process that scans share, started on demand, killed when it fails.
#[derive(Debug)]
pub struct Engine {
    config: DaemonConfig,
    /// The snapshot for the next start.
    snapshot: StdMutex<Option<Snapshot>>,
    transport: Transport,
    /// One permit for each scan that may run; all of them for one that has to be alone.
    turns: Semaphore,
    n_workers: u32,
    /// The process, which may have failed.
    daemon: Mutex<Option<Arc<SharedDaemon>>>,
    n_starts: AtomicU64,
    n_repeats: AtomicU64,
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

/// What one scan is about.
#[derive(Clone, Copy)]
struct Request<'a> {
    file: &'a File,
    size_bytes: u64,
    parts: &'a [Part],
    cpu_limit: Duration,
    deadline: Instant,
}

/// How an attempt at a scan ended without a result that counts.
enum Flaw {
    /// It was the only one in flight: this is its result.
    Own(Result<Scan, EngineError>),
    /// Others were in flight: the failure may be theirs.
    Shared { why: String },
    /// There was too little temporary space for it beside the others.
    Crowded,
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

impl Engine {
    /// Returns an engine that scans one file at a time.
    pub fn new(config: DaemonConfig, transport: Transport) -> Self {
        Self::with_workers(config, transport, 1)
    }

    /// Returns an engine that scans up to `n_workers` files concurrently, at least one and at most
    /// [`EngineLimits::MAX_WORKERS`](crate::EngineLimits::MAX_WORKERS).
    pub fn with_workers(config: DaemonConfig, transport: Transport, n_workers: u32) -> Self {
        let n_workers = n_workers.clamp(1, crate::EngineLimits::MAX_WORKERS);
        Self {
            config,
            transport,
            snapshot: StdMutex::default(),
            turns: Semaphore::new(n_workers as usize),
            n_workers,
            daemon: Mutex::new(None),
            n_starts: AtomicU64::new(0),
            n_repeats: AtomicU64::new(0),
        }
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
        Ok(self.running().await?.stamp().clone())
    }

    /// Starts clamd if it is not running, and verifies that it finds the canary. Waits for running scans.
    pub async fn check(&self) -> Result<EngineVersion, EngineError> {
        let _alone = self.all_turns().await;
        let daemon = self.running().await?;
        let flight = daemon.board(0)?;
        match daemon.finds_canary().await {
            Ok(true) => {
                flight.land().map_err(EngineError::TemporaryDirectory)?;
                Ok(daemon.stamp().clone())
            }
            found => {
                drop(flight);
                daemon.end().await;
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

    /// Returns how many scans were repeated alone, because one beside them or they themselves had failed.
    pub fn n_repeats(&self) -> u64 {
        self.n_repeats.load(Ordering::Relaxed)
    }

    /// Returns the running clamd's process id, for tests that break it.
    pub async fn pid(&self) -> Option<u32> {
        let daemon = self.daemon.lock().await;
        daemon.as_ref().filter(|daemon| daemon.is_usable()).and_then(|daemon| daemon.pid())
    }

    /// The same without waiting: `None` also while an engine is started or ended.
    pub fn pid_now(&self) -> Option<u32> {
        self.daemon.try_lock().ok()?.as_ref().filter(|daemon| daemon.is_usable())?.pid()
    }

    /// Ends clamd after the running scans; the next scan starts another one.
    pub async fn stop(&self) {
        let _alone = self.all_turns().await;
        if let Some(daemon) = self.daemon.lock().await.take() {
            daemon.end().await;
        }
    }

    /// Ends clamd after the running scans, for good: later scans fail and start no other one.
    pub async fn close(&self) {
        let alone = self.all_turns().await;
        self.turns.close();
        drop(alone);
        if let Some(daemon) = self.daemon.lock().await.take() {
            daemon.end().await;
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
    /// removed, so that no scan inherits from another. The scans in flight beside it are then repeated once,
    /// alone, and so is this one: which of them was at fault is unknown.
    pub async fn scan_within(
        &self,
        file: &File,
        size_bytes: u64,
        parts: Vec<Part>,
        budget: ScanBudget,
    ) -> Result<Scan, EngineError> {
        let deadline = Instant::now() + budget.wall;
        let request = Request { file, size_bytes, parts: &parts, cpu_limit: budget.cpu, deadline };
        let first = self.attempt(&request, 1).await;
        match first {
            Ok(scan) | Err(Flaw::Own(Ok(scan))) => return Ok(scan),
            Err(Flaw::Own(Err(error))) => return Err(error),
            Err(Flaw::Shared { why }) => {
                self.n_repeats.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(why, "a scan beside others failed; it is repeated alone");
            }
            Err(Flaw::Crowded) => {}
        }
        match self.attempt(&request, self.n_workers).await {
            Ok(scan) | Err(Flaw::Own(Ok(scan))) => Ok(scan),
            Err(Flaw::Own(Err(error))) => Err(error),
            // It holds every turn.
            Err(Flaw::Shared { .. } | Flaw::Crowded) => Err(EngineError::Busy),
        }
    }

    /// Scans once, with `n_turns` of the turns.
    async fn attempt(&self, request: &Request<'_>, n_turns: u32) -> Result<Scan, Flaw> {
        let busy = |_| Flaw::Own(Err(EngineError::Busy));
        let own = |error| Flaw::Own(Err(error));
        let turns = timeout_at(request.deadline, self.turns.acquire_many(n_turns)).await.map_err(busy)?;
        let _turns = turns.map_err(|_| own(EngineError::Busy))?;
        let needed_bytes = self.config.limits.engine_room(request.size_bytes);
        loop {
            let daemon = self.running_by(request.deadline).await.map_err(own)?;
            let flight = match daemon.board(needed_bytes) {
                Ok(flight) => flight,
                Err(NotBoarded::Failed) => continue,
                Err(NotBoarded::Crowded) => return Err(Flaw::Crowded),
                Err(NotBoarded::Error(error)) => {
                    if !matches!(error, EngineError::NoSpace { .. }) {
                        daemon.end().await;
                    }
                    return Err(own(error));
                }
            };
            let scanned = tokio::select! {
                scanned = self.scan_in(&flight, &daemon, request) => scanned,
                limit = flight.cpu_limit_reached(request.cpu_limit) => Err(EngineError::TooCostly { limit }),
            };
            let scan = match scanned {
                Ok(scan) if scan.canary_found_after && scan.n_engine_errors == 0 => scan,
                flawed => {
                    let is_alone = flight.is_alone();
                    drop(flight);
                    daemon.end().await;
                    return Err(if is_alone { Flaw::Own(flawed) } else { Flaw::shared(&flawed) });
                }
            };
            flight.land().map_err(|error| own(EngineError::TemporaryDirectory(error)))?;
            return Ok(scan);
        }
    }

    async fn scan_in(
        &self,
        flight: &Flight<'_>,
        daemon: &SharedDaemon,
        request: &Request<'_>,
    ) -> Result<Scan, EngineError> {
        if !daemon.has_canary().await? {
            return Err(EngineError::NoCanary);
        }
        let time_left = || request.deadline.saturating_duration_since(Instant::now());
        let (reply, n_bytes) = self.ask(daemon.client(), request, time_left()).await?;
        let mut replies = vec![reply];
        for part in request.parts {
            replies.push(daemon.client().scan_stream(Immediate(part()), time_left()).await?.0);
        }
        let Confirmation { canary_found, n_engine_errors } = flight.confirm().await?;
        Ok(Scan {
            replies,
            n_bytes,
            canary_found_before: true,
            canary_found_after: canary_found,
            n_engine_errors,
            engine: daemon.stamp().clone(),
        })
    }

    async fn ask(
        &self,
        client: &Client,
        request: &Request<'_>,
        budget: Duration,
    ) -> Result<(EngineReply, u64), ClientError> {
        // A descriptor with a position of its own: a read of an attempt that was given up may still move the
        // other one's.
        let opened = File::open(format!("/proc/self/fd/{}", request.file.as_raw_fd()));
        let file = opened.map_err(ClientError::Source)?;
        match self.transport {
            Transport::Stream => client.scan_stream(tokio::fs::File::from_std(file), budget).await,
            Transport::Descriptor => {
                Ok((client.scan_descriptor(file.as_fd(), budget).await?, request.size_bytes))
            }
        }
    }

    /// Waits for the scans in flight, and keeps others from beginning.
    async fn all_turns(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire_many(self.n_workers).await.ok()
    }

    async fn running_by(&self, deadline: Instant) -> Result<Arc<SharedDaemon>, EngineError> {
        let slot = timeout_at(deadline, self.daemon.lock()).await.map_err(|_| EngineError::Busy)?;
        Ok(self.running_in(slot).await?)
    }

    async fn running(&self) -> Result<Arc<SharedDaemon>, StartError> {
        self.running_in(self.daemon.lock().await).await
    }

    /// Returns the running process, or starts one after the end of the former.
    async fn running_in(
        &self,
        mut slot: MutexGuard<'_, Option<Arc<SharedDaemon>>>,
    ) -> Result<Arc<SharedDaemon>, StartError> {
        if let Some(daemon) = slot.as_ref() {
            if daemon.is_usable() {
                return Ok(Arc::clone(daemon));
            }
            daemon.end().await;
        }
        if self.turns.is_closed() {
            return Err(StartError::Closed);
        }
        let started = Arc::new(SharedDaemon::new(self.start().await?));
        *slot = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn start(&self) -> Result<Daemon, StartError> {
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

impl Flaw {
    fn shared(flawed: &Result<Scan, EngineError>) -> Self {
        let why = match flawed {
            Ok(scan) if !scan.canary_found_after => "the canary was not found".to_owned(),
            Ok(scan) => format!("the engine printed {} errors", scan.n_engine_errors),
            Err(error) => error.to_string(),
        };
        Self::Shared { why }
    }
}
