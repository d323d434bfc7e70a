//! Compares how fast bytes come in and go out with what the machine can do: downloads beside nginx with the
//! same file, an upload beside a plain write to the same disk.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::header::RANGE;
use settings::Environment;

use crate::cpu;
use crate::definitions::Numbers;
use crate::peers::{Running, answers, free_port, start_airlock};

/// Rounds in which the two are measured in turn.
const N_ROUNDS: usize = 7;
const LARGE: usize = 100_000_000;
const SMALL: usize = 10_000;
/// What an upload sends; more than the page cache writes back meanwhile.
const UPLOAD_BYTES: usize = 1_500_000_000;

/// One way to read a file.
struct Reading {
    what: &'static str,
    n_bytes: usize,
    range: Option<(usize, usize)>,
    n_requests: usize,
}

const READINGS: [Reading; 3] = [
    Reading { what: "100 MB", n_bytes: LARGE, range: None, n_requests: 4 },
    Reading {
        what: "20 MB from the middle of 100 MB",
        n_bytes: LARGE,
        range: Some((40_000_000, 60_000_000)),
        n_requests: 10,
    },
    Reading { what: "10 KB", n_bytes: SMALL, range: None, n_requests: 400 },
];

/// `airlock` is the program to measure.
pub(crate) async fn run(airlock: &Path) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let (http, definitions, files) =
        (reqwest::Client::new(), directory.path().join("definitions"), directory.path().join("files"));
    std::fs::create_dir(&definitions)?;
    std::fs::create_dir(&files)?;
    clamd::definitions::write_test_set(&definitions)?;
    let data_dir = directory.path().join("data");
    let limit = [("MAX_FILE_SIZE", UPLOAD_BYTES.to_string())];
    let (url, _airlock) = start_airlock(airlock, &definitions, &data_dir, "clamd", &limit)?;
    let (nginx_url, _nginx) = nginx(directory.path(), &files)?;
    answers(&http, &format!("{url}/health")).await?;
    answers(&http, &nginx_url).await?;

    println!("| download | airlock | nginx | ratio |\n|---|---|---|---|");
    for (n_bytes, name) in [(LARGE, "large"), (SMALL, "small")] {
        let bytes = noise(n_bytes);
        std::fs::write(files.join(name), &bytes)?;
        let link = judged(&http, &url, bytes).await?;
        for reading in READINGS.iter().filter(|reading| reading.n_bytes == n_bytes) {
            let (mut ours, mut theirs) = (vec![], vec![]);
            for _ in 0..N_ROUNDS {
                ours.push(read(&http, &link, reading).await?);
                theirs.push(read(&http, &format!("{nginx_url}/{name}"), reading).await?);
            }
            let [ours, theirs] = [ours, theirs].map(cpu::median);
            println!("| {} | {ours:.2?} | {theirs:.2?} | {:.2} |", reading.what, ratio(theirs, ours));
        }
    }

    println!("\n| 1.5 GB | airlock, uploaded | a file, written and flushed | ratio |\n|---|---|---|---|");
    let bytes = noise(UPLOAD_BYTES);
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..3 {
        theirs.push(write(&files.join("plain"), &bytes)?);
        ours.push(upload(&http, &url, bytes.clone()).await?.1);
    }
    let [ours, theirs] = [ours, theirs].map(cpu::median);
    println!("| | {ours:.2?} | {theirs:.2?} | {:.2} |", ratio(theirs, ours));
    Ok(())
}

fn ratio(theirs: Duration, ours: Duration) -> f64 {
    theirs.as_secs_f64() / ours.as_secs_f64()
}

fn noise(n_bytes: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(n_bytes as u64);
    std::iter::repeat_with(|| numbers.next().to_le_bytes()).flatten().take(n_bytes).collect()
}

