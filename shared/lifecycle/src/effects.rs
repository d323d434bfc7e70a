//! Runs the effects of a change: on objects, tags and queues.

use aws::{EventTask, StoreError, StoreErrorKind};
use domain::id::{FileId, Version};
use domain::machine::{Effect, Event};
use domain::post_verdict::Quarantine;
use domain::record::Record;
use domain::timestamp::Timestamp;

use crate::{Applied, Transitions};

impl Transitions<'_> {
    /// Runs all effects except the scan, and applies the events that report them as done.
    ///
    /// Idempotent, except for messages, whose receivers accept duplicates. A tag that cannot be written is an
    /// error, because bucket policies may depend on it: the record says so, the file cannot be downloaded,
    /// and the sweep writes the tag again, unless the scan's message is redelivered before that. Bytes that
    /// cannot be removed and scans that cannot be queued are errors as well; they stay due for the sweep. A
    /// publication that cannot be requested is only logged: the sweep retries it.
    pub async fn run_effects(self, applied: &Applied, now: Timestamp) -> Result<(), StoreError> {
        let record = &applied.record;
        let file = record.file_id;
        // First, so that subscribers do not wait for storage.
        if applied.effects.contains(&Effect::Publish) {
            self.request_publication(file).await;
        }
        for effect in &applied.effects {
            match effect {
                Effect::Purge if record.is_on_demand() => {
                    self.purge(record).await?;
                    self.stores.ledger.remove(record).await?;
                }
                Effect::Purge => {
                    self.purge(record).await?;
                    self.report(file, &Event::Purged, now).await?;
                }
                Effect::PurgeOthers { keep } => {
                    self.purge_others(record, keep).await?;
                    self.report(file, &Event::Purged, now).await?;
                }
                Effect::Tag { version } => self.tag(record, version, now).await?,
                Effect::Quarantine { version, how } => {
                    self.stores.objects.quarantine(record, version, *how).await?;
                    let done = Event::Quarantined { version_id: version.version_id.clone(), how: *how };
                    self.report(file, &done, now).await?;
                }
                Effect::QueueScan { version } => self.queue_scan(record, version).await?,
                Effect::Publish | Effect::Scan { .. } => {}
            }
        }
        Ok(())
    }

    /// Applies an event that reports an effect as done. Such events have no effects of their own.
    async fn report(self, file: FileId, done: &Event, now: Timestamp) -> Result<(), StoreError> {
        let applied = self.apply(file, done, now).await?;
        debug_assert!(applied.is_none_or(|applied| applied.effects.is_empty()), "{done:?}");
        Ok(())
    }

    /// Removes every version under the file's key. Under a key that the service did not issue, removes only
    /// the file's version, and in a protected bucket nothing unless that is allowed.
    async fn purge(self, record: &Record) -> Result<(), StoreError> {
        let objects = &self.stores.objects;
        if let Some(incoming) = record.incoming_version() {
            if self.policy.may_remove(record) {
                objects.remove_incoming(incoming).await?;
            }
        } else {
            // Abort first: an object that was completed in the meantime is then found by the purge.
            if let Some(upload) = record.multipart() {
                objects.abort_multipart(&record.object_key(), upload.upload_id.as_str()).await?;
            }
            objects.purge(record.file_id, None).await?;
        }
        match record.quarantined {
            Some(Quarantine::Move) => objects.purge_quarantined(record.file_id).await,
            Some(Quarantine::Keep | Quarantine::Delete) | None => Ok(()),
        }
    }

    /// Removes every version under the file's key but `keep`. Other versions under a key that the service did
    /// not issue are other files.
    async fn purge_others(self, record: &Record, keep: &Version) -> Result<(), StoreError> {
        if record.incoming_version().is_some() {
            return Ok(());
        }
        self.stores.objects.purge(record.file_id, Some(&keep.version_id)).await
    }

    async fn queue_scan(self, record: &Record, version: &Version) -> Result<(), StoreError> {
        let queue = self.stores.queues.scans.as_ref();
        let queue = queue.ok_or_else(|| StoreError::new("queue a scan", StoreErrorKind::Unexpected))?;
        queue.request_scan(record, version).await
    }

    async fn request_publication(self, file: FileId) {
        let Some(queue) = &self.stores.queues.events else { return };
        if let Err(error) = queue.request(&EventTask::Publish(file)).await {
            tracing::warn!(
                file.id = %file,
                error = aws::log::chain(&error),
                "could not request the publication of events; the sweep retries it"
            );
        }
    }

    /// Writes the tag of the record's status, and notes in the record if that failed, or that it no longer
    /// fails.
    async fn tag(self, record: &Record, version: &Version, now: Timestamp) -> Result<(), StoreError> {
        if let Err(error) = self.write_tag(record, version).await {
            let failed = Event::TagFailed { version_id: version.version_id.clone() };
            self.report(record.file_id, &failed, now).await?;
            return Err(error);
        }
        let Some(due_at) = record.post_verdict().and_then(|post_verdict| post_verdict.tag_due_at) else {
            return Ok(());
        };
        match self.apply(record.file_id, &Event::Tagged { due_at }, now).await? {
            // The verdict changed meanwhile, and this tag may have replaced that of the new one.
            Some(Applied { record: newer, .. }) if newer.status() != record.status() => {
                self.write_tag(&newer, version).await
            }
            _ => Ok(()),
        }
    }

    async fn write_tag(self, record: &Record, version: &Version) -> Result<(), StoreError> {
        let tags = &self.stores.tags;
        let (name, value) = (tags.key(), tags.value(record.status()));
        match self.stores.objects.tag(&record.object_key(), &version.version_id, name, &value).await {
            // The object was deleted meanwhile: there is nothing to tag.
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
            tagged => tagged,
        }
    }
}
