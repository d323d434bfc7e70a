//! The options of a service on one machine: the command line's, and those that only tests change.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clamd::Transport;
use domain::machine::MachinePolicy;
use inspector::WorkerProgram;
use settings::{Auth, PublicUrl};
use standin::pump::{DeliveryOptions, Faults};

use crate::definitions::Source;
use crate::server::Connections;

/// The options of the command line.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub s3_listen: SocketAddr,
    pub public_url: Option<PublicUrl>,
    pub s3_url: Option<PublicUrl>,
    pub auth: Auth,
    pub definitions: Source,
    pub tuning: Tuning,
}

/// What only tests change. None of it is a setting, so none of it can be wrong in production.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// The deliveries of scan requests; `n_workers` for each concurrent scan.
    pub delivery: DeliveryOptions,
    /// How many event messages are handled concurrently.
    pub n_publishers: usize,
    pub machine: MachinePolicy,
    pub transport: Transport,
    pub sweep_every: Duration,
    /// How often the sweep lists some of the objects of other uploaders.
    pub incoming_every: Duration,
    /// `airlock-engine`, if it is not beside this program or on the search path.
    pub airlock_engine: Option<PathBuf>,
    /// What the gate's processes run, if it is not this program.
    pub gate_worker: WorkerProgram,
    /// How often the definitions on disk are checked for changes. freshclam runs less often.
    pub definitions_every: Duration,
    /// Whether bytes that were judged before keep their verdict.
    pub reuses_verdicts: bool,
    /// How long `POST /scan` waits for its verdict.
    pub longest_scan_wait: Duration,
    /// The bounds of each HTTP server.
    pub connections: Connections,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            delivery: DeliveryOptions {
                visibility: Duration::from_mins(10),
                max_receives: 12,
                retry_delay: Duration::from_secs(1),
                // While one file is scanned, another one is read, hashed or committed.
                n_workers: 2,
                faults: Faults::None,
            },
            n_publishers: 2,
            machine: MachinePolicy { sweep_retry: Duration::from_secs(30), ..MachinePolicy::default() },
            transport: Transport::Stream,
            sweep_every: Duration::from_secs(5),
            incoming_every: sweep::SweepContext::INCOMING_EVERY,
            airlock_engine: None,
            gate_worker: WorkerProgram::default(),
            definitions_every: Duration::from_secs(30),
            reuses_verdicts: true,
            // As long as a scan may take by default.
            longest_scan_wait: Duration::from_mins(5),
            connections: Connections::for_this_process(),
        }
    }
}
