//! One engine process and the scans in flight on it. They share its canaries; one that ends in any other way
//! than confirmed ends the process, and with it all others.

use std::io;
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::verdict::EngineVersion;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::canary;
use crate::client::{Client, ClientError};
use crate::daemon::Daemon;
use crate::engine_error::EngineError;
use crate::window::{Joined, Window};

/// A running engine process that scans share.
#[derive(Debug)]
pub(crate) struct SharedDaemon {
    daemon: Daemon,
    window: StdMutex<Window>,
    /// When the newest canary was found. Held by the scan that asks for one.
    last_found: Mutex<Option<Instant>>,
}

/// A scan in flight. Dropping it without [`Flight::land`] ends the process.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    shared: &'a SharedDaemon,
    joined: Joined,
    has_landed: bool,
}

/// What the canary after a scan showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Confirmation {
    pub(crate) canary_found: bool,
    pub(crate) n_engine_errors: usize,
}

/// Why a scan cannot begin now.
#[derive(Debug)]
pub(crate) enum NotBoarded {
    /// The process has failed: start another one.
    Failed,
    /// Not beside the scans in flight; alone, there may be enough space.
    Crowded,
    Error(EngineError),
}

/// The canary has 68 bytes; an engine that needs longer than this for it is broken.
const CANARY_TIMEOUT: Duration = Duration::from_secs(20);
/// A canary that was found at most this long ago is the one before a scan.
const CANARY_HOLDS: Duration = Duration::from_secs(1);

