//! The snapshot engine replies exactly as clamd does to every file that the tests have, four of them
//! concurrently.
//!
//! The engine's own tests compare the two with signatures of every kind; here it is the files that are of
//! every kind.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clamd::{Client, DaemonConfig, Engine, EngineLimits, EngineProgram, Snapshot, Snapshots, Transport};
use futures_util::{StreamExt as _, stream};

use crate::layer::encodings;
use crate::support::{AIRLOCK_ENGINE, eicar, rounds};
use crate::{ordinary, readers};

/// A generous limit: no result may depend on it.
pub(crate) const SCAN_TIMEOUT: Duration = Duration::from_hours(1);

pub(crate) fn config(directory: &Path, program: EngineProgram, definitions_directory: &Path) -> DaemonConfig {
    std::fs::create_dir_all(directory).unwrap();
    DaemonConfig {
        program,
        launcher: clamd::bound_launcher(),
        run_directory: directory.to_owned(),
        definitions_directory: definitions_directory.to_owned(),
        limits: EngineLimits { max_file_size: 100 << 20, max_scan_time: SCAN_TIMEOUT },
        start_timeout: SCAN_TIMEOUT,
    }
}

/// The test definitions, and signatures that match in further places.
pub(crate) fn write_definitions(directory: &Path) {
    clamd::definitions::write_test_set(directory).unwrap();
    // At any offset, not only at the start of a file, for more findings.
    let hex = eicar().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    std::fs::write(directory.join("anywhere.ndb"), format!("Anywhere:0:*:{hex}\n")).unwrap();
    std::fs::write(directory.join("html.ndb"), encodings::signature()).unwrap();
}

/// What a running engine says about each file, or how it fails.
pub(crate) async fn replies(engine: &Engine, files: &[PathBuf]) -> Vec<String> {
    engine.ensure_running().await.unwrap();
    let client = &Client::new(engine.config().run_directory.join("clamd.sock"));
    let replies = stream::iter(files)
        .map(|path| async move {
            let file = File::open(path).unwrap();
            format!("{:?}", client.scan_descriptor(file.as_fd(), SCAN_TIMEOUT).await)
        })
        .buffered(4);
    replies.collect().await
}

/// The evasions, HTML in every encoding, ClamAV's test files, what common tools make, what packages hold, and
/// the programs of this machine.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = readers::evasions(directory, rounds(800, 6_000), 7);
    files.extend(encodings::pages().map(|(name, page)| {
        let path = directory.join(format!("{name}.html"));
        std::fs::write(&path, page).unwrap();
        path
    }));
    files.extend(ordinary::corpus(&ordinary::fetched(), rounds(4, 200)).into_values().flatten());
    for (system, n) in [("/usr/share/clamav-testfiles", 100), ("/usr/bin", rounds(100, 1_000))] {
        let entries = std::fs::read_dir(system).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
        found.sort();
        files.extend(found.into_iter().take(n));
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn clamd_the_definitions_and_a_snapshot_say_the_same() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let definitions = directory.path().join("definitions");
    write_definitions(&definitions);
    let corpus = directory.path().join("corpus");
    let files = tokio::task::spawn_blocking(move || files(&corpus)).await.unwrap();

    let engine = |name: &str, program| {
        Engine::new(config(&directory.path().join(name), program, &definitions), Transport::Descriptor)
    };
    let clamd = engine("c", EngineProgram::Clamd("clamd".into()));
    let fresh = engine("f", EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into()));
    let restored = engine("r", EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into()));
    let snapshot = directory.path().join("snapshot");
    Snapshots::new(restored.config(), vec![]).make(&snapshot).await.unwrap();
    restored.begin_with(Some(Snapshot::Kept(snapshot)));

    let expected = replies(&clamd, &files).await;
    let mut kinds = BTreeMap::<&str, usize>::new();
    for reply in &expected {
        let kind = ["Ok(Ok)", "Heuristics", "Found", "Err"].into_iter().find(|kind| reply.contains(kind));
        *kinds.entry(kind.unwrap_or(reply)).or_default() += 1;
    }
    println!("{} files: {kinds:?}", files.len());
    assert!(files.len() >= 2_000, "{}", files.len());
    assert!(["Ok(Ok)", "Heuristics", "Found"].iter().all(|kind| kinds[kind] >= 20), "{kinds:?}");
    assert!(
        expected.iter().any(|reply| reply.contains("Heuristics.Encrypted")),
        "encrypted files are among them"
    );
    for (name, engine) in [("fresh", fresh), ("restored", restored)] {
        let said = replies(&engine, &files).await;
        let differences: Vec<_> = files
            .iter()
            .zip(expected.iter().zip(said))
            .filter(|(_, (expected, said))| *expected != said)
            .collect();
        assert!(differences.is_empty(), "{name}: {differences:#?}");
        assert_eq!(engine.n_starts(), 1);
        engine.stop().await;
    }
    clamd.stop().await;
}
