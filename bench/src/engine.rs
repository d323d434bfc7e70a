//! Measures what a loaded engine costs, from the start of a process to its first verdicts, and warm. Compares
//! clamscan for each event, clamd and the snapshot engine, which scan the same files with the same
//! definitions in turn.

mod peers;
mod storage;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clamd::{ClamdConf, Client, EngineLimits};
use domain::verdict::EngineReply;

use crate::cpu::{self, median};
use crate::definitions::{self, Numbers};

use self::storage::Storage;

const LIMITS: EngineLimits =
    EngineLimits { max_file_size: 104_857_600, max_scan_time: Duration::from_mins(20) };
const N_ROUNDS: usize = 5;
const TEST_FILES: &str = "/usr/share/clamav-testfiles";
const DEADLINE: Duration = Duration::from_mins(5);
/// Lambda's price for a GB-second of x86_64 in us-east-1; 1,769 MB come with one processor (AWS Lambda
/// pricing and configuration).
const DOLLARS_PER_GB_SECOND: f64 = 0.000_016_666_7;
const GB_FOR_ONE_PROCESSOR: f64 = 1.769;

/// A way to start an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Clamscan,
    Clamd,
    Definitions,
    Packed,
    PackedCold,
    FromStorage,
    Raw,
}

impl Way {
    const ALL: [Self; 7] = [
        Self::Clamscan,
        Self::Clamd,
        Self::Definitions,
        Self::Packed,
        Self::PackedCold,
        Self::FromStorage,
        Self::Raw,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Clamscan => "clamscan, for each event",
            Self::Clamd => "clamd",
            Self::Definitions => "airlock-engine, the definitions themselves",
            Self::Packed => "airlock-engine, packed snapshot, in the page cache",
            Self::PackedCold => "airlock-engine, packed snapshot, from the disk",
            Self::FromStorage => "airlock-engine, packed snapshot, while it comes from the S3 stand-in",
            Self::Raw => "airlock-engine, raw snapshot, in the page cache",
        }
    }
}

/// The files and the storage of one run.
struct Bench {
    directory: PathBuf,
    engine: PathBuf,
    storage: Storage,
}

/// One start and its first verdicts.
struct Started {
    cpu: Duration,
    wall: Duration,
    /// The engine's memory; for clamscan, its peak.
    memory_mb: u64,
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let bench = Bench::prepare(directory.path()).await?;
    let files: Vec<PathBuf> = ["eicar", "clam.exe", "clam.pdf", "clam.zip"]
        .map(|name| if name == "eicar" { bench.path(name) } else { Path::new(TEST_FILES).join(name) })
        .to_vec();
    println!("\n## From the start of a process to its first verdicts\n");
    println!("Medians of {N_ROUNDS} rounds; processor time with all children.\n");
    println!("| | files | processor time | to clamd | wall | memory | Lambda, per 1,000 cold starts |");
    println!("|---|---|---|---|---|---|---|");
    let mut ratio = 0.0;
    for n_files in [1, 2, 4] {
        let medians = bench.starts(&files[..n_files]).await?;
        let clamd = medians[1].cpu.as_secs_f64();
        for (way, started) in Way::ALL.into_iter().zip(&medians) {
            let to_clamd = started.cpu.as_secs_f64() / clamd;
            if n_files == 2 && way == Way::Packed {
                ratio = to_clamd;
            }
            println!(
                "| {} | {} | {:.3} s | {to_clamd:.4} | {:.3} s | {} MB | {:.4} $ |",
                way.name(),
                ["EICAR", "EICAR, PE", "", "EICAR, PE, PDF, zip"][n_files - 1],
                started.cpu.as_secs_f64(),
                started.wall.as_secs_f64(),
                started.memory_mb,
                started.cpu.as_secs_f64() * GB_FOR_ONE_PROCESSOR * DOLLARS_PER_GB_SECOND * 1000.0,
            );
        }
    }
    bench.warm(&files).await?;
    bench.peers().await?;
    println!("\nsnapshot/clamd cpu: {ratio:.4}");
    Ok(())
}

