//! How is the scan function set up on AWS?

use std::path::PathBuf;
use std::time::Duration;

use aws::env::{ConfigError, Env};
use aws::{Sdk, Stores};
use clamd::{DaemonConfig, Engine, Limits, Transport};
use domain::freshness::{DefinitionsKind, FreshnessPolicy};
use domain::machine::MachinePolicy;
use domain::upload::UploadPolicy;

use crate::{Context, SpoolDirectory, gate_for};

/// The scan function's settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub max_file_size: u64,
    pub scan_timeout: Duration,
    pub clamd: PathBuf,
    pub definitions: PathBuf,
    env: Env,
}

impl Config {
    const SETTINGS: [&'static str; 2] = ["AIRLOCK_CLAMD", "AIRLOCK_DEFINITIONS"];

    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[Stores::SETTINGS.as_slice(), &Self::SETTINGS].concat())?;
        let max_file_size = env.parsed("MAX_FILE_SIZE", UploadPolicy::DEFAULT_MAX_FILE_SIZE)?;
        if max_file_size > UploadPolicy::LARGEST_SCANNABLE {
            let limit = UploadPolicy::LARGEST_SCANNABLE;
            return Err(ConfigError::Unsafe(format!(
                "`MAX_FILE_SIZE` is over {limit} bytes: the engine skips larger files"
            )));
        }
        Ok(Self {
            max_file_size,
            scan_timeout: Duration::from_secs(env.parsed("VIRUS_SCAN_TIMEOUT", 300)?),
            clamd: env.get("AIRLOCK_CLAMD").unwrap_or("/opt/bin/clamd").into(),
            definitions: env.get("AIRLOCK_DEFINITIONS").unwrap_or("/tmp/definitions").into(),
            env: env.clone(),
        })
    }

    /// The engine's share of a scan's time: the rest is for reading, hashing and the canaries.
    pub fn limits(max_file_size: u64, scan_timeout: Duration) -> Limits {
        Limits { max_file_size, max_scan_time: scan_timeout.mul_f64(0.8) }
    }
}

impl Context {
    /// Connects to AWS and starts the engine. Anything wrong fails the init phase, not the first file.
    pub async fn connect(config: Config) -> anyhow::Result<Self> {
        let sdk = Sdk::from_environment().await;
        let stores = Stores::from_env(&config.env, &sdk)?;
        let run_directory = PathBuf::from("/tmp/airlock");
        std::fs::create_dir_all(&run_directory)?;
        let daemon = DaemonConfig {
            program: config.clamd,
            launcher: vec![],
            run_directory: run_directory.clone(),
            definitions_directory: config.definitions,
            limits: Config::limits(config.max_file_size, config.scan_timeout),
            start_timeout: Duration::from_mins(1),
        };
        let engine = Engine::new(daemon, Transport::Stream);
        let limits = Config::limits(config.max_file_size, config.scan_timeout);
        let context = Self {
            stores,
            gate: gate_for(&engine, limits, run_directory.clone()).await?,
            engine,
            spool: SpoolDirectory(run_directory),
            machine: MachinePolicy { max_file_size: config.max_file_size, ..MachinePolicy::default() },
            recall: true,
            freshness: FreshnessPolicy::default(),
            scan_timeout: config.scan_timeout,
        };
        let loaded = context.beat().await?.engine.definitions;
        if loaded.kind == DefinitionsKind::TestSet {
            anyhow::bail!(
                "the test definitions are for trying Airlock out on one machine; they protect nobody"
            );
        }
        Ok(context)
    }
}
