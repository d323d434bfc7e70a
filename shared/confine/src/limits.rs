//! Sets what a process may use before the kernel ends it.

use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::ConfineError;

/// What a process may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResourceLimits {
    /// Processor time of all its threads, rounded up to seconds; then `SIGXCPU`.
    pub cpu: Duration,
    /// Address space; then an allocation fails, and with it the process.
    pub memory_bytes: u64,
    /// The length of any file that it writes; then `SIGXFSZ`.
    pub file_bytes: u64,
}

/// Sets the limits for this process. It leaves no core dump, and other processes of its user cannot attach to
/// it.
pub fn limit_resources(limits: ResourceLimits) -> Result<(), ConfineError> {
    let cpu_seconds = u64::try_from(limits.cpu.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX);
    let all = [
        (Resource::Core, 0, 0),
        // At the hard limit the signal is SIGKILL, which says nothing.
        (Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(1)),
        (Resource::As, limits.memory_bytes, limits.memory_bytes),
        (Resource::Fsize, limits.file_bytes, limits.file_bytes),
    ];
    for (resource, soft, hard) in all {
        let limit = Rlimit { current: Some(soft), maximum: Some(hard) };
        setrlimit(resource, limit).map_err(|error| ConfineError::Limits(error.into()))?;
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| ConfineError::Limits(error.into()))
}
