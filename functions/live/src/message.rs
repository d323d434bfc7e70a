//! Builds the server-sent events.

use std::time::Duration;

use axum::response::sse::Event;
use domain::history::{EventId, EventKind};
use domain::id::FileId;
use domain::record::{Record, Status};
use domain::timestamp::Timestamp;
use serde::Serialize;
use web::view::{FileInfo, message};

use crate::position::Position;

/// A change of a file, with its current state.
#[derive(Debug, Serialize)]
struct Changed {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The same as in webhooks; absent for changes that webhooks do not report.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    at: String,
    file_info: FileInfo,
    message: String,
}

/// The progress of a file that has no verdict yet.
#[derive(Debug, Serialize)]
struct Progress {
    #[serde(rename = "type")]
    kind: &'static str,
    file_id: FileId,
    phase: &'static str,
    elapsed_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_seconds: Option<f64>,
}

/// An entry of the history.
pub(crate) fn entry(record: &Record, seq: u32, kind: EventKind, at: Timestamp) -> Event {
    let id = EventId { file: record.file_id, seq };
    changed(kind.name(), Some(id), record, at, Position::at_entry(record.file_id, seq, at))
}

/// Any other visible change, such as a new file or a new name.
pub(crate) fn updated(record: &Record) -> Event {
    let position = Position::at_entry(record.file_id, record.history.last_seq(), record.changed_at);
    changed("file.updated", None, record, record.changed_at, position)
}

fn changed(
    kind: &'static str,
    id: Option<EventId>,
    record: &Record,
    at: Timestamp,
    position: Position,
) -> Event {
    let data = Changed {
        kind,
        event_id: id.map(|id| id.to_string()),
        at: at.to_string(),
        file_info: FileInfo::from(record),
        message: message(record),
    };
    json(Event::default().event("file").id(position.to_string()), &data)
}

/// Has no id: a client that reconnects does not need it.
pub(crate) fn progress(record: &Record, elapsed: Duration, estimated: Option<Duration>) -> Event {
    let data = Progress {
        kind: "progress",
        file_id: record.file_id,
        phase: match record.status() {
            Status::Scanning => "scanning",
            _ if record.state.version().is_some() => "queued",
            _ => "waiting_for_upload",
        },
        elapsed_seconds: elapsed.as_secs_f64(),
        estimated_seconds: estimated.map(|estimated| estimated.as_secs_f64()),
    };
    json(Event::default().event("progress"), &data)
}

fn json(event: Event, data: &impl Serialize) -> Event {
    // Our own values can always be serialized, and their JSON has no line breaks.
    event.json_data(data).unwrap_or_default()
}
