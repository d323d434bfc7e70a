//! `selftest`: tries the promises on a running service with harmless files, which it deletes again.

mod samples;

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, presigned, send_elsewhere, text};
use crate::failure::refusal;
use crate::output::Output;
use crate::verdict;

/// Ninety rounds of twenty seconds: a stack that has just been deployed needs minutes for its first scan.
const MAX_WAITS: usize = 90;

struct Run<'a> {
    client: &'a Client,
    uploaded: Vec<String>,
    results: Vec<Value>,
}

pub(crate) async fn selftest(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    client.get("/files?limit=1").await?;
    let mut run = Run { client, uploaded: vec![], results: vec![] };
    let outcome = run.all().await;
    for file_id in &run.uploaded {
        let _ = client.delete(&format!("/files/{file_id}")).await;
    }
    outcome?;
    let columns = [("", "/state"), ("PROMISE", "/promise"), ("WHAT HAPPENED", "/happened")];
    output.print(&Value::Array(run.results.clone()), &run.results, &columns)?;
    let has_failed = run.results.iter().any(|result| result["state"] != "ok");
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Run<'_> {
    async fn all(&mut self) -> anyhow::Result<()> {
        let clean = b"Airlock selftest: nothing to see here.\n".to_vec();
        let result = self.clean_comes_back(&clean).await;
        self.note("a clean file comes back unchanged", result);
        let result = self.ends_as("eicar.txt", &clamd::canary::eicar(), "infected").await;
        self.note("the EICAR test file is found, and has no link", result);
        let result = self.ends_as("eicar.zip", &samples::zip_of(&clamd::canary::eicar()), "infected").await;
        self.note("the EICAR test file is found inside an archive", result);
        let result = self.ends_as("encrypted.zip", &samples::encrypted_zip(), "unscannable").await;
        self.note("an encrypted archive is not clean", result);
        // ClamAV's default limit is 10,000: members beyond it must be scanned, or the file refused.
        let many = samples::zip_ending_with(&clamd::canary::eicar(), 10_000);
        let result = self.ends_as("many.zip", &many, "infected").await;
        self.note("the 10,001st file of an archive is scanned", result);
        let result = self.swap_is_refused(&clean).await;
        self.note("bytes cannot be swapped after the verdict", result);
        let result = self.unscanned_is_out_of_reach().await;
        self.note("an unscanned file cannot be downloaded", result);
        Ok(())
    }

    fn note(&mut self, promise: &str, result: anyhow::Result<String>) {
        let (state, happened) = match result {
            Ok(happened) => ("ok", happened),
            Err(error) => ("FAIL", format!("{error:#}")),
        };
        self.results.push(json!({ "state": state, "promise": promise, "happened": happened }));
    }

    /// Uploads a file and returns its id and the presigned request.
    async fn upload(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<(String, Value)> {
        let accepted = self.create(name, bytes.len()).await?;
        let file_id = text(&accepted, "file_id")?.to_owned();
        let request = presigned(self.client, &accepted["upload"])?.body(bytes.to_vec());
        let stored = send_elsewhere(request).await?;
        ensure!(stored.status().is_success(), "storage refused the upload: {}", stored.status());
        Ok((file_id, accepted["upload"].clone()))
    }

    async fn create(&mut self, name: &str, size: usize) -> anyhow::Result<Value> {
        let body = json!({ "filename": format!("airlock-selftest-{name}"), "size": size });
        let accepted = self.client.post("/files", &body).await?;
        self.uploaded.push(text(&accepted, "file_id")?.to_owned());
        Ok(accepted)
    }

    async fn verdict(&self, file_id: &str) -> anyhow::Result<Value> {
        for _ in 0..MAX_WAITS {
            let info = self.client.wait(file_id).await?;
            if verdict::is_final(&info) {
                return Ok(info);
            }
        }
        bail!("no verdict in half an hour")
    }

    /// Creates a link and returns the bytes behind it.
    async fn download(&self, file_id: &str) -> anyhow::Result<Vec<u8>> {
        let link = self.client.get(&format!("/files/{file_id}/download-link")).await?;
        let path = text(&link, "download_url")?;
        let request = self.client.request(Method::GET, path).header("accept", "application/json");
        let address = self.client.success(request).await?;
        let served = send_elsewhere(self.client.elsewhere(Method::GET, text(&address, "url")?)).await?;
        ensure!(served.status().is_success(), "storage answered {} to the download", served.status());
        Ok(served.bytes().await.context("the connection ended before the file did")?.to_vec())
    }

    async fn clean_comes_back(&mut self, bytes: &[u8]) -> anyhow::Result<String> {
        let (file_id, _) = self.upload("clean.txt", bytes).await?;
        let info = self.verdict(&file_id).await?;
        ensure!(info["scan_status"] == "clean", "the status is {}", describe(&info));
        ensure!(self.download(&file_id).await? == bytes, "other bytes came back");
        let seconds = info["scan_result"]["scan_duration"].as_f64().unwrap_or(0.0);
        Ok(format!("clean after a scan of {seconds:.2} s, and the same bytes came back"))
    }

    async fn ends_as(&mut self, name: &str, bytes: &[u8], expected: &str) -> anyhow::Result<String> {
        let (file_id, _) = self.upload(name, bytes).await?;
        let info = self.verdict(&file_id).await?;
        ensure!(info["scan_status"] == expected, "the status is {}", describe(&info));
        let request = self.client.request(Method::GET, &format!("/files/{file_id}/download-link"));
        let (status, body) = self.client.answer(request).await?;
        ensure!(status == 403, "its link was not refused: {}", refusal(status, &body));
        Ok(describe(&info))
    }

    /// Replays the presigned upload with other bytes of the same length.
    async fn swap_is_refused(&mut self, bytes: &[u8]) -> anyhow::Result<String> {
        let (file_id, instructions) = self.upload("swap.txt", bytes).await?;
        let info = self.verdict(&file_id).await?;
        ensure!(info["scan_status"] == "clean", "the status is {}", describe(&info));
        let other = vec![b'!'; bytes.len()];
        let swapped = presigned(self.client, &instructions)?.body(other.clone());
        let with_headers = send_elsewhere(swapped).await?.status();
        ensure!(with_headers == 412, "storage answered {with_headers} to a second upload, not 412");
        let bare = self.client.elsewhere(Method::PUT, text(&instructions, "url")?).body(other);
        let without_condition = send_elsewhere(bare).await?.status();
        ensure!(!without_condition.is_success(), "storage accepted an upload without the signed condition");
        ensure!(self.download(&file_id).await? == bytes, "other bytes came back");
        Ok(format!("a second upload got {}, and the first bytes are served", with_headers.as_u16()))
    }

    async fn unscanned_is_out_of_reach(&mut self) -> anyhow::Result<String> {
        let accepted = self.create("unscanned.txt", 10).await?;
        let file_id = text(&accepted, "file_id")?;
        let request = self.client.request(Method::GET, &format!("/files/{file_id}/download-link"));
        let (status, _) = self.client.answer(request).await?;
        ensure!(status == 409, "its link was not refused: {status}");
        // Nor does storage serve it to a client that knows its URL.
        let stored = presigned(self.client, &accepted["upload"])?.body(vec![b'x'; 10]);
        let stored = send_elsewhere(stored).await?.status();
        ensure!(stored.is_success(), "storage refused the upload: {stored}");
        let address = text(&accepted["upload"], "url")?.split('?').next().unwrap_or_default();
        let direct = send_elsewhere(self.client.elsewhere(Method::GET, address)).await?.status();
        ensure!(!direct.is_success(), "storage served it without a signature");
        Ok(format!("no link (409), and storage answers {} without a signature", direct.as_u16()))
    }
}

fn describe(info: &Value) -> String {
    let result = &info["scan_result"];
    let why = result["signature"].as_str().or(result["reason"].as_str());
    let status = info["scan_status"].as_str().unwrap_or("unknown");
    why.map_or_else(|| status.to_owned(), |why| format!("{status}: {why}"))
}
