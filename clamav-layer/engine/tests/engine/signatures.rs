//! The engine says what clamd says with signatures of every kind that official sets have, bytecode above all.
//!
//! `tests/clamav.tar.xz` holds signatures and files from the unit tests of ClamAV 1.4.3 (GPL-2.0-only), as
//! Debian's source package has them: everything under `bytecode_sigs` that the engine loads, `bytecode.cvd`,
//! which ClamAV's makers have signed, with it; `other_sigs`; `pe_allmatch/alert-sigs`; and the files that
//! they are for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Room, TEST_FILES};

/// A link that looks as if it led to a site that `t.pdb` protects.
const PHISHING: &str = "From: a@b.example\r\nTo: c@d.example\r\nSubject: account\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/html\r\n\r\n\
    <html><body><a href=\"http://evil.test/login\">http://www.example.com/</a></body></html>\r\n";

/// The archive's content, in `room`.
fn unpacked(room: &Room) -> PathBuf {
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clamav.tar.xz");
    let status = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(room.path("")).status();
    assert!(status.unwrap().success());
    room.path("clamav")
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Adds the archive's signatures of these kinds to the definitions in `room`.
fn add(room: &Room, kinds: &[&str]) {
    let clamav = unpacked(room);
    for kind in kinds {
        for path in sorted(&clamav.join(kind)) {
            fs::copy(&path, room.path("db").join(path.file_name().unwrap())).unwrap();
        }
    }
    room.change_configuration("SelfCheck 0\n", "SelfCheck 0\nBytecodeUnsigned yes\n");
}

/// Checks that clamd's replies and those of the engine from definitions and from a snapshot are the same.
/// Returns clamd's.
fn compare(room: &Room, kinds: &[&str], files: &[PathBuf]) -> Vec<String> {
    add(room, kinds);
    let snapshot = room.snapshot("snapshot", &[]);
    let clamd = room.clamd();
    let expected: Vec<String> = files.iter().map(|path| clamd.scan(path)).collect();
    drop(clamd);
    for snapshot in [None, Some(snapshot.as_path())] {
        let engine = room.serve(snapshot);
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (engine, expected) = (&engine, &expected);
                scope.spawn(move || {
                    for (path, expected) in files.iter().zip(expected).skip(start).step_by(3) {
                        assert_eq!(engine.scan(path), *expected, "{} with {snapshot:?}", path.display());
                    }
                });
            }
        });
        assert!(!engine.errors().contains("not used"), "{}", engine.errors());
    }
    expected
}

fn files(room: &Room) -> Vec<PathBuf> {
    [sorted(&unpacked(room).join("files")), sorted(Path::new(TEST_FILES))].concat()
}

#[test]
fn with_bytecode() {
    let room = Room::new("bytecode");
    for name in ["t.hdb", "t.ndb", "t.ldb", "t.yara", "t.cdb"] {
        if name != "t.hdb" {
            fs::remove_file(room.path("db").join(name)).unwrap();
        }
    }
    let files = files(&room);
    let said = compare(&room, &["bytecode"], &files);
    let by_bytecode = said.iter().filter(|reply| reply.contains("BC_") || reply.contains("BC."));
    assert!(by_bytecode.count() >= 1, "{said:?}");
}

#[test]
fn with_every_other_kind() {
    let room = Room::new("kinds");
    let mail = room.path("phishing.eml");
    fs::write(&mail, PHISHING).unwrap();
    let files = [files(&room), vec![mail]].concat();
    let said = compare(&room, &["bytecode", "other", "alert"], &files);
    for wanted in ["Heuristics.Phishing", "logo", "Test.GenSig"] {
        assert!(said.iter().any(|reply| reply.contains(wanted)), "{wanted}: {said:?}");
    }
}

#[test]
fn a_snapshot_has_the_same_bytes_on_every_processor_and_nothing_of_libcrypto() {
    let room = Room::new("processors");
    add(&room, &["bytecode", "other", "alert"]);
    let here = fs::read(room.snapshot("here", &[])).unwrap();
    // As on a processor without what the fast variants in libcrypto and libc need.
    let masked = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI2,-SSE4_2,-SSSE3,-ERMS,-FSRM";
    let mut elsewhere = room.snapshot_command("elsewhere", &[]);
    elsewhere.envs([("OPENSSL_ia32cap", "0:0"), ("OPENSSL_armcap", "0"), ("GLIBC_TUNABLES", masked)]);
    let made = elsewhere.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(here == fs::read(room.path("elsewhere")).unwrap());

    let length = usize::try_from(u64::from_le_bytes(here[8..16].try_into().unwrap())).unwrap();
    let contents: serde_json::Value = serde_json::from_slice(&here[48..48 + length]).unwrap();
    let mut n_pointers = 0;
    for relocation in contents["frames"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|frame| frame["relocations"].as_array().unwrap())
    {
        let module = usize::try_from(relocation[1].as_u64().unwrap()).unwrap();
        let name = contents["modules"][module]["name"].as_str().unwrap();
        assert!(!name.starts_with("libcrypto"), "{relocation} points into {name}");
        n_pointers += 1;
    }
    assert!(n_pointers > 0);
}
