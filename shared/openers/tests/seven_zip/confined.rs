//! A confined worker opens everything that an unconfined process opens.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use confine::ResourceLimits;
use gate::{Blob, Opener as _};

use crate::{Members, made, made_directory, seven_zip, sorted_entries};

const CHILD: &str = "CONFINED_CHILD";
const TEST: &str = "confined::a_confined_process_opens_the_same";
/// The limits of the worker: a gigabyte of stack, and a gigabyte of other memory.
const STACK_BYTES: usize = 1 << 30;
const MEMORY_BYTES: u64 = 2 << 30;

fn paths() -> Vec<PathBuf> {
    let places = sorted_entries(&made_directory()).into_iter().map(|place| place.join("archive"));
    places.chain(sorted_entries(Path::new("/usr/share/clamav-testfiles"))).collect()
}

/// A line for each file.
fn report(mut seven_zip: openers::SevenZip, files: Vec<(PathBuf, File)>) -> String {
    let mut lines = String::new();
    for (path, file) in files {
        let mut members = Members::default();
        let opened = seven_zip.open(&Blob::from_file(file).unwrap(), None, &mut members);
        let mut hash = DefaultHasher::new();
        for (bytes, end) in &members.given {
            bytes.hash(&mut hash);
            format!("{end:?}").hash(&mut hash);
        }
        let line = format!("{}: {opened:?} {} {:x}\n", path.display(), members.given.len(), hash.finish());
        lines.push_str(&line);
    }
    lines
}

fn files() -> Vec<(PathBuf, File)> {
    paths().into_iter().map(|path| (path.clone(), File::open(path).unwrap())).collect()
}

/// LZMA with a dictionary of one and a half gigabytes: properties, the dictionary's size, no size of the
/// data, and the first bytes of the data.
const GREEDY: &[u8] = b"\x5d\0\0\0\x60\xff\xff\xff\xff\xff\xff\xff\xff\0\x30\0\0\0\0\0\0\0\0\0\0";

/// The same behind another archive, where 7-Zip unpacks the data to find its end.
fn greedy_behind_an_archive() -> Blob {
    Blob::from_bytes([b"Text.\n".as_slice(), &made("small-7z").archive, GREEDY].concat())
}

fn confined_child() {
    let (seven_zip, files) = (seven_zip(), files());
    let mut greedy_opener = self::seven_zip();
    let behind_an_archive = greedy_behind_an_archive();
    let limits =
        ResourceLimits { cpu: Duration::from_mins(5), memory_bytes: MEMORY_BYTES, file_bytes: 1 << 20 };
    confine::limit_resources(limits).unwrap();
    let has_files = confine::forbid_files().unwrap();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        assert!(confine::forbid_calls().unwrap(), "this kernel has no seccomp");
        println!("files {has_files}");
        let opened = greedy_opener.open(&behind_an_archive, None, &mut Members::default());
        println!("greedy behind an archive: {opened:?}");
        print!("{}", report(seven_zip, files));
    });
    thread.unwrap().join().unwrap();
    std::process::exit(0);
}

#[expect(clippy::disallowed_methods, reason = "tells the child that this test starts from the test")]
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn a_confined_process_opens_the_same() {
    if is_child() {
        confined_child();
    }
    let expected = report(seven_zip(), files());
    assert!(expected.lines().count() > 120, "{expected}");
    let child = Command::new(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    for line in expected.lines() {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(said.contains("greedy behind an archive: TooMuchMemory"), "{said}");
}
