//! The clients of the systems: each sends one file and waits for its verdict.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use domain::verdict::EngineReply;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// How one system is asked, and where.
pub(crate) enum Client {
    Clamd(PathBuf),
    Rest(reqwest::Client, String),
    Original(reqwest::Client, String),
    Airlock(reqwest::Client, String),
}

/// The original's page polls every second; this one polls more often, to its favour.
const POLL_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(10);

impl Client {
    /// Returns the verdict in the words of Airlock.
    pub(crate) async fn judge(&self, bytes: Vec<u8>) -> anyhow::Result<String> {
        match self {
            Self::Clamd(socket) => {
                let (reply, _) =
                    clamd::Client::new(socket.clone()).scan_stream(bytes.as_slice(), PATIENCE).await?;
                Ok(if reply == EngineReply::Ok { "clean" } else { "infected" }.to_owned())
            }
            Self::Rest(http, url) => {
                let answer = http.post(format!("{url}/scan")).multipart(form(bytes)).send().await?;
                text(&answer.error_for_status()?.json::<Value>().await?["scan_status"])
            }
            Self::Original(http, url) => original(http, url, bytes).await,
            Self::Airlock(http, url) => airlock(http, url, bytes).await,
        }
    }
}

fn form(bytes: Vec<u8>) -> Form {
    Form::new().part("file", Part::bytes(bytes).file_name("a.bin"))
}

async fn original(http: &reqwest::Client, url: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    let accepted = http.post(format!("{url}/upload")).multipart(form(bytes)).send().await?;
    let file_id = text(&accepted.error_for_status()?.json::<Value>().await?["file_id"])?;
    loop {
        let answer: Value = http.get(format!("{url}/status/{file_id}")).send().await?.json().await?;
        match text(&answer["scan_status"])?.as_str() {
            "pending" | "scanning" => tokio::time::sleep(POLL_EVERY).await,
            verdict => return Ok(verdict.to_owned()),
        }
    }
}

async fn airlock(http: &reqwest::Client, url: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    let announcement = json!({ "filename": "a.bin", "size": bytes.len() });
    let accepted = http.post(format!("{url}/files")).json(&announcement).send().await?;
    let accepted: Value = accepted.error_for_status()?.json().await?;
    let mut put = http.put(text(&accepted["upload"]["url"])?);
    for name in ["content-type", "if-none-match"] {
        put = put.header(name, text(&accepted["upload"]["headers"][name])?);
    }
    put.body(bytes).send().await?.error_for_status()?;
    let status_url = format!("{url}/files/{}/status", text(&accepted["file_id"])?);
    loop {
        let answer: Value = http.get(&status_url).header("prefer", "wait=20").send().await?.json().await?;
        match text(&answer["file_info"]["scan_status"])?.as_str() {
            "pending" | "scanning" => {}
            verdict => return Ok(verdict.to_owned()),
        }
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(ToOwned::to_owned).context("an incomplete answer")
}
