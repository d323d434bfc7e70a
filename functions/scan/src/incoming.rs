//! Creates the record of an object that was uploaded outside the API, when the first event of its version
//! arrives.

use std::time::Duration;

use aws::StoreError;
use domain::id::{FileId, OwnerId, Version};
use domain::incoming::Incoming;
use domain::usage::Quotas;
use lifecycle::NewIncoming;
use settings::{QuotaSettings, UploadSettings};

use crate::Context;

/// The terms for files that were stored outside the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingTerms {
    pub retention: Duration,
    /// Whether they count against their owners' quotas. They are never refused: the bytes are already stored.
    pub is_metered: bool,
}

impl IncomingTerms {
    pub fn of(uploads: &UploadSettings, quotas: &QuotaSettings) -> Self {
        Self { retention: uploads.retention, is_metered: quotas.quotas() != Quotas::NONE }
    }
}

/// Makes sure that the version has a record. Idempotent, also concurrently: one record is created.
pub(crate) async fn receive(
    context: &Context,
    incoming: Incoming,
    owner: OwnerId,
    version: &Version,
) -> Result<FileId, StoreError> {
    let file = incoming.file_id();
    if context.stores.ledger.load(file).await?.is_some() {
        return Ok(file);
    }
    let IncomingTerms { retention, is_metered } = context.incoming;
    let new = NewIncoming { incoming, owner, version: version.clone(), retention, is_metered };
    if context.transitions().create_incoming(new, aws::clock::now()).await? {
        tracing::info!(file.id = %file, "a record was created for an incoming object");
    }
    Ok(file)
}
