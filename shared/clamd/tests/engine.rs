//! A real clamd and our snapshot engine, with both transports; and a scripted engine that answers as a broken
//! one.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clamd::{
    Client, DaemonConfig, Engine, EngineError, EngineLimits, EngineProgram, Scan, Snapshot, SnapshotError,
    Snapshots, StartError, Transport, canary, contents_digest, definitions,
};
use domain::verdict::EngineReply;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

/// A generous limit: no result may depend on it or on the load of the machine.
const BUDGET: Duration = Duration::from_mins(15);
const MAX_FILE_SIZE: u64 = 5_000_000;

/// The directory into which `tools/engine build` puts the engine.
const AIRLOCK_ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/engine/airlock-engine");

fn programs() -> [EngineProgram; 2] {
    [EngineProgram::Clamd("clamd".into()), EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into())]
}

/// An engine with the test definitions, and a snapshot of them if the program supports it.
async fn begun(directory: &Path, program: &EngineProgram, transport: Transport) -> Engine {
    let config = config(directory, program);
    let engine = Engine::new(config.clone(), transport);
    if let EngineProgram::AirlockEngine(_) = program {
        let snapshot = directory.join("snapshot");
        let snapshots = Snapshots::new(&config, vec![]);
        assert!(snapshots.ensure(&snapshot).await.unwrap());
        assert!(!snapshots.ensure(&snapshot).await.unwrap(), "the snapshot that was made matches");
        engine.begin_with(Some(Snapshot::Kept(snapshot)));
    }
    engine
}

fn config(directory: &Path, program: &EngineProgram) -> DaemonConfig {
    let definitions_directory = directory.join("definitions");
    definitions::write_test_set(&definitions_directory).unwrap();
    DaemonConfig {
        program: program.clone(),
        launcher: vec![],
        run_directory: directory.to_owned(),
        definitions_directory,
        limits: EngineLimits { max_file_size: MAX_FILE_SIZE, max_scan_time: BUDGET },
        start_timeout: BUDGET,
    }
}

async fn scan(engine: &Engine, bytes: &[u8]) -> Result<Scan, EngineError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    engine.scan(&file, bytes.len().try_into().unwrap(), vec![], BUDGET).await
}

fn found(scan: &Scan) -> &str {
    match scan.replies.as_slice() {
        [EngineReply::Found(name)] => name,
        _ => "",
    }
}

#[tokio::test]
async fn both_transports_give_the_same_answers() {
    let cases = programs().into_iter().flat_map(|program| {
        [Transport::Stream, Transport::Descriptor].map(|transport| (program.clone(), transport))
    });
    for (program, transport) in cases {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program, transport).await;
        let clean = scan(&engine, b"nothing to see").await.unwrap();
        assert_eq!(
            (found(&clean), clean.n_bytes, clean.n_engine_errors),
            ("", 14, 0),
            "{program:?} {transport:?}"
        );
        assert!(clean.canary_found_before && clean.canary_found_after);
        assert!(clean.engine.version.starts_with("ClamAV "), "{}", clean.engine.version);
        let bad = scan(&engine, &canary::eicar()).await.unwrap();
        assert!(found(&bad).starts_with("Eicar-Test-Signature"), "{program:?} {transport:?}: {bad:?}");
        let pid = engine.pid().await;
        assert_eq!(found(&scan(&engine, b"").await.unwrap()), "", "{program:?} {transport:?}");
        assert_eq!(engine.pid().await, pid, "a healthy engine is kept");
        engine.stop().await;
    }
}

#[tokio::test]
async fn limits_are_findings_and_not_silence() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program, Transport::Descriptor).await;
        let large = vec![b'x'; usize::try_from(MAX_FILE_SIZE).unwrap() + 1];
        let said = scan(&engine, &large).await.unwrap();
        assert_eq!(found(&said), "Heuristics.Limits.Exceeded.MaxFileSize", "{program:?}");
        engine.stop().await;
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program, Transport::Stream).await;
        // The engine reports this and closes the connection; either may arrive first.
        let refused = scan(&engine, &large).await;
        assert!(matches!(refused, Err(EngineError::Client(_))), "{program:?}: {refused:?}");
        assert_eq!(engine.pid().await, None, "an engine that failed is not kept");
        assert_eq!(found(&scan(&engine, b"the next one").await.unwrap()), "");
        engine.stop().await;
    }
}

#[tokio::test]
async fn nothing_of_a_scan_is_left_behind() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program, Transport::Stream).await;
        scan(&engine, &vec![b'x'; 3_000_000]).await.unwrap();
        assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0, "{program:?}");
        engine.stop().await;
    }
}

