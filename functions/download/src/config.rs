//! The download function's settings, and how it connects to AWS.

use aws::{Sdk, Stores};
use settings::{ConfigError, DeploymentSettings, Environment, LinkSettings, OriginSettings, StoreSettings};
use web::{LinkKey, LoopbackOnly};

use crate::Context;

/// The settings of the download function on AWS.
#[derive(Clone, Debug)]
pub struct DownloadDeployment {
    stores: StoreSettings,
    links: LinkSettings,
    origins: OriginSettings,
}

impl DownloadDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[&DeploymentSettings::SUBJECT])?;
        Ok(Self {
            stores: StoreSettings::read(env)?,
            links: LinkSettings::read(env)?,
            origins: OriginSettings::read(env)?,
        })
    }
}

impl Context {
    pub fn new(
        origins: OriginSettings,
        stores: Stores,
        link_key: LinkKey,
        loopback_only: LoopbackOnly,
    ) -> Self {
        Self { stores, link_key, allowed_origins: origins.allowed_origins, loopback_only }
    }

    /// Connects to AWS. Anything wrong fails the init phase.
    pub async fn connect(deployment: DownloadDeployment) -> anyhow::Result<Self> {
        let DownloadDeployment { stores, links, origins } = deployment;
        let sdk = Sdk::from_environment().await;
        let link_key = LinkKey::connect(&links, &sdk, aws::clock::now()).await?;
        Ok(Self::new(origins, Stores::connect(&stores, &sdk), link_key, LoopbackOnly::No))
    }
}
