//! "Are we current?" freshclam's databases become a checked, signed definition set that scanners may take.
//!
//! Invariant: nothing is published that the scanners' own engine did not load, find the canary with, and pass known-good files with.
//! Invariant: whatever fails, what was published before stays published.

mod check;
mod cloudformation;
mod config;
mod rollback;
mod snapshot;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use aws::DefinitionBucket;
use clamd::{DaemonConfig, freshclam::Freshclam};
use definition_set::SigningKey;
use serde::{Deserialize, Serialize};

pub use config::PublisherDeployment;
pub use rollback::{RollbackError, roll_back};
pub use update::{UpdateError, update};

/// What publishing needs. Built once per process.
#[derive(Debug)]
pub struct Context {
    pub bucket: DefinitionBucket,
    pub key: SigningKey,
    /// Where it works is wiped before each update.
    pub freshclam: Freshclam,
    /// The scanners' engine; its definitions are those that freshclam left.
    pub engine: DaemonConfig,
    /// Programs and documents that are not malware. One that is found to be stops the publication.
    pub known_good: Vec<PathBuf>,
    /// Harmless files that ClamAV knows. What clamd says about them a snapshot must say too.
    pub known_bad: Vec<PathBuf>,
    /// What makes snapshots, with the same definitions as `engine`; `None` if scanners do not use them.
    pub snapshots: Option<DaemonConfig>,
    /// How long scanners may use a set without seeing another.
    pub ttl: Duration,
}

/// What the function is asked to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum UpdateEvent {
    Command(Command),
    /// CloudFormation made, changed or removed the stack.
    Stack(cloudformation::ResourceRequest),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Command {
    /// What the schedule asks.
    Update,
    /// Publishes the set of an earlier serial number again, and never again the version that is published now.
    Rollback { serial: u64 },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum UpdateReport {
    Published {
        serial: u64,
        version: String,
    },
    /// A mirror said 403 or 429; freshclam will not ask it again before its time.
    CoolingDown,
    /// The mirror's version was taken back by an operator.
    Withdrawn {
        version: String,
    },
    /// What CloudFormation was told.
    Stack {
        public_key: String,
    },
}

/// Handles one event. An error leaves everything as it was, and makes the invocation fail, so that its alarm fires.
pub async fn handle(context: &Context, event: UpdateEvent) -> anyhow::Result<UpdateReport> {
    let report = match event {
        UpdateEvent::Command(Command::Update) => update(context, aws::clock::now()).await?,
        UpdateEvent::Command(Command::Rollback { serial }) => {
            roll_back(context, serial, aws::clock::now()).await?
        }
        UpdateEvent::Stack(request) => cloudformation::answer(context, request).await?,
    };
    tracing::info!(?report, "done");
    Ok(report)
}
