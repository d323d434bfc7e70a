//! Creates the record of an object that was uploaded outside the API, when the first event of its version
//! arrives.

use std::time::Duration;

use aws::env::{ConfigError, Env};
use aws::{Kind, NewFile, StoreError};
use domain::id::{FileId, OwnerId, Version};
use domain::incoming::Incoming;
use domain::record::Record;
use domain::usage::Quotas;

use crate::Context;

/// The terms for files that were not created through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomingTerms {
    pub retention: Duration,
    /// Whether they count against their owners' quotas. They are never refused: the bytes are already stored.
    pub is_metered: bool,
}

impl IncomingTerms {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self { retention: env.retention()?, is_metered: env.quotas()? != Quotas::NONE })
    }
}

/// Makes sure that the version has a record. Idempotent, also concurrently: one record is created.
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
        Ok(_) => tracing::info!(file.id = %file, "a record was created for an incoming object"),
        Err(error) if error.kind == Kind::PreconditionFailed => {}
        Err(error) => return Err(error),
    }
    Ok(file)
}
