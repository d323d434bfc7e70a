//! `doctor` and `health`: diagnoses a service, with advice for each finding.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::client::Client;
use crate::output::Output;

/// The result of one check, with advice unless it is good.
enum Finding {
    Good(String),
    /// Works, but the operator should know.
    Odd(String, &'static str),
    Bad(String, &'static str),
}

use Finding::{Bad, Good, Odd};

/// Where Debian puts programs.
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const PROGRAMS_ADVICE: &str =
    "only `airlock local` needs it: install Debian's clamav-daemon, clamav-freshclam and util-linux";

/// More than a token's leeway.
const MAX_SKEW_SECS: u64 = 30;

/// Sends one request, because health checks run every few seconds.
pub(crate) async fn health(client: &Client) -> anyhow::Result<ExitCode> {
    let (status, health) = client.answer(client.request(Method::GET, "/health")).await?;
    println!("{}", health["status"].as_str().unwrap_or("unknown"));
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) async fn doctor(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    let mut findings: Vec<(&str, Finding)> = programs();
    match client.send(client.request(Method::GET, "/health")).await {
        Err(error) => findings.push((
            "service",
            Bad(format!("{error:#}"), "start it with `airlock local`, or choose another one with --url"),
        )),
        Ok(response) => {
            findings.push(("clock", clock(response.headers())));
            let health = response.json::<Value>().await.unwrap_or_default();
            findings.extend(parts(&health));
            findings.push(("access", access(client).await));
            findings.push(("storage", storage(client).await));
            findings.push(("live events", live(client).await));
            findings.extend(dead_letters(client).await);
        }
    }
    let is_bad = findings.iter().any(|(_, finding)| matches!(finding, Bad(..)));
    let rows: Vec<Value> = findings.iter().map(|(what, finding)| row(what, finding)).collect();
    let columns = [("", "/state"), ("CHECK", "/what"), ("RESULT", "/finding"), ("WHAT TO DO", "/advice")];
    output.print(&Value::Array(rows.clone()), &rows, &columns);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(what: &str, finding: &Finding) -> Value {
    let (state, finding, advice) = match finding {
        Good(finding) => ("ok", finding, ""),
        Odd(finding, advice) => ("warn", finding, *advice),
        Bad(finding, advice) => ("FAIL", finding, *advice),
    };
    json!({ "state": state, "what": what, "finding": finding, "advice": advice })
}

/// What `airlock local` needs on this machine.
fn programs() -> Vec<(&'static str, Finding)> {
    let installed = |program: &str| {
        DIRECTORIES.iter().find(|directory| std::fs::metadata(format!("{directory}/{program}")).is_ok())
    };
    [("clamd", "clamav-daemon"), ("freshclam", "clamav-freshclam"), ("setpriv", "util-linux")]
        .into_iter()
        .map(|(program, _)| {
            let finding = match installed(program) {
                Some(directory) => Good((*directory).to_owned()),
                None => Odd("not installed".to_owned(), PROGRAMS_ADVICE),
            };
            (program, finding)
        })
        .collect()
}

fn clock(headers: &reqwest::header::HeaderMap) -> Finding {
    let said = headers.get("date").and_then(|value| value.to_str().ok());
    let said = said.and_then(|text| OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok());
    let Some(said) = said else { return Odd("the service sends no `Date` header".to_owned(), "") };
    let skew = aws::clock::now().as_secs().abs_diff(said.unix_timestamp());
    if skew <= MAX_SKEW_SECS {
        Good(format!("{skew} s apart"))
    } else {
        Bad(format!("{skew} s apart"), "set the clocks: tokens and presigned requests fail otherwise")
    }
}

fn parts(health: &Value) -> Vec<(&'static str, Finding)> {
    let engine = &health["engine"];
    let mut findings = Vec::new();
    for (what, status, advice) in [
        ("storage (service)", &health["storage"], "the service cannot reach its bucket: see its log"),
        ("ledger", &health["ledger"], "the service cannot reach its table: see its log"),
        ("queue", &health["queue"]["status"], "the service cannot reach its queue: see its log"),
    ] {
        let is_up = *status == "ok";
        findings
            .push((what, if is_up { Good("reachable".to_owned()) } else { Bad("down".to_owned(), advice) }));
    }
    let disk = &health["disk"];
    let advice = "free space on the service's disk: scans wait and uploads are refused until then";
    findings.extend(match disk["status"].as_str() {
        None => None,
        Some("ok") => Some(("disk", Good("enough space".to_owned()))),
        Some(_) => Some(("disk", Bad(disk["detail"].as_str().unwrap_or("full").to_owned(), advice))),
    });
    let version = engine["version"].as_str().unwrap_or("no engine has reported yet");
    findings.push(match engine["status"].as_str() {
        Some("ok") => ("engine", Good(version.to_owned())),
        _ => (
            "engine",
            Bad(
                version.to_owned(),
                "the engine does not run, or its definitions are too old: see docs/operations.md",
            ),
        ),
    });
    let age = engine["definitions_age_hours"].as_u64();
    let age_text = age.map_or_else(|| "age unknown".to_owned(), |age| format!("{age} h old"));
    findings.push(match engine["definitions_freshness"].as_str() {
        Some("fresh") => ("definitions", Good(age_text)),
        Some("ageing") => ("definitions", Odd(age_text, "freshclam has not succeeded for a day")),
        Some("test_set") => {
            ("definitions", Odd("TEST SET".to_owned(), "finds only test files: freshclam needs its mirror"))
        }
        _ => ("definitions", Bad(age_text, "every file becomes unscannable: let freshclam reach its mirror")),
    });
    findings
}

async fn access(client: &Client) -> Finding {
    match client.get("/files?limit=1").await {
        Ok(_) => Good("files can be listed".to_owned()),
        Err(error) => Bad(format!("{error:#}"), "pass a token with --token or AIRLOCK_TOKEN"),
    }
}

/// Checks whether this machine reaches the storage that uploads go to. Deletes the file that this takes.
async fn storage(client: &Client) -> Finding {
    let Ok(accepted) = client.post("/files", &json!({ "filename": "airlock-doctor.txt", "size": 1 })).await
    else {
        return Odd("not checked: the service refused an upload".to_owned(), "see `access`");
    };
    let url = accepted["upload"]["url"].as_str().unwrap_or_default();
    let request = client.elsewhere(Method::OPTIONS, url.split('?').next().unwrap_or_default());
    let answered = request.timeout(Duration::from_secs(10)).send().await;
    let file_id = accepted["file_id"].as_str().unwrap_or_default();
    let _ = client.delete(&format!("/files/{file_id}")).await;
    match answered {
        Ok(_) => Good("reachable from here".to_owned()),
        Err(error) => Bad(
            aws::log::chain(&error.without_url()),
            "uploads go straight to storage: make it reachable, or set --s3-url",
        ),
    }
}

async fn live(client: &Client) -> Finding {
    let request = client.request(Method::GET, "/events").header("accept", "text/event-stream");
    match client.send(request).await {
        Ok(response) if response.status().is_success() => Good("streaming".to_owned()),
        Ok(response) => Odd(
            format!("answers {}", response.status().as_u16()),
            "on AWS they are at the stack's LiveUrl; long polls work without them",
        ),
        Err(error) => Odd(format!("{error:#}"), "a proxy may buffer streams; long polls work without them"),
    }
}

/// `None` for callers who are no operators.
async fn dead_letters(client: &Client) -> Option<(&'static str, Finding)> {
    let stats = client.get("/stats").await.ok()?;
    Some(match stats["dead_letters"].as_u64()? {
        0 => ("dead letters", Good("none".to_owned())),
        n => (
            "dead letters",
            Odd(n.to_string(), "`airlock dlq ls` says why; `airlock dlq redrive` retries them"),
        ),
    })
}
