//! The engine says what clamd says, from the definitions and from a snapshot.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod credentials;
mod faults;
mod growing;
mod signatures;
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::support::{Room, TEST_FILES, eicar};

/// Files of every kind: ClamAV's own, ours for each definition, programs, texts, and parts of all of them.
fn corpus(room: &Room) -> Vec<PathBuf> {
    let own = room.path("corpus");
    fs::create_dir_all(&own).unwrap();
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("eicar.txt", &eicar()),
        ("body", b"here is a body that is sought, and more"),
        ("ignored", b"here is a body to ignore"),
        ("logical", b"the first half ... the second half"),
        ("half", b"the first half ..."),
        ("yara", b"it is found by yara"),
        ("page.html", b"<html><body><a href=\"http://evil.example/\">http://example.com</a></body></html>"),
    ] {
        fs::write(own.join(name), bytes).unwrap();
    }
    let mut files: Vec<PathBuf> = vec![];
    for directory in [Path::new(TEST_FILES), &own, Path::new("/usr/lib/clamav"), Path::new("/usr/bin")] {
        let entries = fs::read_dir(directory).into_iter().flatten();
        let mut found: Vec<PathBuf> =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
        found.sort();
        files.extend(found.into_iter().take(150));
    }
    files.into_iter().filter(|path| path.metadata().is_ok_and(|meta| meta.len() < 3_000_000)).collect()
}

#[test]
fn clamd_the_definitions_and_a_snapshot_say_the_same() {
    let room = Room::new("equal");
    let snapshots = [room.snapshot("packed.snapshot", &[]), room.snapshot("raw.snapshot", &["--raw"])];
    let files = corpus(&room);
    let clamd = room.clamd();
    let expected: Vec<String> = files.iter().map(|path| clamd.scan(path)).collect();
    drop(clamd);
    let n_found = expected.iter().filter(|reply| reply.ends_with(" FOUND")).count();
    assert!(
        files.len() > 100 && n_found > 30 && expected.iter().any(|reply| reply == "OK"),
        "{} files, {n_found} found",
        files.len()
    );
    for snapshot in [None, Some(&snapshots[0]), Some(&snapshots[1])] {
        let engine = room.serve(snapshot.map(PathBuf::as_path));
        for _ in 0..2 {
            for (path, expected) in files.iter().zip(&expected) {
                assert_eq!(engine.scan(path), *expected, "{} with {snapshot:?}", path.display());
            }
        }
        // Several concurrently.
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (engine, files, expected) = (&engine, &files, &expected);
                scope.spawn(move || {
                    for (path, expected) in files.iter().zip(expected).skip(start).step_by(3) {
                        assert_eq!(engine.scan(path), *expected, "{}", path.display());
                    }
                });
            }
        });
        assert!(!engine.errors().contains("not used"), "{}", engine.errors());
        // The directories of scans are used again.
        let left = fs::read_dir(room.path("tmp")).unwrap().map(|entry| entry.unwrap().path());
        let n_directories = left.map(|path| assert_eq!(fs::read_dir(path).unwrap().count(), 0)).count();
        assert!(n_directories <= 6, "{n_directories} for five concurrent scans");
    }
}

#[test]
fn limits_are_those_of_the_start_and_not_of_the_snapshot() {
    let room = Room::new("limits");
    let snapshot = room.snapshot("snapshot", &[]);
    let files = ["clam.zip", "clam.7z", "clam.exe"].map(|name| Path::new(TEST_FILES).join(name));
    for (limit, lower) in [("MaxFileSize 100M", "MaxFileSize 400"), ("MaxFiles 1000", "MaxFiles 1")] {
        room.change_configuration(limit, lower);
        let (clamd, engine) = (room.clamd(), room.serve(Some(&snapshot)));
        for path in &files {
            assert_eq!(engine.scan(path), clamd.scan(path), "{} with {lower}", path.display());
        }
        assert!(engine.scan(&files[0]).contains("Heuristics.Limits.Exceeded"), "{}", engine.scan(&files[0]));
        assert!(!engine.errors().contains("not used"), "{}", engine.errors());
        room.change_configuration(lower, limit);
    }
}

#[test]
fn the_same_definitions_make_the_same_snapshot() {
    let room = Room::new("reproducible");
    let [one, other] = ["one", "other"].map(|name| fs::read(room.snapshot(name, &[])).unwrap());
    assert!(one == other, "{} and {} bytes", one.len(), other.len());
}

#[test]
fn definitions_are_enough() {
    let room = Room::new("bare");
    let engine = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_airlock-engine"));
        let database = room.path("db").display().to_string();
        command.args(words).args(["--database", &database]).output().unwrap()
    };
    let snapshot = room.path("bare").display().to_string();
    let made = engine(&["snapshot", "--out", &snapshot]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(engine(&["check", "--snapshot", &snapshot]).status.success());
    // Without the cache that clamd is told not to have: it is another engine.
    let checked = room.engine("check").args(["--snapshot", &snapshot]).output().unwrap();
    assert!(String::from_utf8_lossy(&checked.stderr).contains("another configuration"));
    let nothing = std::process::Command::new(env!("CARGO_BIN_EXE_airlock-engine")).arg("snapshot").output();
    assert!(!nothing.unwrap().status.success());
}

#[test]
fn it_answers_as_clamd_does() {
    let room = Room::new("protocol");
    let snapshot = room.snapshot("snapshot", &[]);
    let (clamd, engine) = (room.clamd(), room.serve(Some(&snapshot)));
    for command in ["PING", "VERSION", "NONSENSE"] {
        assert_eq!(engine.ask(command), clamd.ask(command), "{command}");
    }
    assert!(engine.ask("STATS").starts_with("POOLS: 1") && engine.ask("STATS").ends_with("END"));
    for bytes in [eicar(), b"harmless".to_vec(), vec![], vec![7; 1_000_000], vec![7; 3_000_000]] {
        assert_eq!(engine.stream(&bytes), clamd.stream(&bytes), "{} bytes", bytes.len());
    }
    // Without the first letter, a reply is a line.
    let mut socket = UnixStream::connect(&engine.socket).unwrap();
    socket.write_all(b"PING\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert_eq!(text, "PONG\n");
}
