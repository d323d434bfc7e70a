//! `samples`: lets an operator download files that are not clean, in encrypted archives, and lists who did.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use domain::sample::SAMPLE_PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::download::Destination;
use crate::output::Output;
use crate::{failure, parse};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Samples {
    /// List downloads of samples, newest first
    Ls {
        /// The maximum number of downloads
        #[arg(long, value_name = "N", default_value_t = 50)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Download a file that is not clean, as an operator
    ///
    /// The result is a zip archive, encrypted with AES-256, whose password is `infected`. The service must
    /// allow it with SAMPLE_DOWNLOADS=true.
    Get {
        #[arg(value_parser = parse::file_id)]
        file_id: String,
        /// The SHA-256 of its bytes
        #[arg(long, value_name = "DIGEST", value_parser = parse::digest)]
        sha256: String,
        /// Why you need the bytes; recorded with your name
        #[arg(long)]
        reason: String,
        /// The file or directory to write to; `-` is standard output [default: DIGEST.zip, here]
        #[arg(long, short, value_name = "PATH")]
        to: Option<PathBuf>,
        /// Replace an existing file
        #[arg(long, short)]
        force: bool,
    },
}

/// For the whole archive, which the service makes while it sends.
const TIMEOUT: Duration = Duration::from_hours(1);

pub(crate) async fn samples(client: &Client, output: Output, command: Samples) -> anyhow::Result<ExitCode> {
    match command {
        Samples::Ls { limit } => list(client, output, limit).await,
        Samples::Get { file_id, sha256, reason, to, force } => {
            let destination = Destination { to: to.as_deref(), may_replace: force };
            let target = destination.target(format!("{sha256}.zip"))?;
            let body = json!({ "sha256": sha256, "reason": reason });
            let request = client.request(Method::POST, &format!("/files/{file_id}/sample"));
            let response = client.send(request.json(&body).timeout(TIMEOUT)).await?;
            let status = response.status();
            if !status.is_success() {
                let body = response.json().await.unwrap_or(Value::Null);
                return Err(failure::refusal(status, &body).into());
            }
            destination.save(target.as_deref(), response, None, output).await?;
            if target.is_some() {
                output.remark(&format!("The password of the archive is `{SAMPLE_PASSWORD}`."));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list(client: &Client, output: Output, limit: u32) -> anyhow::Result<ExitCode> {
    let list = client.get(&format!("/samples?limit={limit}")).await?;
    let columns = [
        ("FILE", "/file_id"),
        ("OWNER", "/owner"),
        ("FINDING", "/finding"),
        ("DOWNLOADED", "/downloaded_at"),
        ("BY", "/downloaded_by"),
        ("REASON", "/reason"),
        ("SHA-256", "/sha256"),
    ];
    let rows = list["samples"].as_array().cloned().unwrap_or_default();
    output.print(&list, &rows, &columns)?;
    Ok(ExitCode::SUCCESS)
}
