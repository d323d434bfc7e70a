//! Which engine scans, how long it may take, and where its programs are.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use crate::declare::subject;
use crate::parse;

/// The engine that scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// ClamAV's daemon, which loads its definitions at every start.
    Clamd,
    /// `airlock-engine`, which starts from a snapshot.
    Snapshot,
}

subject! {
    /// Which engine scans, and how long a scan may take.
    pub struct EngineSettings: "Scanning" {
        /// The engine that scans.
        engine: Option<EngineChoice> = optional "ENGINE" {
            default: "`snapshot` if `airlock-engine` is installed, else `clamd`; `snapshot` on AWS",
            allowed: "`clamd` or `snapshot`",
            parameter: "Engine",
            parse: engine,
        }
        /// Time for one scan.
        scan_timeout: Duration = defaulted "VIRUS_SCAN_TIMEOUT" {
            default: "300",
            unit: "seconds",
            allowed: "a whole number of seconds",
            parameter: "VirusScanTimeout",
            parse: parse::seconds,
        }
    }
}

subject! {
    /// How a service on one machine scans.
    pub struct WorkerSettings: "Scanning" {
        /// How many files one machine scans concurrently, with one engine. On AWS each execution environment
        /// scans one file at a time.
        scan_workers: Option<u32> = optional "SCAN_WORKERS" {
            default: "as many as the machine has cores, at most 32",
            allowed: "a whole number from 1 to 32",
            parse: workers,
        }
    }
}

impl WorkerSettings {
    /// The most scans that an engine runs concurrently.
    const MAX: u32 = 32;

    /// How many files are scanned concurrently.
    pub fn n_scans(&self) -> u32 {
        let n_cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        self.scan_workers.unwrap_or_else(|| u32::try_from(n_cores).unwrap_or(u32::MAX).min(Self::MAX))
    }
}

subject! {
    /// Where the layer's programs are, and where they work.
    pub struct LayerSettings: "Programs on AWS" {
        /// The daemon.
        clamd: PathBuf = defaulted "AIRLOCK_CLAMD" {
            default: "/opt/bin/clamd",
            allowed: "a path",
            parse: parse::path,
        }
        /// The snapshot engine.
        airlock_engine: PathBuf = defaulted "AIRLOCK_ENGINE" {
            default: "/opt/bin/airlock-engine",
            allowed: "a path",
            parse: parse::path,
        }
        /// The directory for definitions, the engine's socket and temporary files.
        scratch: PathBuf = defaulted "AIRLOCK_SCRATCH" {
            default: "/tmp/airlock",
            allowed: "a short path, because a socket's path has at most 107 bytes",
            parse: parse::path,
        }
    }
}

fn engine(value: &str) -> Option<EngineChoice> {
    match value {
        "clamd" => Some(EngineChoice::Clamd),
        "snapshot" => Some(EngineChoice::Snapshot),
        _ => None,
    }
}

fn workers(value: &str) -> Option<u32> {
    parse::number(value).filter(|n_workers| (1..=WorkerSettings::MAX).contains(n_workers))
}
