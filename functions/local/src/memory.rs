//! Reads how much memory the service uses, and how much this machine has left.

use api::MemoryUse;

/// The memory of this process, of the engine's if it runs, and of the machine. What cannot be read is `None`:
/// a unit with `ProcSubset=pid` does not see the machine's.
pub(crate) fn read(engine: Option<u32>) -> MemoryUse {
    let resident = |process: &str| field(&format!("/proc/{process}/status"), "VmRSS");
    let machine = |name| field("/proc/meminfo", name);
    MemoryUse {
        service_bytes: resident("self"),
        engine_bytes: engine.and_then(|pid| resident(&pid.to_string())),
        available_bytes: machine("MemAvailable"),
        total_bytes: machine("MemTotal"),
    }
}

/// A field of a file of the kernel's that has lines such as `VmRSS:   1024 kB`, in bytes.
fn field(path: &str, name: &str) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(path).ok()?, name)?.checked_mul(1024)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "Name:\ta\nVmRSSX:\t1 kB\nVmRSS:\t   5120 kB\nThreads:\t3\n";
        assert_eq!(kilobytes(text, "VmRSS"), Some(5120));
        assert_eq!(kilobytes(text, "Threads"), None);
        assert_eq!(kilobytes(text, "MemTotal"), None);
    }

    #[test]
    fn this_process_uses_memory_and_no_other_is_counted() {
        let found = read(None);
        assert!(found.service_bytes.is_some_and(|bytes| bytes > 1024 * 1024), "{found:?}");
        assert_eq!(found.engine_bytes, None);
    }
}
