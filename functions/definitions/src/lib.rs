//! Turns freshclam's databases into a checked, signed definition set, and publishes it for the scanners.
//!
//! Invariant: nothing is published before the scanners' own engine has loaded it, found the canary with it,
//! and passed known-good files.
//! Invariant: after any failure, the published set stays published.

mod check;
mod cloudformation;
mod config;
mod rollback;
mod snapshot;
#[cfg(test)]
mod testing;
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
    /// Its directory is wiped before each update.
    pub freshclam: Freshclam,
    /// The scanners' engine; its definitions are those that freshclam left.
    pub engine: DaemonConfig,
    /// Programs and documents that are not malware. A finding in one of them stops the publication.
    pub known_good: Vec<PathBuf>,
    /// ClamAV's own test files. A snapshot must find in them what clamd finds.
    pub known_bad: Vec<PathBuf>,
    /// The engine that makes snapshots, with the definitions of `engine`; `None` if scanners do not use them.
    pub snapshots: Option<DaemonConfig>,
    /// How long scanners may use a set without a newer one.
    pub ttl: Duration,
}

/// The function's input.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum UpdateEvent {
    Command(Command),
    /// CloudFormation created, updated or deleted the stack.
    Stack(cloudformation::ResourceRequest),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Command {
    /// Sent by the schedule.
    Update,
    /// Publishes the set of an earlier serial number again, and withdraws the version that is published now.
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
    /// A mirror answered 403 or 429; freshclam does not ask it again before the time that it gave.
    CoolingDown,
    /// The mirror's version was withdrawn by an operator.
    Withdrawn {
        version: String,
    },
    /// What CloudFormation was sent.
    Stack {
        public_key: String,
    },
}

/// Handles one event. An error changes nothing, and fails the invocation, so that its alarm fires.
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
