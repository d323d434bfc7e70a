//! The live function's settings, and how it connects to AWS.

use std::time::Duration;

use aws::{Sdk, Stores};
use settings::{
    ConfigError, DeploymentSettings, Environment, IdentitySettings, LiveStreamSettings, OriginSettings,
    StoreSettings,
};
use web::{Identity, LoopbackOnly, Verifier};

use crate::{LiveContext, LiveOptions};

/// The settings of streams, on AWS and on one machine.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    pub origins: OriginSettings,
    pub streams: LiveStreamSettings,
}

/// The settings of the live function on AWS.
#[derive(Clone, Debug)]
pub struct LiveDeployment {
    settings: LiveSettings,
    stores: StoreSettings,
    identity: IdentitySettings,
}

/// How often a stream polls the ledger. On AWS each poll is a paid query. On one machine the process
/// announces changes itself, so that streams rarely depend on polling.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl LiveDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[&DeploymentSettings::SUBJECT])?;
        let (origins, streams) = (OriginSettings::read(env)?, LiveStreamSettings::read(env)?);
        Ok(Self {
            settings: LiveSettings { origins, streams },
            stores: StoreSettings::read(env)?,
            identity: IdentitySettings::read(env)?,
        })
    }
}

impl LiveContext {
    pub fn new(
        settings: LiveSettings,
        stores: Stores,
        identity: Identity,
        loopback_only: LoopbackOnly,
    ) -> Self {
        let LiveStreamSettings { longest_stream, n_workers } = settings.streams;
        Self {
            stores,
            identity,
            allowed_origins: settings.origins.allowed_origins,
            loopback_only,
            settings: LiveOptions { poll_interval: LOOK_EVERY, longest_stream, n_workers },
        }
    }

    /// Connects to AWS. Anything wrong fails the init phase.
    pub async fn connect(deployment: LiveDeployment) -> anyhow::Result<Self> {
        let LiveDeployment { settings, stores, identity } = deployment;
        let sdk = Sdk::from_environment().await;
        let identity = Identity::Jwt(Verifier::new(identity)?.into());
        Ok(Self::new(settings, Stores::connect(&stores, &sdk), identity, LoopbackOnly::No))
    }
}
