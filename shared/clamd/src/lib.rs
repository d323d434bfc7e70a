//! Runs the virus scanner and collects evidence about its answers.
//!
//! clamd runs, supervised, in its own process behind a private Unix socket. Its reply alone is not evidence:
//! an `OK` counts only between two canaries, without an error line on its stderr, and with room in its
//! temporary directory (`LibClamAV Error` lines are the only trace when temporary space runs out).

pub mod canary;
pub mod clean_samples;
mod client;
mod conf;
mod cpu_time;
mod daemon;
pub mod definitions;
mod engine;
mod engine_error;
pub mod freshclam;
mod part;
mod program;
pub mod protocol;
mod shared_daemon;
mod snapshot;
mod stderr;
mod window;

pub use client::{Client, ClientError};
pub use conf::{ClamdConf, EngineLimits};
pub use daemon::{ConfError, Daemon, DaemonConfig, StartError, bound_launcher};
pub use engine::{Engine, Scan, ScanBudget, Transport};
pub use engine_error::EngineError;
pub use part::Part;
pub use program::{EngineProgram, Snapshot};
pub use snapshot::{SnapshotError, Snapshots, contents_digest};
