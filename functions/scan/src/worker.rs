//! Scans for a deployment on AWS from any machine: receives from the scan queue what Lambda would deliver to
//! the scan function, and does what that does.
//!
//! Invariant: a message is acknowledged only after it was handled. One whose worker stops without that is
//! delivered again, to any worker or to the function, when its visibility timeout is over.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws::ScanQueue;
use settings::{ConfigError, Environment, WorkerSettings};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::scanner::Scanner;
use crate::{RESERVE, ScanDeployment};

/// The wait after a request to the queue that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// What a worker needs from its environment.
#[derive(Clone, Debug)]
pub struct WorkerPlan {
    deployment: ScanDeployment,
    n_scans: u32,
}

/// A worker that is ready to scan.
#[derive(Debug)]
pub struct ScanWorker {
    scanner: Arc<Scanner>,
    queue: ScanQueue,
    /// For one message, from its receipt to its acknowledgement.
    time_per_message: Duration,
    n_scans: u32,
    /// Definitions, the engine's socket and temporary files. Removed at the end.
    _scratch: TempDir,
}

impl WorkerPlan {
    /// Reads the variables of the scan function, and `SCAN_WORKERS`.
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            deployment: ScanDeployment::of_worker(env)?,
            n_scans: WorkerSettings::read(env)?.n_scans(),
        })
    }
}

impl ScanWorker {
    /// Connects, fetches the definitions and starts the engine. Errors: the stores cannot be reached, nothing
    /// is published, or the engine does not start.
    pub async fn start(plan: WorkerPlan) -> anyhow::Result<Self> {
        let WorkerPlan { mut deployment, n_scans } = plan;
        // Of this process alone: workers beside each other must not share an engine or replace each other's
        // definitions, and no other user may create what is read here.
        let scratch = deployment.use_own_scratch().context("there is no directory to work in")?;
        let time_per_message = deployment.settings.scan_timeout + 2 * RESERVE;
        let scanner = Arc::new(Scanner::with_workers(deployment, n_scans, clamd::bound_launcher()));
        let context = scanner.context().await?;
        let queue = context.stores.queues.scans.clone().context("there is no scan queue")?;
        Ok(Self { scanner, queue, time_per_message, n_scans, _scratch: scratch })
    }

    /// How many files it scans concurrently.
    pub fn n_scans(&self) -> u32 {
        self.n_scans
    }

    /// The version of the running engine and of its definitions.
    pub async fn engine(&self) -> anyhow::Result<domain::verdict::EngineVersion> {
        Ok(self.scanner.context().await?.running_engine().await?)
    }

    /// Scans until `stop` completes, then finishes the scans that it has begun and stops the engine.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut receivers = JoinSet::new();
        let scanner = Arc::clone(&self.scanner);
        let worker = Arc::new(self);
        for _ in 0..worker.n_scans {
            receivers.spawn(Arc::clone(&worker).receive(stopped.clone()));
        }
        stop.await;
        let _ = stopping.send(true);
        while receivers.join_next().await.is_some() {}
        scanner.stop().await;
    }

    async fn receive(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        loop {
            let scanned = tokio::select! {
                // A message that SQS has handed out but that was not seen here is delivered again.
                _ = stopped.wait_for(|is_stopped| *is_stopped) => return,
                received = self.queue.receive(self.time_per_message) => received,
            };
            let settled = match scanned {
                Ok(event) => self.handle(event).await,
                Err(error) => Err(error),
            };
            if let Err(error) = settled {
                tracing::warn!(error = aws::log::chain(&error), "the scan queue failed");
                tokio::select! {
                    _ = stopped.wait_for(|is_stopped| *is_stopped) => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }

    /// Handles an event of one message or none. A message that failed was made visible again by its handling.
    async fn handle(&self, event: aws_lambda_events::event::sqs::SqsEvent) -> Result<(), aws::StoreError> {
        let receipt = event.records.first().and_then(|message| message.receipt_handle.clone());
        let Some(receipt) = receipt else { return Ok(()) };
        let response = self.scanner.scan(event, self.time_per_message).await;
        if response.batch_item_failures.is_empty() {
            self.queue.acknowledge(&receipt).await?;
        }
        Ok(())
    }
}
