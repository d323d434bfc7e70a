//! An engine that dies, hangs or lies causes a retry and in the end `error`, and never a clean verdict.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Service, eicar, wait, with_each_engine};

fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal);
}

/// Sends one signal to every engine that this process starts. It runs in a thread of its own, which no other
/// work delays, because it must act before a new engine can answer.
pub(crate) struct Harassment {
    is_over: Arc<AtomicBool>,
    n_hit: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<HashSet<u32>>,
}

impl Harassment {
    /// Returns when the engine that already runs has received the signal.
    pub(crate) async fn begin(kind: Signal) -> Self {
        let (is_over, n_hit) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let thread = std::thread::spawn({
            let (is_over, n_hit) = (Arc::clone(&is_over), Arc::clone(&n_hit));
            move || {
                let mut hit = HashSet::new();
                while !is_over.load(Ordering::Relaxed) {
                    for pid in engines().into_iter().filter(|pid| hit.insert(*pid)) {
                        signal(pid, kind);
                        n_hit.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                hit.retain(|pid| engines().contains(pid));
                hit
            }
        });
        let harassment = Self { is_over, n_hit, thread };
        wait::until("an engine to be hit", async || harassment.n_hit() > 0).await;
        harassment
    }

    pub(crate) fn n_hit(&self) -> usize {
        self.n_hit.load(Ordering::Relaxed)
    }

    /// Stops the thread and kills the engines that received the signal: the service would wait minutes for
    /// one that was stopped while it started.
    pub(crate) fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for pid in self.thread.join().unwrap() {
            signal(pid, Signal::KILL);
        }
    }
}

/// Every engine that serves and is a child of this process, whichever of its threads started it.
pub(crate) fn engines() -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return vec![] };
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    let pids = lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>());
    pids.filter(|pid| crate::support::process::is_engine(*pid)).collect()
}

with_each_engine!(an_engine_that_is_killed_once_is_started_again_and_the_verdict_is_right);

async fn an_engine_that_is_killed_once_is_started_again_and_the_verdict_is_right(engine: &str) {
    let service = Service::start_with(&[("ENGINE", engine)], |_| {}).await;
    for round in 0..crate::support::rounds(6, 40) {
        let pids = engines();
        let file_id = service.upload("a.txt", &[eicar(), vec![b' '; 2_000_000]].concat()).await;
        tokio::time::sleep(Duration::from_millis(u64::try_from(round % 6).unwrap() * 7)).await;
        for pid in pids {
            signal(pid, Signal::KILL);
        }
        service.ends_as(&file_id, "infected").await;
    }
    service.stop().await;
}

with_each_engine!(an_engine_that_dies_in_every_scan_ends_in_error);

async fn an_engine_that_dies_in_every_scan_ends_in_error(engine: &str) {
    ends_in_error(engine, Signal::KILL).await;
}

with_each_engine!(an_engine_that_hangs_in_every_scan_ends_in_error);

async fn an_engine_that_hangs_in_every_scan_ends_in_error(engine: &str) {
    ends_in_error(engine, Signal::STOP).await;
}

async fn ends_in_error(engine: &str, kind: Signal) {
    let service = Service::start_with(&[("ENGINE", engine), ("VIRUS_SCAN_TIMEOUT", "4")], |settings| {
        settings.tuning.machine.max_attempts = 3;
    })
    .await;
    let harassment = Harassment::begin(kind).await;
    let bytes = vec![b'x'; 30_000_000];
    let (bad, good) = (service.upload("a.txt", &eicar()).await, service.upload("b.txt", &bytes).await);
    for file_id in [&bad, &good] {
        let info = service.ended(file_id).await;
        // EICAR may be found while an engine works; the verdict must never be clean.
        let is_honest = matches!(info["scan_status"].as_str().unwrap(), "error" | "infected");
        assert!(is_honest, "{info}");
        if info["scan_status"] == "error" {
            assert_eq!(info["scan_result"]["reason"], "engine_trouble");
        }
        let (status, problem) = service.get(&format!("/files/{file_id}/download-link")).await;
        assert_eq!(status, 403, "{problem}");
    }
    assert_eq!(
        service.ended(&good).await["scan_status"],
        "error",
        "without an engine, a file without malware has no verdict"
    );
    assert!(harassment.n_hit() >= 3, "the engine was started again for every attempt");
    harassment.end();
    // On a machine that is too busy to scan a file within four seconds, the file ends in `error`.
    wait::until("a clean file, once the engine is well again", async || {
        let after = service.upload("a.txt", b"once the engine is well again").await;
        let info = service.ended(&after).await;
        assert!(
            info["scan_status"] == "clean" || info["scan_result"]["reason"] == "engine_trouble",
            "{info}"
        );
        info["scan_status"] == "clean"
    })
    .await;
    service.stop().await;
}

with_each_engine!(a_missing_temporary_directory_is_never_clean);

async fn a_missing_temporary_directory_is_never_clean(engine: &str) {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let service = {
        let data_dir = data_dir.clone();
        Service::start_with(&[("ENGINE", engine)], move |settings| settings.data_dir = data_dir).await
    };
    let stop = Arc::new(AtomicBool::new(false));
    let vandal = {
        let (tmp, stop) = (data_dir.join("run/tmp"), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || {
            while !stop.load(Ordering::Relaxed) {
                let _ = std::fs::remove_dir_all(&tmp);
            }
        })
    };
    let files = [service.upload("a.txt", &eicar()).await, service.upload("b.txt", &eicar()).await];
    for file_id in &files {
        let info = service.ended(file_id).await;
        assert_ne!(info["scan_status"], "clean", "{info}");
    }
    stop.store(true, Ordering::Relaxed);
    vandal.await.unwrap();
    service.stop().await;
}

with_each_engine!(an_engine_gets_no_secrets_and_no_port);

async fn an_engine_gets_no_secrets_and_no_port(engine: &str) {
    let service = Service::start_with(&[("ENGINE", engine)], |_| {}).await;
    let pid = service.local.engine().pid().await.unwrap();
    let environ = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let names: Vec<&str> = environ
        .split('\0')
        .filter_map(|pair| pair.split('=').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(names, ["PATH"]);
    let tcp = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    let sockets: Vec<String> =
        tcp.map(|target| target.display().to_string()).filter(|name| name.starts_with("socket:")).collect();
    let listening = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    for socket in sockets {
        let inode = socket.trim_start_matches("socket:[").trim_end_matches(']');
        assert!(!listening.contains(&format!(" {inode} ")), "it has a TCP socket");
    }
    service.stop().await;
}
