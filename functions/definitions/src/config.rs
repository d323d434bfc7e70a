//! How is the definitions function set up on AWS?

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use aws::env::{ConfigError, EngineChoice, Env};
use aws::{DefinitionBucket, Sdk, Secret};
use clamd::freshclam::{Databases, Freshclam, Mirror};
use clamd::{DaemonConfig, EngineLimits, EngineProgram};
use definition_set::SigningKey;

use crate::Context;

/// The definitions function's settings.
#[derive(Clone, Debug)]
pub struct Config {
    bucket: String,
    signing_key_arn: String,
    mirror: Mirror,
    clamd: PathBuf,
    /// `None` if scanners run clamd.
    airlock_engine: Option<PathBuf>,
    freshclam: PathBuf,
    certificates: PathBuf,
    /// Where databases are fetched to and checked. Its path must be short.
    scratch: PathBuf,
    proxy: Vec<(String, String)>,
    ttl: Duration,
}

impl Config {
    const SETTINGS: [&'static str; 6] = [
        "AIRLOCK_CLAMD",
        "AIRLOCK_DEFINITIONS_BUCKET",
        "AIRLOCK_ENGINE",
        "AIRLOCK_FRESHCLAM",
        "AIRLOCK_SCRATCH",
        "AIRLOCK_SIGNING_KEY_ARN",
    ];

    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&Self::SETTINGS)?;
        let mirror =
            env.get("DEFINITIONS_MIRROR").map_or(Mirror::Official, |url| Mirror::Private(url.to_owned()));
        Ok(Self {
            bucket: env.required("AIRLOCK_DEFINITIONS_BUCKET")?.to_owned(),
            signing_key_arn: env.required("AIRLOCK_SIGNING_KEY_ARN")?.to_owned(),
            mirror,
            clamd: env.get("AIRLOCK_CLAMD").unwrap_or("/opt/bin/clamd").into(),
            airlock_engine: (env.engine()? == Some(EngineChoice::Snapshot))
                .then(|| env.get("AIRLOCK_ENGINE").unwrap_or("/opt/bin/airlock-engine").into()),
            freshclam: env.get("AIRLOCK_FRESHCLAM").unwrap_or("/opt/bin/freshclam").into(),
            certificates: "/opt/etc/ssl/ca-certificates.crt".into(),
            scratch: env.get("AIRLOCK_SCRATCH").unwrap_or("/tmp/airlock").into(),
            proxy: env.proxy(),
            ttl: env.freshness()?.max_age,
        })
    }
}

/// ClamAV's own test files, where the layer has them.
const KNOWN_BAD: &str = "/opt/share/clamav-testfiles";

/// In order of their names; none if there is no such directory.
fn files_of(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => vec![],
        Err(error) => return Err(error),
    };
    files.sort();
    Ok(files)
}

impl Context {
    /// Reads the signing key. Anything wrong fails the init phase.
    pub async fn connect(config: Config) -> anyhow::Result<Self> {
        let sdk = Sdk::from_environment().await;
        let secret = Secret::new(sdk.secrets(), config.signing_key_arn).read().await?;
        let key = SigningKey::from_secret(&secret.current).context("the signing secret is too short")?;
        let work = config.scratch;
        let freshclam = Freshclam {
            program: config.freshclam,
            directory: work.join("databases"),
            mirror: config.mirror,
            databases: Databases::Official,
            certificates: Some(config.certificates),
            proxy: config.proxy,
        };
        let engine = DaemonConfig {
            program: EngineProgram::Clamd(config.clamd.clone()),
            launcher: vec![],
            run_directory: work.join("run"),
            definitions_directory: freshclam.directory.clone(),
            limits: EngineLimits { max_file_size: 100 << 20, max_scan_time: Duration::from_mins(1) },
            start_timeout: Duration::from_mins(2),
        };
        let snapshots = config
            .airlock_engine
            .map(|path| DaemonConfig { program: EngineProgram::AirlockEngine(path), ..engine.clone() });
        Ok(Self {
            bucket: DefinitionBucket::new(&sdk, config.bucket),
            key,
            freshclam,
            engine,
            known_good: vec!["/proc/self/exe".into(), config.clamd],
            known_bad: files_of(KNOWN_BAD.as_ref())?,
            snapshots,
            ttl: config.ttl,
        })
    }
}
