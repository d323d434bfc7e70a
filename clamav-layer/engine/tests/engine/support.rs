//! Shared by the tests: definitions of every kind, an engine, and a client with Airlock's protocol.

use std::fs::{self, File};
use std::io::{IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ENGINE: &str = env!("CARGO_BIN_EXE_airlock-engine");
pub(crate) const TEST_FILES: &str = "/usr/share/clamav-testfiles";

/// Polls until the `awaited` condition holds. It has no limit of its own, because a busy machine is slow;
/// `tools/engine test` limits all tests.
pub(crate) fn until(awaited: &str, mut holds: impl FnMut() -> bool) {
    let (began, mut n_said) = (Instant::now(), 0);
    while !holds() {
        if began.elapsed() > Duration::from_secs(30) * (n_said + 1) {
            n_said += 1;
            eprintln!("after {} s still waiting: {awaited}", began.elapsed().as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A directory of its own for each test, below cargo's.
pub(crate) struct Room(PathBuf);

impl Room {
    /// With definitions of every kind that can be written by hand.
    pub(crate) fn new(name: &str) -> Self {
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
        room.configure();
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn configure(&self) {
        let at = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "Foreground yes\nLocalSocket {}\nLocalSocketMode 600\n\
             TemporaryDirectory {}\nDatabaseDirectory {}\n\
             OfficialDatabaseOnly no\nDisableCache yes\nAlertExceedsMax yes\nAlertEncrypted yes\n\
             AlertBrokenExecutables yes\nAlertPartitionIntersection yes\nMaxFileSize 100M\n\
             StreamMaxLength 1M\nMaxScanSize 400M\nMaxFiles 1000\nMaxRecursion 17\nMaxScanTime 3600000\n\
             SelfCheck 0\n",
            at("engine.sock"),
            at("tmp"),
            at("db"),
        );
        fs::write(self.path("engine.conf"), text).unwrap();
    }

    /// For what is started from now on.
    pub(crate) fn change_configuration(&self, line: &str, other: &str) {
        let text = fs::read_to_string(self.path("engine.conf")).unwrap();
        assert!(text.contains(line));
        fs::write(self.path("engine.conf"), text.replace(line, other)).unwrap();
    }

    pub(crate) fn snapshot(&self, name: &str, more: &[&str]) -> PathBuf {
        let out = self.path(name);
        let made = self.snapshot_command(name, more).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        out
    }

    pub(crate) fn snapshot_command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = self.engine("snapshot");
        command.arg("--out").arg(self.path(name)).args(more);
        command.args(["--training", &format!("{TEST_FILES}/clam.exe")]);
        command
    }

    pub(crate) fn serve(&self, snapshot: Option<&Path>) -> Daemon {
        self.start(snapshot, &[]).ready()
    }

    /// What has not answered yet.
    pub(crate) fn start(&self, snapshot: Option<&Path>, more: &[&str]) -> Daemon {
        self.start_with(snapshot, |command| command.args(more))
    }

    /// The same, with a command that is changed in another way.
    pub(crate) fn start_with(
        &self,
        snapshot: Option<&Path>,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Daemon {
        let mut command = self.engine("serve");
        if let Some(snapshot) = snapshot {
            command.arg("--snapshot").arg(snapshot);
        }
        change(&mut command);
        Daemon::start(command, self.path("engine.sock"), self.path("stderr"))
    }

    pub(crate) fn engine(&self, command: &str) -> Command {
        let mut engine = Command::new(ENGINE);
        engine.args([command, "--config-file"]).arg(self.path("engine.conf"));
        engine
    }

    pub(crate) fn clamd(&self) -> Daemon {
        let conf = fs::read_to_string(self.path("engine.conf")).unwrap();
        fs::write(self.path("clamd.conf"), conf.replace("engine.sock", "clamd.sock")).unwrap();
        let mut command = Command::new("clamd");
        command.arg(format!("--config-file={}", self.path("clamd.conf").display()));
        Daemon::start(command, self.path("clamd.sock"), self.path("clamd.stderr")).ready()
    }
}

pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
    stderr: PathBuf,
}

impl Daemon {
    fn start(mut command: Command, socket: PathBuf, stderr: PathBuf) -> Self {
        let _ = fs::remove_file(&socket);
        let errors = File::create(&stderr).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        Self { child, socket, stderr }
    }

    pub(crate) fn ready(mut self) -> Self {
        until("the engine to start", || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "no start: {}", self.errors());
            UnixStream::connect(&self.socket).is_ok() && self.ask("PING") == "PONG"
        });
        self
    }

    pub(crate) fn ask(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(&self.socket).unwrap();
        socket.write_all(format!("z{command}\0").as_bytes()).unwrap();
        reply(socket)
    }

    /// What is said about an open file, without the descriptor's number.
    pub(crate) fn scan(&self, path: &Path) -> String {
        let (mut socket, file) = (UnixStream::connect(&self.socket).unwrap(), File::open(path).unwrap());
        socket.write_all(b"zFILDES\0").unwrap();
        send_descriptor(&socket, file.as_raw_fd());
        let reply = reply(socket);
        reply.split_once("]: ").unwrap_or_else(|| panic!("{reply}")).1.to_owned()
    }

    pub(crate) fn stream(&self, bytes: &[u8]) -> String {
        let mut socket = UnixStream::connect(&self.socket).unwrap();
        socket.write_all(b"zINSTREAM\0").unwrap();
        for chunk in bytes.chunks(100_000) {
            let length = u32::try_from(chunk.len()).unwrap().to_be_bytes();
            // An engine that refuses in mid-stream stops reading.
            if socket.write_all(&length).and_then(|()| socket.write_all(chunk)).is_err() {
                break;
            }
        }
        let _ = socket.write_all(&[0; 4]);
        reply(socket)
    }

    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Its children: scans that are on, and the one that waits.
    pub(crate) fn children(&self) -> Vec<i32> {
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

pub(crate) fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn md5(bytes: &[u8]) -> String {
    let mut child = Command::new("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()[..32].to_owned()
}
