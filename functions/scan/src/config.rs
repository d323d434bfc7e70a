//! How is the scan function set up on AWS?

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::Stores;
use aws::env::{ConfigError, EngineChoice, Env};
use clamd::{EngineLimits, EngineProgram};
use definition_set::PublicKey;
use domain::freshness::FreshnessPolicy;
use domain::machine::MachinePolicy;
use domain::upload::UploadPolicy;
use inspector::WorkerProgram;

use crate::IncomingTerms;

/// The scan function's settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub max_file_size: u64,
    pub scan_timeout: Duration,
    pub program: EngineProgram,
    pub gate_worker: WorkerProgram,
    /// Where definitions, the engine's socket and temporary files are. Its path must be short: a socket's has at most 107 bytes.
    pub scratch: PathBuf,
    pub definitions_bucket: String,
    /// Whose definitions are taken.
    pub public_key: PublicKey,
    pub freshness: FreshnessPolicy,
    pub machine: MachinePolicy,
    pub incoming: IncomingTerms,
    pub(crate) env: Env,
}

impl Config {
    const SETTINGS: [&'static str; 5] = [
        "AIRLOCK_CLAMD",
        "AIRLOCK_DEFINITIONS_BUCKET",
        "AIRLOCK_DEFINITIONS_PUBLIC_KEY",
        "AIRLOCK_ENGINE",
        "AIRLOCK_SCRATCH",
    ];

    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[Stores::SETTINGS.as_slice(), &Self::SETTINGS].concat())?;
        let max_file_size = env.parsed("MAX_FILE_SIZE", UploadPolicy::DEFAULT_MAX_FILE_SIZE)?;
        if max_file_size > UploadPolicy::LARGEST_SCANNABLE {
            let limit = UploadPolicy::LARGEST_SCANNABLE;
            return Err(ConfigError::Unsafe(format!(
                "`MAX_FILE_SIZE` is over {limit} bytes: the engine skips larger files"
            )));
        }
        let public_key = env.required("AIRLOCK_DEFINITIONS_PUBLIC_KEY")?;
        let public_key = PublicKey::parse(public_key).ok_or_else(|| ConfigError::Invalid {
            name: "AIRLOCK_DEFINITIONS_PUBLIC_KEY",
            value: public_key.to_owned(),
            why: "not base64 of 32 bytes".to_owned(),
        })?;
        Ok(Self {
            max_file_size,
            scan_timeout: Duration::from_secs(env.parsed("VIRUS_SCAN_TIMEOUT", 300)?),
            program: program(env)?,
            gate_worker: gate_worker(Path::new(LAYER_LIBRARIES)),
            scratch: env.get("AIRLOCK_SCRATCH").unwrap_or("/tmp/airlock").into(),
            definitions_bucket: env.required("AIRLOCK_DEFINITIONS_BUCKET")?.to_owned(),
            public_key,
            freshness: env.freshness()?,
            machine: env.machine()?,
            incoming: IncomingTerms::from_env(env)?,
            env: env.clone(),
        })
    }

    pub(crate) fn definition_sets(&self) -> PathBuf {
        self.scratch.join("definitions")
    }

    pub(crate) fn run_directory(&self) -> PathBuf {
        self.scratch.join("run")
    }

    /// The engine's share of a scan's time: the rest is for reading, hashing and the canaries.
    pub fn limits(max_file_size: u64, scan_timeout: Duration) -> EngineLimits {
        EngineLimits { max_file_size, max_scan_time: scan_timeout.mul_f64(0.8) }
    }
}

/// Where the layer has libraries, with a C library and a loader of their own.
const LAYER_LIBRARIES: &str = "/opt/lib/clamav";

/// This program. Where the layer is there, with the layer's C library, because the openers' libraries need one that is newer than Lambda's.
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
        },
        _ => WorkerProgram::default(),
    }
}

/// From the layer. clamd unless something else is said, because the layer has the other one for this machine's architecture only where it could be built.
fn program(env: &Env) -> Result<EngineProgram, ConfigError> {
    let path = |name, usual: &str| PathBuf::from(env.get(name).unwrap_or(usual));
    if env.engine()? != Some(EngineChoice::Snapshot) {
        return Ok(EngineProgram::Clamd(path("AIRLOCK_CLAMD", "/opt/bin/clamd")));
    }
    let program = path("AIRLOCK_ENGINE", "/opt/bin/airlock-engine");
    if program.is_file() {
        return Ok(EngineProgram::AirlockEngine(program));
    }
    Err(ConfigError::Unsafe(format!(
        "`ENGINE` is `snapshot`, and there is no `{}`: the layer was built where it could not be",
        program.display()
    )))
}
