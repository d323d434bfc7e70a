//! Whom are we set up to tell?

use aws::env::{ConfigError, Env};
use aws::{EventBus, Sdk, Secret, Stores};

use crate::{Context, Webhooks};

/// The notify function's settings.
#[derive(Clone, Debug)]
pub struct Config {
    env: Env,
}

/// Who wants to be told, by the environment. With neither, there are no events.
#[derive(Clone, Debug, Default)]
pub struct EventSinks {
    event_bus: Option<String>,
    urls: Vec<String>,
    secrets: Vec<String>,
}

impl EventSinks {
    /// `EVENT_BUS_NAME`; `WEBHOOK_URLS` and `WEBHOOK_SECRET`, each several with spaces between them.
    pub fn from_env(env: &Env) -> Self {
        let words = |name| {
            env.get(name).unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        Self {
            event_bus: env.get("EVENT_BUS_NAME").map(ToOwned::to_owned),
            urls: words("WEBHOOK_URLS"),
            secrets: words("WEBHOOK_SECRET"),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.event_bus.is_none() && self.urls.is_empty()
    }

    pub fn has_bus(&self) -> bool {
        self.event_bus.is_some()
    }

    pub fn webhooks(&self, private_hosts: &[&str]) -> Result<Webhooks, ConfigError> {
        Webhooks::new(&texts(&self.urls), &texts(&self.secrets), private_hosts)
    }

    pub fn bus(&self, sdk: &Sdk) -> Option<EventBus> {
        self.event_bus.clone().map(|name| EventBus::new(sdk, name))
    }
}

fn texts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
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
        let mut event_sinks = EventSinks::from_env(env);
        if let Some(arn) = env.get("WEBHOOK_SECRET_ARN") {
            let values = Secret::new(sdk.secrets(), arn.to_owned()).read().await?;
            event_sinks.secrets = [Some(values.current), values.previous].into_iter().flatten().collect();
        }
        Ok(Self {
            stores: Stores::from_env(env, &sdk)?,
            machine: env.machine()?,
            bucket: env.required("S3_BUCKET_NAME")?.to_owned(),
            bus: event_sinks.bus(&sdk),
            // There is nothing private on Lambda that a webhook has to reach.
            webhooks: event_sinks.webhooks(&[])?,
        })
    }
}
