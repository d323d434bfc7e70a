//! The supervised engine: a limited number of concurrent scans, each between two canaries of the same
//! process, so that its answers are evidence.
//!
//! Invariant: when scans in flight fail together, each of them is repeated once, alone.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use domain::verdict::{EngineReply, EngineVersion};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, ClientError};
use crate::daemon::{Daemon, DaemonConfig, StartError, free_bytes};
use crate::engine_error::EngineError;
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
    /// One permit for each scan in flight; all of them for one that has to be alone.
    flights: Semaphore,
    /// One permit for each scan whose replies have not all arrived. The engine is at its next file while the
    /// canary after the last one is found, so that one canary confirms several scans.
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

/// Scans in flight for each that the engine works at: one waits for its canary meanwhile.
const FLIGHTS_PER_WORKER: u32 = 2;

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
            flights: Semaphore::new((n_workers * FLIGHTS_PER_WORKER) as usize),
            turns: Semaphore::new(n_workers as usize),
            n_workers,
            daemon: Mutex::default(),
            n_starts: AtomicU64::default(),
            n_repeats: AtomicU64::default(),
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
        let _alone = self.all_flights().await;
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
        let _alone = self.all_flights().await;
        if let Some(daemon) = self.daemon.lock().await.take() {
            daemon.end().await;
        }
    }

    /// Ends clamd after the running scans, for good: later scans fail and start no other one.
    pub async fn close(&self) {
        let alone = self.all_flights().await;
        self.flights.close();
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
        match self.attempt(&request, 1).await {
            Ok(scan) | Err(Flaw::Own(Ok(scan))) => return Ok(scan),
            Err(Flaw::Own(Err(error))) => return Err(error),
            Err(Flaw::Shared { why }) => {
                self.n_repeats.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(why, "a scan beside others failed; it is repeated alone");
            }
            Err(Flaw::Crowded) => {}
        }
        match self.attempt(&request, self.n_flights()).await {
            Ok(scan) | Err(Flaw::Own(Ok(scan))) => Ok(scan),
            Err(Flaw::Own(Err(error))) => Err(error),
            // It is alone.
            Err(Flaw::Shared { .. } | Flaw::Crowded) => Err(EngineError::Busy),
        }
    }

    /// Scans once, in the place of `n_flights` scans.
    async fn attempt(&self, request: &Request<'_>, n_flights: u32) -> Result<Scan, Flaw> {
        let own = |error| Flaw::Own(Err(error));
        let _flights = self.permits(&self.flights, n_flights, request.deadline).await.map_err(own)?;
        let turn = self.permits(&self.turns, 1, request.deadline).await.map_err(own)?;
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
                scanned = self.scan_in(&flight, turn, &daemon, request) => scanned,
                limit = flight.cpu_limit_reached(request.cpu_limit, self.n_workers) => {
                    Err(EngineError::TooCostly { limit })
                }
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
        turn: SemaphorePermit<'_>,
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
        drop(turn);
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
    async fn all_flights(&self) -> Option<SemaphorePermit<'_>> {
        self.flights.acquire_many(self.n_flights()).await.ok()
    }

    fn n_flights(&self) -> u32 {
        self.n_workers * FLIGHTS_PER_WORKER
    }

    async fn permits<'a>(
        &'a self,
        semaphore: &'a Semaphore,
        n: u32,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'a>, EngineError> {
        let acquired = timeout_at(deadline, semaphore.acquire_many(n)).await;
        acquired.map_err(|_| EngineError::Busy)?.map_err(|_| EngineError::Busy)
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
        if self.flights.is_closed() {
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
