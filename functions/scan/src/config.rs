//! The scan function's settings, its constructor, and what it is on AWS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws::Stores;
use clamd::{Engine, EngineLimits, EngineProgram};
use definition_set::PublicKey;
use domain::freshness::FreshnessPolicy;
use domain::machine::MachinePolicy;
use inspector::{Inspector, WorkerProgram};
use settings::{
    CLIENT, ConfigError, DefinitionBucketSettings, DefinitionTrustSettings, DeploymentSettings, EngineChoice,
    EngineSettings, Environment, FreshnessSettings, LayerSettings, PasswordSettings, QuotaSettings,
    StoreSettings, Subject, UploadSettings, machine_policy,
};
use tempfile::TempDir;

use crate::{IncomingTerms, PublishedDefinitions, RetryPolicy, ScanContext, SpoolDirectory, gate_for};

/// What scans need, wherever they run.
#[derive(Clone, Copy, Debug)]
pub struct ScanSettings {
    pub max_file_size: u64,
    pub scan_timeout: Duration,
    pub freshness: FreshnessPolicy,
    pub machine: MachinePolicy,
    pub incoming: IncomingTerms,
    /// Whether bytes that were judged before keep their verdict.
    pub reuses_verdicts: bool,
    /// Whether CloudWatch is told of each verdict.
    pub is_measured: bool,
    /// When messages whose scan failed are delivered again.
    pub retry: RetryPolicy,
}

/// What scans are given by the process that they run in.
#[derive(Debug)]
pub struct ScanDependencies {
    pub stores: Stores,
    pub engine: Arc<Engine>,
    /// Where the engine's definitions come from; `None` where its directory is kept current by other means.
    pub definitions: Option<PublishedDefinitions>,
    pub gate_worker: WorkerProgram,
    /// For temporary files.
    pub run_directory: PathBuf,
}

/// The settings of the scan function on AWS.
#[derive(Clone, Debug)]
pub struct ScanDeployment {
    pub(crate) settings: ScanSettings,
    pub(crate) stores: StoreSettings,
    pub(crate) passwords: PasswordSettings,
    pub(crate) program: EngineProgram,
    pub(crate) gate_worker: WorkerProgram,
    pub(crate) definitions: DefinitionBucketSettings,
    /// Whose definitions are accepted.
    pub(crate) public_key: PublicKey,
    scratch: PathBuf,
}

impl ScanSettings {
    /// `machine` is the policy on which all functions of the deployment agree.
    pub fn read(env: &Environment, machine: MachinePolicy) -> Result<Self, ConfigError> {
        let uploads = UploadSettings::read(env)?;
        Ok(Self {
            max_file_size: uploads.max_file_size,
            scan_timeout: EngineSettings::read(env)?.scan_timeout,
            freshness: FreshnessSettings::read(env)?.policy(),
            machine,
            incoming: IncomingTerms::of(&uploads, &QuotaSettings::read(env)?),
            reuses_verdicts: true,
            is_measured: true,
            retry: RetryPolicy::SCAN,
        })
    }

    /// The engine's share of a scan's time: the rest is for reading, hashing and the canaries.
    pub fn limits(&self) -> EngineLimits {
        EngineLimits { max_file_size: self.max_file_size, max_scan_time: self.scan_timeout.mul_f64(0.8) }
    }
}

/// The subjects of the scan function's own variables.
const SUBJECTS: [&Subject; 4] = [
    &DeploymentSettings::SUBJECT,
    &LayerSettings::SUBJECT,
    &DefinitionBucketSettings::SUBJECT,
    &DefinitionTrustSettings::SUBJECT,
];

