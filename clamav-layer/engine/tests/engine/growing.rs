//! A snapshot that is still being downloaded: bytes that have arrived are used, others awaited, and no wrong
//! answer is given.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::faults::{flipped, parts};
use crate::support::{Daemon, Room, TEST_FILES, until};

/// The options for the snapshot `whole`, as a caller passes them that knows it: its size, and the digest of
/// its contents.
fn vouched(whole: &[u8]) -> [String; 4] {
    let digest = whole[16..48].iter().map(|byte| format!("{byte:02x}")).collect();
    ["--size".to_owned(), whole.len().to_string(), "--contents".to_owned(), digest]
}

/// Starts an engine whose snapshot has `there` bytes of `whole` yet; the file to write the rest to.
fn begun(room: &Room, whole: &[u8], there: usize) -> (Daemon, File) {
    let mut growing = File::create(room.path("growing")).unwrap();
    growing.write_all(&whole[..there]).unwrap();
    // What comes late comes all the same: a busy machine is not what these tests are about.
    let words = [&vouched(whole)[..], &["--patience".to_owned(), "3600".to_owned()]].concat();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    (room.start(Some(&room.path("growing")), &words), growing)
}

/// The first frame that a start does not need.
fn later_frame(whole: &[u8], contents_end: u64) -> usize {
    let contents: serde_json::Value =
        serde_json::from_slice(&whole[48..usize::try_from(contents_end).unwrap()]).unwrap();
    let frames = contents["frames"].as_array().unwrap();
    let frame = frames.iter().find(|frame| frame["tier"] != 0).unwrap();
    usize::try_from(frame["offset"].as_u64().unwrap()).unwrap()
}

fn no_fallback(engine: &Daemon) {
    assert!(!engine.errors().contains("not used"), "{}", engine.errors());
}

