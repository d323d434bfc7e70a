//! libarchive as an opener: it returns what recipients extract.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod bsdtar;
mod confined;
mod fixtures;
mod hostile;
mod made;
mod ordinary;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;
use std::process::Command;

use gate::{Blob, Kind, MemberEnd, MemberSink, Opened, Opener as _};
use openers::Libarchive;
use sha2::Digest as _;

/// Keeps members, up to a limit.
#[derive(Debug)]
struct Kept {
    members: Vec<(Vec<u8>, MemberEnd)>,
    open: Option<Vec<u8>>,
    left_bytes: usize,
    is_broken: bool,
}

impl Kept {
    fn new(max_bytes: usize) -> Self {
        Self { members: Vec::new(), open: None, left_bytes: max_bytes, is_broken: false }
    }
}

impl MemberSink for Kept {
    fn begin(&mut self) -> ControlFlow<()> {
        assert!(!self.is_broken && self.open.is_none());
        self.open = Some(Vec::new());
        Continue(())
    }

    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        assert!(!self.is_broken);
        self.open.as_mut().unwrap().extend_from_slice(bytes);
        self.is_broken = bytes.len() > self.left_bytes;
        self.left_bytes = self.left_bytes.saturating_sub(bytes.len());
        if self.is_broken { Break(()) } else { Continue(()) }
    }

    fn end(&mut self, end: MemberEnd) -> ControlFlow<()> {
        assert!(!self.is_broken);
        self.members.push((self.open.take().unwrap(), end));
        Continue(())
    }
}

const MAX_BYTES: usize = 64 << 20;

fn libarchive() -> Libarchive {
    Libarchive::load(&[Path::new("libarchive.so.13")]).unwrap().unwrap()
}

fn open_with(
    libarchive: &mut Libarchive,
    bytes: Vec<u8>,
    walked: Option<Kind>,
) -> (Opened, Vec<(Vec<u8>, MemberEnd)>) {
    let mut kept = Kept::new(MAX_BYTES);
    let opened = libarchive.open(&Blob::from_bytes(bytes), walked, &mut kept);
    assert!(!kept.is_broken && kept.open.is_none());
    assert!(opened != Opened::NotMine || kept.members.is_empty(), "not mine gives nothing");
    (opened, kept.members)
}

fn open(bytes: Vec<u8>) -> (Opened, Vec<(Vec<u8>, MemberEnd)>) {
    open_with(&mut libarchive(), bytes, None)
}

/// The members at every level, one line each.
fn described(libarchive: &mut Libarchive, bytes: Vec<u8>) -> String {
    fn describe(libarchive: &mut Libarchive, bytes: Vec<u8>, indent: &str, lines: &mut String) {
        let (opened, members) = open_with(libarchive, bytes, None);
        writeln!(lines, "{indent}{opened:?}").unwrap();
        for (content, end) in members {
            writeln!(lines, "{indent}- {} {end:?}", digest(&content)).unwrap();
            if indent.len() < 6 && !content.is_empty() {
                describe(libarchive, content, &format!("{indent}  "), lines);
            }
        }
    }
    let mut lines = String::new();
    describe(libarchive, bytes, "", &mut lines);
    lines
}

/// Size and the start of the SHA-256.
fn digest(bytes: &[u8]) -> String {
    let digest = sha2::Sha256::digest(bytes);
    let start = digest.first_chunk::<4>().unwrap();
    format!("{} {:08x}", bytes.len(), u32::from_be_bytes(*start))
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libarchive/fixtures").join(name)).unwrap()
}

/// The archive that `bsdtar ARGUMENTS -cf ARCHIVE NAMES` makes in a directory.
fn bsdtar(directory: &Path, arguments: &[&str], names: &[&str]) -> Vec<u8> {
    // On its standard output, bsdtar would pad every format with zeros.
    let into = tempfile::tempdir().unwrap();
    let archive = into.path().join("archive");
    let output = Command::new("bsdtar")
        .args(arguments)
        .arg("-cf")
        .arg(&archive)
        .args(names)
        .current_dir(directory)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(archive).unwrap()
}

fn write(directory: &Path, name: &str, content: &[u8]) {
    File::create(directory.join(name)).unwrap().write_all(content).unwrap();
}

/// Incompressible bytes that are the same in every run.
fn noise(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(n_bytes).collect()
}