impl SharedDaemon {
    pub(crate) fn new(daemon: Daemon) -> Self {
        Self { daemon, window: StdMutex::default(), last_found: Mutex::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.daemon.client
    }

    pub(crate) fn stamp(&self) -> &EngineVersion {
        &self.daemon.stamp
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Whether the process runs and has not failed.
    pub(crate) fn is_usable(&self) -> bool {
        !self.window().has_failed() && self.daemon.is_alive()
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a scan that may need `needed_bytes` of temporary space. The first one finds no temporary files
    /// and no errors of earlier scans.
    pub(crate) fn board(&self, needed_bytes: u64) -> Result<Flight<'_>, NotBoarded> {
        let mut window = self.window();
        let failed = |error| NotBoarded::Error(EngineError::TemporaryDirectory(error));
        // The next process may use the directory already.
        if window.has_failed() {
            return Err(NotBoarded::Failed);
        }
        if window.is_empty() {
            self.daemon.wipe().map_err(failed)?;
            self.daemon.error_lines.take();
        }
        let free_bytes = match self.daemon.free_bytes() {
            Ok(free_bytes) => free_bytes,
            Err(error) if window.is_empty() => return Err(failed(error)),
            // The directory is gone under the scans in flight.
            Err(_) => {
                window.fail();
                self.daemon.kill();
                return Err(NotBoarded::Failed);
            }
        };
        if free_bytes < needed_bytes.saturating_add(window.reserved_bytes()) {
            return Err(if window.is_empty() {
                NotBoarded::Error(EngineError::NoSpace { free_bytes, needed_bytes })
            } else {
                NotBoarded::Crowded
            });
        }
        let joined = window.join(needed_bytes);
        Ok(Flight { shared: self, joined, has_landed: false })
    }

    /// Ensures that the process found a canary, now or a moment ago. Returns whether it did.
    pub(crate) async fn has_canary(&self) -> Result<bool, ClientError> {
        let mut last_found = self.last_found.lock().await;
        if last_found.is_some_and(|at| at.elapsed() < CANARY_HOLDS) {
            return Ok(true);
        }
        self.find(&mut last_found).await
    }

    /// Returns whether the process finds a canary now.
    pub(crate) async fn finds_canary(&self) -> Result<bool, ClientError> {
        let mut last_found = self.last_found.lock().await;
        self.find(&mut last_found).await
    }

    /// Has the process find a canary that begins after this call, unless another scan does that, and checks
    /// that it printed no error and that its definitions are those that it loaded.
    async fn confirm(&self) -> Result<Confirmation, EngineError> {
        let needed = self.window().next_canary();
        let mut last_found = self.last_found.lock().await;
        if self.window().is_confirmed(needed) {
            return Ok(Confirmation { canary_found: true, n_engine_errors: 0 });
        }
        let canary = self.window().begin_canary();
        let canary_found = self.find(&mut last_found).await?;
        let n_engine_errors = self.daemon.error_lines.take();
        if n_engine_errors > 0 || !canary_found {
            self.fail();
            return Ok(Confirmation { canary_found, n_engine_errors });
        }
        if !self.daemon.has_its_definitions() {
            self.fail();
            return Err(EngineError::DefinitionsChanged);
        }
        let mut window = self.window();
        window.find(canary);
        // Another scan's failure, meanwhile, voids this one too.
        let canary_found = window.is_confirmed(needed);
        Ok(Confirmation { canary_found, n_engine_errors })
    }

    async fn find(&self, last_found: &mut Option<Instant>) -> Result<bool, ClientError> {
        *last_found = None;
        let bytes = canary::eicar();
        let (reply, _) = self.client().scan_stream(bytes.as_slice(), CANARY_TIMEOUT).await?;
        let is_found = reply.names_malware();
        *last_found = is_found.then(Instant::now);
        Ok(is_found)
    }

    /// Kills the process. Every scan in flight on it ends with an error.
    pub(crate) fn fail(&self) {
        self.window().fail();
        self.daemon.kill();
    }

    /// Kills the process and waits for its end, so that no process outlives this call.
    pub(crate) async fn end(&self) {
        self.fail();
        self.daemon.end().await;
    }
}

impl From<NotBoarded> for EngineError {
    fn from(why: NotBoarded) -> Self {
        match why {
            NotBoarded::Failed | NotBoarded::Crowded => Self::Busy,
            NotBoarded::Error(error) => error,
        }
    }
}

impl Flight<'_> {
    /// See [`Window::is_alone`].
    pub(crate) fn is_alone(&self) -> bool {
        self.shared.window().is_alone(self.joined)
    }

    /// Confirms the replies that have arrived. A result that is not sound has ended the process, or will when
    /// this is dropped.
    pub(crate) async fn confirm(&self) -> Result<Confirmation, EngineError> {
        self.shared.confirm().await
    }

    /// Ends a confirmed scan. The last one leaves no temporary files.
    pub(crate) fn land(mut self) -> io::Result<()> {
        let mut window = self.shared.window();
        window.leave(self.joined);
        // After a failure, the next process may use the directory already.
        let is_wiped = window.is_empty() && !window.has_failed();
        let wiped = if is_wiped { self.shared.daemon.wipe() } else { Ok(()) };
        drop(window);
        self.has_landed = true;
        wiped.inspect_err(|_| self.shared.fail())
    }

    /// Waits until this scan has spent `limit` of processor time. Time that the process spends on several
    /// scans, `n_workers` at most, counts in equal shares; alone, a scan is measured exactly.
    pub(crate) async fn cpu_limit_reached(&self, limit: Duration, n_workers: u32) -> Duration {
        let (mut spent_before, mut own) = (self.shared.daemon.cpu_time(), Duration::ZERO);
        loop {
            sleep(Duration::from_millis(100)).await;
            // An ended process spends nothing; the next command to it fails.
            let spent = self.shared.daemon.cpu_time();
            if let (Some(before), Some(now)) = (spent_before, spent) {
                let n_sharing =
                    u32::try_from(self.shared.window().n_in_flight()).unwrap_or(n_workers).min(n_workers);
                own += now.saturating_sub(before) / n_sharing.max(1);
            }
            spent_before = spent.or(spent_before);
            if own > limit {
                return limit;
            }
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.has_landed {
            self.shared.fail();
            self.shared.window().leave(self.joined);
        }
    }
}
