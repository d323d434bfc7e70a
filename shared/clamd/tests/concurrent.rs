//! Scans run concurrently on one engine process. A failure invalidates all scans in flight, each of which is
//! repeated once, alone. In no failure does a reply count that no canary followed.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::io::{self, Read, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use clamd::{
    DaemonConfig, Engine, EngineError, EngineLimits, EngineProgram, Part, Scan, ScanBudget, Snapshot,
    Snapshots, StartError, Transport, canary, definitions,
};
use domain::verdict::EngineReply;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A generous limit: no result may depend on it or on the load of the machine.
const BUDGET: Duration = Duration::from_mins(15);
const MAX_FILE_SIZE: u64 = 5_000_000;
const N_WORKERS: u32 = 4;

/// The directory into which `tools/engine build` puts the engine.
const AIRLOCK_ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/engine/airlock-engine");

fn programs() -> [EngineProgram; 2] {
    [EngineProgram::Clamd("clamd".into()), EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into())]
}

async fn begun(directory: &Path, program: &EngineProgram) -> Arc<Engine> {
    let definitions_directory = directory.join("definitions");
    definitions::write_test_set(&definitions_directory).unwrap();
    let config = DaemonConfig {
        program: program.clone(),
        launcher: vec![],
        run_directory: directory.to_owned(),
        definitions_directory,
        limits: EngineLimits { max_file_size: MAX_FILE_SIZE, max_scan_time: BUDGET },
        start_timeout: BUDGET,
    };
    let engine = Engine::with_workers(config.clone(), Transport::Stream, N_WORKERS);
    if let EngineProgram::AirlockEngine(_) = program {
        let snapshot = directory.join("snapshot");
        Snapshots::new(&config, vec![]).make(&snapshot).await.unwrap();
        engine.begin_with(Some(Snapshot::Kept(snapshot)));
    }
    engine.check().await.unwrap();
    Arc::new(engine)
}

/// In a task of its own, because members block while they wait for each other.
fn scan(engine: &Arc<Engine>, bytes: &[u8], parts: Vec<Part>) -> JoinHandle<Result<Scan, EngineError>> {
    let (engine, bytes) = (Arc::clone(engine), bytes.to_vec());
    tokio::spawn(async move { scan_here(&engine, &bytes, parts).await })
}

async fn scan_here(engine: &Engine, bytes: &[u8], parts: Vec<Part>) -> Result<Scan, EngineError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    engine.scan(&file, bytes.len().try_into().unwrap(), parts, BUDGET).await
}

/// A member that is first read when `begun` scans are in flight, which then calls `then`.
fn meeting(begun: &Arc<Barrier>, then: impl Fn() + Send + Sync + 'static) -> Part {
    let (begun, n_opened) = (Arc::clone(begun), AtomicUsize::new(0));
    Box::new(move || {
        if n_opened.fetch_add(1, Ordering::SeqCst) == 0 {
            tokio::task::block_in_place(|| begun.wait());
            then();
        }
        Box::new(io::Cursor::new(b"a member")) as Box<dyn Read + Send>
    })
}

/// Small members, each of which costs a round trip.
fn many(n_members: usize) -> impl Iterator<Item = Part> {
    (0..n_members).map(|_| Box::new(|| Box::new(&b"a member"[..]) as Box<dyn Read + Send>) as Part)
}

async fn results<const N: usize>(scans: [JoinHandle<Result<Scan, EngineError>>; N]) -> Vec<Scan> {
    let mut results = vec![];
    for scan in scans {
        results.push(scan.await.unwrap().unwrap());
    }
    results
}

fn is_sound(scan: &Scan) -> bool {
    scan.canary_found_before && scan.canary_found_after && scan.n_engine_errors == 0
}

