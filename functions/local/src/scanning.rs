//! The engine and the scan function of a service.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use api::{RuntimeStats, StatsSource};
use aws::Heartbeat;
use clamd::{DaemonConfig, Engine};
use scan::ScanDependencies;
use standin::queue::Queue;

use crate::definitions::NextUpdate;
use crate::memory;
use crate::plan::Plan;
use crate::premises::Premises;
use crate::snapshot;

/// A socket's path has at most this many bytes.
const MAX_SOCKET_PATH: usize = 107;

/// The running engine, and what scans with it.
#[derive(Debug)]
pub(crate) struct Scanning {
    pub(crate) context: Arc<scan::ScanContext>,
    /// Of the engine's start.
    pub(crate) heartbeat: Heartbeat,
    pub(crate) snapshot: Option<snapshot::Kept>,
}

impl Scanning {
    /// Starts the engine and the gate's processes, and records the engine in the ledger.
    pub(crate) async fn start(plan: &Plan, premises: &Premises, stores: aws::Stores) -> anyhow::Result<Self> {
        let engine = engine(plan, premises)?;
        let snapshot = snapshot::Kept::for_engine(&engine, &premises.data_dir.path);
        let dependencies = ScanDependencies {
            stores,
            run_directory: engine.config().run_directory.clone(),
            engine: Arc::new(engine),
            definitions: None,
            gate_worker: plan.options.tuning.gate_worker.clone(),
        };
        let context = Arc::new(scan::ScanContext::new(plan.functions.scan, dependencies).await?);
        let heartbeat = context.beat().await?;
        Ok(Self { context, heartbeat, snapshot })
    }

    /// What the monitor cannot learn from the stores.
    pub(crate) fn probe(&self, queue: &Queue, n_workers: u32, next_update: NextUpdate) -> StatsSource {
        let (queue, engine) = (queue.clone(), Arc::clone(&self.context.engine));
        StatsSource(Arc::new(move || {
            let (queue, engine, next_update) = (queue.clone(), Arc::clone(&engine), next_update.clone());
            Box::pin(async move {
                let backlog = queue.backlog().await;
                RuntimeStats {
                    n_workers: n_workers.into(),
                    oldest_age: backlog.ok().and_then(|backlog| backlog.oldest_age),
                    n_engine_starts: engine.n_starts(),
                    memory: memory::read(engine.pid_now()),
                    next_update: next_update.read(),
                }
            })
        }))
    }
}

/// The engine with our configuration, on a socket that only we can reach, which ends when this process does.
fn engine(plan: &Plan, premises: &Premises) -> anyhow::Result<Engine> {
    let run_directory = premises.data_dir.path.join("run");
    std::fs::create_dir_all(&run_directory)?;
    let longest = run_directory.join("clamd.sock");
    if longest.as_os_str().len() > MAX_SOCKET_PATH {
        bail!("the data directory's path is too long for a Unix socket: `{}`", longest.display());
    }
    let config = DaemonConfig {
        program: plan.program.clone(),
        launcher: clamd::bound_launcher(),
        run_directory,
        definitions_directory: premises.definitions.directory.clone(),
        limits: plan.functions.scan.limits(),
        start_timeout: Duration::from_mins(2),
    };
    Ok(Engine::with_workers(config, plan.options.tuning.transport, plan.n_scan_workers))
}
