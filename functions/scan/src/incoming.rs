//! Creates the record of an object that was uploaded outside the API, when the first event of its version
//! arrives.

use std::time::Duration;

use aws::StoreError;
use domain::id::{FileId, OwnerId, Version};
use domain::incoming::Incoming;
use domain::machine::Event;
use domain::protected::ProtectedChanges;
use domain::usage::Quotas;
use lifecycle::NewIncoming;
use settings::{QuotaSettings, UploadSettings};

use crate::ScanContext;

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
    context: &ScanContext,
    incoming: Incoming,
    owner: OwnerId,
    version: &Version,
) -> Result<FileId, StoreError> {
    let file = incoming.file_id();
    if context.stores.ledger.load(file).await?.is_some() {
        return Ok(file);
    }
    let IncomingTerms { retention, is_metered } = context.incoming;
    let may_expire = context.machine.protected.deletes || !incoming.is_protected();
    let retention = if may_expire { retention } else { ProtectedChanges::FOREVER };
    let new = NewIncoming { incoming, owner, version: version.clone(), retention, is_metered };
    if context.transitions().create_incoming(new, aws::clock::now()).await? {
        tracing::info!(file.id = %file, "a record was created for an incoming object");
    }
    Ok(file)
}

/// Ends the file of a version that another application removed from its protected bucket. Idempotent; a
/// version without a file is none of the service's.
pub(crate) async fn lost(context: &ScanContext, incoming: &Incoming) -> Result<(), StoreError> {
    let lost = Event::VersionLost { version_id: incoming.version_id().clone() };
    let (transitions, now) = (context.transitions(), aws::clock::now());
    let Some(applied) = transitions.apply(incoming.file_id(), &lost, now).await? else { return Ok(()) };
    if applied.kept.is_none() {
        tracing::info!(file.id = %incoming.file_id(), "the version was removed from its bucket");
    }
    transitions.run_effects(&applied, now).await
}
