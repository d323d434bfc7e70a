//! The stores together: objects, records and queues.

use domain::incoming::IncomingRules;
use domain::tag::TagProfile;

use crate::env::{ConfigError, Env};
use crate::error::StoreError;
use crate::event_queue::EventQueue;
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::password_key::PasswordKey;
use crate::queue::ScanQueue;
use crate::sdk::Sdk;

/// Objects and their records.
#[derive(Clone, Debug)]
pub struct Stores {
    pub objects: Objects,
    pub ledger: Ledger,
    pub queues: Queues,
    pub tags: TagProfile,
    /// Ownership rules for objects uploaded outside the API; `None` if disabled.
    pub incoming: Option<IncomingRules>,
    /// `None` if uploads may not carry a password.
    pub passwords: Option<PasswordKey>,
}

/// The queues that effects write to; a function has those that its effects need.
#[derive(Clone, Debug, Default)]
pub struct Queues {
    pub scans: Option<ScanQueue>,
    /// `None` as well where there are no subscribers.
    pub events: Option<EventQueue>,
}

impl Stores {
    /// Environment variables that name the stores on AWS.
    pub const SETTINGS: [&'static str; 3] =
        ["AIRLOCK_TABLE", "AIRLOCK_SCAN_QUEUE_URL", "AIRLOCK_EVENT_QUEUE_URL"];

    /// The same stores with the key of passwords that the environment names, if it names one.
    pub async fn with_password_key(self, env: &Env, sdk: &Sdk) -> Result<Self, StoreError> {
        Ok(Self { passwords: PasswordKey::from_env(env, sdk).await?, ..self })
    }

    /// AWS's stores, as the environment names them.
    pub fn from_env(env: &Env, sdk: &Sdk) -> Result<Self, ConfigError> {
        let bucket = env.required("S3_BUCKET_NAME")?.to_owned();
        let objects = Objects::new(sdk, bucket.clone());
        let ledger = Ledger::new(sdk.dynamodb(), env.required("AIRLOCK_TABLE")?.to_owned());
        let scans =
            env.get("AIRLOCK_SCAN_QUEUE_URL").map(|url| ScanQueue::new(sdk.sqs(), url.to_owned(), bucket));
        let events = env.get("AIRLOCK_EVENT_QUEUE_URL").map(|url| EventQueue::new(sdk.sqs(), url.to_owned()));
        Ok(Self {
            objects,
            ledger,
            queues: Queues { scans, events },
            tags: env.tag_profile()?,
            incoming: env.incoming()?,
            passwords: None,
        })
    }
}
