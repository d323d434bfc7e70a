//! The subcommands `ls`, `status`, `link`, `rm`, `rescan` and `release`.

use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::output::Output;
use crate::verdict;

const COLUMNS: [(&str, &str); 6] = [
    ("FILE", "/file_id"),
    ("STATUS", "/scan_status"),
    ("SIZE", "/file_size"),
    ("DOWNLOADS", "/download_count"),
    ("UPLOADED", "/upload_timestamp"),
    ("NAME", "/filename"),
];

/// Prints files, one row each, with the finding or the reason if one of them has any.
pub(crate) fn print(output: Output, value: &Value, infos: &[Value]) {
    let has_reason = |info: &Value| {
        !info["scan_result"]["signature"].is_null() || !info["scan_result"]["reason"].is_null()
    };
    let rows: Vec<Value> = infos
        .iter()
        .map(|info| {
            let mut row = info.clone();
            let result = &info["scan_result"];
            row["why"] = result["signature"].as_str().or(result["reason"].as_str()).into();
            row
        })
        .collect();
    let mut columns = COLUMNS.to_vec();
    if infos.iter().any(has_reason) {
        columns.insert(2, ("WHY", "/why"));
    }
    output.print(value, &rows, &columns);
}

pub(crate) async fn list(
    client: &Client,
    output: Output,
    status: Option<&str>,
    limit: u32,
) -> anyhow::Result<ExitCode> {
    let (mut files, mut cursor) = (Vec::new(), None::<String>);
    while files.len() < limit as usize {
        let wanted = (limit as usize - files.len()).min(100);
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
    print(output, &Value::Array(files.clone()), &files);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn status(client: &Client, output: Output, file_id: &str) -> anyhow::Result<ExitCode> {
    let info = client.get(&format!("/files/{file_id}")).await?;
    print(output, &info, std::slice::from_ref(&info));
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
            print(output, &info, std::slice::from_ref(&info));
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
    match output {
        Output::Table => println!("{url}"),
        Output::Json => println!("{link}"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn revoke(client: &Client, file_id: &str) -> anyhow::Result<ExitCode> {
    client.delete(&format!("/files/{file_id}/links")).await?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn remove(client: &Client, file_ids: &[String]) -> anyhow::Result<ExitCode> {
    for file_id in file_ids {
        client.delete(&format!("/files/{file_id}")).await.with_context(|| file_id.clone())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn rescan(client: &Client, output: Output, file_ids: &[String]) -> anyhow::Result<ExitCode> {
    let mut infos = Vec::new();
    for file_id in file_ids {
        let asked = client.post(&format!("/files/{file_id}/rescan"), &json!({})).await;
        infos.push(asked.with_context(|| file_id.clone())?);
    }
    print(output, &Value::Array(infos.clone()), &infos);
    Ok(ExitCode::SUCCESS)
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
    print(output, &info, std::slice::from_ref(&info));
    Ok(ExitCode::SUCCESS)
}
