//! Compares Airlock with its peers on the same files: clamd alone, a REST server in front of clamd, and the
//! design that Airlock replaces (FastAPI, Celery, Redis). In turn, medians of several rounds.

#![expect(clippy::cast_precision_loss, reason = "counts of thousands, in figures with three digits")]

mod clients;
mod systems;
mod usage;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;

use crate::definitions;
use crate::peers::systems::{Machine, System};

pub(crate) use clients::Client;
pub(crate) use systems::{Running, answers, free_port, start_airlock};
pub(crate) use usage::family;

const N_ROUNDS: usize = 3;

/// What is sent in one run.
struct Load {
    name: &'static str,
    n_files: usize,
    /// Clients of clamd alone are as many as the machine has cores.
    n_concurrent: usize,
    bytes: Bytes,
}

enum Bytes {
    /// This many that compress to nothing.
    Repeating(usize),
    /// This many that do not compress.
    Noise(usize),
    /// Files of this machine.
    Real,
}

/// One run of one load on one system.
struct Run {
    elapsed: Duration,
    cpu: Duration,
    memory_mb: u64,
    n_files: usize,
    n_bytes: usize,
    latencies: Vec<Duration>,
    n_not_clean: usize,
}

const LOADS: [Load; 4] = [
    Load { name: "10 KB", n_files: 400, n_concurrent: 32, bytes: Bytes::Repeating(10_000) },
    Load { name: "1 MB", n_files: 40, n_concurrent: 16, bytes: Bytes::Noise(1_000_000) },
    Load { name: "100 MB", n_files: 4, n_concurrent: 2, bytes: Bytes::Noise(100_000_000) },
    Load { name: "real files", n_files: 60, n_concurrent: 16, bytes: Bytes::Real },
];

/// `airlock` is the program to measure. `sets` of definitions: `test`, `full` or both; `loads` by name, or
/// all.
pub(crate) async fn run(airlock: &Path, sets: &[&str], loads: &[&str]) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    for set in sets {
        let definitions = directory.path().join(set);
        std::fs::create_dir(&definitions)?;
        clamd::definitions::write_test_set(&definitions)?;
        if *set == "full" {
            println!("Writing 3.63 million signatures ...");
            definitions::write_full_size_set(&definitions)?;
        }
        let run_directory = directory.path().join(format!("{set}-run"));
        let machine = Machine::start(airlock, &definitions, &run_directory).await?;
        compare(machine, set, loads).await?;
    }
    Ok(())
}

async fn compare(machine: Machine, set: &str, loads: &[&str]) -> anyhow::Result<()> {
    let real = real_files()?;
    let mut seed = 0;
    let mut ratios = vec![];
    for load in LOADS.iter().filter(|load| loads.is_empty() || loads.contains(&load.name)) {
        println!("\n## {}, {} definitions, {} in flight\n", load.name, set, load.n_concurrent);
        let mut runs: Vec<Vec<Run>> = machine.systems.iter().map(|_| vec![]).collect();
        for round in 0..N_ROUNDS {
            for (system, runs) in machine.systems.iter().zip(&mut runs) {
                // Every system judges bytes that it has not seen.
                seed += 1;
                let real = real.get(round).context("too few real files")?;
                let run = measure(system, load, seed, real).await?;
                eprintln!("round {}, {}: {:.1} files/s", round + 1, system.name, run.files_per_second());
                runs.push(run);
            }
        }
        ratios.extend(report(load, &machine.systems, &runs));
    }
    println!();
    for line in ratios {
        println!("{line}");
    }
    Ok(())
}

