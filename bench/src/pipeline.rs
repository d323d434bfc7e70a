//! Measures the whole pipeline on one machine: 1,000 files of 10 KB, 32 concurrently, from the client's
//! announcement to the verdict that it sees.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures_util::StreamExt as _;
use local::{Auth, DefinitionsSource, Local, LocalOptions, Tuning};
use serde_json::{Value, json};

const N_FILES: usize = 1000;
const FILE_BYTES: usize = 10_000;
const AT_A_TIME: usize = 32;

/// The timings of one file, as the client sees them.
struct Timing {
    uploaded_after: Duration,
    /// From the end of the upload to the moment when a long poll shows the verdict.
    judged_after: Duration,
}

/// The options of a service on free ports, with the test definitions.
pub(crate) fn settings(data_dir: &Path) -> anyhow::Result<LocalOptions> {
    let any_port = "127.0.0.1:0".parse()?;
    Ok(LocalOptions {
        data_dir: data_dir.to_owned(),
        listen: any_port,
        s3_listen: any_port,
        public_url: None,
        s3_url: None,
        auth: Auth::None,
        definitions: DefinitionsSource::TestSet,
        tuning: Tuning::default(),
    })
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let local = Local::start(settings(directory.path())?, &settings::Environment::default()).await?;
    let (http, url) = (reqwest::Client::new(), local.report().url.clone());
    let began = Instant::now();
    let files = futures_util::stream::iter(0..N_FILES).map(|n| follow(http.clone(), url.clone(), n));
    let timings: Vec<anyhow::Result<Timing>> = files.buffer_unordered(AT_A_TIME).collect().await;
    let elapsed = began.elapsed();
    local.stop().await;

    let timings: Vec<Timing> = timings.into_iter().collect::<anyhow::Result<_>>()?;
    let n_judged = u32::try_from(timings.len())?;
    println!(
        "{N_FILES} files of {FILE_BYTES} bytes, {AT_A_TIME} concurrently, test definitions: \
         {} judged, none lost",
        timings.len()
    );
    println!("  throughput          {:.0} files/s", f64::from(n_judged) / elapsed.as_secs_f64());
    report("announce and upload", timings.iter().map(|timing| timing.uploaded_after).collect());
    report("upload to verdict", timings.iter().map(|timing| timing.judged_after).collect());
    Ok(())
}

fn report(what: &str, mut spans: Vec<Duration>) {
    spans.sort_unstable();
    let percentile = |percent: usize| spans[(spans.len() - 1) * percent / 100];
    println!("  {what:<19} p50 {:?}   p99 {:?}", percentile(50), percentile(99));
}

async fn follow(http: reqwest::Client, url: String, n: usize) -> anyhow::Result<Timing> {
    let bytes: Vec<u8> = n.to_be_bytes().into_iter().cycle().take(FILE_BYTES).collect();
    let began = Instant::now();
    let file_id = upload(&http, &url, bytes).await?;
    let uploaded = Instant::now();
    let status = verdict(&http, &url, &file_id).await?;
    ensure!(status == "clean", "a file ended as {status}");
    Ok(Timing { uploaded_after: uploaded - began, judged_after: uploaded.elapsed() })
}

/// Announces and uploads a file, and returns its id.
pub(crate) async fn upload(http: &reqwest::Client, url: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    let body = json!({ "filename": "a.bin", "size": bytes.len() });
    let accepted: Value =
        http.post(format!("{url}/files")).json(&body).send().await?.error_for_status()?.json().await?;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned).context("an incomplete answer");
    let mut put = http.put(text(&accepted["upload"]["url"])?);
    for name in ["content-type", "if-none-match"] {
        put = put.header(name, text(&accepted["upload"]["headers"][name])?);
    }
    put.body(bytes).send().await?.error_for_status()?;
    text(&accepted["file_id"])
}

/// Waits for the file's verdict.
pub(crate) async fn verdict(http: &reqwest::Client, url: &str, file_id: &str) -> anyhow::Result<String> {
    let status_url = format!("{url}/files/{file_id}/status");
    loop {
        let answer: Value = http.get(&status_url).header("prefer", "wait=20").send().await?.json().await?;
        match answer["file_info"]["scan_status"].as_str() {
            Some("pending" | "scanning") => {}
            Some(status) => return Ok(status.to_owned()),
            None => bail!("an incomplete answer: {answer}"),
        }
    }
}
