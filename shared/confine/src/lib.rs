//! Confines a process that reads hostile bytes to computing, and to the files that it has open.
//!
//! Three layers, none of which needs privileges or can be undone: resource limits (setrlimit(2)), Landlock
//! (landlock(7), from Linux 5.13), which takes away the file system, and seccomp (seccomp(2)), which takes
//! away every system call but a few dozen: no file is opened, no process or thread made or signalled, no
//! socket made, no program run. Where the kernel lacks one layer, as AWS Lambda's lacks Landlock, the others
//! still hold.
//!
//! Invariant: only listed system calls are allowed, so a system call that a later kernel adds is forbidden.

mod calls;
mod fork;
mod limits;
mod user;

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use calls::forbid_calls;
pub use fork::{Forked, fork};
pub use limits::{ResourceLimits, limit_resources};
pub use user::drop_root;

/// The layers that hold in a process, beside its resource limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confined {
    /// Landlock.
    pub files: bool,
    /// seccomp.
    pub calls: bool,
}

/// The kernel has a layer that could not be applied.
#[derive(Debug, Error)]
pub enum ConfineError {
    #[error("a resource limit could not be set")]
    Limits(#[source] std::io::Error),
    #[error("root's rights could not be given up")]
    User(#[source] std::io::Error),
    #[error("Landlock could not be put on")]
    Landlock(#[from] landlock::RulesetError),
    #[error("the seccomp filter could not be put on")]
    Seccomp(#[from] seccompiler::Error),
    #[error("the seccomp filter could not be built")]
    Filter(#[from] seccompiler::BackendError),
}

/// Forbids this thread, and those that it makes, every file that is not open, every TCP port, and processes
/// outside. Returns whether the kernel has Landlock: `false` is no error, because [`forbid_calls`] forbids
/// the same.
pub fn forbid_files() -> Result<bool, ConfineError> {
    // The newest version whose rights we know; older kernels have fewer.
    const VERSION: ABI = ABI::V6;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?;
    let status = rules.create()?.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
