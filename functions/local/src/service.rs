//! One machine's service: started part by part, stopped as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws::env::{ConfigError, Env};
use aws::{Endpoints, EventQueue, Ledger, Objects, PasswordKey, Queues, ScanQueue, Sdk, StaticKeys, Stores};
use axum::Router;
use axum::middleware::from_fn_with_state;
use clamd::Engine;
use domain::machine::MachinePolicy;
use inspector::Inspector;
use standin::InProcess;
use standin::dynamodb::DynamoDb;
use standin::pump::Delivery;
use standin::queue::Queue;
use standin::s3::{Access, Store};
use tokio::task::JoinSet;

use crate::data_dir::DataDir;
use crate::definitions;
use crate::disk;
use crate::parts::{Functions, bind, busy, engine, page_origins, probe, refuse_open_service, url_of};
use crate::report::StartReport;
use crate::server::serve;
use crate::settings::Settings;
use crate::snapshot;
use crate::storage::{LOCAL_BUCKET, Storage, remote_bucket};
use crate::storage_host::{self, StorageHost};
use crate::tasks;

const TABLE: &str = "airlock";
const REGION: &str = "us-east-1";
const SCAN_QUEUE: &str = "airlock-scan";
const EVENT_QUEUE: &str = "airlock-events";
/// `s3s` holds POSTed forms in memory; PUTs are streamed and have no such limit.
const MAX_POST_FORM: u64 = 128 * 1024 * 1024;

/// A running service. Dropping it stops its tasks and kills its engine.
#[derive(Debug)]
pub struct Local {
    report: StartReport,
    scan: Arc<scan::Context>,
    dynamodb: DynamoDb,
    queue: Queue,
    tasks: JoinSet<()>,
    _data_dir: DataDir,
}

