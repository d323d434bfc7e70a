//! Whatever is done to a snapshot, or to a scan, the engine says so, and never something else about a file.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::Digest as _;

use crate::support::{Room, TEST_FILES, until};

/// The file's parts: where the contents end, and where the file ends.
pub(crate) fn parts(snapshot: &Path) -> (u64, u64) {
    let mut head = [0; 16];
    File::open(snapshot).unwrap().read_exact(&mut head).unwrap();
    (48 + u64::from_le_bytes(head[8..].try_into().unwrap()), fs::metadata(snapshot).unwrap().len())
}

/// A copy with one bit changed.
pub(crate) fn flipped(room: &Room, snapshot: &Path, at: u64) -> PathBuf {
    let copy = room.path("flipped");
    fs::copy(snapshot, &copy).unwrap();
    let file = File::options().read(true).write(true).open(&copy).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1;
    file.write_all_at(&byte, at).unwrap();
    copy
}

#[test]
fn a_snapshot_that_does_not_fit_is_not_used_and_verdicts_stay_right() {
    let room = Room::new("faults");
    let snapshot = room.snapshot("snapshot", &[]);
    let (contents_end, end) = parts(&snapshot);
    let is_not_used = |snapshot: &Path, what: &str| {
        let engine = room.serve(Some(snapshot));
        for path in [room.path("eicar"), Path::new(TEST_FILES).join("clam.zip")] {
            assert!(engine.scan(&path).ends_with(" FOUND"), "{what}");
        }
        assert_eq!(engine.stream(b"harmless"), "stream: OK", "{what}");
        // At the latest when the background has looked at everything.
        until(what, || engine.errors().contains("is not used"));
        assert!(engine.scan(&room.path("eicar")).ends_with(" FOUND"), "{what}, at last");
    };
    let whole = room.serve(Some(&snapshot));
    assert!(
        whole.scan(&room.path("eicar")).ends_with(" FOUND") && !whole.errors().contains("not used"),
        "{}",
        whole.errors()
    );
    drop(whole);

    is_not_used(&room.path("missing"), "no file");
    for at in [0, 9, 20, 50, contents_end - 100, contents_end + 5, u64::midpoint(contents_end, end), end - 1]
    {
        is_not_used(&flipped(&room, &snapshot, at), &format!("bit at {at} of {end}"));
    }
    for size in [
        0,
        10,
        48,
        contents_end - 1,
        contents_end,
        contents_end + 1,
        u64::midpoint(contents_end, end),
        end - 1,
    ] {
        let copy = room.path("truncated");
        fs::copy(&snapshot, &copy).unwrap();
        File::options().write(true).open(&copy).unwrap().set_len(size).unwrap();
        is_not_used(&copy, &format!("{size} bytes of {end}"));
    }
    // Other definitions, with the same files' names.
    let ndb = room.path("db/t.ndb");
    let text = fs::read_to_string(&ndb).unwrap();
    fs::write(&ndb, text.replace("Test.Body", "Test.Bodx")).unwrap();
    is_not_used(&snapshot, "other definitions");
    fs::write(&ndb, text).unwrap();
    // Another configuration.
    let conf = fs::read_to_string(room.path("engine.conf")).unwrap();
    fs::write(room.path("engine.conf"), conf.replace("DisableCache yes", "DisableCache no")).unwrap();
    is_not_used(&snapshot, "another configuration");
}

/// A copy with other contents, whose digest is right.
fn forged(room: &Room, snapshot: &Path, change: impl FnOnce(&mut serde_json::Value)) -> PathBuf {
    let whole = fs::read(snapshot).unwrap();
    let end = usize::try_from(parts(snapshot).0).unwrap();
    let mut contents: serde_json::Value = serde_json::from_slice(&whole[48..end]).unwrap();
    change(&mut contents);
    let mut text = serde_json::to_vec(&contents).unwrap();
    assert!(text.len() <= end - 48, "there is room for it");
    text.resize(end - 48, b' ');
    let head = [&whole[..16], sha2::Sha256::digest(&text).as_slice()].concat();
    fs::write(room.path("forged"), [&head, &text, &whole[end..]].concat()).unwrap();
    room.path("forged")
}

/// What is done to a snapshot's contents.
type Change = fn(&mut serde_json::Value);