impl Bench {
    async fn prepare(directory: &Path) -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent")?;
        let built = Command::new("cargo")
            .args(["build", "--release", "--quiet", "--message-format=json-render-diagnostics"])
            .current_dir(root.join("clamav-layer/engine"))
            .output()?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8(built.stdout)?;
        let messages =
            messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let engine = messages.filter_map(|message| Some(message["executable"].as_str()?.into())).next_back();
        let engine: PathBuf = engine.context("nothing was built")?;
        let path = |name: &str| directory.join(name);
        for name in ["db", "tmp"] {
            std::fs::create_dir(path(name))?;
        }
        println!("Writing 3.63 million signatures ...");
        definitions::write_full_size_set(&path("db"))?;
        std::fs::write(path("eicar"), clamd::canary::eicar())?;
        for (conf, socket) in [("engine.conf", "engine.sock"), ("clamd.conf", "clamd.sock")] {
            let text = ClamdConf {
                socket: path(socket),
                temporary_directory: path("tmp"),
                database_directory: path("db"),
                limits: LIMITS,
                official_database_only: false,
            };
            std::fs::write(path(conf), text.render())?;
        }
        for (name, option) in [("packed", None), ("raw", Some("--raw"))] {
            let began = Instant::now();
            let made = Command::new(&engine)
                .args(["snapshot", "--config-file"])
                .arg(path("engine.conf"))
                .arg("--out")
                .arg(path(name))
                .args(option)
                .arg("--training")
                .args(["clam.exe", "clam.pdf", "clam.zip"].map(|name| Path::new(TEST_FILES).join(name)))
                .arg("/bin/ls")
                .output()?;
            ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            println!(
                "{name} snapshot: {} MB, made in {:.1} s\n{}",
                std::fs::metadata(path(name))?.len() / 1_000_000,
                began.elapsed().as_secs_f64(),
                String::from_utf8_lossy(&made.stdout)
            );
        }
        let storage = Storage::with(&path("packed"), path("storage")).await?;
        Ok(Self { directory: directory.to_owned(), engine, storage })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The medians of all ways, in the order of [`Way::ALL`].
    async fn starts(&self, files: &[PathBuf]) -> anyhow::Result<Vec<Started>> {
        let mut rounds: Vec<Vec<Started>> = Way::ALL.iter().map(|_| vec![]).collect();
        for _ in 0..N_ROUNDS {
            for (way, measured) in Way::ALL.into_iter().zip(&mut rounds) {
                measured.push(self.start(way, files).await?);
            }
        }
        let middle = |measured: Vec<Started>| Started {
            cpu: median(measured.iter().map(|started| started.cpu).collect()),
            wall: median(measured.iter().map(|started| started.wall).collect()),
            memory_mb: measured[measured.len() / 2].memory_mb,
        };
        Ok(rounds.into_iter().map(middle).collect())
    }

