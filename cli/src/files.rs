//! The subcommands `ls`, `status`, `link`, `rm`, `rescan` and `release`.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::output::{self, Output};
use crate::{failure, progress, verdict};

const COLUMNS: [(&str, &str); 6] = [
    ("FILE", "/file_id"),
    ("STATUS", "/scan_status"),
    ("SIZE", "/file_size"),
    ("DOWNLOADS", "/download_count"),
    ("UPLOADED", "/upload_timestamp"),
    ("NAME", "/filename"),
];

/// Long polls end at a change of status, which a rescan may not bring.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Prints files, one row each, with the finding or the reason if one of them has any.
pub(crate) fn print(output: Output, value: &Value, infos: &[Value]) -> std::io::Result<()> {
    let has_reason = |info: &Value| {
        !info["scan_result"]["signature"].is_null() || !info["scan_result"]["reason"].is_null()
    };
    let rows: Vec<Value> = infos
        .iter()
        .map(|info| {
            let mut row = info.clone();
            let result = &info["scan_result"];
            row["why"] = result["signature"].as_str().or(result["reason"].as_str()).into();
            if info["rescanning"] == true {
                row["scan_status"] =
                    format!("{} (rescanning)", text(info, "scan_status").unwrap_or("-")).into();
            }
            row
        })
        .collect();
    let mut columns = COLUMNS.to_vec();
    if infos.iter().any(has_reason) {
        columns.insert(2, ("WHY", "/why"));
    }
    output.print(value, &rows, &columns)
}

/// Nothing is said to be safe that only test definitions have seen.
pub(crate) fn remark_test_definitions(output: Output, infos: &[Value]) {
    let is_test = |info: &Value| info["scan_result"]["definitions"]["kind"] == "test_set";
    if infos.iter().any(is_test) {
        output
            .remark("scanned with TEST DEFINITIONS, which find only test files: do not rely on the verdict");
    }
}

