//! `doctor` and `health`: diagnoses a service, with advice for each finding.

mod bucket;
mod public;

pub(crate) use bucket::examine;

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::client::Client;
use crate::output::Output;

/// The result of one check, with advice unless it is good.
struct Finding {
    state: &'static str,
    found: String,
    advice: String,
}

const FAILED: &str = "FAIL";

fn good(found: impl Into<String>) -> Finding {
    Finding { state: "ok", found: found.into(), advice: String::new() }
}

/// Works, but the operator should know.
fn odd(found: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { state: "warn", found: found.into(), advice: advice.into() }
}

fn bad(found: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { state: FAILED, found: found.into(), advice: advice.into() }
}

/// Where Debian puts programs.
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const PROGRAMS_ADVICE: &str =
    "only `airlock local` needs it: install Debian's clamav-daemon, clamav-freshclam and util-linux";

/// More than a token's leeway.
const MAX_SKEW_SECS: u64 = 30;

/// Sends one request, because health checks run every few seconds.
pub(crate) async fn health(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    let (status, health) = client.answer(client.request(Method::GET, "/health")).await?;
    output.say(&health, health["status"].as_str().unwrap_or("unknown"))?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks a service, and with `origin` whether pages from there may upload.
pub(crate) async fn doctor(
    client: &Client,
    output: Output,
    origin: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let mut findings: Vec<(&str, Finding)> = programs();
    match client.send(client.request(Method::GET, "/health")).await {
        Err(error) => findings.push(("service", bad(format!("{error:#}"), "start it with `airlock local`"))),
        Ok(response) => {
            findings.push(("clock", clock(response.headers())));
            let health = response.json::<Value>().await.unwrap_or_default();
            if health["status"].is_string() {
                findings.extend(parts(&health));
                findings.push(("access", access(client).await));
                findings.extend(public::check(client, &health, origin).await);
                findings.extend(dead_letters(client).await);
            } else {
                let advice = "check --url, and that the proxy forwards all paths to the service";
                findings.push(("service", bad("the answer to GET /health is not Airlock's", advice)));
            }
        }
    }
    report(&findings, output)
}

/// Prints the findings; the exit code is 1 if one of them is bad.
fn report(findings: &[(&str, Finding)], output: Output) -> anyhow::Result<ExitCode> {
    let has_failed = findings.iter().any(|(_, finding)| finding.state == FAILED);
    let rows: Vec<Value> = findings.iter().map(|(what, finding)| row(what, finding)).collect();
    let columns = [("", "/state"), ("CHECK", "/what"), ("RESULT", "/finding")];
    output.print_with_notes(&Value::Array(rows.clone()), &rows, &columns, "/advice")?;
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(what: &str, finding: &Finding) -> Value {
    json!({ "state": finding.state, "what": what, "finding": finding.found, "advice": finding.advice })
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
                Some(directory) => good(*directory),
                None => odd("not installed", PROGRAMS_ADVICE),
            };
            (program, finding)
        })
        .collect()
}

fn clock(headers: &reqwest::header::HeaderMap) -> Finding {
    let said = headers.get("date").and_then(|value| value.to_str().ok());
    let said = said.and_then(|text| OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok());
    let Some(said) = said else { return odd("the service sends no `Date` header", "a proxy removes it") };
    let skew = aws::clock::now().as_secs().abs_diff(said.unix_timestamp());
    if skew <= MAX_SKEW_SECS {
        good(format!("{skew} s apart"))
    } else {
        bad(format!("{skew} s apart"), "set the clocks: tokens and presigned requests fail otherwise")
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
        findings.push((what, if is_up { good("reachable") } else { bad("down", advice) }));
    }
    let disk = &health["disk"];
    let advice = "free space on the service's disk: scans wait and uploads are refused until then";
    findings.extend(match disk["status"].as_str() {
        None => None,
        Some("ok") => Some(("disk", good("enough space"))),
        Some(_) => Some(("disk", bad(disk["detail"].as_str().unwrap_or("full"), advice))),
    });
    let version = engine["version"].as_str().unwrap_or("no engine has reported yet");
    findings.push(match engine["status"].as_str() {
        Some("ok") => ("engine", good(version)),
        _ => (
            "engine",
            bad(version, "the engine does not run, or its definitions are too old: see docs/operations.md"),
        ),
    });
    let age = engine["definitions_age_hours"].as_u64();
    let age_text = age.map_or_else(|| "age unknown".to_owned(), |age| format!("{age} h old"));
    findings.push(match engine["definitions_freshness"].as_str() {
        Some("fresh") => ("definitions", good(age_text)),
        Some("ageing") => ("definitions", odd(age_text, "freshclam has not succeeded for a day")),
        Some("test_set") => {
            ("definitions", odd("TEST SET", "finds only test files: freshclam needs its mirror"))
        }
        _ => ("definitions", bad(age_text, "every file becomes unscannable: let freshclam reach its mirror")),
    });
    findings
}

async fn access(client: &Client) -> Finding {
    match client.get("/files?limit=1").await {
        Ok(_) => good("files can be listed"),
        Err(error) => bad(format!("{error:#}"), "pass a valid token with --token or AIRLOCK_TOKEN"),
    }
}

/// `None` for callers who are no operators.
async fn dead_letters(client: &Client) -> Option<(&'static str, Finding)> {
    let stats = client.get("/stats").await.ok()?;
    Some(match stats["dead_letters"].as_u64()? {
        0 => ("dead letters", good("none")),
        n => (
            "dead letters",
            odd(n.to_string(), "`airlock dlq ls` says why; `airlock dlq redrive` retries them"),
        ),
    })
}
