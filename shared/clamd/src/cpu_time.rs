//! Measures the processor time that an engine spends on scans; wall-clock time says little on a busy machine.

use std::time::Duration;

use crate::program::EngineProgram;

/// Returns the time since the process started. `None` if it has ended, or if the kernel does not report it.
pub(crate) fn spent(program: &EngineProgram, pid: u32) -> Option<Duration> {
    let own = Times::read(pid)?;
    match program {
        EngineProgram::Clamd(_) => Some(own.by_itself),
        // It scans in children, and does other work itself. Running children are not yet part of the
        // waited-for children's time.
        EngineProgram::AirlockEngine(_) => {
            let living = children(pid).into_iter().filter_map(Times::read).map(|times| times.by_itself);
            Some(own.by_former_children + living.sum::<Duration>())
        }
    }
}

struct Times {
    by_itself: Duration,
    by_former_children: Duration,
}

impl Times {
    /// Reads fields 14 to 17 of `/proc/[pid]/stat`: user and system time in clock ticks, of the process and
    /// of the children that it has waited for (proc_pid_stat(5)). The second field is the name, in
    /// parentheses, which may contain any character.
    fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).map(str::parse::<u64>);
        let mut both = || {
            let ticks = fields.next()?.ok()? + fields.next()?.ok()?;
            Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
        };
        Some(Self { by_itself: both()?, by_former_children: both()? })
    }
}

/// Returns the children of every thread (proc_pid_task_children(5)). A kernel without that file shows none:
/// only the engine's own limit then applies to them.
fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_children_spend_is_the_snapshot_engines_and_what_it_spends_itself_is_clamds() {
        let [clamd, engine] =
            [EngineProgram::Clamd("clamd".into()), EngineProgram::AirlockEngine("airlock-engine".into())];
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        for (script, by_clamd, by_engine) in [
            (format!("{busy}; sleep 60"), true, false),
            // While the child runs, and after it has ended.
            (format!("sh -c '{busy}; sleep 60' & wait"), false, true),
            (format!("sh -c '{busy}'; sleep 60"), false, true),
        ] {
            let mut shell = Command::new("sh").arg("-c").arg(&script).spawn().unwrap();
            let spends = |program| spent(program, shell.id()).unwrap() > Duration::from_millis(50);
            while !(spends(&clamd) || spends(&engine)) {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!((spends(&clamd), spends(&engine)), (by_clamd, by_engine), "{script}");
            for child in children(shell.id()) {
                let child = rustix::process::Pid::from_raw(child.cast_signed()).unwrap();
                rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
            }
            shell.kill().unwrap();
            shell.wait().unwrap();
            assert_eq!(spent(&engine, shell.id()), None);
        }
    }
}
