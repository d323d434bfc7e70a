//! Measures processor time; wall time says little on a busy machine.

use std::time::Duration;

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

/// The processor time of this process, with all its threads.
pub(crate) fn own() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// The processor time of another process, in clock ticks of usually 10 ms: fields 14 and 15 of its `stat`
/// (proc_pid_stat(5)).
pub(crate) fn of_process(pid: u32) -> anyhow::Result<Duration> {
    ticks(&pid.to_string(), 14, 2)
}

/// The same, with its children that have ended and were waited for: fields 16 and 17 as well.
pub(crate) fn of_family(pid: u32) -> anyhow::Result<Duration> {
    ticks(&pid.to_string(), 14, 4)
}

/// The processor time of this process's children that have ended.
pub(crate) fn of_ended_children() -> anyhow::Result<Duration> {
    ticks("self", 16, 2)
}

fn ticks(process: &str, first: usize, n: usize) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the name, in parentheses; the third follows it.
    let fields =
        stat.rsplit_once(") ").context("a stat without a name")?.1.split(' ').skip(first - 3).take(n);
    let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

pub(crate) fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort_unstable();
    spans[spans.len() / 2]
}