#[test]
fn an_engine_begins_with_what_has_come_and_waits_for_the_rest() {
    let room = Room::new("growing");
    let whole = fs::read(room.snapshot("whole", &[])).unwrap();
    // With a digest of a snapshot, the definitions may be missing.
    fs::rename(room.path("db"), room.path("elsewhere")).unwrap();
    let (engine, mut growing) = begun(&room, &whole, 0);
    std::thread::sleep(Duration::from_millis(100));
    for piece in whole.chunks(whole.len() / 20) {
        growing.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let engine = engine.ready();
    let mut files: Vec<_> = fs::read_dir(TEST_FILES).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let said: Vec<String> = files.iter().map(|path| engine.scan(path)).collect();
    assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"));
    no_fallback(&engine);
    drop(engine);
    fs::rename(room.path("elsewhere"), room.path("db")).unwrap();
    let clamd = room.clamd();
    for (path, said) in files.iter().zip(said) {
        assert_eq!(said, clamd.scan(path), "{}", path.display());
    }
}

#[test]
fn the_first_scan_does_not_wait_for_what_it_does_not_need() {
    let room = Room::new("first");
    let whole = fs::read(room.snapshot("whole", &[])).unwrap();
    // Everything but the end, which is of the last tier.
    let (engine, mut growing) = begun(&room, &whole, whole.len() - 1);
    let engine = engine.ready();
    // More often than workers wait.
    for _ in 0..5 {
        assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"));
    }
    growing.write_all(&whole[whole.len() - 1..]).unwrap();
    assert_eq!(engine.stream(b"harmless"), "stream: OK");
    no_fallback(&engine);
}

#[test]
fn a_scan_that_meets_damage_is_done_again_with_the_definitions() {
    let room = Room::new("late-damage");
    let path = room.snapshot("whole", &[]);
    let whole = fs::read(&path).unwrap();
    // It has not arrived yet.
    let there = later_frame(&whole, parts(&path).0);
    let damaged = fs::read(flipped(&room, &path, there as u64)).unwrap();
    let (engine, mut growing) = begun(&room, &whole, there);
    let engine = engine.ready();
    let files: Vec<_> = fs::read_dir(TEST_FILES).unwrap().map(|entry| entry.unwrap().path()).collect();
    std::thread::scope(|scope| {
        let engine = &engine;
        let scans: Vec<_> = files.iter().map(|path| scope.spawn(move || engine.scan(path))).collect();
        // Slower, and fewer are done by then.
        std::thread::sleep(Duration::from_secs(1));
        assert!(scans.iter().any(|scan| !scan.is_finished()), "some need what has not come");
        growing.write_all(&damaged[there..]).unwrap();
        for (scan, path) in scans.into_iter().zip(&files) {
            let reply = scan.join().unwrap();
            assert!(reply.ends_with(" FOUND"), "{}: {reply}", path.display());
        }
    });
    assert!(
        engine.errors().contains("a scan found it damaged")
            || engine.errors().contains("its digest is wrong")
    );
}

#[test]
fn what_does_not_come_is_waited_for_and_then_given_up() {
    let room = Room::new("never");
    let path = room.snapshot("whole", &[]);
    let whole = fs::read(&path).unwrap();
    let contents_end = usize::try_from(parts(&path).0).unwrap();
    // Nothing; not all of what a start needs; that, and nothing else.
    for there in [0, 100, contents_end, contents_end + 100, later_frame(&whole, contents_end as u64)] {
        fs::write(room.path("growing"), &whole[..there]).unwrap();
        let [size, n_bytes, contents, digest] = vouched(&whole);
        let words = [&*size, &*n_bytes, &*contents, &*digest, "--patience", "1"];
        let engine = room.start(Some(&room.path("growing")), &words).ready();
        for name in ["clam.exe", "clam.zip", "clam.pdf"] {
            let reply = engine.scan(&Path::new(TEST_FILES).join(name));
            assert!(reply.ends_with(" FOUND"), "{name} with {there} bytes: {reply}");
        }
        assert!(engine.errors().contains("is not used"), "{there} bytes: {}", engine.errors());
        until("the snapshot's memory to be freed", || snapshot_memory(&engine) == (0, 0));
    }
}

/// Kilobytes of the snapshot in the engine's memory, and its open files in memory, which only root sees.
fn snapshot_memory(engine: &Daemon) -> (u32, usize) {
    let process = format!("/proc/{}", engine.child.id());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let shared = status.lines().find_map(|line| line.strip_prefix("RssShmem:")).unwrap();
    let kilobytes = shared.trim().trim_end_matches(" kB").parse().unwrap();
    let files = fs::read_dir(format!("{process}/fd")).into_iter().flatten().flatten();
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    (kilobytes, links.filter(|link| link.to_string_lossy().contains("memfd:airlock-engine")).count())
}

#[test]
fn a_stop_of_the_process_and_of_its_download_costs_no_patience() {
    let room = Room::new("frozen");
    let path = room.snapshot("whole", &[]);
    let whole = fs::read(&path).unwrap();
    let there = later_frame(&whole, parts(&path).0);
    // With a digest of a snapshot, the definitions may be missing: there is nothing to fall back to.
    fs::rename(room.path("db"), room.path("elsewhere")).unwrap();
    let mut growing = File::create(room.path("growing")).unwrap();
    growing.write_all(&whole[..there]).unwrap();
    let words = [&vouched(&whole)[..], &["--patience".to_owned(), "2".to_owned()]].concat();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let engine = room.start(Some(&room.path("growing")), &words).ready();
    let children = engine.children();
    let group: Vec<i32> = children.into_iter().chain([i32::try_from(engine.child.id()).unwrap()]).collect();
    let signal = |number| {
        for process in &group {
            // SAFETY: a signal to our own children; a worker that was replaced meanwhile gets none.
            unsafe { libc::kill(*process, number) };
        }
    };
    signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_secs(6));
    signal(libc::SIGCONT);
    growing.write_all(&whole[there..]).unwrap();
    assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"));
    assert!(engine.scan(&Path::new(TEST_FILES).join("clam.exe")).ends_with(" FOUND"));
    no_fallback(&engine);
}

#[test]
fn another_snapshot_than_was_said_is_not_used() {
    let room = Room::new("another");
    let path = room.snapshot("whole", &[]);
    let mut words = vouched(&fs::read(&path).unwrap());
    let other = if words[3].starts_with('0') { "1" } else { "0" };
    words[3].replace_range(..1, other);
    let engine = room.start(Some(&path), &words.each_ref().map(String::as_str)).ready();
    assert!(engine.errors().contains("have another digest"), "{}", engine.errors());
    assert!(engine.scan(&room.path("eicar")).ends_with("Test.Eicar.UNOFFICIAL FOUND"));
}

#[test]
fn what_does_not_fit_or_is_damaged_is_found_out_without_using_it() {
    let room = Room::new("check");
    let path = room.snapshot("whole", &[]);
    let check = |snapshot: &Path| {
        let checked = room.engine("check").arg("--snapshot").arg(snapshot).output().unwrap();
        (checked.status.success(), String::from_utf8(checked.stderr).unwrap())
    };
    assert_eq!(check(&path), (true, String::new()));
    let (contents_end, end) = parts(&path);
    for at in [0, 20, contents_end, u64::midpoint(contents_end, end), end - 1] {
        assert!(!check(&flipped(&room, &path, at)).0, "bit at {at}");
    }
    assert!(!check(&room.path("missing")).0);
    fs::write(room.path("db/more.ndb"), "Test.More:0:*:6d6f7265\n").unwrap();
    let (is_fit, why) = check(&path);
    assert!(!is_fit && why.contains("other definitions"), "{why}");
}
