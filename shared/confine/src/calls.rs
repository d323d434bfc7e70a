//! Forbids every system call but those of a program that computes.

use std::collections::BTreeMap;

use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

use crate::ConfineError;

/// The allowed calls: open files, memory, time, random numbers, exit.
const ALLOWED: [i64; 36] = [
    // Files that are open. `statx` and `newfstatat` take names as well, and reveal only whether a file
    // exists.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fcntl,
    libc::SYS_close,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    // Waiting for existing threads.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    // Signals to itself: a stack overflow is reported on another stack.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Time and random numbers.
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    // Resource usage.
    libc::SYS_getrusage,
    libc::SYS_times,
    // Exit.
    libc::SYS_set_robust_list,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Forbids all threads of this process every other call: it fails with `EPERM`. Returns whether the kernel
/// has seccomp filters.
pub fn forbid_calls() -> Result<bool, ConfineError> {
    let rules = ALLOWED.into_iter().map(|call| (call, vec![])).collect::<BTreeMap<_, _>>();
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture)?;
    let program = seccompiler::BpfProgram::try_from(filter)?;
    match seccompiler::apply_filter_all_threads(&program) {
        Ok(()) => Ok(true),
        Err(seccompiler::Error::Seccomp(error)) if is_missing(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// This kernel does not have it.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}
