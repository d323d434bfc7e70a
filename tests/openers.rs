//! Hostile bytes that exploit the openers, which are written in C and C++, affect only the verdict of their
//! own file.
//!
//! A worker that crashes or hangs in one refuses its file; time, memory and disk are bounded; nothing but the
//! file and the scratch file is read or written; no fault of the machine makes a file clean.

mod bombs;
mod escapes;
mod faults;
mod fuzz;
mod large;
mod mutations;
mod watch;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use inspector::{Inspected, Inspector};
use tempfile::TempDir;

use crate::support::process::gate_worker;
use crate::support::{eicar, venv};

/// The most resident memory of any worker: less than half of its limit.
const MOST_MEMORY: u64 = 1 << 30;

/// An archive with the test file inside.
struct Seed {
    name: String,
    bytes: Vec<u8>,
}

/// One file of every format that an opener opens, by name.
fn seeds() -> Vec<Seed> {
    let directory = tempfile::tempdir().unwrap();
    python("openers/seeds.py", directory.path(), &[]);
    let seed = |path: PathBuf| Seed {
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        bytes: std::fs::read(path.join("archive")).unwrap(),
    };
    sorted_entries(directory.path()).into_iter().map(seed).collect()
}

fn python(script: &str, directory: &Path, arguments: &[&str]) {
    let mut command = Command::new(venv("readers").join("bin/python"));
    command.arg("-B").arg(script).arg(directory).args(arguments);
    assert!(command.status().unwrap().success(), "{script}: `tools/install test` installs what is missing");
}

fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    paths.sort();
    paths
}

/// An inspector whose scratch files are in a directory of their own.
async fn inspector_in_own_directory() -> (Inspector, TempDir) {
    let scratch = tempfile::tempdir().unwrap();
    (Inspector::start(gate_worker(), scratch.path().to_owned()).await.unwrap(), scratch)
}

/// Returns whether the engine is given something that holds `wanted`.
fn hands_over(inspected: &Inspected, wanted: &[u8]) -> bool {
    inspected.inspection.handed.iter().any(|blob| {
        let mut bytes = Vec::new();
        blob.reader().read_to_end(&mut bytes).unwrap();
        holds(&bytes, wanted)
    })
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}

/// Returns whether the file cannot be clean: it is refused, or the engine is given the test file in it.
fn is_never_clean(inspected: &Inspected, bytes: &[u8]) -> bool {
    let eicar = eicar();
    inspected.inspection.refusal.is_some() || holds(bytes, &eicar) || hands_over(inspected, &eicar)
}
