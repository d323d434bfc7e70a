//! How is the API function set up on AWS?

use std::time::Duration;

use aws::env::{ConfigError, Env};
use aws::{Sdk, Stores};
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
    const SETTINGS: [&'static str; 1] = ["AIRLOCK_DEAD_LETTERS_URL"];

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
        let uploads = UploadPolicy {
            max_file_size,
            allowed_extensions: env
                .get("ALLOWED_EXTENSIONS")
                .map_or_else(AllowedExtensions::default, AllowedExtensions::parse),
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: env.retention()?,
        };
        let allowed_origins = env.list("ALLOWED_ORIGINS");
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
        env.required("AIRLOCK_SCAN_QUEUE_URL")?;
        let stores = Stores::from_env(env, &sdk)?.with_password_key(env, &sdk).await?;
        let dead_letters_url = env.get("AIRLOCK_DEAD_LETTERS_URL").map(ToOwned::to_owned);
        let machine = env.machine()?;
        Ok(Self {
            dead_letters: stores
                .queues
                .scans
                .as_ref()
                .zip(dead_letters_url)
                .map(|(q, url)| q.dead_letters(url)),
            stores,
            quotas: env.quotas()?,
            identity: Identity::Jwt(Verifier::new(IdentityConfig::from_env(env)?)?.into()),
            link_key: LinkKey::from_env(env, &sdk, aws::clock::now()).await?,
            settings: Settings {
                link_ttl: config.link_ttl,
                max_form_size: MAX_LAMBDA_FORM.min(config.uploads.max_file_size),
                first_sweep_in: machine.sweep_retry,
                engine_silence: None,
                allowed_origins: config.allowed_origins,
                loopback_only: LoopbackOnly::No,
                probe: None,
                room: None,
            },
            uploads: config.uploads,
            machine,
            freshness: env.freshness()?,
        })
    }
}
