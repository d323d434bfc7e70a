//! The two stores together, and the effects that concern them and the queues.

use domain::aftermath::Quarantine;
use domain::id::Version;
use domain::incoming::IncomingRules;
use domain::machine::{Effect, Event, MachinePolicy};
use domain::record::Record;
use domain::tag::TagProfile;
use domain::timestamp::Timestamp;
use settings::{PasswordSettings, StoreSettings};

use crate::error::{Kind, StoreError};
use crate::event_queue::{EventQueue, EventTask};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::password_key::PasswordKey;
use crate::queue::ScanQueue;
use crate::sdk::Sdk;
use crate::transition::Applied;

/// Objects and their records.
#[derive(Clone, Debug)]
pub struct Stores {
    pub objects: Objects,
    pub ledger: Ledger,
    pub queues: Queues,
    pub tags: TagProfile,
    /// Whose what others store is; `None` where nobody but the API makes files.
    pub incoming: Option<IncomingRules>,
    /// `None` where no passwords of files are taken.
    pub passwords: Option<PasswordKey>,
}

/// Whom an effect may have to ask for something; a function has those that its effects need.
#[derive(Clone, Debug, Default)]
pub struct Queues {
    pub scans: Option<ScanQueue>,
    /// `None` as well where nobody wants to be told of events.
    pub events: Option<EventQueue>,
}

impl Stores {
    /// The same stores with the key of passwords, if the settings name one.
    pub async fn with_password_key(self, settings: &PasswordSettings, sdk: &Sdk) -> Result<Self, StoreError> {
        Ok(Self { passwords: PasswordKey::connect(settings, sdk).await?, ..self })
    }

    /// AWS's stores, without a key of passwords.
    pub fn connect(settings: &StoreSettings, sdk: &Sdk) -> Self {
        let StoreSettings { bucket, deployment, tags, incoming } = settings.clone();
        let scans = deployment.scan_queue_url.map(|url| ScanQueue::new(sdk.sqs(), url, bucket.clone()));
        let events = deployment.event_queue_url.map(|url| EventQueue::new(sdk.sqs(), url));
        Self {
            objects: Objects::new(sdk, bucket),
            ledger: Ledger::new(sdk.dynamodb(), deployment.table),
            queues: Queues { scans, events },
            tags,
            incoming,
            passwords: None,
        }
    }

    /// Runs the effects that need nothing but stores and queues: all but the scan itself. Idempotent, but for messages, whose receivers take
    /// duplicates. A tag that cannot be written is an error, because bucket policies may go by it: the scan's message comes again, and with
    /// it the tag. Bytes that cannot be removed and scans that cannot be asked for are errors as well, and stay due for the sweep. That
    /// somebody could not be told now is none: the sweep asks again.
    pub async fn settle(
        &self,
        applied: &Applied,
        policy: &MachinePolicy,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (record, file) = (&applied.record, applied.record.file_id);
        // Whoever waits for news does not wait for the storage.
        if applied.effects.contains(&Effect::Publish) {
            self.request_publication(file).await;
        }
        for effect in &applied.effects {
            match effect {
                Effect::Purge => {
                    self.purge(record).await?;
                    if record.quarantined == Some(Quarantine::Move) {
                        self.objects.purge_quarantined(file).await?;
                    }
                    self.ledger.apply(file, &Event::Purged, policy, now).await?;
                }
                Effect::PurgeOthers { keep } => {
                    // What else is under a key that is not ours is not ours either.
                    if record.incoming_version().is_none() {
                        self.objects.purge(file, Some(&keep.version_id)).await?;
                    }
                    self.ledger.apply(file, &Event::Purged, policy, now).await?;
                }
                Effect::Tag { version } => self.tag(record, version).await?,
                Effect::Quarantine { version, how } => {
                    self.objects.quarantine(record, version, *how).await?;
                    let done = Event::Quarantined { version_id: version.version_id.clone(), how: *how };
                    self.ledger.apply(file, &done, policy, now).await?;
                }
                Effect::QueueScan { version } => {
                    let queue = self.queues.scans.as_ref();
                    let queue = queue.ok_or_else(|| StoreError::new("queue a scan", Kind::Unexpected))?;
                    queue.request_scan(record, version).await?;
                }
                Effect::Publish | Effect::Scan { .. } => {}
            }
        }
        Ok(())
    }

    /// Removes everything under the file's key, or of somebody else's key the one version that is the file.
    async fn purge(&self, record: &Record) -> Result<(), StoreError> {
        if let Some(incoming) = record.incoming_version() {
            return self.objects.remove_incoming(incoming).await;
        }
        // First the parts: what was joined in the meantime is found by the purge.
        if let Some(upload) = record.multipart() {
            self.objects.abort_multipart(&record.object_key(), upload.upload_id.as_str()).await?;
        }
        self.objects.purge(record.file_id, None).await
    }

    async fn request_publication(&self, file: domain::id::FileId) {
        let Some(queue) = &self.queues.events else { return };
        if let Err(error) = queue.request(&EventTask::Publish(file)).await {
            tracing::warn!(file.id = %file, error = crate::log::chain(&error), "an event is left to the sweep");
        }
    }

    async fn tag(&self, record: &Record, version: &Version) -> Result<(), StoreError> {
        let (name, value) = (self.tags.key(), self.tags.value(record.status()));
        match self.objects.tag(&record.object_key(), &version.version_id, name, &value).await {
            // Deleted meanwhile: there is nothing to tag.
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            tagged => tagged,
        }
    }
}
