//! ClamAV's own findings: the names in its library are those that Airlock knows, and both engines are
//! configured to report them.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clamd::{DaemonConfig, Engine, EngineLimits, EngineProgram, Transport, definitions};
use domain::verdict::EngineReply;

/// The directory into which `tools/engine build` puts the engine.
const AIRLOCK_ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/engine/airlock-engine");
const TIMEOUT: Duration = Duration::from_secs(20);

/// Every `Heuristics.` name in a library, as the linker left it.
fn names_in(library: &[u8]) -> BTreeSet<String> {
    let is_part_of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let texts = library.split(|byte| !is_part_of_a_name(byte));
    let names = texts.filter(|text| text.starts_with(b"Heuristics.") && text.len() > "Heuristics.".len());
    names.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn every_name_in_the_installed_library_is_listed() {
    let needed = Command::new("sh").args(["-c", "ldd \"$(command -v clamd)\""]).output().unwrap();
    let needed = String::from_utf8(needed.stdout).unwrap();
    let line = needed.lines().find(|line| line.trim().starts_with("libclamav.so")).unwrap();
    let path = line.split_whitespace().nth(2).unwrap();
    let found = names_in(&std::fs::read(path).unwrap());
    let listed: BTreeSet<String> = include_str!("../../domain/src/finding/clamav.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert!(found.len() > 70, "{path}: {found:?}");
    let unknown: Vec<&String> = found.difference(&listed).collect();
    assert!(unknown.is_empty(), "decide what these mean, in domain's finding.rs and its list: {unknown:#?}");
}

/// A disk of 64 sectors: a master boot record with these partitions, as start and length in sectors.
fn disk(partitions: [(u32, u32); 2]) -> Vec<u8> {
    let mut disk = vec![0; 64 * 512];
    for (n, (start, length)) in partitions.into_iter().enumerate() {
        let entry = &mut disk[446 + 16 * n..][..16];
        entry[4] = 0x83;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..16].copy_from_slice(&length.to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

async fn found(engine: &Engine, bytes: &[u8]) -> String {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let scan = engine.scan(&file, u64::try_from(bytes.len()).unwrap(), vec![], TIMEOUT).await.unwrap();
    match scan.replies.as_slice() {
        [EngineReply::Found(name)] => name.clone(),
        other => format!("{other:?}"),
    }
}

fn config(directory: &Path, program: EngineProgram) -> DaemonConfig {
    let definitions_directory = directory.join("definitions");
    definitions::write_test_set(&definitions_directory).unwrap();
    DaemonConfig {
        program,
        launcher: vec![],
        run_directory: directory.to_owned(),
        definitions_directory,
        limits: EngineLimits { max_file_size: 5_000_000, max_scan_time: TIMEOUT },
        start_timeout: TIMEOUT,
    }
}

#[tokio::test]
async fn partitions_that_overlap_are_found_by_both_engines() {
    for program in [EngineProgram::Clamd("clamd".into()), EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into())]
    {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::new(config(directory.path(), program.clone()), Transport::Stream);
        assert_eq!(found(&engine, &disk([(1, 10), (20, 10)])).await, "[Ok]", "{program:?}: side by side");
        let overlapping = found(&engine, &disk([(1, 10), (5, 10)])).await;
        assert_eq!(overlapping, "Heuristics.MBRPartitionnIntersect", "{program:?}: overlapping");
        engine.stop().await;
    }
}