#[tokio::test]
async fn too_little_room_for_what_may_be_unpacked_is_no_answer() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: it takes root to mount a small file system");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let small = |command: &str, options: &[&str]| {
        let status = std::process::Command::new(command).args(options).arg(directory.path()).status();
        assert!(status.unwrap().success(), "{command}");
    };
    // One byte, four times the largest file, 64 MiB: 83.1 MiB in all.
    small("mount", &["-t", "tmpfs", "-o", "size=82m", "tmpfs"]);
    let [clamd, _] = programs();
    let engine = Engine::new(config(directory.path(), &clamd), Transport::Stream);
    let without_room = scan(&engine, b"x").await;
    small("mount", &["-o", "remount,size=100m"]);
    let with_room = scan(&engine, b"x").await;
    engine.stop().await;
    small("umount", &["--lazy"]);
    assert!(matches!(without_room, Err(EngineError::NoSpace { .. })), "{without_room:?}");
    assert_eq!(with_room.unwrap().replies, [EngineReply::Ok]);
}

#[tokio::test]
async fn an_engine_that_cannot_start_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let config = |path: &str| config(directory.path(), &EngineProgram::Clamd(path.into()));
    let missing = config("/nonexistent/clamd");
    assert!(matches!(
        Engine::new(missing, Transport::Stream).ensure_running().await,
        Err(StartError::Spawn(..))
    ));
    let empty = DaemonConfig { definitions_directory: directory.path().join("empty"), ..config("clamd") };
    assert!(matches!(
        Engine::new(empty, Transport::Stream).ensure_running().await,
        Err(StartError::Definitions(_))
    ));
    let other = config("/bin/false");
    assert!(matches!(
        Engine::new(other, Transport::Stream).ensure_running().await,
        Err(StartError::Ended(_))
    ));
}

/// A clamd that reads `n_read` bytes, answers `reply`, and closes, or with no reply hangs.
fn scripted(directory: &Path, n_read: usize, reply: Option<&'static [u8]>) -> PathBuf {
    let path = directory.join("scripted.sock");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut taken = vec![0; n_read];
        let _ = socket.read_exact(&mut taken).await;
        match reply {
            Some(reply) => {
                let _ = socket.write_all(reply).await;
                let _ = socket.shutdown().await;
                // Whether clamd has read all bytes or sees the end of the stream, the client must not take it
                // for a reply.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None => tokio::time::sleep(BUDGET).await,
        }
    });
    path
}

#[tokio::test]
async fn no_broken_answer_is_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let broken: [&[u8]; 10] = [
        b"",
        b"stream: OK",
        b"stream: O",
        b"OK\0",
        b"stream: OK\0stream: OK\0",
        b"INSTREAM size limit exceeded. ERROR\0",
        b"stream: Can't create temporary file. ERROR\0",
        b"\xff\xfe\0",
        b"stream:  FOUND\0",
        b"fd[3]: OK\0",
    ];
    for reply in broken {
        // After the whole stream, and in the middle of it.
        for n_read in [10 + 4 + 5 + 4, 12] {
            let client = Client::new(scripted(directory.path(), n_read, Some(reply)));
            let answer = client.scan_stream(&b"bytes"[..], BUDGET).await;
            assert!(answer.is_err(), "{:?}: {answer:?}", String::from_utf8_lossy(reply));
        }
    }
    let client = Client::new(scripted(directory.path(), 23, Some(b"stream: OK\0")));
    assert_eq!(
        client.scan_stream(&b"bytes"[..], BUDGET).await.unwrap(),
        (EngineReply::Ok, 5),
        "the script itself works"
    );
}

#[tokio::test]
async fn an_ok_before_everything_was_sent_is_not_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(scripted(directory.path(), 12, Some(b"stream: OK\0")));
    let endless = tokio::io::repeat(b'x').take(500_000_000);
    assert!(client.scan_stream(endless, BUDGET).await.is_err());
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let (deadline, began) = (Duration::from_millis(300), Instant::now());
    let path = scripted(directory.path(), 23, None);
    assert!(Client::new(path.clone()).scan_stream(&b"bytes"[..], deadline).await.is_err());
    let file = File::open("/dev/null").unwrap();
    let path = scripted(directory.path(), 8, None);
    assert!(Client::new(path).scan_descriptor(std::os::fd::AsFd::as_fd(&file), deadline).await.is_err());
    assert!(began.elapsed() < BUDGET / 2);
}