impl ScanDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&SUBJECTS)?;
        Self::of_environment(env)
    }

    /// For a worker on another machine. It has no layer, and nothing reads metrics from its output.
    pub(crate) fn of_worker(env: &Environment) -> Result<Self, ConfigError> {
        // A client on the same machine may share the environment.
        env.refuse_unknown(&[&SUBJECTS[..], &[&CLIENT]].concat())?;
        let mut deployment = Self::of_environment(env)?;
        deployment.settings.is_measured = false;
        if let EngineProgram::Clamd(path) = &mut deployment.program
            && !path.is_file()
        {
            *path = "clamd".into();
        }
        Ok(deployment)
    }

    /// Moves into a new directory that only this user may enter: in the configured one if that exists, else
    /// where the system keeps temporary files.
    pub(crate) fn use_own_scratch(&mut self) -> std::io::Result<TempDir> {
        let above = if self.scratch.is_dir() { self.scratch.clone() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("airlock-worker.").tempdir_in(above)?;
        directory.path().clone_into(&mut self.scratch);
        Ok(directory)
    }

    fn of_environment(env: &Environment) -> Result<Self, ConfigError> {
        let stores = StoreSettings::read(env)?;
        stores.require_scan_queue()?;
        let machine = machine_policy(env, stores.publishes(), MachinePolicy::default())?;
        let layer = LayerSettings::read(env)?;
        Ok(Self {
            settings: ScanSettings::read(env, machine)?,
            stores,
            passwords: PasswordSettings::read(env)?,
            program: program(EngineSettings::read(env)?.engine, &layer)?,
            gate_worker: gate_worker(Path::new(LAYER_LIBRARIES)),
            definitions: DefinitionBucketSettings::read(env)?,
            public_key: PublicKey::from_bytes(DefinitionTrustSettings::read(env)?.public_key),
            scratch: layer.scratch,
        })
    }

    pub(crate) fn definition_sets(&self) -> PathBuf {
        self.scratch.join("definitions")
    }

    pub(crate) fn run_directory(&self) -> PathBuf {
        self.scratch.join("run")
    }
}

impl ScanContext {
    /// Starts the engine and the gate's processes. Errors: the engine or an opener fails.
    pub async fn new(settings: ScanSettings, dependencies: ScanDependencies) -> anyhow::Result<Self> {
        let ScanDependencies { stores, engine, definitions, gate_worker, run_directory } = dependencies;
        let gate = gate_for(&engine, settings.limits(), &run_directory).await;
        Ok(Self {
            stores,
            gate: gate.context("the virus scanner does not start")?,
            inspector: Arc::new(Inspector::start(gate_worker, run_directory.clone()).await?),
            engine,
            spool: SpoolDirectory(run_directory),
            machine: settings.machine,
            incoming: settings.incoming,
            reuses_verdicts: settings.reuses_verdicts,
            freshness: settings.freshness,
            definitions,
            scan_timeout: settings.scan_timeout,
            is_measured: settings.is_measured,
            retry: settings.retry,
        })
    }
}

/// Where the layer has libraries, with a C library and a loader of their own.
const LAYER_LIBRARIES: &str = "/opt/lib/clamav";

/// This program; on Lambda with the layer's C library, because the openers' libraries need a newer one than
/// Lambda's.
fn gate_worker(libraries: &Path) -> WorkerProgram {
    let loader = match std::env::consts::ARCH {
        "aarch64" => "ld-linux-aarch64.so.1",
        _ => "ld-linux-x86-64.so.2",
    };
    let loader = libraries.join(loader);
    match std::env::current_exe() {
        Ok(program) if loader.is_file() => WorkerProgram {
            path: loader,
            arguments: vec!["--library-path".into(), libraries.into(), program.into()],
            // libarchive converts members' names with them.
            environment: vec![("GCONV_PATH".into(), libraries.join("gconv").into())],
        },
        _ => WorkerProgram::default(),
    }
}

/// The engine in the layer: by default clamd, because the snapshot engine is not built on every machine.
fn program(choice: Option<EngineChoice>, layer: &LayerSettings) -> Result<EngineProgram, ConfigError> {
    if choice != Some(EngineChoice::Snapshot) {
        return Ok(EngineProgram::Clamd(layer.clamd.clone()));
    }
    let program = layer.airlock_engine.clone();
    if program.is_file() {
        return Ok(EngineProgram::AirlockEngine(program));
    }
    Err(ConfigError::Unsafe(format!(
        "`ENGINE` is `snapshot`, and there is no `{}`: the layer was built where it could not be",
        program.display()
    )))
}
