//! The definitions function's settings, and how it connects to AWS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use aws::{DefinitionBucket, Sdk, Secret};
use clamd::freshclam::{Databases, Freshclam, Mirror};
use clamd::{DaemonConfig, EngineLimits, EngineProgram};
use definition_set::SigningKey;
use settings::{
    ConfigError, DefinitionBucketSettings, EngineChoice, EngineSettings, Environment, FreshnessSettings,
    LayerSettings, PublisherSettings, SecretText,
};

use crate::PublisherContext;

/// The settings of the definitions function on AWS.
#[derive(Clone, Debug)]
pub struct PublisherDeployment {
    bucket: DefinitionBucketSettings,
    publisher: PublisherSettings,
    layer: LayerSettings,
    engine: EngineSettings,
    freshness: FreshnessSettings,
    proxy: Vec<(String, SecretText)>,
}

impl PublisherDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[
            &DefinitionBucketSettings::SUBJECT,
            &PublisherSettings::SUBJECT,
            &LayerSettings::SUBJECT,
        ])?;
        Ok(Self {
            bucket: DefinitionBucketSettings::read(env)?,
            publisher: PublisherSettings::read(env)?,
            layer: LayerSettings::read(env)?,
            engine: EngineSettings::read(env)?,
            freshness: FreshnessSettings::read(env)?,
            proxy: env.proxy(),
        })
    }

    fn freshclam(&self) -> Freshclam {
        let mirror = self.publisher.mirror.clone();
        let proxy = self.proxy.iter().map(|(name, value)| (name.clone(), value.exposed().to_owned()));
        Freshclam {
            program: self.publisher.freshclam.clone(),
            directory: self.layer.scratch.join("databases"),
            mirror: mirror.map_or(Mirror::Official, Mirror::Private),
            databases: Databases::Official,
            certificates: Some(CERTIFICATES.into()),
            proxy: proxy.collect(),
        }
    }

    /// The engine that checks what freshclam left.
    fn clamd(&self, freshclam: &Freshclam) -> DaemonConfig {
        DaemonConfig {
            program: EngineProgram::Clamd(self.layer.clamd.clone()),
            launcher: vec![],
            run_directory: self.layer.scratch.join("run"),
            definitions_directory: freshclam.directory.clone(),
            limits: EngineLimits { max_file_size: 100 << 20, max_scan_time: Duration::from_mins(1) },
            start_timeout: Duration::from_mins(2),
        }
    }

    /// The engine that makes snapshots; `None` if scanners run clamd.
    fn snapshot_engine(&self, clamd: &DaemonConfig) -> Option<DaemonConfig> {
        let program = || EngineProgram::AirlockEngine(self.layer.airlock_engine.clone());
        let is_used = self.engine.engine == Some(EngineChoice::Snapshot);
        is_used.then(|| DaemonConfig { program: program(), ..clamd.clone() })
    }
}

/// The certificate authorities, in the layer.
const CERTIFICATES: &str = "/opt/etc/ssl/ca-certificates.crt";

/// ClamAV's own test files, where the layer has them.
const KNOWN_BAD: &str = "/opt/share/clamav-testfiles";

/// The files in a directory, sorted by name; none if the directory does not exist.
fn files_of(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => vec![],
        Err(error) => return Err(error),
    };
    files.sort();
    Ok(files)
}

impl PublisherContext {
    /// Reads the signing key. Anything wrong fails the init phase.
    pub async fn connect(deployment: PublisherDeployment) -> anyhow::Result<Self> {
        let sdk = Sdk::from_environment().await;
        let secret = Secret::new(sdk.secrets(), deployment.publisher.signing_key_arn.clone());
        let key = SigningKey::from_secret(&secret.read().await?.current);
        let freshclam = deployment.freshclam();
        let engine = deployment.clamd(&freshclam);
        Ok(Self {
            key: key.context("the signing secret is too short")?,
            snapshots: deployment.snapshot_engine(&engine),
            known_good: vec!["/proc/self/exe".into(), deployment.layer.clamd],
            known_bad: files_of(KNOWN_BAD.as_ref())?,
            bucket: DefinitionBucket::new(&sdk, deployment.bucket.bucket),
            ttl: deployment.freshness.max_age,
            freshclam,
            engine,
        })
    }
}
