//! Everything that can be refused before a file or a port is opened: the settings, read and checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use api::ApiSettings;
use clamd::EngineProgram;
use domain::incoming::IncomingRules;
use domain::machine::MachinePolicy;
use domain::protected::ProtectedBuckets;
use domain::tag::TagProfile;
use live::LiveSettings;
use notify::NotifySettings;
use scan::{RetryPolicy, ScanSettings};
use settings::{
    Auth, CLIENT, EngineChoice, EngineSettings, Environment, EventSettings, IdentitySettings,
    LiveStreamSettings, OriginSettings, RescanSettings, SecretText, TagSettings, WorkerSettings,
    machine_policy,
};
use sweep::{SweepPace, SweepSettings};
use web::{Identity, LoopbackOnly, Verifier};

use crate::options::LocalOptions;
use crate::public_urls;
use crate::storage::Storage;
use crate::storage_host::StorageHost;

/// A stream is cheap here.
const LONGEST_STREAM: Duration = Duration::from_hours(1);

/// What the command line and the environment ask for.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) options: LocalOptions,
    pub(crate) storage: Storage,
    pub(crate) storage_host: StorageHost,
    pub(crate) program: EngineProgram,
    /// How many files are scanned concurrently.
    pub(crate) n_scan_workers: u32,
    pub(crate) proxy: Vec<(String, SecretText)>,
    pub(crate) tags: TagProfile,
    pub(crate) incoming: Option<IncomingRules>,
    pub(crate) protected: ProtectedBuckets,
    pub(crate) identity: Identity,
    pub(crate) loopback_only: LoopbackOnly,
    pub(crate) events: EventSettings,
    pub(crate) functions: FunctionSettings,
}

/// The functions' own settings.
#[derive(Clone, Debug)]
pub(crate) struct FunctionSettings {
    pub(crate) api: ApiSettings,
    pub(crate) live: LiveSettings,
    pub(crate) notify: NotifySettings,
    pub(crate) scan: ScanSettings,
    pub(crate) sweep: SweepSettings,
    pub(crate) sweep_pace: SweepPace,
}

impl Plan {
    pub(crate) fn of(options: LocalOptions, env: &Environment) -> anyhow::Result<Self> {
        // A client on the same machine may share the environment.
        env.refuse_unknown(&[&CLIENT])?;
        let storage = Storage::read(env)?;
        public_urls::check(&options, &storage)?;
        let events = EventSettings::read(env)?;
        let n_scan_workers = WorkerSettings::read(env)?.n_scans();
        let functions = FunctionSettings::of(&options, n_scan_workers, &storage, &events, env)?;
        let (identity, loopback_only) = identity(&options, &functions.api.origins, env)?;
        Ok(Self {
            storage_host: StorageHost::of(&options),
            program: program(&options, env)?,
            n_scan_workers,
            proxy: env.proxy(),
            tags: TagSettings::read(env)?.profile,
            incoming: settings::incoming_rules(env)?,
            protected: storage.protected_buckets(env)?,
            storage,
            identity,
            loopback_only,
            events,
            functions,
            options,
        })
    }
}

impl FunctionSettings {
    fn of(
        options: &LocalOptions,
        n_scan_workers: u32,
        storage: &Storage,
        events: &EventSettings,
        env: &Environment,
    ) -> anyhow::Result<Self> {
        let tuning = &options.tuning;
        let machine = machine_policy(env, events.has_receivers(), tuning.machine)?;
        let machine = storage.machine(machine);
        let api = ApiSettings::read(env, machine)?;
        let streams = LiveStreamSettings { longest_stream: LONGEST_STREAM, n_workers: n_scan_workers.into() };
        let scan = ScanSettings::read(env, machine)?;
        Ok(Self {
            live: LiveSettings { origins: api.origins.clone(), streams },
            api,
            notify: NotifySettings { machine, bucket: storage.bucket(), profile: events.profile },
            scan: ScanSettings {
                reuses_verdicts: tuning.reuses_verdicts,
                is_measured: false,
                retry: retry(tuning.delivery.retry_delay, machine),
                ..scan
            },
            sweep: SweepSettings { machine, rescans: RescanSettings::read(env)? },
            sweep_pace: SweepPace {
                every: storage.sweep_every(tuning.sweep_every),
                incoming_every: storage.incoming_every(tuning.incoming_every),
            },
        })
    }
}

/// Sooner than the sweep, which queues a file again that was not retried in time.
fn retry(first: Duration, machine: MachinePolicy) -> RetryPolicy {
    RetryPolicy { first, longest: RetryPolicy::SCAN.longest.min(machine.sweep_retry * 2 / 3) }
}

fn identity(
    options: &LocalOptions,
    origins: &OriginSettings,
    env: &Environment,
) -> anyhow::Result<(Identity, LoopbackOnly)> {
    Ok(match options.auth {
        Auth::None => {
            let page = options.public_url.as_ref().map(ToString::to_string);
            let allowed_origins = origins.allowed_origins.iter().cloned().chain(page).collect();
            (Identity::Local, LoopbackOnly::Yes { allowed_origins })
        }
        Auth::Jwt => {
            let verifier = Verifier::new(IdentitySettings::read(env)?)?;
            (Identity::Jwt(verifier.into()), LoopbackOnly::No)
        }
    })
}

/// The engine's program: by default the snapshot engine where it is installed, else clamd.
fn program(options: &LocalOptions, env: &Environment) -> anyhow::Result<EngineProgram> {
    let chosen = EngineSettings::read(env)?.engine;
    if chosen == Some(EngineChoice::Clamd) {
        return Ok(EngineProgram::Clamd("clamd".into()));
    }
    let found =
        options.tuning.airlock_engine.clone().or_else(|| find_beside_or_on_path("airlock-engine", env));
    match (found, chosen) {
        (Some(path), _) => Ok(EngineProgram::AirlockEngine(path)),
        (None, None) => Ok(EngineProgram::Clamd("clamd".into())),
        (None, Some(_)) => bail!(
            "`ENGINE` is `snapshot`, and there is no `airlock-engine` on the search path: \
             `tools/engine build` makes it"
        ),
    }
}

fn find_beside_or_on_path(name: &str, env: &Environment) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    let places = beside.into_iter().chain(env.search_path());
    places.map(|place| place.join(name)).find(|path| path.is_file())
}
