//! One machine's service: started in stages, stopped as a whole.

use std::sync::Arc;

use aws::{EventBus, Sdk, Stores};
use clamd::Engine;
use notify::Webhooks;
use settings::Environment;
use standin::dynamodb::DynamoDb;
use standin::pump::DeliveryOptions;
use standin::queue::Queue;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::data_dir::DataDir;
use crate::definitions;
use crate::http_functions;
use crate::options::LocalOptions;
use crate::plan::Plan;
use crate::premises::Premises;
use crate::report::StartReport;
use crate::scanning::Scanning;
use crate::server::serve;
use crate::tasks;

/// A running service. Dropping it stops its tasks and kills its engine.
#[derive(Debug)]
pub struct Local {
    report: StartReport,
    scan: Arc<scan::ScanContext>,
    dynamodb: DynamoDb,
    queue: Queue,
    tasks: JoinSet<()>,
    _data_dir: DataDir,
}

/// What is there before the first request is served. If the start fails after that, it is dropped from the
/// first field to the last: the data directory's lock is released when no task and no engine uses it.
struct Ready {
    tasks: JoinSet<()>,
    scanning: Scanning,
    backend: Backend,
    plan: Plan,
    premises: Premises,
}

impl Local {
    /// Starts everything, or nothing: an error ends what was started before it.
    pub async fn start(settings: LocalOptions, env: &Environment) -> anyhow::Result<Self> {
        let plan = Plan::of(settings, env)?;
        let webhooks = Webhooks::of(&plan.events)?;
        let (premises, listeners) = Premises::open(&plan).await?;
        let mut tasks = JoinSet::new();
        let backend = Backend::start(&plan, &premises, listeners.s3, &mut tasks).await?;
        let scanning = Scanning::start(&plan, &premises, backend.stores.clone()).await?;
        let mut ready = Ready { tasks, scanning, backend, plan, premises };
        ready.serve(listeners.api)?;
        ready.publish_events(webhooks).await;
        ready.scan_and_sweep();
        Ok(ready.into_service())
    }

    pub fn report(&self) -> &StartReport {
        &self.report
    }

    /// The engine, for tests that break it.
    pub fn engine(&self) -> &Engine {
        &self.scan.engine
    }

    /// The scan queue and its dead letters, for tests that look at them.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The stand-in that holds the records, for tests that put something between it and a function.
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.dynamodb
    }

    /// Objects and records, for tests that look behind the API.
    pub fn stores(&self) -> &Stores {
        &self.scan.stores
    }

    /// Stops everything and waits for the end of the engine.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        // A scan that is still under way starts no other engine in the directory of the next service.
        self.scan.engine.close().await;
    }
}

impl Ready {
    fn serve(&mut self, listener: TcpListener) -> anyhow::Result<()> {
        let router = http_functions::router(&self.plan, &self.premises, &self.backend, &self.scanning)?;
        let bounds = self.plan.options.tuning.connections;
        self.tasks.spawn(serve(listener, router, bounds, http_functions::busy()));
        Ok(())
    }

    /// The notify function. The bus, if there is one, is AWS's, reached with the environment's credentials.
    async fn publish_events(&mut self, webhooks: Webhooks) {
        let Plan { events, functions, options, .. } = &self.plan;
        let bus = match &events.event_bus {
            Some(name) => Some(EventBus::new(&Sdk::from_environment().await, name.clone())),
            None => None,
        };
        let stores = self.backend.stores.clone();
        let notify = notify::NotifyContext::new(functions.notify.clone(), stores, webhooks, bus);
        let tuning = &options.tuning;
        let delivery = DeliveryOptions { n_workers: tuning.n_publishers, ..tuning.delivery };
        self.tasks.spawn(tasks::tell(self.backend.queues.events.clone(), delivery, Arc::new(notify)));
    }

    /// The scan function, the sweep, and what keeps the engine and its definitions current.
    fn scan_and_sweep(&mut self) {
        let Backend { stores, queues, room, .. } = &self.backend;
        let (tuning, scan) = (&self.plan.options.tuning, &self.scanning.context);
        let scans = queues.scans.clone();
        let n_workers = tuning.delivery.n_workers * self.plan.n_scan_workers as usize;
        let delivery = DeliveryOptions { n_workers, ..tuning.delivery };
        self.tasks.spawn(tasks::deliver(scans, delivery, room.clone(), Arc::clone(scan)));
        let (settings, pace) = (&self.plan.functions.sweep, self.plan.functions.sweep_pace);
        let sweep = sweep::SweepContext::new(settings, stores.clone(), pace);
        let pace = self.plan.storage.sweep_pace(pace.every);
        self.tasks.spawn(tasks::sweep(pace, room.clone(), sweep, stores.ledger.watch()));
        self.tasks.spawn(tasks::beat(Arc::clone(scan)));
        self.tasks.spawn(definitions::keep_current(
            self.premises.definitions.clone(),
            self.plan.options.definitions.clone(),
            tuning.definitions_every,
            Arc::clone(scan),
            self.scanning.snapshot.clone(),
        ));
    }

    fn into_service(self) -> Local {
        let Self { tasks, scanning, backend, plan, premises } = self;
        let report = StartReport {
            url: premises.addresses.url,
            public_url: premises.addresses.public_url,
            s3_url: premises.addresses.s3_public_url,
            storage: plan.storage.describe(),
            data_dir: premises.data_dir.path.display().to_string(),
            engine_version: scanning.heartbeat.engine.version,
            engine: plan.program,
            definitions: premises.definitions.definitions,
            auth: plan.options.auth,
        };
        Local {
            report,
            scan: scanning.context,
            dynamodb: backend.dynamodb,
            queue: backend.queues.scans,
            tasks,
            _data_dir: premises.data_dir,
        }
    }
}