impl Local {
    /// Starts everything, or nothing: an error ends what was started before it.
    pub async fn start(settings: Settings, env: &Env) -> anyhow::Result<Self> {
        // The client's own settings may well be there too.
        env.refuse_unknown(&["AIRLOCK_URL", "AIRLOCK_TOKEN"])?;
        refuse_open_service(&settings)?;
        let (storage_host, bounds) = (StorageHost::of(&settings)?, settings.tuning.connections);
        let (config, storage) = (api::Config::common(env)?, Storage::from_env(env)?);
        let event_sinks = notify::EventSinks::from_env(env);
        let webhooks = event_sinks.webhooks(&words(env, "WEBHOOK_PRIVATE_HOSTS"))?;
        let scan_timeout = Duration::from_secs(env.parsed("VIRUS_SCAN_TIMEOUT", 300)?);
        let data_dir = DataDir::open(&settings.data_dir)?;
        let secrets = data_dir.secrets()?;
        let mut tasks = JoinSet::new();

        let api_listener = bind(settings.listen, "--listen").await?;
        let s3_listener = bind(settings.s3_listen, "--s3-listen").await?;
        let (url, s3_url) = (url_of(&api_listener)?, url_of(&s3_listener)?);
        let s3_public_url = settings.s3_url.clone().unwrap_or_else(|| s3_url.clone());
        let chosen = definitions::choose(&settings.definitions, &data_dir.path, env).await?;

        let max_file_size = config.uploads.max_file_size;
        let limits = scan::Config::limits(max_file_size, scan_timeout);
        let room = disk::room(&data_dir.path, limits);
        let store = Store::open(&data_dir.path.join("s3"), LOCAL_BUCKET).await?.within(room.clone());
        let queue = store.queue();
        let event_queue = Queue::open(&data_dir.path.join("events.db")).await?;
        let dynamodb = DynamoDb::open(&data_dir.path.join("dynamodb.db"), TABLE)?;
        tasks.spawn(dynamodb.clone().expire_items(Duration::from_hours(1)));

        let access = Access {
            access_key_id: secrets.access_key_id.clone(),
            secret_access_key: secrets.secret_access_key.clone(),
            allowed_origins: [page_origins(&api_listener)?, config.allowed_origins.clone()].concat(),
            max_form_bytes: MAX_POST_FORM,
        };
        let keys = StaticKeys {
            access_key_id: secrets.access_key_id.clone(),
            secret_access_key: secrets.secret_access_key.clone(),
        };
        let endpoints = Endpoints { s3: Some(s3_url), s3_public: Some(s3_public_url.clone()) };
        let sdk = Sdk::at(&endpoints, &keys, REGION).await;
        let objects = match &storage {
            Storage::Directory => {
                let router = standin::s3::router(store, access);
                let router = router.layer(from_fn_with_state(storage_host, storage_host::check));
                tasks.spawn(serve(
                    s3_listener,
                    router,
                    bounds,
                    Router::new().fallback(async || standin::s3::slow_down()),
                ));
                Objects::new(&sdk, LOCAL_BUCKET.to_owned())
            }
            Storage::Bucket(bucket) => remote_bucket(bucket).await?,
        };
        let ledger = Ledger::new(sdk.dynamodb_over(InProcess::new(dynamodb.router())), TABLE.to_owned());
        let sqs = sdk.sqs_over(InProcess::new(standin::sqs::router(named(&queue, &event_queue))));
        // The stand-in looks at nothing of a queue's URL but the name at its end.
        let scans = ScanQueue::new(sqs.clone(), SCAN_QUEUE.to_owned(), storage.bucket());
        let dead_letters = scans.dead_letters(format!("{SCAN_QUEUE}{}", standin::sqs::DEAD_LETTERS));
        let events = EventQueue::new(sqs, EVENT_QUEUE.to_owned());
        let queues = Queues { scans: Some(scans), events: (!event_sinks.is_empty()).then_some(events) };
        let passwords = Some(PasswordKey::new(&secrets.password_key()).context("`secrets.json`")?);
        let (tags, incoming) = (env.tag_profile()?, env.incoming()?);
        let stores = Stores { objects, ledger, queues, tags, incoming, passwords };
        let machine = machine(&settings, &storage, &event_sinks, env)?;

        let run_directory = data_dir.path.join("run");
        let engine =
            engine(&settings, env, &data_dir, chosen.directory.clone(), max_file_size, scan_timeout)?;
        let snapshot = snapshot::Kept::for_engine(&engine, &data_dir.path);
        let gate = scan::gate_for(&engine, limits, &run_directory).await;
        let inspector = Inspector::start(settings.tuning.gate_worker.clone(), run_directory.clone()).await?;
        let scan = Arc::new(scan::Context {
            stores: stores.clone(),
            engine: Arc::new(engine),
            definitions: None,
            gate: gate.context("the virus scanner does not start")?,
            inspector: Arc::new(inspector),
            spool: scan::SpoolDirectory(run_directory),
            machine,
            incoming: scan::IncomingTerms::from_env(env)?,
            recall: settings.tuning.recall,
            freshness: env.freshness()?,
            scan_timeout,
            is_measured: false,
        });
        let heartbeat = scan.beat().await?;

        let functions = Functions {
            settings: &settings,
            env,
            secrets: &secrets,
            stores: &stores,
            dead_letters,
            machine,
            probe: probe(&queue, &scan.engine, settings.tuning.delivery.n_workers),
            disk: disk::for_api(room.clone(), storage == Storage::Directory),
        };
        let router = functions.router(config, &s3_public_url)?;
        tasks.spawn(serve(api_listener, router, bounds, busy()));
        tasks.spawn(tasks::deliver(queue.clone(), settings.tuning.delivery, room.clone(), Arc::clone(&scan)));
        let notify = notify::Context {
            stores: stores.clone(),
            machine,
            bucket: storage.bucket(),
            bus: if event_sinks.has_bus() { event_sinks.bus(&Sdk::from_environment().await) } else { None },
            webhooks,
        };
        let telling = Delivery { n_workers: settings.tuning.n_tellers, ..settings.tuning.delivery };
        tasks.spawn(tasks::tell(event_queue, telling, Arc::new(notify)));
        let sweep_every = storage.sweep_every(settings.tuning.sweep_every);
        let rescans_per_minute = env.parsed("RESCANS_PER_MINUTE", sweep::Context::DEFAULT_RESCANS)?;
        let rescans_per_sweep = rescans_in(sweep_every, rescans_per_minute);
        let incoming_every = storage.incoming_every(settings.tuning.incoming_every);
        let sweeper = sweep::Context { stores, machine, rescans_per_sweep, incoming_every };
        tasks.spawn(tasks::sweep(sweep_every, room, sweeper));
        tasks.spawn(tasks::beat(Arc::clone(&scan)));
        tasks.spawn(definitions::keep_current(
            chosen.clone(),
            settings.definitions.clone(),
            settings.tuning.definitions_every,
            Arc::clone(&scan),
            snapshot,
        ));

        let report = StartReport {
            url,
            s3_url: s3_public_url,
            storage: storage.describe(),
            data_dir: data_dir.path.display().to_string(),
            engine_version: heartbeat.engine.version,
            engine: scan.engine.config().program.clone(),
            definitions: chosen.definitions,
            auth: settings.auth,
        };
        Ok(Self { report, scan, dynamodb, queue, tasks, _data_dir: data_dir })
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
        self.scan.engine.stop().await;
    }
}

fn named(scans: &Queue, events: &Queue) -> BTreeMap<String, Queue> {
    BTreeMap::from([(SCAN_QUEUE.to_owned(), scans.clone()), (EVENT_QUEUE.to_owned(), events.clone())])
}

/// How many rescans one sweep may begin; one at least, if any are allowed.
fn rescans_in(span: Duration, per_minute: u32) -> u32 {
    let share = u64::from(per_minute) * u64::try_from(span.as_millis()).unwrap_or(u64::MAX) / 60_000;
    u32::try_from(share).unwrap_or(u32::MAX).clamp(per_minute.min(1), per_minute)
}

fn words<'a>(env: &'a Env, name: &str) -> Vec<&'a str> {
    env.get(name).unwrap_or_default().split_whitespace().collect()
}

/// What the environment says about the status machine, within what the settings' tuning and the storage need.
fn machine(
    settings: &Settings,
    storage: &Storage,
    event_sinks: &notify::EventSinks,
    env: &Env,
) -> Result<MachinePolicy, ConfigError> {
    let (said, tuning) = (env.machine()?, settings.tuning.machine);
    let rescan_every =
        if env.get("RESCAN_EVERY_HOURS").is_some() { said.rescan_every } else { tuning.rescan_every };
    Ok(storage.machine(MachinePolicy {
        max_file_size: said.max_file_size,
        quarantine: said.quarantine,
        publishes: !event_sinks.is_empty(),
        rescan_every,
        ..tuning
    }))
}
