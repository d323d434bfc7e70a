//! Whatever is done to a snapshot, or to a scan, the engine says so, and never something else about a file.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Room, TEST_FILES};

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
    let check = |snapshot: &Path, what: &str, is_used: bool| {
        let engine = room.serve(Some(snapshot));
        for path in [room.path("eicar"), Path::new(TEST_FILES).join("clam.zip")] {
            assert!(engine.scan(&path).ends_with(" FOUND"), "{what}");
        }
        assert_eq!(engine.stream(b"harmless"), "stream: OK", "{what}");
        // The background has looked at everything by now.
        let said = |errors: &str| errors.contains("is not used");
        let began = Instant::now();
        while said(&engine.errors()) == is_used && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(said(&engine.errors()), !is_used, "{what}: {}", engine.errors());
        assert!(engine.scan(&room.path("eicar")).ends_with(" FOUND"), "{what}, at last");
    };
    let whole = room.serve(Some(&snapshot));
    assert!(
        whole.scan(&room.path("eicar")).ends_with(" FOUND") && !whole.errors().contains("not used"),
        "{}",
        whole.errors()
    );
    drop(whole);

    check(&room.path("missing"), "no file", false);
    for at in [0, 9, 20, 50, contents_end - 100, contents_end + 5, u64::midpoint(contents_end, end), end - 1]
    {
        check(&flipped(&room, &snapshot, at), &format!("bit at {at} of {end}"), false);
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
        check(&copy, &format!("{size} bytes of {end}"), false);
    }
    // Other definitions, with the same files' names.
    let ndb = room.path("db/t.ndb");
    let text = fs::read_to_string(&ndb).unwrap();
    fs::write(&ndb, text.replace("Test.Body", "Test.Bodx")).unwrap();
    check(&snapshot, "other definitions", false);
    fs::write(&ndb, text).unwrap();
    // Another configuration.
    let conf = fs::read_to_string(room.path("engine.conf")).unwrap();
    fs::write(room.path("engine.conf"), conf.replace("DisableCache yes", "DisableCache no")).unwrap();
    check(&snapshot, "another configuration", false);
}

#[test]
fn a_scan_that_dies_is_an_error_and_the_next_one_is_not() {
    let room = Room::new("crash");
    let snapshot = room.snapshot("snapshot", &[]);
    let engine = room.serve(Some(&snapshot));
    let began = Instant::now();
    while engine.children().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "no worker waits");
        std::thread::sleep(Duration::from_millis(10));
    }
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
    // `make soak` has more of them.
    scan(if std::env::var_os("SOAK").is_some() { 10_000 } else { 500 });
    std::thread::sleep(Duration::from_millis(200));
    assert!(
        resident() < before.0 + 2000 && n_open() <= before.1 + 2,
        "{before:?}, then {} KB and {}",
        resident(),
        n_open()
    );
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
    // Whoever makes the next one clears away what they have left.
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