async fn measure(system: &System, load: &Load, seed: u64, real: &[PathBuf]) -> anyhow::Result<Run> {
    let files = (0..load.n_files).map(|n| load.file(seed, n, real)).collect::<Result<Vec<_>, _>>()?;
    let n_bytes = files.iter().map(Vec::len).sum();
    let n_concurrent = match system.client {
        Client::Clamd(_) => std::thread::available_parallelism()?.get(),
        _ => load.n_concurrent,
    };
    let before = usage::processor_time(&system.roots);
    let memory = usage::watch(system.roots.clone());
    let began = Instant::now();
    let judged = futures_util::stream::iter(files)
        .map(async |bytes| {
            let began = Instant::now();
            let verdict = system.client.judge(bytes).await?;
            anyhow::Ok((verdict, began.elapsed()))
        })
        .buffer_unordered(n_concurrent)
        .collect::<Vec<_>>()
        .await;
    let elapsed = began.elapsed();
    let cpu = usage::processor_time(&system.roots).saturating_sub(before);
    let judged = judged.into_iter().collect::<anyhow::Result<Vec<_>>>().context(system.name)?;
    let n_not_clean = judged.iter().filter(|(verdict, _)| verdict != "clean").count();
    let latencies = judged.into_iter().map(|(_, latency)| latency).collect();
    let memory_mb = memory.most_mb();
    Ok(Run { elapsed, cpu, memory_mb, n_files: load.n_files, n_bytes, latencies, n_not_clean })
}

impl Load {
    fn file(&self, seed: u64, n: usize, real: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
        let mut numbers = definitions::Numbers::new(seed * 1_000_000 + n as u64);
        Ok(match self.bytes {
            Bytes::Repeating(size) => {
                let word = [numbers.next(), numbers.next()].map(u64::to_be_bytes).concat();
                word.into_iter().cycle().take(size).collect()
            }
            Bytes::Noise(size) => {
                std::iter::repeat_with(|| numbers.next().to_be_bytes()).flatten().take(size).collect()
            }
            Bytes::Real => std::fs::read(&real[n % real.len()])?,
        })
    }
}

/// Other ones for each round: Airlock recalls the verdict of bytes that it has judged before.
fn real_files() -> anyhow::Result<Vec<Vec<PathBuf>>> {
    let mut files = vec![];
    let mut directories = ["/usr/share/doc", "/usr/share", "/usr/bin"].map(PathBuf::from).to_vec();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let metadata = entry.metadata()?;
            if metadata.is_dir() && directories.len() < 1_000 {
                directories.push(entry.path());
            } else if metadata.is_file() && (20_000..2_000_000).contains(&metadata.len()) {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    let per_round = LOADS[3].n_files;
    let step = files.len() / (N_ROUNDS * per_round);
    ensure!(step > 0, "this machine has only {} files for the load of real files", files.len());
    let chosen = files.into_iter().step_by(step).collect::<Vec<_>>();
    Ok(chosen.chunks(per_round).map(<[PathBuf]>::to_vec).collect())
}

/// Prints a table, and returns the lines that compare files per second.
fn report(load: &Load, systems: &[System], runs: &[Vec<Run>]) -> Vec<String> {
    println!("| | files/s | MB/s | CPU ms/file | p50 ms | p99 ms | memory MB | not clean |");
    println!("|---|---|---|---|---|---|---|---|");
    for (system, runs) in systems.iter().zip(runs) {
        let latencies = |percent: usize| {
            median(runs.iter().map(|run| {
                let mut sorted = run.latencies.clone();
                sorted.sort_unstable();
                millis(sorted[(sorted.len() - 1) * percent / 100])
            }))
        };
        println!(
            "| {} | {:.1} | {:.1} | {:.2} | {:.0} | {:.0} | {} | {} |",
            system.name,
            median(runs.iter().map(Run::files_per_second)),
            median(runs.iter().map(|run| run.n_bytes as f64 / 1e6 / run.elapsed.as_secs_f64())),
            median(runs.iter().map(|run| millis(run.cpu) / run.n_files as f64)),
            latencies(50),
            latencies(99),
            runs.iter().map(|run| run.memory_mb).max().unwrap_or(0),
            runs.iter().map(|run| run.n_not_clean).sum::<usize>(),
        );
    }
    let speed = |name: &str| {
        let at = systems.iter().position(|system| system.name == name)?;
        Some(median(runs[at].iter().map(Run::files_per_second)))
    };
    let line = |peer: &str| {
        let ratio = speed("airlock")? / speed(peer)?;
        Some(format!("airlock/{peer} files per second, {}: {ratio:.2}", load.name))
    };
    ["clamd", "original"].into_iter().filter_map(line).collect()
}

impl Run {
    fn files_per_second(&self) -> f64 {
        self.n_files as f64 / self.elapsed.as_secs_f64()
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures = figures.collect::<Vec<_>>();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