/// One worker for each core, and `sendfile`.
fn nginx(directory: &Path, files: &Path) -> anyhow::Result<(String, Running)> {
    let (port, conf) = (free_port()?, directory.join("nginx.conf"));
    let conf_text = format!(
        "daemon off; worker_processes auto; pid {0}/nginx.pid; error_log {0}/nginx.err;\n\
         events {{}}\n\
         http {{ sendfile on; tcp_nopush on; access_log off; client_body_temp_path {0};\n\
         proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
         server {{ listen 127.0.0.1:{port}; root {1}; }} }}\n",
        directory.display(),
        files.display()
    );
    std::fs::write(&conf, conf_text)?;
    let mut command = std::process::Command::new("nginx");
    command.arg("-c").arg(&conf);
    let path = Environment::of_process().search_path().into_iter();
    command.env("PATH", std::env::join_paths(path.chain(["/usr/sbin".into(), "/sbin".into()]))?);
    // Its workers are of another user when it is started as root.
    open_to_all(directory)?;
    open_to_all(files)?;
    Ok((format!("http://127.0.0.1:{port}"), Running::start(&mut command, directory.join("nginx.log"))?))
}

fn open_to_all(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?)
}

/// Announces and uploads, and returns the file's id with the time of the upload alone.
async fn upload(http: &reqwest::Client, url: &str, bytes: Vec<u8>) -> anyhow::Result<(String, Duration)> {
    let announcement = serde_json::json!({ "filename": "a.bin", "size": bytes.len() });
    let accepted = http.post(format!("{url}/files")).json(&announcement).send().await?;
    let accepted: serde_json::Value = accepted.error_for_status()?.json().await?;
    let text = |value: &serde_json::Value| value.as_str().map(ToOwned::to_owned).context("no text");
    let mut put = http.put(text(&accepted["upload"]["url"])?);
    for name in ["content-type", "if-none-match"] {
        put = put.header(name, text(&accepted["upload"]["headers"][name])?);
    }
    let began = Instant::now();
    put.body(bytes).send().await?.error_for_status()?;
    Ok((text(&accepted["file_id"])?, began.elapsed()))
}

/// Uploads, waits for the verdict, and returns the storage URL of a download link.
async fn judged(http: &reqwest::Client, url: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    let (file_id, _) = upload(http, url, bytes).await?;
    let status_url = format!("{url}/files/{file_id}/status");
    loop {
        let answer = http.get(&status_url).header("prefer", "wait=20").send().await?;
        let answer: serde_json::Value = answer.json().await?;
        match answer["file_info"]["scan_status"].as_str() {
            Some("pending" | "scanning") => {}
            status => {
                ensure!(status == Some("clean"), "{answer}");
                break;
            }
        }
    }
    let link = http.get(format!("{url}/files/{file_id}/download-link")).send().await?.error_for_status()?;
    let link: serde_json::Value = link.json().await?;
    let link = link["download_url"].as_str().context("no link")?;
    Ok(format!("{url}{link}"))
}

/// Reads so often from `url`, one request after the other, and returns the time of all. A link of ours leads
/// to a storage URL, which is followed once: it is valid for a minute, and a client reads from it.
async fn read(http: &reqwest::Client, url: &str, reading: &Reading) -> anyhow::Result<Duration> {
    let expected = reading.range.map_or(reading.n_bytes, |(from, to)| to - from);
    let request = |url: &str| {
        let request = http.get(url);
        match reading.range {
            Some((from, to)) => request.header(RANGE, format!("bytes={from}-{}", to - 1)),
            None => request,
        }
    };
    let began = Instant::now();
    let mut storage_url = url.to_owned();
    for _ in 0..reading.n_requests {
        let mut answer = request(&storage_url).send().await?.error_for_status()?;
        answer.url().as_str().clone_into(&mut storage_url);
        let mut n_bytes = 0;
        while let Some(chunk) = answer.chunk().await? {
            n_bytes += chunk.len();
        }
        ensure!(n_bytes == expected, "{n_bytes} bytes of {expected}");
    }
    Ok(began.elapsed())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut file = std::fs::File::create(path)?;
    for chunk in bytes.chunks(1 << 20) {
        file.write_all(chunk)?;
    }
    file.sync_all()?;
    let elapsed = began.elapsed();
    std::fs::remove_file(path)?;
    Ok(elapsed)
}
