//! Extracts the caller's own file, so that no handler can forget to check the owner.

use aws::{Ledger, RecordWatch};
use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::request::Parts;
use domain::id::{FileId, OwnerId};
use domain::record::Record;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{ApiError, Caller, Identity};

/// The record of the caller's file that the route's `{file_id}` names. A file of another owner, an unknown id
/// and a malformed id all yield the same 404.
#[derive(Clone, Debug)]
pub struct OwnedFile(pub Record);

/// The same, and the changes of the record that this process makes from then on.
#[derive(Debug)]
pub struct WatchedFile {
    pub record: Record,
    pub changes: RecordWatch,
}

/// The parameter of routes that take an [`OwnedFile`].
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct FilePath {
    /// The file's id, from the answer to its upload.
    #[param(format = "uuid", example = "123e4567-e89b-42d3-a456-426614174000")]
    file_id: String,
}

impl OwnedFile {
    /// Loads the file as the extractor does, for an id that is not in the path.
    pub async fn load(ledger: &Ledger, owner: &OwnerId, file_id: &str) -> Result<Self, ApiError> {
        let file = FileId::parse(file_id).map_err(|_| ApiError::FileNotFound)?;
        let record = ledger.load(file).await?.ok_or(ApiError::FileNotFound)?;
        // A file on demand belongs to the request that waits for its verdict.
        if record.owner == *owner && !record.is_on_demand() {
            Ok(Self(record))
        } else {
            Err(ApiError::FileNotFound)
        }
    }
}

impl<S> FromRequestParts<S> for OwnedFile
where
    S: Send + Sync,
    Identity: FromRef<S>,
    Ledger: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (caller, file_id) = named(parts, state).await?;
        Self::load(&Ledger::from_ref(state), &caller.owner, &file_id).await
    }
}

impl<S> FromRequestParts<S> for WatchedFile
where
    S: Send + Sync,
    Identity: FromRef<S>,
    Ledger: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (caller, file_id) = named(parts, state).await?;
        let ledger = Ledger::from_ref(state);
        // Before the record is read, or a change between the two would be missed.
        let changes = ledger.watch_file(FileId::parse(&file_id).map_err(|_| ApiError::FileNotFound)?);
        let OwnedFile(record) = OwnedFile::load(&ledger, &caller.owner, &file_id).await?;
        Ok(Self { record, changes })
    }
}

/// Returns the caller and the id in the path.
async fn named<S>(parts: &mut Parts, state: &S) -> Result<(Caller, String), ApiError>
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    let caller = Caller::from_request_parts(parts, state).await?;
    let path = Path::<FilePath>::from_request_parts(parts, state).await;
    let Path(FilePath { file_id }) = path.map_err(|_| ApiError::FileNotFound)?;
    Ok((caller, file_id))
}
