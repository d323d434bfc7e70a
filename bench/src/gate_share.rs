//! Measures what the structure gate and the openers cost, compared with an engine with a full-size set of
//! definitions; and how fast bytes are hashed and kept, compared with how fast they are scanned.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clamd::{DaemonConfig, Engine, EngineLimits, EngineProgram, Transport};
use domain::verdict::EngineReply;
use gate::Gate;
use inspector::{Inspector, WorkerProgram};
use sha2::Digest as _;

use crate::archives::{self, Sample};
use crate::{cpu, definitions};

const LIMITS: EngineLimits =
    EngineLimits { max_file_size: 104_857_600, max_scan_time: Duration::from_mins(20) };
/// A measurement is repeated until it has taken this long: the engine's clock ticks every 10 ms.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

/// Measures `files`, or samples of its own if there are none.
pub(crate) async fn run(named: &[PathBuf]) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let in_directory = |name: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir(&path).map(|()| path)
    };
    let (set, run_directory, files) =
        (in_directory("definitions")?, in_directory("run")?, in_directory("files")?);
    println!("Writing 3.63 million signatures ...");
    definitions::write_full_size_set(&set)?;
    let engine = Engine::new(
        DaemonConfig {
            program: EngineProgram::Clamd("clamd".into()),
            launcher: vec![],
            run_directory: run_directory.clone(),
            definitions_directory: set,
            limits: LIMITS,
            start_timeout: Duration::from_mins(3),
        },
        Transport::Stream,
    );
    let began = Instant::now();
    engine.ensure_running().await?;
    let loading = cpu::of_process(pid(&engine).await?)?;
    println!(
        "Loaded in {:.1} s ({:.1} s of processor time)\n",
        began.elapsed().as_secs_f64(),
        loading.as_secs_f64()
    );
    let gate = scan::gate_for(&engine, LIMITS, &run_directory).await?;
    let inspector = Inspector::start(WorkerProgram::default(), run_directory).await?;
    println!("Openers: {}", inspector.openers().join(", "));
    println!("Processor time, medians; an archive unpacks to the bytes named\n");
    println!("| what | bytes | engine | gate alone | worker | worker to engine |\n|---|---|---|---|---|---|");
    let made = if named.is_empty() { archives::make(&files)? } else { archives::named(named)? };
    for sample in &made {
        let costs = compare(&engine, &gate, &inspector, sample).await?;
        let [engine_ms, gate_ms, worker_ms] = costs.map(|cost| cost.as_secs_f64() * 1e3);
        let percent = 100.0 * worker_ms / engine_ms;
        println!(
            "| {} | {} | {engine_ms:.1} ms | {gate_ms:.2} ms | {worker_ms:.2} ms | {percent:.1} % |",
            sample.what, sample.n_bytes
        );
    }
    if !named.is_empty() {
        engine.stop().await;
        return Ok(());
    }
    let noise = files.join("100000000.noise");
    let scanning = engine_cost(&engine, &noise).await?;
    let keeping = hash_and_keep(&noise, directory.path())?;
    let megabytes_per_second = |spent: Duration| 100.0 / spent.as_secs_f64();
    println!(
        "\nHashing and keeping: {:.0} MB per second of processor time; scanning: {:.1} MB (noise)",
        megabytes_per_second(keeping),
        megabytes_per_second(scanning)
    );
    engine.stop().await;
    Ok(())
}

/// Measures the engine, the gate alone, and a worker with its fork, the openers and the gate. The three
/// alternate, so that the machine's other load affects all of them.
async fn compare(
    engine: &Engine,
    gate: &Gate,
    inspector: &Inspector,
    sample: &Sample,
) -> anyhow::Result<[Duration; 3]> {
    let n_rounds = if sample.n_bytes > 10_000_000 { 3 } else { 5 };
    let mut times = [const { vec![] }; 3];
    for _ in 0..n_rounds {
        times[0].push(engine_cost(engine, &sample.path).await?);
        times[1].push(gate_cost(gate, &sample.path)?);
        times[2].push(worker_cost(inspector, gate, &sample.path).await?);
    }
    Ok(times.map(cpu::median))
}

/// Returns a worker's processor time for one file, the median of several.
async fn worker_cost(inspector: &Inspector, gate: &Gate, path: &Path) -> anyhow::Result<Duration> {
    let (file, mut times) = (File::open(path)?, vec![]);
    while times.iter().sum::<Duration>() < LONG_ENOUGH {
        let inspected = inspector.inspect(gate, &file, None, LIMITS.max_scan_time).await?;
        ensure!(inspected.inspection.refusal.is_none(), "{} is refused", path.display());
        times.push(inspected.cpu_time);
    }
    Ok(cpu::median(times))
}

async fn pid(engine: &Engine) -> anyhow::Result<u32> {
    engine.pid().await.context("the engine does not run")
}

/// Returns the engine's processor time for one scan, with the two canaries around it.
async fn engine_cost(engine: &Engine, path: &Path) -> anyhow::Result<Duration> {
    let (file, pid) = (File::open(path)?, pid(engine).await?);
    let size_bytes = file.metadata()?.len();
    let (began, mut n_scans) = (cpu::of_process(pid)?, 0);
    loop {
        let scan = engine.scan(&file, size_bytes, vec![], LIMITS.max_scan_time).await?;
        // A finding ends the engine's work early.
        ensure!(scan.replies == [EngineReply::Ok], "{}: {:?}", path.display(), scan.replies);
        n_scans += 1;
        let spent = cpu::of_process(pid)?.saturating_sub(began);
        if spent >= LONG_ENOUGH {
            return Ok(spent / n_scans);
        }
    }
}

/// Returns the gate's processor time for one inspection; this process does nothing else meanwhile. Without
/// openers, what may be a stream of theirs in other data ends it with a refusal.
fn gate_cost(gate: &Gate, path: &Path) -> anyhow::Result<Duration> {
    let file = File::open(path)?;
    let (began, mut n_looks) = (cpu::own(), 0);
    loop {
        std::hint::black_box(gate.inspect(&file, tempfile::tempfile()?, vec![], None)?);
        n_looks += 1;
        let spent = cpu::own().saturating_sub(began);
        if spent >= LONG_ENOUGH {
            return Ok(spent / n_looks);
        }
    }
}

/// Hashes and stores a file as the service does with an object, and returns the processor time.
fn hash_and_keep(path: &Path, directory: &Path) -> anyhow::Result<Duration> {
    let mut times = vec![];
    for _ in 0..3 {
        let (mut source, mut kept) = (File::open(path)?, tempfile::tempfile_in(directory)?);
        let (mut hasher, mut chunk, began) = (sha2::Sha256::new(), vec![0; 256 * 1024], cpu::own());
        loop {
            let n_bytes = source.read(&mut chunk)?;
            if n_bytes == 0 {
                break;
            }
            hasher.update(&chunk[..n_bytes]);
            kept.write_all(&chunk[..n_bytes])?;
        }
        std::hint::black_box(hasher.finalize());
        times.push(cpu::own().saturating_sub(began));
    }
    Ok(cpu::median(times))
}
