//! A file that crashes or hangs the gate affects only its own verdict: the service keeps running, and the
//! file is refused in one attempt.

mod costly;
mod deep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::verdict::Unscannable;
use inspector::InspectorError;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::inspecting::{cpu_limit, inspect, inspector, reason};
use crate::support::process::{children_of, inspecting};
use crate::support::{Service, is_soak, rounds, wait};

/// Takes 8 s of processor time, unless something ends it.
fn busy() -> Vec<u8> {
    b"ustar".repeat(4_000_000)
}

/// The process that has worked on a file for a while.
async fn worker_at_work() -> Pid {
    let is_at_work = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
        let n_ticks: u64 =
            fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        n_ticks > 20
    };
    let pid =
        wait::until_found("a worker at work", async || inspecting().into_iter().find(is_at_work).ok_or(()));
    Pid::from_raw(pid.await.cast_signed()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_crashes_refuses_its_file_and_one_that_is_killed_says_nothing() {
    let inspector = Arc::new(inspector().await);
    let says_nothing = [Signal::KILL, Signal::TERM];
    for signal in [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL, Signal::KILL, Signal::TERM] {
        let asked = tokio::spawn({
            let inspector = Arc::clone(&inspector);
            async move { inspect(&inspector, &busy()).await }
        });
        let worker = worker_at_work().await;
        // Rust's handler expects a SIGSEGV to be raised again by the same instruction and returns from the
        // first one, so a second signal is needed.
        wait::until("the end of the worker", async || {
            let _ = kill_process(worker, signal);
            asked.is_finished()
        })
        .await;
        match asked.await.unwrap() {
            Ok(inspected) => assert!(
                reason(&inspected) == Some(Unscannable::InspectionFailed) && !says_nothing.contains(&signal),
                "{signal:?}"
            ),
            Err(error) => {
                assert!(
                    matches!(error, InspectorError::NoAnswer(_)) && says_nothing.contains(&signal),
                    "{error:?}"
                );
            }
        }
        // The next file has a worker of its own.
        assert_eq!(reason(&inspect(&inspector, b"an ordinary file").await.unwrap()), None, "{signal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_abandoned_leaves_no_process_running() {
    let inspector = Arc::new(inspector().await);
    let asked = tokio::spawn({
        let inspector = Arc::clone(&inspector);
        async move { inspect(&inspector, &busy()).await }
    });
    let worker = worker_at_work().await;
    asked.abort();
    assert!(asked.await.is_err());
    let pid = worker.as_raw_nonzero().get().unsigned_abs();
    wait::until("the worker's end", async || !crate::support::process::is_running(pid)).await;
}

/// Two such files have been found: 30,000 nested messages ended the service, and 99 MB with the start of a
/// tar every five bytes took two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn small_files_that_were_made_to_hurt_are_refused_in_one_attempt() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let nested = deep::zip(&deep::messages(30_000));
    let costly = deep::zip(&b"ustar".repeat(19_800_000));
    assert!(nested.len() < 5_000 && costly.len() < 200_000, "{} {}", nested.len(), costly.len());
    for (name, bytes, reason, most) in [
        ("nested.zip", nested, "too_deep", Duration::from_secs(4)),
        ("costly.zip", costly, "scan_timeout", Duration::from_secs(10)),
    ] {
        let file_id = service.upload(name, &bytes).await;
        let info = service.ends_as(&file_id, "unscannable").await;
        assert_eq!(info["scan_result"]["reason"], reason, "{info}");
        // The processor time of all children: the gate's processes and the engine.
        let spent = children_time();
        assert!(spent < most + Duration::from_secs(8), "{name}: {spent:?}");
    }
    assert_eq!(service.get("/health").await.0, 200);
    service.stop().await;
}

/// The processor time of every child, and of the descendants that it has waited for.
fn children_time() -> Duration {
    // See proc_pid_stat(5): the time of a process, and that of its ended children.
    let ticks_of = |pid: u32, skipped: usize, n_fields: usize| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
        fields.split(' ').skip(skipped).take(n_fields).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>()
    };
    let own = std::process::id();
    let alive = children_of(own).into_iter().map(|child| ticks_of(child, 11, 4)).sum::<u64>();
    Duration::from_millis((ticks_of(own, 13, 2) + alive) * 1000 / rustix::param::clock_ticks_per_second())
}

/// Every kind of nesting, to depths that no stack of a usual size holds.
#[tokio::test(flavor = "multi_thread")]
async fn no_nesting_is_too_deep_for_the_service() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let depths: &[usize] = if is_soak() { &[20, 1_000, 30_000, 300_000] } else { &[20, 30_000] };
    let mut n_tried = 0;
    for kind in deep::KINDS {
        for n_levels in depths.iter().map(|n| (*n).min(kind.most)).collect::<std::collections::BTreeSet<_>>()
        {
            for bytes in [(kind.make)(n_levels), deep::zip(&(kind.make)(n_levels))] {
                let file_id = service.upload("deep", &bytes).await;
                let info = service.ended(&file_id).await;
                let status = info["scan_status"].as_str().unwrap();
                // Any verdict is right; `error` would mean eight failed attempts.
                assert!(matches!(status, "clean" | "unscannable"), "{} {n_levels}: {info}", kind.name);
                let holds_files = kind.holds_files && n_levels > 16;
                assert!(!holds_files || status == "unscannable", "{} {n_levels}: {info}", kind.name);
                n_tried += 1;
            }
        }
    }
    println!(
        "{n_tried} files of {} kinds, nested up to {} levels",
        deep::KINDS.len(),
        depths.last().unwrap()
    );
    assert_eq!(service.get("/health").await.0, 200);
    service.stop().await;
}

/// The processor time is measured, and is never much above the limit for a file of that size.
#[tokio::test(flavor = "multi_thread")]
async fn no_input_costs_more_than_its_size_allows() {
    let inspector = inspector().await;
    let (mut worst, mut n_refused) = ((0.0, String::new()), 0);
    let corpus = costly::corpus(rounds(1, 20) * 1_000_000);
    for (name, bytes) in &corpus {
        let (began, limit) = (Instant::now(), cpu_limit(bytes.len()));
        let inspected = inspect(&inspector, bytes).await.unwrap();
        let megabytes = f64::from(u32::try_from(bytes.len().div_ceil(1_000_000)).unwrap());
        let seconds = inspected.cpu_time.as_secs_f64();
        println!(
            "{name:32} {:>10} bytes {seconds:7.2} s  {:7.3} s for each megabyte begun  {:6.2} s wall  {:?}",
            bytes.len(),
            seconds / megabytes,
            began.elapsed().as_secs_f64(),
            reason(&inspected)
        );
        // The kernel enforces the limit in whole seconds.
        assert!(
            inspected.cpu_time <= limit + Duration::from_secs(1),
            "{name}: {:?} of {limit:?}",
            inspected.cpu_time
        );
        n_refused += usize::from(reason(&inspected) == Some(Unscannable::ScanTimeout));
        if seconds / megabytes > worst.0 {
            worst = (seconds / megabytes, name.clone());
        }
    }
    println!(
        "{} inputs, {n_refused} beyond the limit; the worst: {:.2} s for each megabyte begun, {}",
        corpus.len(),
        worst.0,
        worst.1
    );
}