pub(crate) async fn list(
    client: &Client,
    output: Output,
    status: Option<&str>,
    limit: Option<u32>,
) -> anyhow::Result<ExitCode> {
    let (mut files, mut cursor) = (Vec::new(), None::<String>);
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    while files.len() < limit {
        let wanted = (limit - files.len()).min(100);
        let mut query = vec![("limit", wanted.to_string())];
        query.extend(status.map(|status| ("status", status.to_owned())));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let request = client.request(Method::GET, "/files").query(&query);
        let mut page = client.success(request).await?;
        files.extend(page["files"].as_array().cloned().unwrap_or_default());
        cursor = page["next_cursor"].take().as_str().map(ToOwned::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    print(output, &Value::Array(files.clone()), &files)?;
    if cursor.is_some() {
        let n_shown = files.len();
        output.remark(&format!(
            "these are the newest {n_shown}; there are more: --limit {}, or --all",
            n_shown * 10
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn status(client: &Client, output: Output, file_id: &str) -> anyhow::Result<ExitCode> {
    let info = client.get(&format!("/files/{file_id}")).await?;
    print(output, &info, std::slice::from_ref(&info))?;
    remark_test_definitions(output, std::slice::from_ref(&info));
    Ok(ExitCode::from(verdict::code(&info)))
}

/// Prints each change of status, until there is a verdict.
pub(crate) async fn watch(client: &Client, output: Output, file_id: &str) -> anyhow::Result<ExitCode> {
    let mut shown = None;
    loop {
        let info = match shown {
            None => client.get(&format!("/files/{file_id}")).await?,
            Some(_) => client.wait(file_id).await?,
        };
        let status = info["scan_status"].clone();
        if shown.as_ref() != Some(&status) {
            print(output, &info, std::slice::from_ref(&info))?;
            shown = Some(status);
        }
        if verdict::is_final(&info) {
            return Ok(ExitCode::from(verdict::code(&info)));
        }
    }
}

pub(crate) async fn link(client: &Client, output: Output, file_id: &str) -> anyhow::Result<ExitCode> {
    let mut link = client.get(&format!("/files/{file_id}/download-link")).await?;
    let url = format!("{}{}", client.url, text(&link, "download_url")?);
    link["download_url"] = url.clone().into();
    output.say(&link, &url)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn revoke(client: &Client, output: Output, file_id: &str) -> anyhow::Result<ExitCode> {
    client.delete(&format!("/files/{file_id}/links")).await?;
    output.say(
        &json!({ "file_id": file_id, "links_revoked": true }),
        &format!("revoked the links of {file_id}"),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Deletes all that can be deleted: a file that fails does not stop the others.
pub(crate) async fn remove(client: &Client, output: Output, file_ids: &[String]) -> anyhow::Result<ExitCode> {
    let (mut listed, mut code) = (Vec::new(), 0);
    for file_id in file_ids {
        match client.delete(&format!("/files/{file_id}")).await {
            Ok(()) => {
                listed.push(json!({ "file_id": file_id, "deleted": true }));
                if output == Output::Table {
                    output::line(format!("deleted {file_id}"))?;
                }
            }
            Err(error) => {
                code = code.max(failure::code(&error));
                listed.push(failed(output, file_id, &error));
            }
        }
    }
    if output == Output::Json {
        output::line(Value::Array(listed))?;
    }
    Ok(ExitCode::from(code))
}

/// Tells people of a failure as it happens, and returns it for the list that programs get.
fn failed(output: Output, file_id: &str, error: &anyhow::Error) -> Value {
    if output == Output::Table {
        output.fail(&anyhow::anyhow!("{file_id}: {error:#}"));
    }
    json!({ "file_id": file_id, "error": failure::as_json(error) })
}

/// Requests scans, and with `watch` waits this long for each: the exit code is then that of the verdicts.
pub(crate) async fn rescan(
    client: &Client,
    output: Output,
    file_ids: &[String],
    watch: Option<Duration>,
) -> anyhow::Result<ExitCode> {
    let (mut infos, mut listed, mut code) = (Vec::new(), Vec::new(), 0);
    for file_id in file_ids {
        match rescan_one(client, file_id, watch).await {
            Ok(info) => {
                code = code.max(if watch.is_some() { rescan_code(&info) } else { 0 });
                listed.push(info.clone());
                infos.push(info);
            }
            Err(error) => {
                code = code.max(failure::code(&error));
                listed.push(failed(output, file_id, &error));
            }
        }
    }
    if output == Output::Json || !infos.is_empty() {
        print(output, &Value::Array(listed), &infos)?;
    }
    if watch.is_none() && !infos.is_empty() {
        output.remark("requested; the statuses are those of before: --watch waits for the new ones");
    }
    Ok(ExitCode::from(code))
}

/// A verdict that a rescan has not confirmed yet is no verdict.
fn rescan_code(info: &Value) -> u8 {
    if info["rescanning"] == true { verdict::NO_VERDICT } else { verdict::code(info) }
}

async fn rescan_one(client: &Client, file_id: &str, watch: Option<Duration>) -> anyhow::Result<Value> {
    let mut info = client.post(&format!("/files/{file_id}/rescan"), &json!({})).await?;
    let Some(limit) = watch else { return Ok(info) };
    let _turning = progress::spinner(&format!("Scanning {file_id}"));
    let deadline = tokio::time::Instant::now() + limit;
    while info["rescanning"] == true && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(POLL_INTERVAL).await;
        info = client.get(&format!("/files/{file_id}")).await?;
    }
    Ok(info)
}

pub(crate) async fn release(
    client: &Client,
    output: Output,
    file_id: &str,
    sha256: &str,
    reason: &str,
) -> anyhow::Result<ExitCode> {
    let body = json!({ "sha256": sha256, "reason": reason });
    let info = client.post(&format!("/files/{file_id}/release"), &body).await?;
    print(output, &info, std::slice::from_ref(&info))?;
    Ok(ExitCode::SUCCESS)
}