fn finds_malware(scan: &Scan) -> bool {
    scan.replies.iter().any(EngineReply::names_malware)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn as_many_scans_as_workers_run_concurrently_on_one_process() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program).await;
        let begun = Arc::new(Barrier::new(N_WORKERS as usize));
        let samples = [&canary::eicar()[..], b"fine", &canary::eicar(), b"fine as well"];
        let scans = samples.map(|bytes| scan(&engine, bytes, vec![meeting(&begun, || {})]));
        let scans = results(scans).await;
        let found = scans.iter().map(finds_malware).collect::<Vec<_>>();
        assert_eq!(found, [true, false, true, false], "{program:?}");
        assert!(scans.iter().all(is_sound));
        assert_eq!((engine.n_starts(), engine.n_repeats()), (1, 0), "{program:?}");
        assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0, "{program:?}");
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn an_engine_that_dies_costs_each_scan_in_flight_one_repetition() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program).await;
        let begun = Arc::new(Barrier::new(N_WORKERS as usize));
        let pid = Pid::from_raw(engine.pid().await.unwrap().cast_signed()).unwrap();
        let kill = move || {
            let _ = kill_process(pid, Signal::KILL);
        };
        let samples = [&canary::eicar()[..], b"fine", &canary::eicar(), b"fine as well"];
        let scans = samples.map(|bytes| scan(&engine, bytes, vec![meeting(&begun, kill)]));
        let scans = results(scans).await;
        let found = scans.iter().map(finds_malware).collect::<Vec<_>>();
        assert_eq!(found, [true, false, true, false], "{program:?}");
        assert!(scans.iter().all(is_sound));
        assert_eq!((engine.n_starts(), engine.n_repeats()), (2, 4), "{program:?}");
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_file_that_the_engine_fails_on_takes_no_other_file_with_it() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program).await;
        let begun = Arc::new(Barrier::new(2));
        // Longer than the limit of a stream, which the engine reports as an error.
        let too_long =
            Box::new(|| Box::new(io::repeat(b'x').take(MAX_FILE_SIZE + 1)) as Box<dyn Read + Send>);
        let bad = scan(&engine, b"bad", vec![meeting(&begun, || {}), too_long]);
        let good = scan(&engine, b"good", vec![meeting(&begun, || {})]).await.unwrap().unwrap();
        let bad = bad.await.unwrap();
        assert!(matches!(bad, Err(EngineError::Client(_))), "{program:?}: {bad:?}");
        assert!(is_sound(&good) && !finds_malware(&good), "{program:?}: {good:?}");
        assert!(engine.n_repeats() <= 2, "{program:?}: {} repetitions", engine.n_repeats());
        let next = scan_here(&engine, b"the next one", vec![]).await.unwrap();
        assert_eq!(next.replies, [EngineReply::Ok]);
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_scan_that_is_given_up_voids_those_beside_it() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program).await;
        let (begun, has_met) = (Arc::new(Barrier::new(2)), Arc::new(Notify::new()));
        let tell = Arc::clone(&has_met);
        let long = [meeting(&begun, move || tell.notify_one())].into_iter().chain(many(20_000));
        let given_up = scan(&engine, b"given up", long.collect());
        let short = [meeting(&begun, || {})].into_iter().chain(many(200));
        let good = scan(&engine, b"good", short.collect());
        has_met.notified().await;
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        let good = good.await.unwrap().unwrap();
        assert!(is_sound(&good) && good.replies.len() == 202, "{program:?}: {good:?}");
        assert_eq!((engine.n_starts(), engine.n_repeats()), (2, 1), "{program:?}");
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_scan_stops_at_its_processor_time_whatever_runs_beside_it() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program).await;
        let costly = tempfile::tempfile().unwrap();
        let budget = ScanBudget { wall: BUDGET, cpu: Duration::from_millis(50) };
        let members = many(20_000).collect();
        let (stopped, other) =
            tokio::join!(engine.scan_within(&costly, 0, members, budget), scan(&engine, b"cheap", vec![]));
        let other = other.unwrap();
        assert!(matches!(stopped, Err(EngineError::TooCostly { .. })), "{program:?}: {stopped:?}");
        assert!(is_sound(&other.unwrap()), "{program:?}");
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_closed_engine_is_started_by_no_scan() {
    let directory = tempfile::tempdir().unwrap();
    let engine = begun(directory.path(), &programs()[0]).await;
    engine.close().await;
    assert_eq!(engine.pid().await, None);
    assert!(matches!(scan_here(&engine, b"late", vec![]).await, Err(EngineError::Busy)));
    assert!(matches!(engine.ensure_running().await, Err(StartError::Closed)));
    assert_eq!(engine.n_starts(), 1);
}
