//! `GET /dead-letters` and `POST /dead-letters/redrive`: scan requests that failed too often.

use aws::events::{self, S3Event};
use axum::extract::State;
use domain::record::State as FileState;
use domain::verdict::Verdict;
use serde::Serialize;
use utoipa::ToSchema;
use web::{Admin, ApiError, Refused};

use crate::App;

/// The dead letters, or some of them if there are many.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterList {
    /// Approximate number of dead letters.
    total: u64,
    dead_letters: Vec<DeadLetterInfo>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterInfo {
    message_id: String,
    /// The file that the message is about, if the message can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<String>,
    /// Why the message failed, or the current state of its file.
    #[schema(example = "engine_trouble")]
    reason: String,
}

/// The number of messages that were sent to the scan queue again.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Redriven {
    moved: u64,
}

/// List dead letters: scan requests that failed too often
#[utoipa::path(get, path = "/dead-letters", operation_id = "listDeadLetters",
    tag = "operators",
    responses(
        (status = 200, description = "Dead letters with their reasons", body = DeadLetterList),
        Refused,
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    _admin: Admin,
) -> Result<axum::Json<DeadLetterList>, ApiError> {
    let Some(queue) = &app.dead_letters else { return Err(ApiError::RouteNotFound) };
    let (letters, backlog) = (queue.list().await?, queue.backlog().await?);
    let mut dead_letters = Vec::with_capacity(letters.len());
    for letter in letters {
        let (file_id, reason) = explain(&app, &letter.body).await?;
        dead_letters.push(DeadLetterInfo { message_id: letter.message_id, file_id, reason });
    }
    let listed = u64::try_from(dead_letters.len()).unwrap_or(u64::MAX);
    Ok(axum::Json(DeadLetterList { total: listed.max(backlog.n_waiting), dead_letters }))
}

/// Redrive all dead letters to the scan queue
#[utoipa::path(post, path = "/dead-letters/redrive", operation_id = "redriveDeadLetters",
    tag = "operators",
    responses(
        (status = 200, description = "The number of messages that were sent again", body = Redriven),
        Refused,
    ))]
pub(crate) async fn redrive(
    State(app): State<App>,
    Admin(operator): Admin,
) -> Result<axum::Json<Redriven>, ApiError> {
    let Some(queue) = &app.dead_letters else { return Err(ApiError::RouteNotFound) };
    let moved = queue.redrive().await?;
    tracing::info!(dead_letters.moved = moved, operator = %operator, "dead letters were redriven");
    Ok(axum::Json(Redriven { moved }))
}

/// The file, and what its record says about why the message failed.
async fn explain(app: &App, body: &str) -> Result<(Option<String>, String), ApiError> {
    let notices = match events::read_body(body, &app.stores.event_rules()) {
        Ok(notices) => notices,
        Err(error) => return Ok((None, error.to_string())),
    };
    let Some(file) = notices.iter().find_map(S3Event::file_id) else {
        return Ok((None, "not about a file of this service".to_owned()));
    };
    let record = app.stores.ledger.load(file).await?;
    let reason = match record.as_ref().map(|record| &record.state) {
        None => "no record of this file",
        Some(FileState::Judged { judgement, .. }) => match &judgement.verdict {
            Verdict::Unscannable { reason } => reason.code(),
            Verdict::Error { reason } => reason.code(),
            Verdict::Clean(_) | Verdict::Infected { .. } => "already judged",
        },
        Some(FileState::Queued { .. }) => "earlier scans were inconclusive; the sweep retries",
        Some(FileState::Scanning { .. }) => "being scanned now",
        Some(FileState::Awaiting) => "the upload is not recorded yet",
        Some(FileState::Expired | FileState::Deleted) => "expired or deleted",
    };
    Ok((Some(file.to_string()), reason.to_owned()))
}
