//! The engine says what clamd says, from the definitions and from a snapshot; and whatever is done to a snapshot, it says so and never something else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::fs::{self, File};
use std::io::{IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ENGINE: &str = env!("CARGO_BIN_EXE_airlock-engine");
const TEST_FILES: &str = "/usr/share/clamav-testfiles";

/// A directory of its own for each test, below cargo's.
struct Room(PathBuf);

impl Room {
    /// With definitions of every kind that can be written by hand.
    fn new(name: &str) -> Self {
        let room = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&room.0);
        fs::create_dir_all(room.path("db")).unwrap();
        fs::create_dir_all(room.path("tmp")).unwrap();
        fs::write(room.path("eicar"), eicar()).unwrap();
        let exe = fs::read(format!("{TEST_FILES}/clam.exe")).unwrap();
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (name, text) in [
            // Hashes, of the whole and of what is unpacked.
            (
                "t.hdb",
                format!(
                    "44d88612fea8a8f36de82e1278abb02f:68:Test.Eicar\n{}:{}:Test.Exe\n",
                    md5(&exe),
                    exe.len()
                ),
            ),
            (
                "t.ndb",
                format!(
                    "Test.Body:0:*:{}\nTest.Ignored:0:*:{}\n",
                    hex("a body that is sought"),
                    hex("a body to ignore")
                ),
            ),
            (
                "t.ldb",
                format!("Test.Logical;Target:0;(0&1);{};{}\n", hex("the first half"), hex("the second half")),
            ),
            ("t.ign2", "Test.Ignored\n".to_owned()),
            ("t.yara", "rule Yara { strings: $a = \"found by yara\" condition: $a }\n".to_owned()),
            ("t.pdb", "H:example.com\n".to_owned()),
            ("t.cdb", "Test.Container:CL_TYPE_ZIP:*:forbidden\\.name:*:*:*:*:*:*\n".to_owned()),
        ] {
            fs::write(room.path(&format!("db/{name}")), text).unwrap();
        }
        room.configure("engine.conf", "db", "engine.sock");
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn configure(&self, name: &str, database: &str, socket: &str) {
        let at = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "Foreground yes\nLocalSocket {}\nLocalSocketMode 600\nTemporaryDirectory {}\nDatabaseDirectory {}\nOfficialDatabaseOnly no\n\
             DisableCache yes\nAlertExceedsMax yes\nAlertEncrypted yes\nAlertBrokenExecutables yes\nAlertBrokenMedia yes\nMaxFileSize 100M\n\
             StreamMaxLength 1M\nMaxScanSize 400M\nMaxFiles 1000\nMaxRecursion 17\nMaxScanTime 60000\nSelfCheck 0\n",
            at(socket),
            at("tmp"),
            at(database),
        );
        fs::write(self.path(name), text).unwrap();
    }

    fn snapshot(&self, name: &str, more: &[&str]) -> PathBuf {
        let out = self.path(name);
        let made = Command::new(ENGINE)
            .args(["snapshot", "--config-file"])
            .arg(self.path("engine.conf"))
            .arg("--out")
            .arg(&out)
            .args(more)
            .arg("--training")
            .arg(self.path("eicar"))
            .arg(format!("{TEST_FILES}/clam.exe"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        out
    }

    fn serve(&self, snapshot: Option<&Path>) -> Daemon {
        let mut command = Command::new(ENGINE);
        command.args(["serve", "--config-file"]).arg(self.path("engine.conf"));
        if let Some(snapshot) = snapshot {
            command.arg("--snapshot").arg(snapshot);
        }
        Daemon::start(command, self.path("engine.sock"), self.path("stderr"))
    }

    fn clamd(&self) -> Daemon {
        self.configure("clamd.conf", "db", "clamd.sock");
        let mut command = Command::new("clamd");
        command.arg(format!("--config-file={}", self.path("clamd.conf").display()));
        Daemon::start(command, self.path("clamd.sock"), self.path("clamd.stderr"))
    }
}

struct Daemon {
    child: Child,
    socket: PathBuf,
    stderr: PathBuf,
}

impl Daemon {
    fn start(mut command: Command, socket: PathBuf, stderr: PathBuf) -> Self {
        let _ = fs::remove_file(&socket);
        let errors = File::create(&stderr).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        let daemon = Self { child, socket, stderr };
        let began = Instant::now();
        while UnixStream::connect(&daemon.socket).is_err() || daemon.ask("PING") != "PONG" {
            assert!(began.elapsed() < Duration::from_secs(30), "no start: {}", daemon.errors());
            std::thread::sleep(Duration::from_millis(10));
        }
        daemon
    }

    fn ask(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(&self.socket).unwrap();
        socket.write_all(format!("z{command}\0").as_bytes()).unwrap();
        reply(socket)
    }

    /// What is said about an open file, without the descriptor's number.
    fn scan(&self, path: &Path) -> String {
        let (mut socket, file) = (UnixStream::connect(&self.socket).unwrap(), File::open(path).unwrap());
        socket.write_all(b"zFILDES\0").unwrap();
        send_descriptor(&socket, file.as_raw_fd());
        let reply = reply(socket);
        reply.split_once("]: ").unwrap_or_else(|| panic!("{reply}")).1.to_owned()
    }

    fn stream(&self, bytes: &[u8]) -> String {
        let mut socket = UnixStream::connect(&self.socket).unwrap();
        socket.write_all(b"zINSTREAM\0").unwrap();
        for chunk in bytes.chunks(100_000) {
            let length = u32::try_from(chunk.len()).unwrap().to_be_bytes();
            // Whoever refuses in mid-stream does not read on.
            if socket.write_all(&length).and_then(|()| socket.write_all(chunk)).is_err() {
                break;
            }
        }
        let _ = socket.write_all(&[0; 4]);
        reply(socket)
    }

    fn errors(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Its children: scans that are on, and the one that waits.
    fn children(&self) -> Vec<i32> {
        let path = format!("/proc/{0}/task", self.child.id());
        let tasks = fs::read_dir(path).unwrap().map(|task| task.unwrap().path().join("children"));
        let text: String = tasks.filter_map(|path| fs::read_to_string(path).ok()).collect();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn reply(mut socket: UnixStream) -> String {
    let mut reply = vec![];
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    socket.read_to_end(&mut reply).unwrap();
    assert_eq!(reply.pop(), Some(0), "{}", String::from_utf8_lossy(&reply));
    String::from_utf8(reply).unwrap()
}

fn send_descriptor(socket: &UnixStream, file: RawFd) {
    #[repr(align(8))]
    struct Control([MaybeUninit<u8>; 64]);
    let mut control = Control([MaybeUninit::zeroed(); 64]);
    let mut payload = [IoSlice::new(b"\0")];
    // SAFETY: the message's parts live until it is sent.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = payload.as_mut_ptr().cast();
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control.0).cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(file);
        assert_eq!(libc::sendmsg(socket.as_raw_fd(), &raw const message, 0), 1);
    }
}

fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn md5(bytes: &[u8]) -> String {
    let mut child = Command::new("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()[..32].to_owned()
}

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
        // Several at once.
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
        assert_eq!(fs::read_dir(room.path("tmp")).unwrap().count(), 0, "nothing is left behind");
    }
}

#[test]
fn the_same_definitions_make_the_same_snapshot() {
    let room = Room::new("reproducible");
    let [one, other] = ["one", "other"].map(|name| fs::read(room.snapshot(name, &[])).unwrap());
    assert!(one == other, "{} and {} bytes", one.len(), other.len());
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

/// The file's parts: where the contents begin and end, and where the file ends.
fn parts(snapshot: &Path) -> (u64, u64) {
    let mut head = [0; 16];
    File::open(snapshot).unwrap().read_exact(&mut head).unwrap();
    (48 + u64::from_le_bytes(head[8..].try_into().unwrap()), fs::metadata(snapshot).unwrap().len())
}

/// A copy with one bit changed.
fn flipped(room: &Room, snapshot: &Path, at: u64) -> PathBuf {
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
    fs::write(room.path("engine.conf"), conf.replace("MaxFiles 1000", "MaxFiles 1001")).unwrap();
    check(&snapshot, "another configuration", false);
}

#[test]
fn damage_that_comes_later_is_noticed_by_the_scan_that_meets_it() {
    let room = Room::new("later");
    let snapshot = room.snapshot("snapshot", &["--raw"]);
    let (contents_end, end) = parts(&snapshot);
    let engine = room.serve(Some(&snapshot));
    // Everything behind the first tier, while it is in use.
    let file = File::options().write(true).open(&snapshot).unwrap();
    file.write_all_at(
        &vec![0xff; usize::try_from((end - contents_end) / 2).unwrap()],
        u64::midpoint(contents_end, end),
    )
    .unwrap();
    for _ in 0..3 {
        assert!(engine.scan(&Path::new(TEST_FILES).join("clam.exe")).ends_with("Test.Exe.UNOFFICIAL FOUND"));
    }
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
    scan(500);
    std::thread::sleep(Duration::from_millis(200));
    assert!(
        resident() < before.0 + 2000 && n_open() <= before.1 + 2,
        "{before:?}, then {} KB and {}",
        resident(),
        n_open()
    );
}
