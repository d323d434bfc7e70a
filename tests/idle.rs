//! An idle service sleeps: it wakes up for a request, a message or a due time, and does not poll.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::process::{Process, free_ports};
use crate::support::wait;

/// With a sweep every five seconds, in the first two minutes, there are 24 in a second, and fewer than 2
/// afterwards. Polling the queues alone took 60.
const MOST_WAKE_UPS_A_SECOND: f64 = 40.0;
const WATCHED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_is_seldom_woken() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path(), free_ports(), &[("ENGINE", "clamd")]).await;
    let pid = process.child.id().unwrap();
    let tasks = Path::new("/proc").join(pid.to_string()).join("task");
    let (mut began, mut n_before) = (Instant::now(), wake_ups(&tasks));
    // The start causes work that ends some time after it.
    wait::until_found("the service sleeps", async || {
        if began.elapsed() < WATCHED {
            return Err(None);
        }
        let n_wake_ups = wake_ups(&tasks).saturating_sub(n_before);
        let per_second = f64::from(u32::try_from(n_wake_ups).unwrap()) / began.elapsed().as_secs_f64();
        (began, n_before) = (Instant::now(), wake_ups(&tasks));
        if per_second <= MOST_WAKE_UPS_A_SECOND { Ok(()) } else { Err(Some(per_second)) }
    })
    .await;
}

/// How often the threads of a process went to sleep. Unlike the number of preemptions, it does not depend on
/// the load of the machine.
fn wake_ups(tasks: &Path) -> u64 {
    let of_thread = |task: std::io::Result<std::fs::DirEntry>| {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line?.trim().parse::<u64>().ok()
    };
    std::fs::read_dir(tasks).unwrap().filter_map(of_thread).sum()
}
