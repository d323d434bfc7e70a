//! Turns SQS batches of S3 events into verdicts.
//!
//! Invariant: an event creates a record only below the incoming prefix, or in a protected bucket. An event
//! for any other key that the API did not issue is acknowledged and ignored.
//! Invariant: failures are reported per message, so that one bad message never repeats nine good scans.

mod conclusion;
mod config;
mod definitions;
mod incoming;
mod input;
mod inspection;
mod measure;
mod process;
mod retry;
mod room;
mod scanner;
mod snapshot;
mod spool;
mod verdict_cache;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use aws::events::{self, IgnoreReason, S3Event};
use aws::{Heartbeat, StoreError, Stores};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use clamd::{Engine, StartError};
use domain::freshness::FreshnessPolicy;
use domain::machine::MachinePolicy;
use domain::verdict::EngineVersion;
use gate::Gate;
use inspector::Inspector;
use lifecycle::Transitions;
use thiserror::Error;
use tokio::time::Instant;

pub use config::{ScanDependencies, ScanDeployment, ScanSettings};
pub use definitions::{PublishedDefinitions, RefreshError};
pub use incoming::IncomingTerms;
pub use inspection::gate_for;
pub use retry::RetryPolicy;
pub use scanner::Scanner;
pub use spool::SpoolDirectory;
pub use worker::{ScanWorker, WorkerPlan};

/// What a scan needs. Built once per process.
#[derive(Debug)]
pub struct ScanContext {
    pub stores: Stores,
    pub engine: Arc<Engine>,
    pub gate: Gate,
    pub inspector: Arc<Inspector>,
    pub spool: SpoolDirectory,
    pub machine: MachinePolicy,
    pub incoming: IncomingTerms,
    pub freshness: FreshnessPolicy,
    /// Where the engine's definitions come from; `None` where its directory is kept up to date by other
    /// means.
    pub definitions: Option<PublishedDefinitions>,
    /// Whether bytes that were judged before get their cached verdict.
    pub reuses_verdicts: bool,
    /// For one scan, including the wait for the engine.
    pub scan_timeout: Duration,
    /// Whether metrics are emitted for each verdict.
    pub is_measured: bool,
    /// When messages whose scan failed are delivered again.
    pub retry: RetryPolicy,
}

impl ScanContext {
    fn transitions(&self) -> Transitions<'_> {
        Transitions { stores: &self.stores, policy: &self.machine }
    }
}

/// Why a message must be delivered again.
#[derive(Debug, Error)]
enum RetryError {
    #[error(transparent)]
    BadMessage(#[from] events::MessageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the scan was inconclusive")]
    Inconclusive,
    #[error("there is too little temporary space for a scan")]
    NoRoom,
    #[error("no time is left for this message")]
    OutOfTime,
}

/// Reserved at the end of the invocation, to report failures before the platform stops it.
const RESERVE: Duration = Duration::from_secs(10);

/// Handles one batch within `time_left`. Never fails as a whole: the response names each message that must be
/// delivered again.
pub async fn handle(context: &ScanContext, event: SqsEvent, time_left: Duration) -> SqsBatchResponse {
    let deadline = Instant::now() + time_left.saturating_sub(RESERVE);
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        let failure = aws::batch::failure_of(message, handle_message(context, message, deadline)).await;
        if let Some(queue) = context.stores.queues.scans.as_ref().filter(|_| failure.is_some()) {
            retry::schedule(queue, message, context.retry).await;
        }
        response.batch_item_failures.extend(failure);
    }
    response
}

async fn handle_message(
    context: &ScanContext,
    message: &SqsMessage,
    deadline: Instant,
) -> Result<(), RetryError> {
    let body = message.body.as_deref().unwrap_or_default();
    for notice in events::read_body(body, &context.stores.event_rules())? {
        let (file, version) = match notice {
            S3Event::Ignored(IgnoreReason::NoOwner) => {
                tracing::warn!("an object below the incoming prefix is ignored: no rule names its owner");
                continue;
            }
            S3Event::Ignored(why) => {
                tracing::info!(?why, "event ignored");
                continue;
            }
            S3Event::Removed { incoming } => {
                incoming::lost(context, &incoming).await?;
                continue;
            }
            S3Event::Stored { file, version } => (file, version),
            S3Event::Incoming { incoming, owner, version } => {
                (incoming::receive(context, incoming, owner, &version).await?, version)
            }
        };
        let time_left = deadline.saturating_duration_since(Instant::now());
        if time_left.is_zero() {
            return Err(RetryError::OutOfTime);
        }
        let budget = time_left.min(context.scan_timeout);
        process::judge_version(context, file, version, measure::sent_at(message), budget).await?;
    }
    Ok(())
}

impl ScanContext {
    /// Makes sure that the engine runs, and records a heartbeat for `GET /health`.
    pub async fn beat(&self) -> anyhow::Result<Heartbeat> {
        let engine = self.running_engine().await?;
        let heartbeat = Heartbeat { engine, at: aws::clock::now() };
        self.stores.ledger.beat(heartbeat.clone()).await?;
        Ok(heartbeat)
    }

    /// Starts the engine if it does not run. Returns the engine that would judge now.
    pub(crate) async fn running_engine(&self) -> Result<EngineVersion, StartError> {
        Ok(self.stamp(self.engine.ensure_running().await?))
    }

    /// Adds the openers, which take files apart for the engine, to what the engine says about itself.
    pub(crate) fn stamp(&self, engine: EngineVersion) -> EngineVersion {
        EngineVersion { openers: self.inspector.openers().to_vec(), ..engine }
    }

    /// Switches to newer definitions, if there are any. A failure is logged: the current set stays in use
    /// until it is stale.
    pub async fn refresh_definitions(&self) {
        let Some(definitions) = &self.definitions else { return };
        match definitions.refresh(&self.engine, aws::clock::now()).await {
            Ok(false) => {}
            Ok(true) => {
                if let Err(error) = self.beat().await {
                    tracing::warn!(error = format!("{error:#}"), "no heartbeat");
                }
            }
            Err(error) => {
                tracing::error!(error = aws::log::chain(&error), "the published definitions are not in use");
            }
        }
    }

    /// The freshness policy now: with an expired set, no definitions are fresh.
    async fn freshness_now(&self) -> FreshnessPolicy {
        match &self.definitions {
            Some(definitions) => definitions.freshness(self.freshness, aws::clock::now()).await,
            None => self.freshness,
        }
    }

    /// The same context with other clients.
    fn reconnected(&self, stores: Stores, definitions: Option<PublishedDefinitions>) -> Self {
        Self {
            stores,
            definitions,
            engine: Arc::clone(&self.engine),
            gate: self.gate.clone(),
            inspector: Arc::clone(&self.inspector),
            spool: self.spool.clone(),
            ..*self
        }
    }
}
