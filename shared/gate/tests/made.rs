//! What common tools make, with the options that people use, passes; and so do the capability samples.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fs::File;
use std::path::Path;
use std::process::Command;

use gate::{Capabilities, Gate, Limits, Sample};

fn gate(max_member_bytes: u64) -> Gate {
    let limits = Limits {
        max_member_bytes,
        max_total_bytes: 4 * max_member_bytes,
        max_members: 65_536,
        max_depth: 16,
    };
    let capabilities = Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>();
    Gate { limits, capabilities, scratch_directory: std::env::temp_dir() }
}

fn written_by(program: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(program);
    assert!(Command::new(program).arg(directory.path()).status().unwrap().success());
    directory
}

/// Each file below a directory, with its name.
fn files(directory: &Path) -> Vec<(String, File)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), File::open(entry.path()).unwrap())).collect()
}

#[test]
fn archives_of_common_tools_pass() {
    let directory = written_by("ordinary/make");
    let files = files(directory.path());
    for (name, file) in &files {
        let refusal = gate(100_000_000).inspect(file).unwrap().refusal;
        assert_eq!(refusal, None, "{name}");
    }
    assert!(files.len() >= 40, "{}", files.len());
}

#[test]
fn what_cannot_be_scanned_says_why() {
    let directory = written_by("evasion/limits.py");
    let files = files(directory.path());
    for (name, file) in &files {
        let refusal = gate(2_000_000).inspect(file).unwrap().refusal;
        let reason = refusal.map_or("none", |refusal| refusal.reason.code());
        assert_eq!(name.split('.').next(), Some(reason), "{name}");
    }
    assert!(files.len() >= 27, "{}", files.len());
}
