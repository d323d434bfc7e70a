//! How is the download function set up on AWS?

use aws::env::{ConfigError, Env};
use aws::{Sdk, Stores};
use web::{LinkKey, LoopbackOnly};

use crate::Context;

/// The download function's settings.
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
        Ok(Self {
            stores: Stores::from_env(&config.env, &sdk)?,
            link_key: LinkKey::from_env(&config.env, &sdk, aws::clock::now()).await?,
            allowed_origins: config.env.list("ALLOWED_ORIGINS"),
            loopback_only: LoopbackOnly::No,
        })
    }
}
