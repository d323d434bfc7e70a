//! How is the live function set up on AWS?

use std::time::Duration;

use aws::env::{ConfigError, Env};
use aws::{Sdk, Stores};
use web::{Identity, IdentityConfig, LoopbackOnly, Verifier};

use crate::{Context, Settings};

/// The live function's settings.
#[derive(Clone, Debug)]
pub struct Config {
    env: Env,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&Stores::SETTINGS)?;
        Ok(Self { env: env.clone() })
    }
}

impl Context {
    /// Connects to AWS. Anything wrong fails the init phase.
    pub async fn connect(config: Config) -> anyhow::Result<Self> {
        let sdk = Sdk::from_environment().await;
        let env = &config.env;
        Ok(Self {
            stores: Stores::from_env(env, &sdk)?,
            identity: Identity::Jwt(Verifier::new(IdentityConfig::from_env(env)?)?.into()),
            allowed_origins: env.list("ALLOWED_ORIGINS"),
            loopback_only: LoopbackOnly::No,
            settings: Settings {
                // Each look is a query, and each second of a stream is paid for.
                poll_interval: Duration::from_secs(1),
                longest_stream: Duration::from_secs(env.parsed("LIVE_STREAM_SECONDS", 300)?),
                n_workers: env.parsed("SCAN_CONCURRENCY", 10)?,
            },
        })
    }
}