#[test]
fn a_snapshot_of_another_build_or_of_nonsense_is_not_used() {
    let room = Room::new("builds");
    let snapshot = room.snapshot("snapshot", &[]);
    let cases: [(&str, Change); 9] = [
        ("is of engine 1.3.0", |contents| contents["engine_version"] = "1.3.0".into()),
        ("is another build here", |contents| {
            for module in contents["modules"].as_array_mut().unwrap() {
                if module["name"].as_str().unwrap().starts_with("libclamav") {
                    module["build_id"] = "00".into();
                }
            }
        }),
        ("is another build here", |contents| {
            for module in contents["modules"].as_array_mut().unwrap() {
                if module["name"].as_str().unwrap().starts_with("libclamav") {
                    module["name"] = "libother.so.1".into();
                }
            }
        }),
        ("about the test file", |contents| contents["canary"] = "OK".into()),
        ("place is wrong", |contents| contents["arena"]["start"] = 0x1000.into()),
        ("place is wrong", |contents| contents["arena"]["size"] = 7.into()),
        ("outside of the arena", |contents| {
            let frame = &mut contents["frames"][0];
            let n_pages = frame["raw_length"].as_u64().unwrap() / 4096;
            frame["runs"] = serde_json::json!([[4_000_000, n_pages]]);
        }),
        ("is there twice", |contents| {
            let frame = &mut contents["frames"][0];
            let n_pages = frame["raw_length"].as_u64().unwrap() / 4096;
            frame["runs"] = serde_json::json!([[0, 1], [0, n_pages - 1]]);
        }),
        ("truncated", |contents| contents["frames"][0]["offset"] = 900_000_000.into()),
    ];
    for (why, change) in cases {
        let engine = room.serve(Some(&forged(&room, &snapshot, change)));
        assert!(engine.errors().contains(why), "{why}: {}", engine.errors());
        assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"), "{why}");
        assert_eq!(engine.stream(b"harmless"), "stream: OK", "{why}");
    }
}

#[test]
fn a_scan_that_dies_is_an_error_and_the_next_one_is_not() {
    let room = Room::new("crash");
    let snapshot = room.snapshot("snapshot", &[]);
    let engine = room.serve(Some(&snapshot));
    until("a worker that waits", || !engine.children().is_empty());
    for signal in [libc::SIGSEGV, libc::SIGKILL, libc::SIGABRT] {
        for child in engine.children() {
            // SAFETY: a signal to a child of the engine that this test has started.
            unsafe { libc::kill(child, signal) };
        }
        let reply = engine.scan(&room.path("eicar"));
        // A spare that is dead already cannot answer; one that was replaced in between can, and rightly.
        assert!(reply.ends_with(" ERROR") || reply.ends_with(" FOUND"), "{reply}");
        assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"));
    }
}

#[test]
fn nothing_grows_with_the_number_of_scans() {
    let room = Room::new("growth");
    let snapshot = room.snapshot("snapshot", &[]);
    let engine = room.serve(Some(&snapshot));
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", engine.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let n_open = || fs::read_dir(format!("/proc/{}/fd", engine.child.id())).unwrap().count();
    let scan = |n: usize| {
        for _ in 0..n {
            assert!(engine.scan(&Path::new(TEST_FILES).join("clam.zip")).ends_with(" FOUND"));
        }
    };
    scan(100);
    let before = (resident(), n_open());
    scan(if is_soak() { 10_000 } else { 500 });
    // What the last scans had open is closed just after their replies.
    until("what was open to be closed", || n_open() <= before.1 + 2);
    assert!(resident() < before.0 + 2000, "{before:?}, then {} KB", resident());
}

#[expect(clippy::disallowed_methods, reason = "the one switch of these tests, as in the main workspace")]
fn is_soak() -> bool {
    std::env::var_os("SOAK").is_some()
}

/// What is beside the snapshot, of its making.
fn left_over(room: &Room) -> usize {
    let entries = fs::read_dir(room.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().starts_with(".airlock-engine.")).count()
}

#[test]
fn a_snapshot_is_there_whole_or_not_at_all() {
    let room = Room::new("killed");
    let whole = fs::read(room.snapshot("whole", &[])).unwrap();
    for n in 0..20 {
        let mut making =
            room.snapshot_command("killed", &[]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(n * 7));
        making.kill().unwrap();
        making.wait().unwrap();
        if let Ok(bytes) = fs::read(room.path("killed")) {
            assert!(bytes == whole, "after {} ms", n * 7);
            fs::remove_file(room.path("killed")).unwrap();
        }
    }
    // The next build removes what they left.
    room.snapshot("next", &[]);
    assert_eq!(left_over(&room), 0);
}

#[test]
fn without_room_there_is_no_snapshot() {
    let room = Room::new("full");
    let made = room.snapshot_command("snapshot", &[]);
    let words: Vec<String> = [made.get_program()]
        .into_iter()
        .chain(made.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // Blocks of 512 bytes: less than the image needs.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -f 400; exec {}", words.join(" ")))
        .stderr(Stdio::null())
        .status();
    assert!(!status.unwrap().success());
    assert!(!room.path("snapshot").try_exists().unwrap());
    room.snapshot("snapshot", &[]);
    assert_eq!(left_over(&room), 0);
}
