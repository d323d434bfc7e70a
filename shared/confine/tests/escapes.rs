//! A confined process computes with the files that it has open. Every other operation is tried, and each is
//! denied.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use confine::ResourceLimits;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit, test_kill_process};

const CHILD: &str = "CONFINED_CHILD";

#[expect(clippy::disallowed_methods, reason = "tells the child that this test starts from the test")]
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

type Attempt<'a> = (&'static str, Box<dyn Fn() -> io::Result<()> + 'a>);

fn way<'a>(what: &'static str, attempt: impl Fn() -> io::Result<()> + 'a) -> Attempt<'a> {
    (what, Box::new(attempt))
}

/// The denied operations, by name.
fn attempts<'a>(own: &'a File, elsewhere: &'a Path, parent: Pid) -> Vec<Attempt<'a>> {
    let more = Rlimit { current: Some(60), maximum: Some(60) };
    vec![
        way("read a file", move || File::open("/etc/passwd").map(drop)),
        way("list a directory", move || std::fs::read_dir("/").map(drop)),
        way("write a file", move || std::fs::write(elsewhere, b"out")),
        way("remove a file", move || std::fs::remove_file(elsewhere)),
        way("make a directory", move || std::fs::create_dir(elsewhere)),
        way("reopen its own file", move || File::open("/proc/self/fd/0").map(drop)),
        way("read the parent's memory", move || File::open(format!("/proc/{parent}/mem")).map(drop)),
        way("connect", move || TcpStream::connect("127.0.0.1:9").map(drop)),
        way("listen", move || TcpListener::bind("127.0.0.1:0").map(drop)),
        way("send", move || UdpSocket::bind("127.0.0.1:0").map(drop)),
        way("make a socket pair", move || UnixStream::pair().map(drop)),
        way("run a program", move || Command::new("/bin/true").status().map(drop)),
        way("make a thread", move || std::thread::Builder::new().spawn(|| {}).map(drop)),
        way("look for the parent", move || test_kill_process(parent).map_err(Into::into)),
        way("kill the parent", move || kill_process(parent, Signal::USR1).map_err(Into::into)),
        way("raise a limit", move || setrlimit(Resource::Cpu, more).map_err(Into::into)),
        way("make a memory file", || {
            rustix::fs::memfd_create("m", rustix::fs::MemfdFlags::CLOEXEC)?;
            Ok(())
        }),
        way("write beyond the limit of a file", move || own.write_all_at(b"x", 1 << 20)),
    ]
}

fn confined_child() {
    let parent = Pid::from_raw(std::os::unix::process::parent_id().cast_signed()).unwrap();
    let own = tempfile::tempfile().unwrap();
    let elsewhere = std::env::temp_dir().join(format!("airlock-escape-{}", std::process::id()));
    let limits = ResourceLimits { cpu: Duration::from_secs(20), memory_bytes: 4 << 30, file_bytes: 1 << 20 };
    let was_root = confine::drop_root().unwrap();
    println!("root: {was_root}, now {}", rustix::process::geteuid().as_raw());
    confine::limit_resources(limits).unwrap();
    let files = confine::forbid_files().unwrap();
    let calls = confine::forbid_calls().unwrap();
    println!("layers: files {files}, calls {calls}");
    // The permitted operations still work.
    own.write_all_at(b"kept", 0).unwrap();
    let mut read = [0; 4];
    own.read_exact_at(&mut read, 0).unwrap();
    let grown = vec![7u8; 32 << 20];
    assert!(&read == b"kept" && grown.iter().all(|byte| *byte == 7));
    for (what, attempt) in attempts(&own, &elsewhere, parent) {
        println!(
            "{what}: {}",
            attempt().map_or_else(|error| format!("denied, {error}"), |()| "OPEN".to_owned())
        );
        io::stdout().flush().unwrap();
    }
    std::process::exit(0);
}

#[test]
fn every_way_out_is_denied() {
    if is_child() {
        confined_child();
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["every_way_out_is_denied", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    println!("{said}{status}");
    let is_root = rustix::process::geteuid().is_root();
    assert!(!is_root || said.contains("root: true, now 65534"), "{said}");
    assert!(said.contains("calls true"), "this kernel has no seccomp");
    assert!(!said.contains("OPEN"), "{said}");
    assert!(said.matches(": denied, ").count() == 17, "{said}");
    // The last operation ends the process: SIGXFSZ.
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(25), "{said}");
}
