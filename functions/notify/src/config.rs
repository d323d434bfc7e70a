//! The notify function's settings, and how it connects to AWS.

use aws::{EventBus, Sdk, Secret, Stores};
use domain::machine::MachinePolicy;
use settings::{
    ConfigError, DeploymentSettings, Environment, EventProfile, EventSettings, SecretText, StoreSettings,
    machine_policy,
};

use crate::{NotifyContext, Webhooks};

/// The settings of publishing, on AWS and on one machine.
#[derive(Clone, Debug)]
pub struct NotifySettings {
    pub machine: MachinePolicy,
    /// The bucket of the files, which events name.
    pub bucket: String,
    pub profile: EventProfile,
}

/// The settings of the notify function on AWS.
#[derive(Clone, Debug)]
pub struct NotifyDeployment {
    settings: NotifySettings,
    events: EventSettings,
    stores: StoreSettings,
}

impl NotifyDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[&DeploymentSettings::SUBJECT])?;
        let stores = StoreSettings::read(env)?;
        let machine = machine_policy(env, stores.publishes(), MachinePolicy::default())?;
        // A Lambda must not reach private endpoints.
        let events = EventSettings { private_hosts: vec![], ..EventSettings::read(env)? };
        let (bucket, profile) = (stores.bucket.clone(), events.profile);
        Ok(Self { settings: NotifySettings { machine, bucket, profile }, events, stores })
    }
}

impl Webhooks {
    /// The endpoints that the settings name. Errors: a URL or a secret is unusable.
    pub fn of(events: &EventSettings) -> Result<Self, ConfigError> {
        let exposed = |texts: &'_ [SecretText]| -> Vec<String> {
            texts.iter().map(|text| text.exposed().to_owned()).collect()
        };
        let (urls, secrets) = (exposed(&events.webhook_urls), exposed(&events.webhook_secrets));
        Self::new(&borrowed(&urls), &borrowed(&secrets), &borrowed(&events.private_hosts))
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

impl NotifyContext {
    pub fn new(settings: NotifySettings, stores: Stores, webhooks: Webhooks, bus: Option<EventBus>) -> Self {
        let NotifySettings { machine, bucket, profile } = settings;
        Self { stores, machine, bucket, profile, bus, webhooks }
    }

    /// Connects to AWS. Anything wrong fails the init phase.
    pub async fn connect(deployment: NotifyDeployment) -> anyhow::Result<Self> {
        let NotifyDeployment { settings, mut events, stores } = deployment;
        let sdk = Sdk::from_environment().await;
        if let Some(arn) = events.webhook_secret_arn.take() {
            let values = Secret::new(sdk.secrets(), arn).read().await?;
            let secrets = [Some(values.current), values.previous];
            events.webhook_secrets = secrets.into_iter().flatten().map(SecretText::new).collect();
        }
        let bus = events.event_bus.clone().map(|name| EventBus::new(&sdk, name));
        Ok(Self::new(settings, Stores::connect(&stores, &sdk), Webhooks::of(&events)?, bus))
    }
}
