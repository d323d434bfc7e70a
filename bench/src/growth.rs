//! Measures what a million records cost: starting, announcing, listing, statistics, sweeping and expiring,
//! beside the same with a thousand.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use domain::machine::MachinePolicy;
use dynoxide::{AttributeValue, Database, ImportOptions};
use local::Local;
use serde_json::json;
use sweep::SweepContext;

use crate::pipeline::{settings, upload, verdict};
use crate::{cpu, pipeline};

const TABLE: &str = "airlock";
const N_FEW: usize = 1000;
/// Each operation is measured so often.
const N_ROUNDS: usize = 15;
/// Records are imported in transactions of so many.
const PER_IMPORT: usize = 10_000;

type Item = HashMap<String, AttributeValue>;
type Figures = Vec<(&'static str, Duration)>;

pub(crate) async fn run(n_many: usize) -> anyhow::Result<()> {
    let ((few, few_bytes), (many, many_bytes)) = (measure(N_FEW).await?, measure(n_many).await?);
    println!("| | {N_FEW} records | {n_many} records | ratio |\n|---|---|---|---|");
    for ((what, few), (_, many)) in few.into_iter().zip(many) {
        println!("| {what} | {few:.2?} | {many:.2?} | {:.2} |", many.as_secs_f64() / few.as_secs_f64());
    }
    println!("\nBytes of disk for each record: {}", (many_bytes - few_bytes) / (n_many - N_FEW));
    Ok(())
}

/// Fills a data directory with `n_records`, and returns the time of each operation and the size of the
/// database in bytes.
async fn measure(n_records: usize) -> anyhow::Result<(Figures, usize)> {
    let directory = tempfile::tempdir()?;
    let (http, environment) = (reqwest::Client::new(), settings::Environment::default());
    let service = Local::start(settings(directory.path())?, &environment).await?;
    let url = service.report().url.clone();
    // The oldest file is the only infected one: a listing of infected files has to find it.
    for (bytes, expected) in [(clamd::canary::eicar(), "infected"), (b"nothing".to_vec(), "clean")] {
        let file_id = upload(&http, &url, bytes).await?;
        ensure!(verdict(&http, &url, &file_id).await? == expected, "{file_id}");
    }
    service.stop().await;
    let database = directory.path().join("dynamodb.db");
    let began = Instant::now();
    copy_clean_record(&database, n_records)?;
    println!("{n_records} records written in {:.0?}", began.elapsed());
    let n_bytes = usize::try_from(std::fs::metadata(&database)?.len())?;

    let mut figures = vec![];
    let mut starts = vec![];
    for _ in 0..5 {
        let began = Instant::now();
        let service = Local::start(settings(directory.path())?, &environment).await?;
        http.get(format!("{}/health", service.report().url)).send().await?.error_for_status()?;
        starts.push(began.elapsed());
        service.stop().await;
    }
    figures.push(("start, to the first `/health`", cpu::median(starts)));
    let service = Local::start(settings(directory.path())?, &environment).await?;
    let url = service.report().url.clone();
    figures.push(("upload to verdict, one file", uploads(&http, &url).await?));
    for (what, path) in [
        ("first page of a listing", "/files"),
        ("first page of the clean files", "/files?status=clean"),
        ("the only infected file", "/files?status=infected"),
        ("statistics", "/stats"),
    ] {
        figures.push((what, requests(&http, &format!("{url}{path}")).await?));
    }
    figures.push(("sweep", sweeps(&service).await?));
    service.stop().await;
    let began = Instant::now();
    Database::new(&database.to_string_lossy())?.sweep_ttl()?;
    figures.push(("daily search for expired records", began.elapsed()));
    Ok((figures, n_bytes))
}

/// Copies the newest record until the table has `n_records`, with ids and times of their own.
fn copy_clean_record(database: &Path, n_records: usize) -> anyhow::Result<()> {
    let database = Database::new(&database.to_string_lossy())?;
    let clean = database.scan(serde_json::from_value(json!({
        "TableName": TABLE,
        "FilterExpression": "begins_with(pk, :file) AND #status = :clean",
        "ExpressionAttributeNames": { "#status": "status" },
        "ExpressionAttributeValues": { ":file": { "S": "file#" }, ":clean": { "S": "clean" } },
    }))?)?;
    let clean = clean.items.and_then(|mut items| items.pop()).context("no record to copy")?;
    database.enable_bulk_loading()?;
    for first in (0..n_records).step_by(PER_IMPORT) {
        let copies = (first..n_records.min(first + PER_IMPORT)).map(|n| copy(&clean, n)).collect();
        database.import_items(TABLE, copies, ImportOptions::default())?;
    }
    database.disable_bulk_loading()?;
    Ok(())
}

/// The `n`th copy: a millisecond younger than the one before, in the next shard.
fn copy(record: &Item, n: usize) -> Item {
    let mut copy = record.clone();
    copy.insert("pk".to_owned(), AttributeValue::S(format!("file#00000000-0000-4000-8000-{n:012x}")));
    let shard = n % 16;
    for (name, value) in [("due", format!("{shard:02}")), ("rescan", format!("p{shard:02}"))] {
        if copy.contains_key(name) {
            copy.insert(name.to_owned(), AttributeValue::S(value));
        }
    }
    for name in ["listed_at", "changed_at", "due_at", "rescan_at"] {
        if let Some(AttributeValue::N(at)) = copy.get(name)
            && let Ok(at) = at.parse::<usize>()
        {
            copy.insert(name.to_owned(), AttributeValue::N((at + n).to_string()));
        }
    }
    copy
}

async fn uploads(http: &reqwest::Client, url: &str) -> anyhow::Result<Duration> {
    let mut times = vec![];
    for n in 0..N_ROUNDS {
        let began = Instant::now();
        let file_id = pipeline::upload(http, url, format!("file {n}").into_bytes()).await?;
        verdict(http, url, &file_id).await?;
        times.push(began.elapsed());
    }
    Ok(cpu::median(times))
}

async fn requests(http: &reqwest::Client, url: &str) -> anyhow::Result<Duration> {
    let mut times = vec![];
    for _ in 0..N_ROUNDS {
        let began = Instant::now();
        http.get(url).send().await?.error_for_status()?.bytes().await?;
        times.push(began.elapsed());
    }
    Ok(cpu::median(times))
}

async fn sweeps(service: &Local) -> anyhow::Result<Duration> {
    let context = SweepContext {
        stores: service.stores().clone(),
        machine: MachinePolicy::default(),
        rescans_per_sweep: 5,
        incoming_every: SweepContext::INCOMING_EVERY,
    };
    let mut times = vec![];
    for _ in 0..N_ROUNDS {
        let began = Instant::now();
        sweep::sweep(&context, Duration::from_mins(1)).await?;
        times.push(began.elapsed());
    }
    Ok(cpu::median(times))
}
