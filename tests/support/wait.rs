//! The one place where tests wait, with [`until`] and [`until_found`]. No wait has a limit of its own,
//! because a busy machine may need any time. nextest ends a test that waits forever (`.config/nextest.toml`);
//! by then its output says what was awaited and what was seen instead.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use domain::timestamp::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

const LOOK_FIRST_AFTER: Duration = Duration::from_millis(20);
/// Many tests wait concurrently: polling more often would slow down the service.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(250);
const SAY_SO_EVERY: Duration = Duration::from_secs(30);

/// Polls `look` until it returns `Ok`, and returns that. `Err` is what was seen instead of what was
/// `awaited`.
pub(crate) async fn until_found<T, S: Debug>(
    awaited: &str,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let (began, mut pause, mut n_said) = (Instant::now(), LOOK_FIRST_AFTER, 0);
    loop {
        let seen = match look().await {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        if began.elapsed() > SAY_SO_EVERY * (n_said + 1) {
            n_said += 1;
            eprintln!("after {} s still waiting: {awaited}; seen: {seen:?}", began.elapsed().as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AT_LEAST_EVERY);
    }
}

/// Polls `holds` until it returns true.
pub(crate) async fn until(awaited: &str, mut holds: impl AsyncFnMut() -> bool) {
    until_found(awaited, async || if holds().await { Ok(()) } else { Err("not yet") }).await;
}

/// Waits until `moment` has passed.
pub(crate) async fn until_after(moment: Timestamp) {
    until("a moment to pass", async || aws::clock::now() > moment).await;
}

/// Runs a scenario that must finish within a time that the product measures. The scenario gets that time and
/// returns `None` if the machine was too slow; it is then run again with twice the time.
pub(crate) async fn in_enough_time<T>(
    first: Duration,
    mut scenario: impl AsyncFnMut(Duration) -> Option<T>,
) -> T {
    let mut time = first;
    loop {
        if let Some(outcome) = scenario(time).await {
            return outcome;
        }
        time *= 2;
        eprintln!("the machine was too slow: once more, with {} s", time.as_secs());
    }
}

/// Waits for the time in which something that must not happen would happen. On a slow machine the test may
/// miss a fault, but never reports one that does not exist.
pub(crate) async fn linger(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Asks a process to end and waits ten seconds. A process that takes longer is killed when its handle is
/// dropped.
pub(crate) fn end_gracefully(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else { return };
    let _ = kill_process(pid, Signal::TERM);
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
