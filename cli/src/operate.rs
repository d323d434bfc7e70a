//! `dlq`, `releases`, `unrelease`, `webhooks`, `definitions`: the operators' subcommands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::Output;
use crate::parse;
use crate::seed;

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Dlq {
    /// List dead letters with their reasons
    Ls,
    /// Send all of them to the queue again
    Redrive,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// List endpoints
    Ls,
    /// Re-enable an endpoint that was disabled by a 410 response
    Enable { id: String },
    /// Deliver past events again
    Replay {
        /// Events from this time on, in RFC 3339
        #[arg(long, value_name = "TIME", value_parser = parse::time)]
        since: String,
        /// Only to this endpoint
        #[arg(long)]
        endpoint: Option<String>,
        /// Only deliveries that were given up
        #[arg(long)]
        failed_only: bool,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Definitions {
    /// Show the version and age of the definitions in use
    Status,
    /// Run freshclam for the service on this machine, which then loads the new definitions by itself
    Update {
        /// The service's data directory [env: DATA_DIR] [default: data]
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
    /// Upload definitions from this machine to a stack on AWS, for one that no mirror serves
    ///
    /// Takes `main.cvd`, `daily.cvd` and `bytecode.cvd` from a directory, or has freshclam download them now.
    /// Loads them with clamd, which verifies the signatures of ClamAV's makers, and checks that the canary is
    /// found with them. Then uploads them to the stack's definitions bucket, whose definitions function
    /// verifies them once more, signs them for the scanners, and publishes them with its next update.
    ///
    /// Needs freshclam and clamd on this machine, AWS_REGION, and credentials as AWS_ACCESS_KEY_ID and so on
    /// (`eval "$(aws configure export-credentials --format env)"`) that may read and write objects in the
    /// bucket. Files that the bucket has already are not sent again.
    Seed {
        /// The stack's definitions bucket: its output `DefinitionsBucketName`
        #[arg(long)]
        bucket: String,
        /// The directory with the databases; without it, freshclam downloads them
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
}

fn rows(value: &Value, name: &str) -> Vec<Value> {
    value[name].as_array().cloned().unwrap_or_default()
}

pub(crate) async fn dead_letters(client: &Client, output: Output, command: Dlq) -> anyhow::Result<ExitCode> {
    match command {
        Dlq::Ls => {
            let list = client.get("/dead-letters").await?;
            let columns = [("MESSAGE", "/message_id"), ("FILE", "/file_id"), ("REASON", "/reason")];
            output.print(&list, &rows(&list, "dead_letters"), &columns)?;
        }
        Dlq::Redrive => {
            let moved = client.post("/dead-letters/redrive", &json!({})).await?;
            output.print(&moved, std::slice::from_ref(&moved), &[("REDRIVEN", "/moved")])?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists operators' releases, newest first.
pub(crate) async fn releases(client: &Client, output: Output, limit: u32) -> anyhow::Result<ExitCode> {
    let list = client.get(&format!("/releases?limit={limit}")).await?;
    let columns = [
        ("SHA-256", "/sha256"),
        ("FINDING", "/signature"),
        ("RELEASED", "/released_at"),
        ("BY", "/released_by"),
        ("REASON", "/reason"),
        ("REVOKED", "/revoked_at"),
        ("BY", "/revoked_by"),
        ("REASON", "/revoke_reason"),
    ];
    output.print(&list, &rows(&list, "releases"), &columns)?;
    Ok(ExitCode::SUCCESS)
}

/// Revokes a release. Fails if some of its files are still to be changed.
pub(crate) async fn unrelease(
    client: &Client,
    output: Output,
    sha256: &str,
    reason: &str,
) -> anyhow::Result<ExitCode> {
    let revoked = client.post(&format!("/releases/{sha256}/revoke"), &json!({ "reason": reason })).await?;
    let columns = [
        ("SHA-256", "/release/sha256"),
        ("REVOKED", "/release/revoked_at"),
        ("FILES", "/files_changed"),
        ("REMAINING", "/files_remaining"),
    ];
    output.print(&revoked, std::slice::from_ref(&revoked), &columns)?;
    if revoked["files_remaining"] != 0 {
        anyhow::bail!("the remaining files cannot be downloaded, but are still `released`; run this again");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn webhooks(client: &Client, output: Output, command: Webhooks) -> anyhow::Result<ExitCode> {
    match command {
        Webhooks::Ls => {
            let list = client.get("/webhooks").await?;
            let columns = [
                ("ENDPOINT", "/id"),
                ("HOST", "/host"),
                ("DISABLED", "/disabled_at"),
                ("LAST FAILURE", "/last_failure"),
            ];
            output.print(&list, &rows(&list, "webhooks"), &columns)?;
        }
        Webhooks::Enable { id } => {
            client.post(&format!("/webhooks/{id}/enable"), &json!({})).await?;
            output.say(&json!({ "id": id, "enabled": true }), &format!("enabled {id}"))?;
        }
        Webhooks::Replay { since, endpoint, failed_only } => {
            let body = json!({ "since": since, "endpoint": endpoint, "failed_only": failed_only });
            let replayed = client.post("/webhooks/replay", &body).await?;
            output.print(&replayed, std::slice::from_ref(&replayed), &[("DELIVERIES", "/deliveries")])?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn definitions(
    client: &Client,
    output: Output,
    command: Definitions,
) -> anyhow::Result<ExitCode> {
    match command {
        Definitions::Status => {
            // An unhealthy service answers 503 with the same body.
            let (_, health) = client.answer(client.request(reqwest::Method::GET, "/health")).await?;
            let engine = &health["engine"];
            let columns = [
                ("ENGINE", "/version"),
                ("DEFINITIONS", "/definitions/version"),
                ("KIND", "/definitions/kind"),
                ("SIGNATURES", "/definitions/signatures"),
                ("BUILT", "/definitions/built_at"),
                ("AGE (H)", "/definitions_age_hours"),
                ("FRESHNESS", "/definitions_freshness"),
            ];
            output.print(engine, std::slice::from_ref(engine), &columns)?;
            Ok(ExitCode::SUCCESS)
        }
        Definitions::Seed { bucket, from } => {
            seed::seed(bucket, from.as_deref()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Definitions::Update { data_dir } => {
            local::update_definitions(data_dir).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
