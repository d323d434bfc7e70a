//! Creates records, for uploads through the API in any protocol and for objects stored outside it.

use std::time::Duration;

use aws::{Created, IdempotencyKey, NewFile, StoreError, StoreErrorKind, Stores};
use domain::id::{FileId, OwnerId, Version};
use domain::incoming::Incoming;
use domain::password::SealedPassword;
use domain::record::{Record, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::{Upload, UploadPolicy};
use domain::usage::{QuotaError, Quotas};

use crate::Transitions;
use crate::transitions::write_id;

/// Creates the records of uploads through the API.
#[derive(Clone, Copy, Debug)]
pub struct UploadCreator<'a> {
    pub stores: &'a Stores,
    pub uploads: &'a UploadPolicy,
    pub quotas: &'a Quotas,
    /// After this time the sweep looks for bytes that arrived without an event.
    pub first_sweep_in: Duration,
}

/// An upload that the policy has accepted.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub file: FileId,
    pub owner: OwnerId,
    pub upload: Upload,
    pub method: UploadMethod,
    pub password: Option<SealedPassword>,
}

/// The result of a creation.
#[derive(Clone, Debug)]
pub enum Creation {
    New(Box<Record>),
    /// The idempotency key was used before for the same request, which created this file.
    Replay(FileId),
    /// The idempotency key was used before for another request.
    KeyReused,
    /// The owner has used up a quota.
    Exceeded(QuotaError),
}

impl UploadCreator<'_> {
    /// Creates a record, metered if there are quotas. With `once`, a repeated request returns the earlier
    /// file; without it, the result is [`Creation::New`] or [`Creation::Exceeded`]. Atomic, as
    /// [`aws::Ledger::create`] says.
    pub async fn create(
        &self,
        new: NewUpload,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Creation, StoreError> {
        let NewUpload { file, owner, upload, method, password } = new;
        let reserved_bytes = upload.declared_size.unwrap_or(self.uploads.max_file_size);
        let metered = (*self.quotas != Quotas::NONE).then_some(reserved_bytes);
        let record = Record::new(file, owner, upload, method, self.uploads, self.first_sweep_in, now);
        let record = Record { metered, password, ..record };
        let new_file = NewFile { record: &record, once, quotas: self.quotas };
        Ok(match self.stores.ledger.create(new_file, &write_id()).await? {
            Created::New => Creation::New(Box::new(record)),
            Created::Replay(earlier) => Creation::Replay(earlier),
            Created::KeyReused => Creation::KeyReused,
            Created::Exceeded(exceeded) => Creation::Exceeded(exceeded),
        })
    }
}

/// A version that was stored outside the API.
#[derive(Clone, Debug)]
pub struct NewIncoming {
    pub incoming: Incoming,
    pub owner: OwnerId,
    pub version: Version,
    pub retention: Duration,
    /// Whether it counts against its owner's quotas. It is never refused, because the bytes are already
    /// stored.
    pub is_metered: bool,
}

impl Transitions<'_> {
    /// Creates the record of a version that was stored outside the API, if there is none. Returns whether it
    /// was created. Idempotent and safe to call concurrently: only one record is created.
    pub async fn create_incoming(self, new: NewIncoming, now: Timestamp) -> Result<bool, StoreError> {
        let NewIncoming { incoming, owner, version, retention, is_metered } = new;
        let sweep_retry = self.policy.sweep_retry;
        let record = Record::incoming(incoming, owner, version, retention, sweep_retry, is_metered, now);
        let new_file = NewFile { record: &record, once: None, quotas: &Quotas::NONE };
        match self.stores.ledger.create(new_file, &write_id()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == StoreErrorKind::PreconditionFailed => Ok(false),
            Err(error) => Err(error),
        }
    }
}