/// Two files of 128 bytes with one MD5 (Wang, Feng, Lai and Yu, 2004).
fn collision() -> [Vec<u8>; 2] {
    const FIRST: &str = "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a\
        085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0\
        e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70";
    let byte = |at: usize| u8::from_str_radix(&FIRST[at * 2..at * 2 + 2], 16).unwrap();
    let first = (0..128).map(byte).collect::<Vec<_>>();
    let mut second = first.clone();
    for differing in [19, 45, 59, 83, 109, 123] {
        second[differing] ^= 0x80;
    }
    [first, second]
}

#[tokio::test]
async fn a_file_does_not_inherit_the_verdict_of_another_with_the_same_md5() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), &program);
        let [good, bad] = collision();
        let hex = bad.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let path = config.definitions_directory.join("collision.ndb");
        std::fs::write(path, format!("Collision:0:0:{hex}\n")).unwrap();
        let engine = Engine::new(config, Transport::Stream);
        assert_eq!(found(&scan(&engine, &good).await.unwrap()), "");
        assert!(found(&scan(&engine, &bad).await.unwrap()).starts_with("Collision"), "{program:?}");
        assert_eq!(found(&scan(&engine, &good).await.unwrap()), "", "{program:?}");
        engine.stop().await;
    }
}

#[tokio::test]
async fn an_engine_whose_definitions_were_replaced_is_not_believed() {
    for program in programs() {
        let directory = tempfile::tempdir().unwrap();
        let engine = begun(directory.path(), &program, Transport::Stream).await;
        scan(&engine, b"fine").await.unwrap();
        let pid = engine.pid().await;
        definitions::write_test_set(&engine.config().definitions_directory).unwrap();
        let doubted = scan(&engine, b"fine").await;
        assert!(matches!(doubted, Err(EngineError::DefinitionsChanged)), "{program:?}: {doubted:?}");
        scan(&engine, b"fine").await.unwrap();
        assert_ne!(engine.pid().await, pid, "a new engine loaded the present definitions");
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_snapshot_with_a_known_digest_needs_no_definitions() {
    let directory = tempfile::tempdir().unwrap();
    let [_, program] = programs();
    let engine = begun(directory.path(), &program, Transport::Stream).await;
    let read = definitions::read(&engine.config().definitions_directory).unwrap();
    let path = directory.path().join("snapshot");
    std::fs::remove_dir_all(&engine.config().definitions_directory).unwrap();
    let vouched = Snapshot::Vouched {
        size_bytes: path.metadata().unwrap().len(),
        contents: contents_digest(&path).unwrap(),
        definitions: read.clone(),
        path,
    };
    assert!(engine.check().await.is_err(), "without a snapshot there is nothing to start from");
    engine.begin_with(Some(vouched.clone()));
    assert_eq!(engine.check().await.unwrap().definitions, read);
    assert_eq!(found(&scan(&engine, b"fine").await.unwrap()), "");
    engine.stop().await;
    // The manifest names no other snapshot, and there are no definitions to fall back to.
    let Snapshot::Vouched { path, size_bytes, definitions, .. } = vouched else { unreachable!() };
    let contents = domain::id::Sha256::from_bytes([7; 32]);
    engine.begin_with(Some(Snapshot::Vouched { path, size_bytes, contents, definitions }));
    assert!(engine.check().await.is_err());
}

#[tokio::test]
async fn only_the_snapshot_engine_makes_snapshots_and_none_is_made_of_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let [clamd, engine] = programs();
    let out = directory.path().join("snapshot");
    let make = async |program: &EngineProgram, definitions: &str| {
        let definitions_directory = directory.path().join(definitions);
        let config = DaemonConfig { definitions_directory, ..config(directory.path(), program) };
        Snapshots::new(&config, vec!["/bin/true".into()]).make(&out).await
    };
    assert!(matches!(make(&clamd, "definitions").await, Err(SnapshotError::NotThisEngine)));
    assert!(matches!(make(&engine, "missing").await, Err(SnapshotError::Conf(_))));
    std::fs::create_dir_all(directory.path().join("broken")).unwrap();
    std::fs::write(directory.path().join("broken/airlock-test.ndb"), "this is no signature\n").unwrap();
    let broken = make(&engine, "broken").await;
    assert!(
        matches!(&broken, Err(SnapshotError::Failed { said, .. }) if said.contains("Malformed")),
        "{broken:?}"
    );
    assert!(!out.try_exists().unwrap());
    make(&engine, "definitions").await.unwrap();
    assert!(out.try_exists().unwrap());
}
