//! What others stored becomes a file: a record is made when the first event of a version comes.

use std::time::Duration;

use aws::{Kind, NewFile, StoreError};
use domain::id::{FileId, OwnerId, Version};
use domain::incoming::Incoming;
use domain::record::Record;
use domain::usage::Quotas;
use settings::{QuotaSettings, UploadSettings};

use crate::Context;

/// What holds for files that nobody announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingTerms {
    pub retention: Duration,
    /// Whether they count against their owners' quotas. They are never refused: the bytes are there already.
    pub is_metered: bool,
}

impl IncomingTerms {
    pub fn of(uploads: &UploadSettings, quotas: &QuotaSettings) -> Self {
        Self { retention: uploads.retention, is_metered: quotas.quotas() != Quotas::NONE }
    }
}

/// Sees to it that the version has a record. Safe to call for duplicates, and at the same time: one record is made.
pub(crate) async fn receive(
    context: &Context,
    incoming: Incoming,
    owner: OwnerId,
    version: &Version,
) -> Result<FileId, StoreError> {
    let (file, ledger) = (incoming.file_id(), &context.stores.ledger);
    if ledger.load(file).await?.is_some() {
        return Ok(file);
    }
    let IncomingTerms { retention, is_metered } = context.incoming;
    let look_again = context.machine.look_again;
    let now = aws::clock::now();
    let record = Record::incoming(incoming, owner, version.clone(), retention, look_again, is_metered, now);
    let write_id = aws::clock::random_uuid().to_string();
    let new = NewFile { record: &record, once: None, quotas: &Quotas::NONE };
    match ledger.create(new, &write_id).await {
        Ok(_) => tracing::info!(file.id = %file, "an incoming object is a file now"),
        Err(error) if error.kind == Kind::PreconditionFailed => {}
        Err(error) => return Err(error),
    }
    Ok(file)
}
