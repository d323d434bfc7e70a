//! A service in a process of its own, for tests of its death, its memory and its children.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use inspector::WorkerProgram;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{client, wait};

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) url: String,
}

/// Two ports that are free, and stay so until they are bound: the kernel gives them to no process that asks
/// for any port (Linux, `ip_local_port_range`: from 32768), and other tests' processes begin elsewhere.
pub(crate) fn free_ports() -> (u16, u16) {
    const FIRST: u16 = 10_000;
    const N_PORTS: u16 = 20_000;
    static N_TAKEN: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() * 20 % u32::from(N_PORTS)).unwrap();
    let mut free = std::iter::repeat_with(|| {
        FIRST + begin.wrapping_add(N_TAKEN.fetch_add(1, Ordering::Relaxed)) % N_PORTS
    })
    .filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    (free.next().unwrap(), free.next().unwrap())
}

pub(crate) fn command(data_dir: &Path, ports: (u16, u16), env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["local", "--data-dir"])
        .arg(data_dir)
        .args([
            "--listen",
            &format!("127.0.0.1:{}", ports.0),
            "--s3-listen",
            &format!("127.0.0.1:{}", ports.1),
        ])
        .args(["--definitions", "test"])
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command
}

/// The binary is in the directory of this test's own; `cargo nextest run --workspace` builds both.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(Path::parent).unwrap().join("airlock");
    assert!(binary.try_exists().unwrap(), "build the whole workspace: `{}` is missing", binary.display());
    binary
}

/// The gate's program, likewise.
pub(crate) fn gate_worker() -> WorkerProgram {
    WorkerProgram { path: binary(), arguments: vec![], environment: vec![] }
}

impl Process {
    /// Starts the service and waits until it answers.
    pub(crate) async fn start(data_dir: &Path, ports: (u16, u16), env: &[(&str, &str)]) -> Self {
        let child = command(data_dir, ports, env).spawn().unwrap();
        let mut process = Self { child, url: format!("http://127.0.0.1:{}", ports.0) };
        process.is_up().await;
        process
    }

    /// Returns when the service answers. Panics if it ends before.
    pub(crate) async fn is_up(&mut self) {
        let (http, url) = (client(), format!("{}/health", self.url));
        wait::until("the service to start", async || {
            assert_eq!(self.child.try_wait().unwrap(), None, "the service did not start");
            http.get(&url).send().await.is_ok_and(|health| health.status() == 200)
        })
        .await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) async fn kill_9(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().await.unwrap();
    }

    /// The peak of resident memory, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The process ids of its children.
    pub(crate) fn children(&self) -> Vec<u32> {
        let id = self.child.id().unwrap();
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let lists = tasks
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
        lists
            .flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>())
            .collect()
    }
}

/// Whether a process with this id runs and is a serving engine: clamd, or `airlock-engine serve`.
pub(crate) fn is_engine(pid: u32) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let mut words = words.split('\0');
    let program = words.next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    program == "clamd" || program == "airlock-engine" && words.next() == Some("serve")
}

/// The engine of a scan function: the process ids of its children.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut children: Vec<u32> = text.split_whitespace().map(|child| child.parse().unwrap()).collect();
    // The process may have ended in the meantime.
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(text.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
    }
    children.sort_unstable();
    children.dedup();
    children
}

/// The descendants of this process that are gate workers with a file.
pub(crate) fn inspecting() -> Vec<u32> {
    let has_file = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "airlock-inspect\n")
    };
    children_of(std::process::id()).into_iter().flat_map(children_of).filter(has_file).collect()
}

pub(crate) fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}

/// The TCP ports that a process listens on (`proc_pid_net(5)`).
pub(crate) fn listening_ports(pid: u32) -> BTreeSet<u16> {
    const LISTEN: &str = "0A";
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.unwrap().path()).ok());
    let sockets: BTreeSet<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == LISTEN && sockets.contains(&format!("socket:[{}]", words[9])) {
                let (_, port) = words[1].rsplit_once(':').unwrap();
                ports.insert(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}
