//! How is the API function set up on AWS?

use std::time::Duration;

use aws::env::{ConfigError, Env};
use aws::{ScanQueue, Sdk, Stores};
use domain::machine::MachinePolicy;
use domain::upload::{AllowedExtensions, UploadPolicy};
use web::{Identity, IdentityConfig, LinkKey, LoopbackOnly, Verifier};

use crate::{Context, Settings};

/// The API function's settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub uploads: UploadPolicy,
    pub link_ttl: Duration,
    pub allowed_origins: Vec<String>,
    env: Env,
}

/// A Lambda takes 6 MB of request, in base64: 4.5 MB of form, of which a little is not the file.
const MAX_LAMBDA_FORM: u64 = 4_400_000;

impl Config {
    const SETTINGS: [&'static str; 1] = ["AIRLOCK_SCAN_QUEUE_URL"];

    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[Stores::SETTINGS.as_slice(), &Self::SETTINGS].concat())?;
        Self::common(env)
    }

    /// The settings that the local mode reads as well.
    pub fn common(env: &Env) -> Result<Self, ConfigError> {
        let hours = |count: u64| Duration::from_secs(count.saturating_mul(3600));
        let max_file_size = env.parsed("MAX_FILE_SIZE", UploadPolicy::DEFAULT_MAX_FILE_SIZE)?;
        if max_file_size > UploadPolicy::LARGEST_SCANNABLE {
            let limit = UploadPolicy::LARGEST_SCANNABLE;
            return Err(ConfigError::Unsafe(format!(
                "`MAX_FILE_SIZE` is over {limit} bytes: the engine skips larger files"
            )));
        }
        let retention_days = env.parsed("FILE_RETENTION_DAYS", UploadPolicy::DEFAULT_RETENTION_DAYS)?;
        let uploads = UploadPolicy {
            max_file_size,
            allowed_extensions: env
                .get("ALLOWED_EXTENSIONS")
                .map_or_else(AllowedExtensions::default, AllowedExtensions::parse),
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: hours(retention_days.saturating_mul(24)),
        };
        let origins = env.get("ALLOWED_ORIGINS").unwrap_or_default().split(',').map(str::trim);
        let allowed_origins: Vec<String> =
            origins.filter(|origin| !origin.is_empty()).map(ToOwned::to_owned).collect();
        if allowed_origins.iter().any(|origin| origin == "*") {
            return Err(ConfigError::Unsafe(
                "`ALLOWED_ORIGINS` lists exact origins; `*` is not one".to_owned(),
            ));
        }
        let link_ttl = hours(env.parsed("DOWNLOAD_LINK_EXPIRE_HOURS", 24)?);
        Ok(Self { uploads, link_ttl, allowed_origins, env: env.clone() })
    }
}

impl Context {
    /// Connects to AWS. Anything wrong fails the init phase.
    pub async fn connect(config: Config) -> anyhow::Result<Self> {
        let sdk = Sdk::from_environment().await;
        let env = &config.env;
        let queue_url = env.required("AIRLOCK_SCAN_QUEUE_URL")?.to_owned();
        let bucket = env.required("S3_BUCKET_NAME")?.to_owned();
        let machine =
            MachinePolicy { max_file_size: config.uploads.max_file_size, ..MachinePolicy::default() };
        Ok(Self {
            stores: Stores::from_env(env, &sdk)?,
            queue: ScanQueue::new(sdk.sqs(None), queue_url, bucket),
            identity: Identity::Jwt(Verifier::new(IdentityConfig::from_env(env)?)?.into()),
            link_key: LinkKey::from_env(env, &sdk, aws::clock::now()).await?,
            settings: Settings {
                link_ttl: config.link_ttl,
                max_form_size: MAX_LAMBDA_FORM.min(config.uploads.max_file_size),
                first_look: machine.look_again,
                engine_silence: None,
                allowed_origins: config.allowed_origins,
                loopback_only: LoopbackOnly::No,
            },
            uploads: config.uploads,
            machine,
            freshness: env.freshness()?,
        })
    }
}