    async fn start(&self, way: Way, files: &[PathBuf]) -> anyhow::Result<Started> {
        if way == Way::Clamscan {
            return self.clamscan(files);
        }
        if way == Way::PackedCold {
            let file = File::open(self.path("packed"))?;
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
        let began = Instant::now();
        let daemon = self.daemon(way).await?;
        for file in files {
            daemon.finds(file).await?;
        }
        let wall = began.elapsed();
        Ok(Started { cpu: cpu::of_family(daemon.child.id())?, wall, memory_mb: memory_mb(daemon.child.id()) })
    }

    fn clamscan(&self, files: &[PathBuf]) -> anyhow::Result<Started> {
        let (began, before) = (Instant::now(), cpu::of_ended_children()?);
        let mut command = Command::new("clamscan");
        command.arg("--no-summary").arg("--database").arg(self.path("db")).args(files);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut most_mb = 0;
        let status = loop {
            most_mb = most_mb.max(memory_mb(child.id()));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        ensure!(matches!(status.code(), Some(0 | 1)), "clamscan: {status}");
        let cpu = cpu::of_ended_children()?.saturating_sub(before);
        Ok(Started { cpu, wall: began.elapsed(), memory_mb: most_mb })
    }

    /// Starts an engine and waits until it answers.
    async fn daemon(&self, way: Way) -> anyhow::Result<Daemon> {
        let (conf, socket) =
            if way == Way::Clamd { ("clamd.conf", "clamd.sock") } else { ("engine.conf", "engine.sock") };
        let _ = std::fs::remove_file(self.path(socket));
        let mut coming = None;
        let mut command = Command::new(if way == Way::Clamd { Path::new("clamd") } else { &self.engine });
        if way != Way::Clamd {
            command.arg("serve");
        }
        command.arg(format!("--config-file={}", self.path(conf).display()));
        match way {
            Way::Packed | Way::PackedCold => drop(command.arg("--snapshot").arg(self.path("packed"))),
            Way::FromStorage => {
                let path = self.path("coming");
                let (task, words) = self.storage.fetch(&path)?;
                coming = Some(task);
                command.arg("--snapshot").arg(path).args(words);
            }
            Way::Raw => drop(command.arg("--snapshot").arg(self.path("raw"))),
            Way::Clamscan | Way::Clamd | Way::Definitions => {}
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let daemon = Daemon { child, client: Client::new(self.path(socket)), coming };
        let began = Instant::now();
        while daemon.client.ping(DEADLINE).await.is_err() {
            ensure!(began.elapsed() < DEADLINE, "{way:?} does not start");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(daemon)
    }

    async fn warm(&self, test_files: &[PathBuf]) -> anyhow::Result<()> {
        println!("\n## Warm\n");
        println!(
            "One scan of an engine that has everything in memory; \
             medians, processor time with all children.\n"
        );
        println!("| | bytes | clamd | snapshot engine | to clamd | wall: clamd | wall: snapshot engine |");
        println!("|---|---|---|---|---|---|---|");
        let (clamd, engine) = (self.daemon(Way::Clamd).await?, self.daemon(Way::Packed).await?);
        let mut samples: Vec<(String, PathBuf)> = vec![];
        for (name, path) in ["EICAR", "PE", "PDF", "zip"].into_iter().zip(test_files) {
            samples.push((name.to_owned(), path.clone()));
        }
        for n_bytes in [1_000, 100_000, 1_000_000, 10_000_000, 100_000_000] {
            let path = self.path(&format!("noise.{n_bytes}"));
            let mut numbers = Numbers::new(n_bytes as u64);
            let words = std::iter::repeat_with(|| numbers.next().to_le_bytes());
            std::fs::write(&path, words.take(n_bytes / 8).collect::<Vec<_>>().concat())?;
            samples.push(("noise".to_owned(), path));
        }
        for daemon in [&clamd, &engine] {
            for (_, path) in &samples {
                daemon.scan(path).await?;
            }
        }
        // By then the snapshot is completely unpacked in the background.
        tokio::time::sleep(Duration::from_secs(5)).await;
        for (name, path) in &samples {
            let [theirs, ours] = compare([&clamd, &engine], path).await?;
            println!(
                "| {name} | {} | {:.2} ms | {:.2} ms | {:.3} | {:.2} ms | {:.2} ms |",
                std::fs::metadata(path)?.len(),
                theirs.0.as_secs_f64() * 1e3,
                ours.0.as_secs_f64() * 1e3,
                ours.0.as_secs_f64() / theirs.0.as_secs_f64(),
                theirs.1.as_secs_f64() * 1e3,
                ours.1.as_secs_f64() * 1e3,
            );
        }
        println!(
            "\nMemory: clamd {} MB, snapshot engine {} MB",
            memory_mb(clamd.child.id()),
            memory_mb(engine.child.id())
        );
        Ok(())
    }
}

/// Returns processor time and wall time of one scan for each of two engines. They alternate, and each turn is
/// long compared with the clock's ticks of 10 ms.
async fn compare(daemons: [&Daemon; 2], path: &Path) -> anyhow::Result<[(Duration, Duration); 2]> {
    const LONG_ENOUGH: Duration = Duration::from_millis(500);
    let began = Instant::now();
    daemons[0].scan(path).await?;
    let n_scans = u32::try_from(LONG_ENOUGH.as_nanos() / began.elapsed().as_nanos().max(1))?.clamp(1, 200);
    let mut rounds = [vec![], vec![]];
    for _ in 0..N_ROUNDS {
        for (daemon, measured) in daemons.iter().zip(&mut rounds) {
            let (began, before) = (Instant::now(), cpu::of_family(daemon.child.id())?);
            for _ in 0..n_scans {
                daemon.scan(path).await?;
            }
            measured.push((
                cpu::of_family(daemon.child.id())?.saturating_sub(before) / n_scans,
                began.elapsed() / n_scans,
            ));
        }
    }
    Ok(rounds.map(|measured| {
        let (spent, waited) = measured.into_iter().unzip();
        (median(spent), median(waited))
    }))
}

struct Daemon {
    child: Child,
    client: Client,
    /// The background download of its snapshot; aborted on drop.
    coming: Option<tokio::task::JoinHandle<()>>,
}

impl Daemon {
    async fn scan(&self, path: &Path) -> anyhow::Result<EngineReply> {
        Ok(self.client.scan_descriptor(File::open(path)?.as_fd(), DEADLINE).await?)
    }

    async fn finds(&self, path: &Path) -> anyhow::Result<()> {
        let reply = self.scan(path).await?;
        ensure!(matches!(reply, EngineReply::Found(_)), "{} is not found", path.display());
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(coming) = &self.coming {
            coming.abort();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The memory of a process and its children: their proportional shares (PSS), and the whole of their largest
/// memfd.
fn memory_mb(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    let family = std::iter::once(pid).chain(children);
    let texts: Vec<String> = family
        .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default())
        .collect();
    let kilobytes = |name: &str| -> u64 {
        let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    };
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let is_in_memory = |path: &PathBuf| {
        std::fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:"))
    };
    // In blocks of 512 bytes, as stat(2) counts.
    let files = open.map(|entry| entry.path()).filter(is_in_memory).filter_map(|path| path.metadata().ok());
    let in_files = files.map(|metadata| metadata.blocks() / 2).max().unwrap_or(0);
    (kilobytes("Pss_Anon:") + kilobytes("Pss_File:") + in_files) / 1000
}
