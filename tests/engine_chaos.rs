//! Whatever happens to the engine at any moment, with four scans in flight, malware is never clean, and one
//! fault costs each of them at most one repetition.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::engine_faults::engines;
use crate::support::{Service, eicar, rounds, wait, with_each_engine};

/// Concurrent uploads: one for each worker, and some that wait.
const N_UPLOADS: usize = 6;
const N_WORKERS: usize = 4;

/// What can happen to an engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fault {
    Kill,
    Stop,
    Terminate,
    SocketDeleted,
    TemporaryDirectoryGone,
    TemporaryDirectoryReadOnly,
    NoRoomForFiles,
    NoMemory,
    NoDescriptors,
    ReloadedWithLess,
    ReloadedBroken,
}

impl Fault {
    const ALL: [Self; 11] = [
        Self::Kill,
        Self::Stop,
        Self::Terminate,
        Self::SocketDeleted,
        Self::TemporaryDirectoryGone,
        Self::TemporaryDirectoryReadOnly,
        Self::NoRoomForFiles,
        Self::NoMemory,
        Self::NoDescriptors,
        Self::ReloadedWithLess,
        Self::ReloadedBroken,
    ];

    fn strike(self, pid: u32, data_dir: &Path) {
        let run = data_dir.join("run");
        let process = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        let limit = |resource, limit| {
            let _ = prlimit(Some(process), resource, Rlimit { current: Some(limit), maximum: Some(limit) });
        };
        match self {
            Self::Kill => drop(kill_process(process, Signal::KILL)),
            Self::Stop => drop(kill_process(process, Signal::STOP)),
            Self::Terminate => drop(kill_process(process, Signal::TERM)),
            Self::SocketDeleted => drop(std::fs::remove_file(run.join("clamd.sock"))),
            Self::TemporaryDirectoryGone => drop(std::fs::remove_dir_all(run.join("tmp"))),
            // Not even root can create a file below a path that is not a directory.
            Self::TemporaryDirectoryReadOnly => {
                let _ = std::fs::remove_dir_all(run.join("tmp"));
                drop(std::fs::write(run.join("tmp"), b""));
            }
            Self::NoRoomForFiles => limit(Resource::Fsize, 100),
            Self::NoMemory => limit(Resource::As, 1024 * 1024),
            Self::NoDescriptors => limit(Resource::Nofile, 3),
            Self::ReloadedWithLess => reload_with(data_dir, "EICAR-is-known.ndb", &eicar_signature()),
            Self::ReloadedBroken => reload_with(data_dir, "airlock-test.ndb", "this is no signature\n"),
        }
    }
}

fn eicar_signature() -> String {
    let hex = eicar().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("Eicar-Test-Signature:0:0:{hex}\n")
}

/// Replaces the definitions, tells clamd to load them, and puts the right ones back.
fn reload_with(data_dir: &Path, name: &str, content: &str) {
    use std::io::{Read as _, Write as _};
    let directory = data_dir.join("definitions-test");
    for entry in std::fs::read_dir(&directory).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    std::fs::write(directory.join(name), content).unwrap();
    if let Ok(mut socket) = UnixStream::connect(data_dir.join("run/clamd.sock")) {
        let _ = socket.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = socket.write_all(b"zRELOAD\0");
        let _ = socket.read(&mut [0; 64]);
    }
    std::thread::sleep(Duration::from_millis(20));
    std::fs::remove_file(directory.join(name)).unwrap();
    clamd::definitions::write_test_set(&directory).unwrap();
}

