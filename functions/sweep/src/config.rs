//! How is the sweep set up on AWS?

use aws::env::{ConfigError, Env};
use aws::{Sdk, Stores};

use crate::Context;

/// The sweep's settings.
#[derive(Clone, Debug)]
pub struct Config {
    env: Env,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&Stores::SETTINGS)?;
        env.required("AIRLOCK_SCAN_QUEUE_URL")?;
        Ok(Self { env: env.clone() })
    }
}

impl Context {
    pub async fn connect(config: Config) -> Result<Self, ConfigError> {
        let sdk = Sdk::from_environment().await;
        Ok(Self {
            stores: Stores::from_env(&config.env, &sdk)?,
            machine: config.env.machine()?,
            rescans_per_sweep: config.env.parsed("RESCANS_PER_MINUTE", Self::DEFAULT_RESCANS)?,
            incoming_every: Self::INCOMING_EVERY,
        })
    }
}
