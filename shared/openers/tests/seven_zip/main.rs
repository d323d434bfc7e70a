//! 7-Zip as an opener: the gate gets everything that 7-Zip's users extract.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

mod confined;
mod damaged;
mod encrypted;
mod equality;
mod formats;
mod limits;
mod made;
mod ordinary;
mod searched;
mod walked;

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use gate::{Blob, Kind, MemberEnd, MemberSink, Opened, Opener as _};
use openers::SevenZip;

const CANDIDATES: [&str; 2] = ["/usr/lib/7zip/7z.so", "/usr/lib/p7zip/7z.so"];

fn seven_zip() -> SevenZip {
    SevenZip::load(&CANDIDATES.map(Path::new)).unwrap().expect("7-Zip is not installed: tools/install test")
}

/// The bytes of all members, in order.
#[derive(Default, Debug)]
struct Members {
    given: Vec<(Vec<u8>, MemberEnd)>,
    current: Option<Vec<u8>>,
    /// Stops the extraction when more bytes are written.
    max_bytes: Option<usize>,
    n_calls_after_break: usize,
    is_broken: bool,
}

impl Members {
    fn answer(&mut self, is_enough: bool) -> ControlFlow<()> {
        self.n_calls_after_break += usize::from(self.is_broken);
        self.is_broken |= is_enough;
        if self.is_broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The contents of the members, sorted.
    fn sorted(&self) -> Vec<&[u8]> {
        let mut members: Vec<_> = self.given.iter().map(|(bytes, _)| bytes.as_slice()).collect();
        members.sort_unstable();
        members
    }

    fn all_whole(&self) -> bool {
        self.given.iter().all(|(_, end)| *end == MemberEnd::Whole)
    }
}

impl MemberSink for Members {
    fn begin(&mut self) -> ControlFlow<()> {
        assert!(self.current.replace(Vec::new()).is_none(), "a member began within another");
        self.answer(false)
    }

    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let current = self.current.as_mut().unwrap();
        current.extend_from_slice(bytes);
        let is_enough = self.max_bytes.is_some_and(|max_bytes| current.len() > max_bytes);
        self.answer(is_enough)
    }

    fn end(&mut self, end: MemberEnd) -> ControlFlow<()> {
        let bytes = self.current.take().unwrap();
        self.given.push((bytes, end));
        self.answer(false)
    }
}

fn open(bytes: &[u8]) -> (Opened, Members) {
    open_but(bytes, None)
}

fn open_but(bytes: &[u8], walked: Option<Kind>) -> (Opened, Members) {
    thread_local! {
        static SEVEN_ZIP: RefCell<SevenZip> = RefCell::new(seven_zip());
    }
    let mut members = Members::default();
    let blob = Blob::from_bytes(bytes.to_vec());
    let opened = SEVEN_ZIP.with_borrow_mut(|seven_zip| seven_zip.open(&blob, walked, &mut members));
    assert!(members.current.is_none(), "a member has no end");
    (opened, members)
}

/// One of the files that `make/make.py` writes.
struct Made {
    name: String,
    archive: Vec<u8>,
    members: Vec<Vec<u8>>,
    has_others: bool,
}

/// Written once for each version of the generator.
fn made_directory() -> PathBuf {
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seven_zip/make");
    let mut version = DefaultHasher::new();
    for path in sorted_entries(&generator).iter().filter(|path| path.extension().is_some()) {
        std::fs::read(path).unwrap().hash(&mut version);
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = kept.join(format!("made-{:x}", version.finish()));
    if !directory.is_dir() {
        let unfinished = tempfile::tempdir_in(kept).unwrap();
        let mut command = Command::new("python3");
        command.arg("-B").arg(generator.join("make.py")).arg(unfinished.path());
        assert!(command.status().unwrap().success(), "what is missing, tools/install test installs");
        // Another test may have written it first.
        let _ = std::fs::rename(unfinished.path(), &directory);
    }
    directory
}

fn made(name: &str) -> Made {
    let place = made_directory().join(name);
    let members = sorted_entries(&place.join("members"));
    Made {
        name: name.to_owned(),
        archive: std::fs::read(place.join("archive")).unwrap(),
        members: members.iter().map(|path| std::fs::read(path).unwrap()).collect(),
        has_others: place.join("others").is_file(),
    }
}

fn all_made() -> Vec<Made> {
    let places = sorted_entries(&made_directory());
    places.iter().map(|place| made(place.file_name().unwrap().to_str().unwrap())).collect()
}

fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Runs a program that must succeed, and returns what it prints.
fn run(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns whether `whole` contains each of `parts` as many times as `parts` does.
fn holds(whole: &[&[u8]], parts: &[&[u8]]) -> bool {
    let mut rest = whole.to_vec();
    parts.iter().all(|part| {
        let found = rest.iter().position(|other| other == part);
        found.map(|at| rest.swap_remove(at)).is_some()
    })
}
