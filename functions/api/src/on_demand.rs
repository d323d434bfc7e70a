//! Judges the bytes of a request while it waits: they go the way of every upload, as a temporary file.
//!
//! The file is neither listed, downloaded nor reported in events, and it is removed before the answer, its
//! record included. If the process ends before that, the sweep removes it after
//! [`UploadPolicy::ON_DEMAND_TTL`].

use axum::body::Bytes;
use domain::id::{FileId, OwnerId};
use domain::machine::Event;
use domain::record::{Record, UploadMethod};
use domain::upload::{AllowedExtensions, Upload, UploadPolicy, UploadRequest, accept};
use domain::verdict::Verdict;
use futures_util::Stream;
use tokio::time::Instant;
use web::{ApiError, WatchedFile};

use crate::streaming::{self, StreamedFile};
use crate::{App, complete, status};

/// What is known about the bytes before they come.
#[derive(Clone, Debug)]
pub(crate) struct OnDemandRequest<'a> {
    pub(crate) owner: OwnerId,
    /// Opens the bytes if they are encrypted; an empty one is none.
    pub(crate) password: Option<&'a str>,
    /// The most bytes that can come.
    pub(crate) announced_bytes: u64,
    /// More bytes are refused.
    pub(crate) limit_bytes: u64,
}

/// Stores the bytes and returns the record with its verdict. The time that the client takes to send the bytes
/// does not count.
pub(crate) async fn judge(
    app: &App,
    request: OnDemandRequest<'_>,
    bytes: impl Stream<Item = Result<Bytes, ApiError>>,
) -> Result<Record, ApiError> {
    let record = store(app, request, bytes).await?;
    judged(app, record, Instant::now() + app.settings.longest_scan_wait).await
}

/// Returns the record with its verdict, about exactly the bytes that were stored for it. The record and the
/// bytes are removed by then. [`ApiError::NoVerdict`] if they could not be judged in time.
pub(crate) async fn judged(app: &App, record: Record, deadline: Instant) -> Result<Record, ApiError> {
    let app = app.clone();
    // A task of its own: a client that disconnects must not leave the file behind.
    let judged = tokio::spawn(async move {
        let (file, judged) = (record.file_id, verdict(&app, record, deadline).await);
        discard(&app, file).await;
        judged
    });
    judged.await.map_err(|_| ApiError::Internal)?
}

/// Stores the bytes as a file on demand.
pub(crate) async fn store(
    app: &App,
    request: OnDemandRequest<'_>,
    bytes: impl Stream<Item = Result<Bytes, ApiError>>,
) -> Result<Record, ApiError> {
    let wanted = StreamedFile {
        owner: request.owner,
        upload: accepted(app, request.password)?,
        method: UploadMethod::OnDemand,
        announced_bytes: request.announced_bytes,
        limit_bytes: request.limit_bytes,
    };
    streaming::store(app, wanted, bytes).await
}

/// The upload of bytes without a name. Which extensions are accepted does not matter, because the file is not
/// given out.
fn accepted(app: &App, password: Option<&str>) -> Result<Upload, ApiError> {
    let policy = UploadPolicy { allowed_extensions: AllowedExtensions::All, ..app.uploads.clone() };
    let password = password.filter(|password| !password.is_empty());
    Ok(accept(&UploadRequest { filename: "file", password, ..UploadRequest::default() }, &policy)?)
}

/// Requests the scan and waits for its verdict.
async fn verdict(app: &App, record: Record, deadline: Instant) -> Result<Record, ApiError> {
    let (ledger, file) = (&app.stores.ledger, record.file_id);
    complete::finish(app, record, None).await?;
    let changes = ledger.watch_file(file);
    let record = ledger.load(file).await?.ok_or(ApiError::FileNotFound)?;
    let record = status::until(app, WatchedFile { record, changes }, deadline, |_| false).await?;
    match record.judgement().map(|judgement| &judgement.verdict) {
        Some(Verdict::Clean(_) | Verdict::Infected { .. } | Verdict::Unscannable { .. }) => Ok(record),
        Some(Verdict::Error { reason }) => Err(ApiError::NoVerdict { reason: reason.code() }),
        None => Err(ApiError::NoVerdict { reason: "timeout" }),
    }
}

/// Removes the file with its record. If this fails, the sweep removes them.
async fn discard(app: &App, file: FileId) {
    if let Err(error) = app.apply(file, &Event::OwnerDeleted).await {
        tracing::warn!(file.id = %file, %error, "a file on demand is left to the sweep");
    }
}
