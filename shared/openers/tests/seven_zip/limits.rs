//! A bomb ends when the sink stops it, a link becomes a file with its target's name, and a missing library is
//! no error.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use gate::{Blob, Opened, Opener as _};
use openers::SevenZip;

use crate::{Members, made, open, run, seven_zip};

/// Opens it for a sink that takes a megabyte of a member.
fn opened_in_part(bytes: Vec<u8>) -> Members {
    let mut members = Members { max_bytes: Some(1 << 20), ..Members::default() };
    seven_zip().open(&Blob::from_bytes(bytes), None, &mut members);
    assert!(members.is_broken);
    assert_eq!(members.n_calls_after_break, 0);
    assert!(members.current.as_ref().is_some_and(|bytes| bytes.len() < 70 << 20));
    members
}

#[test]
fn a_bomb_ends_when_the_sink_has_enough() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("zeros"), vec![0; 64 << 20]).unwrap();
    for (name, words) in [
        ("a.7z", ["-t7z", "-mx1"]),
        ("a.zip", ["-tzip", "-mx1"]),
        ("a.gz", ["-tgzip", "-mx1"]),
        ("a.xz", ["-txz", "-mx1"]),
        ("a.bz2", ["-tbzip2", "-mx1"]),
        ("a.wim", ["-twim", "-mx1"]),
    ] {
        run("7z", &[&["a", "-bd"], words.as_slice(), &[name, "zeros"]].concat(), directory.path());
        opened_in_part(fs::read(directory.path().join(name)).unwrap());
    }
    // A disk image of a terabyte that was never written to.
    run("qemu-img", &["create", "-q", "-f", "qcow2", "disk", "1T"], directory.path());
    opened_in_part(fs::read(directory.path().join("disk")).unwrap());
}

/// An unreadable file is not even reported as no archive.
#[test]
fn a_file_that_cannot_be_read_says_nothing() {
    for text in [&made("zip").archive[..], &b"Some text.\n".repeat(10_000)] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let n_bytes = text.len().try_into().unwrap();
        let blob = Blob::in_file(Arc::new(file.try_clone().unwrap()), 0, n_bytes).unwrap();
        file.set_len(5000).unwrap();
        let opened = seven_zip().open(&blob, None, &mut Members::default());
        assert_eq!(opened, Opened::Unread);
    }
}

/// 7-Zip extracts some links as files that contain the target's name.
#[test]
fn links_empty_files_and_directories() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("file"), b"once").unwrap();
    fs::write(tree.join("empty"), b"").unwrap();
    fs::hard_link(tree.join("file"), tree.join("sub/twin")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tree.join("link")).unwrap();
    run("tar", &["-cf", "a.tar", "-C", "tree", "."], directory.path());
    let (_, members) = open(&fs::read(directory.path().join("a.tar")).unwrap());
    assert_eq!(members.sorted(), [b"/etc/passwd".as_slice(), b"once"]);
    assert!(members.all_whole());
}

#[test]
fn a_library_that_is_missing_or_old_is_no_error_and_a_broken_one_is() {
    assert!(SevenZip::load(&[Path::new("/nowhere/7z.so")]).unwrap().is_none());
    let other = tempfile::Builder::new().suffix(".so").tempfile().unwrap();
    run("gcc", &["-shared", "-x", "c", "/dev/null", "-o", other.path().to_str().unwrap()], Path::new("/"));
    // Versions before 23 have no `GetModuleProp`.
    assert!(SevenZip::load(&[other.path()]).unwrap().is_none());
    std::fs::write(other.path(), "no library").unwrap();
    SevenZip::load(&[other.path()]).unwrap_err();
}