/// EICAR in every kind of container, ClamAV's own test files, and EICAR with much behind it, so that faults
/// strike in mid-stream.
fn known_bad() -> Vec<Vec<u8>> {
    let mut files = gate::Sample::ALL.iter().map(gate::Sample::unmasked).collect::<Vec<_>>();
    for entry in std::fs::read_dir("/usr/share/clamav-testfiles").unwrap() {
        files.push(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for n_bytes in [0, 100_000, 3_000_000, 8_000_000] {
        files.push([eicar(), vec![b' '; n_bytes]].concat());
    }
    files
}

/// Counts the attempts that were concluded, from the log line of each.
struct CountAttempts {
    /// Attempts that take longer are ended by this timeout.
    scan_timeout: Duration,
}

static N_ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
static N_TIMED_OUT: AtomicUsize = AtomicUsize::new(0);

/// The longest of the durations in an event, in milliseconds.
struct LongestMs(u128);

impl tracing::field::Visit for LongestMs {
    fn record_u128(&mut self, field: &tracing::field::Field, value: u128) {
        if field.name() == "scan.duration_ms" {
            self.0 = self.0.max(value);
        }
    }
    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

impl tracing::Subscriber for CountAttempts {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "scan::process" && metadata.fields().field("scan.attempt").is_some()
    }
    fn event(&self, event: &tracing::Event<'_>) {
        let mut duration = LongestMs(0);
        event.record(&mut duration);
        let is_timed_out = duration.0 >= (self.scan_timeout.mul_f64(0.95)).as_millis();
        N_TIMED_OUT.fetch_add(usize::from(is_timed_out), Ordering::Relaxed);
        N_ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Injects faults at irregular moments until `n_faults` have hit a running engine. Returns the number of
/// each.
async fn chaos(data_dir: PathBuf, n_faults: usize) -> BTreeMap<Fault, usize> {
    let (mut struck, mut state) = (BTreeMap::new(), 0x2545_f491_4f6c_dd1d_u64);
    for index in 0..n_faults {
        // xorshift: the same moments in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let fault = Fault::ALL[index % Fault::ALL.len()];
        tokio::time::sleep(Duration::from_millis(state % 400)).await;
        let pid = wait::until_found("an engine", async || engines().first().copied().ok_or(())).await;
        let n_before = N_ATTEMPTS.load(Ordering::Relaxed);
        let data_dir = data_dir.clone();
        tokio::task::spawn_blocking(move || fault.strike(pid, &data_dir)).await.unwrap();
        *struck.entry(fault).or_insert(0) += 1;
        // The next fault must hit a healthy engine: this one ends, or tolerates the fault and continues to
        // scan. Up to `N_UPLOADS` of the attempts that are concluded next may have had their replies before
        // the fault.
        wait::until("the engine to end, or to scan on", async || {
            let n_since = N_ATTEMPTS.load(Ordering::Relaxed) - n_before;
            !engines().contains(&pid) || n_since > N_UPLOADS
        })
        .await;
    }
    struck
}

with_each_engine!(no_fault_makes_a_known_bad_file_clean);

/// How long an engine may be silent before it counts as hung: several times what the largest file takes on
/// this machine under its present load.
async fn scan_timeout(engine: &str, largest: &[u8]) -> Duration {
    let service = Service::start_with(&[("ENGINE", engine)], |_| {}).await;
    let began = Instant::now();
    let uploads = (0..N_UPLOADS).map(async |_| {
        let file_id = service.upload("sample.bin", largest).await;
        service.ends_as(&file_id, "infected").await
    });
    futures_util::future::join_all(uploads).await;
    let taken = began.elapsed();
    service.stop().await;
    Duration::from_secs((taken * 4).as_secs().max(3))
}

async fn no_fault_makes_a_known_bad_file_clean(engine: &str) {
    let files = known_bad();
    let scan_timeout = scan_timeout(engine, files.last().unwrap()).await;
    tracing::subscriber::set_global_default(CountAttempts { scan_timeout }).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let seconds = scan_timeout.as_secs().to_string();
    let workers = N_WORKERS.to_string();
    let env = [
        ("ENGINE", engine),
        ("ALLOWED_EXTENSIONS", "*"),
        ("VIRUS_SCAN_TIMEOUT", &seconds),
        ("SCAN_WORKERS", &workers),
    ];
    let service = {
        let data_dir = data_dir.clone();
        Service::start_with(&env, move |settings| {
            settings.data_dir = data_dir;
            settings.tuning.machine.max_attempts = 50;
        })
        .await
    };
    let (n_scans, n_faults) = (rounds(150, 1_100), rounds(22, 220));
    // At least `n_scans` files, and more until the last fault is injected: without files no engine runs.
    let is_over = AtomicBool::new(false);
    let uploads = stream::iter(0..)
        .take_while(|index| {
            let goes_on = *index < n_scans || !is_over.load(Ordering::Relaxed);
            async move { goes_on }
        })
        .map(|index| {
            let (service, bytes) = (&service, &files[index % files.len()]);
            async move {
                let file_id = service.upload("sample", bytes).await;
                (index, service.ended(&file_id).await)
            }
        })
        .buffer_unordered(N_UPLOADS)
        .collect::<Vec<_>>();
    let chaos = async {
        let struck = chaos(data_dir, n_faults).await;
        is_over.store(true, Ordering::Relaxed);
        struck
    };
    let (verdicts, struck) = tokio::join!(uploads, chaos);
    let n_scans = verdicts.len();
    let mut counts = BTreeMap::new();
    for (index, info) in &verdicts {
        let status = info["scan_status"].as_str().unwrap();
        assert_ne!(status, "clean", "known-bad file {} came out clean: {info}", index % files.len());
        *counts.entry(status.to_owned()).or_insert(0) += 1;
    }
    let (n_attempts, n_timed_out) = (N_ATTEMPTS.load(Ordering::Relaxed), N_TIMED_OUT.load(Ordering::Relaxed));
    let n_repeats = usize::try_from(service.local.engine().n_repeats()).unwrap();
    println!(
        "{n_scans} files, {n_faults} faults: {counts:?} in {n_attempts} attempts, {n_timed_out} of them \
         ended after {scan_timeout:?}; {n_repeats} scans were repeated; {struck:?}"
    );
    // A scan that exceeds its timeout invalidates the concurrent ones, as a fault does.
    assert!(
        n_repeats <= N_WORKERS * (n_faults + n_timed_out),
        "{n_repeats} repetitions for {n_faults} faults and {n_timed_out} scans that took too long"
    );
    // An engine that hangs costs an attempt of every file that waits for it, and so does a machine whose load
    // has grown.
    assert!(
        n_attempts - n_timed_out <= n_scans + n_faults,
        "{n_attempts} attempts, {n_timed_out} of them too long, for {n_scans} files and {n_faults} faults"
    );
    wait::until("an engine that is well again", async || {
        let file_id = service.upload("sample", &eicar()).await;
        service.ended(&file_id).await["scan_status"] == "infected"
    })
    .await;
    service.stop().await;
}
