//! Measures how throughput grows with cores, and what would limit it on a machine with more of them: the
//! thread of which there is only one and that works longest for each file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::definitions::Numbers;
use crate::peers::{Client, answers, family, median, start_airlock};

const N_ROUNDS: usize = 3;
const N_IN_FLIGHT: usize = 32;
/// Name, bytes of each file, files.
const LOADS: [(&str, usize, u32); 2] = [("10 KB", 10_000, 400), ("1 MB", 1_000_000, 40)];
/// Its threads are as many as the cores.
const POOL: &str = "tokio-rt-worker";

/// Compares one core with two; client and service have the same ones. `airlock` is the program to measure.
pub(crate) fn run(airlock: &Path) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let on = |cores: &str| -> anyhow::Result<Value> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", cores]).arg(&program).arg("some-cores").arg(airlock);
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{command:?}: {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let (mut one, mut two) = (vec![], vec![]);
    for _ in 0..N_ROUNDS {
        one.push(on("0")?);
        two.push(on("0,1")?);
    }
    let figure =
        |runs: &[Value], path: &str| median(runs.iter().filter_map(|run| run.pointer(path)?.as_f64()));
    println!("| load | 1 core, files/s | 2 cores, files/s | ratio |\n|---|---|---|---|");
    for (load, ..) in LOADS {
        let [one, two] = [&one, &two].map(|runs| figure(runs, &format!("/{load}/speed")));
        println!("| {load} | {one:.1} | {two:.1} | {:.2} |", two / one);
    }
    println!("\n| load | a thread that is the only one | ms/file | files/s at most |\n|---|---|---|---|");
    for (load, ..) in LOADS {
        let names = two[0].pointer(&format!("/{load}/threads")).and_then(Value::as_object);
        let names = names.context("no figures")?.keys();
        let mut threads: Vec<_> =
            names.map(|name| (figure(&two, &format!("/{load}/threads/{name}")), name)).collect();
        threads.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        for (millis, name) in threads.into_iter().take(3) {
            println!("| {load} | {name} | {millis:.2} | {:.0} |", 1e3 / millis);
        }
    }
    Ok(())
}

/// What [`run`] starts on some of the cores: prints its figures as JSON.
pub(crate) async fn run_here(airlock: &Path) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let definitions = directory.path().join("definitions");
    std::fs::create_dir(&definitions)?;
    clamd::definitions::write_test_set(&definitions)?;
    let data_dir = directory.path().join("data");
    let (url, service) = start_airlock(airlock, &definitions, &data_dir, "snapshot", &[])?;
    let client = Client::Airlock(reqwest::Client::new(), url.clone());
    answers(&reqwest::Client::new(), &format!("{url}/health")).await?;
    // Until the snapshot is made.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let mut figures = json!({});
    let mut numbers = Numbers::new(0);
    for (load, n_bytes, n_files) in LOADS {
        send(&client, n_bytes, n_files / 10, &mut numbers).await?;
        let (before, began) = (lone_threads(service.id()), Instant::now());
        send(&client, n_bytes, n_files, &mut numbers).await?;
        let seconds = began.elapsed().as_secs_f64();
        let mut threads = BTreeMap::<String, f64>::new();
        for (thread, (name, spent)) in lone_threads(service.id()) {
            let Some((_, spent_before)) = before.get(&thread) else { continue };
            let millis = (spent.saturating_sub(*spent_before)).as_secs_f64() * 1e3 / f64::from(n_files);
            let busiest = threads.entry(name).or_default();
            *busiest = busiest.max(millis);
        }
        figures[load] = json!({ "speed": f64::from(n_files) / seconds, "threads": threads });
    }
    println!("{figures}");
    Ok(())
}

/// Has new files judged.
async fn send(client: &Client, n_bytes: usize, n_files: u32, numbers: &mut Numbers) -> anyhow::Result<()> {
    let files = (0..n_files).map(|_| {
        let noise = std::iter::repeat_with(|| numbers.next().to_be_bytes()).flatten();
        noise.take(n_bytes).collect::<Vec<_>>()
    });
    let judged = futures_util::stream::iter(files.collect::<Vec<_>>()).map(|bytes| client.judge(bytes));
    let verdicts = judged.buffer_unordered(N_IN_FLIGHT).try_collect::<Vec<_>>().await?;
    ensure!(verdicts.iter().all(|verdict| verdict == "clean"), "a file is not clean");
    Ok(())
}

/// The processor time of each thread that is not of a pool, by its number, with its name and that of its
/// process.
fn lone_threads(root: u32) -> HashMap<u64, (String, Duration)> {
    let mut threads = HashMap::new();
    for process in family(&[root]) {
        let directory = format!("/proc/{process}");
        let name_in = |path: &Path| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let program = name_in(directory.as_ref());
        for thread in std::fs::read_dir(format!("{directory}/task")).into_iter().flatten().flatten() {
            let (path, name) = (thread.path(), name_in(&thread.path()));
            // Nanoseconds on a processor (proc_pid_schedstat(5)).
            let spent = std::fs::read_to_string(path.join("schedstat")).ok();
            let spent = spent.and_then(|spent| spent.split(' ').next()?.parse().ok());
            let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let (Some(spent), Some(number)) = (spent, number)
                && name.trim() != POOL
            {
                let name = format!("{} of {}", name.trim(), program.trim());
                threads.insert(number, (name, Duration::from_nanos(spent)));
            }
        }
    }
    threads
}
