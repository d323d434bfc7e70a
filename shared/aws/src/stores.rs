//! Bundles the stores: objects, records and queues.

use domain::incoming::IncomingRules;
use domain::protected::ProtectedBuckets;
use domain::tag::TagProfile;
use settings::{PasswordSettings, StoreSettings};

use crate::error::StoreError;
use crate::event_queue::EventQueue;
use crate::events::EventRules;
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
    /// The buckets of other applications whose objects are judged.
    pub protected: ProtectedBuckets,
    /// `None` if uploads may not carry a password.
    pub passwords: Option<PasswordKey>,
}

/// The queues to which effects write; each function has those that its effects need.
#[derive(Clone, Debug, Default)]
pub struct Queues {
    pub scans: Option<ScanQueue>,
    /// `None` also if there are no subscribers.
    pub events: Option<EventQueue>,
}

impl Stores {
    /// Adds the key that encrypts passwords, if the settings name one.
    pub async fn with_password_key(self, settings: &PasswordSettings, sdk: &Sdk) -> Result<Self, StoreError> {
        Ok(Self { passwords: PasswordKey::connect(settings, sdk).await?, ..self })
    }

    /// Connects to AWS's stores, without the key that encrypts passwords.
    pub fn connect(settings: &StoreSettings, sdk: &Sdk) -> Self {
        let StoreSettings { bucket, deployment, tags, incoming, protected } = settings.clone();
        let scans = deployment.scan_queue_url.map(|url| ScanQueue::new(sdk.sqs(), url, bucket.clone()));
        let events = deployment.event_queue_url.map(|url| EventQueue::new(sdk.sqs(), url));
        Self {
            objects: Objects::new(sdk, bucket),
            ledger: Ledger::new(sdk.dynamodb(), deployment.table),
            queues: Queues { scans, events },
            tags,
            incoming,
            protected,
            passwords: None,
        }
    }

    /// Which objects belong to files.
    pub fn event_rules(&self) -> EventRules<'_> {
        EventRules {
            bucket: self.objects.bucket(),
            incoming: self.incoming.as_ref(),
            protected: &self.protected,
        }
    }
}
