//! Tests of the gate on whole files.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod bytes;
mod corpus;
mod depth;
mod large;
mod made;
mod openers;
mod places;
mod signed;
mod tars;
mod zip_builder;
mod zips;

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use gate::{Blob, Capabilities, Gate, Inspection, Limits, Sample};

const USUAL_LIMITS: Limits = Limits {
    max_member_bytes: 100 * 1024 * 1024,
    max_total_bytes: 400 * 1024 * 1024,
    max_members: 65_536,
    max_depth: 16,
};

/// A gate in front of an engine that opens everything.
fn gate(limits: Limits) -> Gate {
    let capabilities = Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>();
    Gate { limits, capabilities }
}

fn scratch() -> File {
    tempfile::tempfile().unwrap()
}

fn inspect_bytes(gate: &Gate, bytes: &[u8]) -> Inspection {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    gate.inspect(&file, scratch(), vec![], None).unwrap()
}

/// The directory that one of the workspace's generators writes: `PROGRAM DIRECTORY ARGUMENTS`. Written once
/// for each version of it.
fn written_by(program: &str, arguments: &[&str]) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(program);
    let mut version = DefaultHasher::new();
    arguments.hash(&mut version);
    for (_, path) in files(path.parent().unwrap()) {
        std::fs::read(path).unwrap().hash(&mut version);
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = kept.join(format!("{}-{:x}", program.replace('/', "-"), version.finish()));
    if !directory.is_dir() {
        let unfinished = tempfile::tempdir_in(kept).unwrap();
        let written = Command::new(path).arg(unfinished.path()).args(arguments).status();
        assert!(written.unwrap().success(), "{program}");
        // Another test may have written it first.
        let _ = std::fs::rename(unfinished.path(), &directory);
    }
    directory
}

/// The files in a directory, by name.
fn files(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let mut files =
        files.map(|entry| (entry.file_name().into_string().unwrap(), entry.path())).collect::<Vec<_>>();
    files.sort();
    files
}

/// Returns whether to rewrite the golden files.
#[expect(clippy::disallowed_methods, reason = "set by hand after an intended change of the gate")]
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn content(blob: &Blob) -> Vec<u8> {
    let mut bytes = vec![];
    blob.reader().read_to_end(&mut bytes).unwrap();
    bytes
}
