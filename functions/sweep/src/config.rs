//! How is the sweep set up on AWS?

use aws::env::{ConfigError, Env};
use aws::{ScanQueue, Sdk, Stores};
use domain::machine::MachinePolicy;
use domain::upload::UploadPolicy;

use crate::Context;

/// The sweep's settings.
#[derive(Clone, Debug)]
pub struct Config {
    queue_url: String,
    bucket: String,
    max_file_size: u64,
    env: Env,
}

impl Config {
    const SETTINGS: [&'static str; 1] = ["AIRLOCK_SCAN_QUEUE_URL"];

    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[Stores::SETTINGS.as_slice(), &Self::SETTINGS].concat())?;
        Ok(Self {
            queue_url: env.required("AIRLOCK_SCAN_QUEUE_URL")?.to_owned(),
            bucket: env.required("S3_BUCKET_NAME")?.to_owned(),
            max_file_size: env.parsed("MAX_FILE_SIZE", UploadPolicy::DEFAULT_MAX_FILE_SIZE)?,
            env: env.clone(),
        })
    }
}

impl Context {
    pub async fn connect(config: Config) -> Result<Self, ConfigError> {
        let sdk = Sdk::from_environment().await;
        Ok(Self {
            stores: Stores::from_env(&config.env, &sdk)?,
            queue: ScanQueue::new(sdk.sqs(None), config.queue_url, config.bucket),
            machine: MachinePolicy { max_file_size: config.max_file_size, ..MachinePolicy::default() },
        })
    }
}
