//! Lambda freezes the scan function between two invocations, for minutes, and connections end meanwhile. That
//! costs no verdict, and not the snapshot that is still being downloaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Semaphore;

use crate::lambda::{Environment, LIMIT, next_batch, nothing_failed, status_of, upload};
use crate::snapshots::{deployment, publish_large};
use crate::support::fault_proxy::{Released, holding_back};
use crate::support::{AIRLOCK_ENGINE, eicar, is_soak, wait};

/// Longer than the engine waits for missing bytes.
fn frozen() -> Duration {
    if is_soak() { Duration::from_mins(10) } else { Duration::from_secs(35) }
}

/// The process and everything that it has started.
fn with_descendants(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children: String =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok()).collect();
    let children = children.split_whitespace().map(|child| child.parse().unwrap());
    std::iter::once(pid).chain(children.flat_map(with_descendants)).collect()
}

fn signal(processes: &[u32], signal: Signal) {
    for process in processes {
        // One that has ended meanwhile needs none.
        let _ = kill_process(Pid::from_raw(i32::try_from(*process).unwrap()).unwrap(), signal);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_while_the_snapshot_is_being_downloaded_ends_in_correct_verdicts() {
    let deployment = deployment().await;
    deployment.publish(6).await;
    let large = publish_large(&deployment).await;
    let service = &deployment.service;
    let release = Arc::new(Semaphore::new(0));
    let line =
        holding_back(&service.local.report().s3_url, 4 << 20, Arc::clone(&release), Released::Cut).await;
    let environment = Environment::of(service).await;
    let mut api = environment.api().await;
    let of_scan =
        [("ENGINE", "snapshot"), ("AIRLOCK_ENGINE", AIRLOCK_ENGINE), ("AWS_ENDPOINT_URL_S3", line.as_str())];
    let mut scan = environment.scan(&deployment, &of_scan).await;
    let bad = upload(&mut api, service, "a.txt", &eicar()).await;
    let batch = next_batch(service).await;

    let (pid, has_returned) = (scan.pid(), AtomicBool::new(false));
    let invoked = async {
        let answer = scan.invoke_told(batch, LIMIT).await;
        has_returned.store(true, Ordering::Relaxed);
        answer
    };
    let frozen_meanwhile = async {
        wait::until("the verdict", async || status_of(&mut api, &bad).await["scan_status"] == "infected")
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!has_returned.load(Ordering::Relaxed), "half of the snapshot is missing");
        let processes = with_descendants(pid);
        assert!(processes.len() >= 3, "the function, the engine, its worker: {processes:?}");
        signal(&processes, Signal::STOP);
        release.add_permits(1000);
        tokio::time::sleep(frozen()).await;
        signal(&processes, Signal::CONT);
    };
    let (answer, ()) = tokio::join!(invoked, frozen_meanwhile);
    assert_eq!(answer, nothing_failed());

    let good = upload(&mut api, service, "b.txt", b"nothing to see").await;
    let bad = upload(&mut api, service, "c.txt", &[&eicar()[..], b"\n"].concat()).await;
    assert_eq!(scan.invoke(next_batch(service).await, LIMIT).await, nothing_failed());
    assert_eq!(status_of(&mut api, &good).await["scan_status"], "clean");
    let judged = status_of(&mut api, &bad).await;
    assert_eq!(judged["scan_status"], "infected");
    let version = &judged["scan_result"]["definitions"]["version"];
    assert_eq!(version, large.version.as_str(), "the engine still uses the snapshot");
}
