//! `GET /files/{id}/status`: answers immediately, or with `Prefer: wait=20` when the status changes.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::record::Record;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use utoipa::ToSchema;
use web::view::{FileInfo, message};
use web::{ApiError, FilePath, NoSuchFile, WatchedFile};

use crate::App;

/// The status, in the format of the original service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FileStatus {
    file_info: FileInfo,
    #[schema(example = "File is clean and safe to download.")]
    message: String,
}

/// Below the timeout of API Gateway, which is 30 seconds.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Show a file's status, or wait until it changes
#[utoipa::path(get, path = "/files/{file_id}/status", operation_id = "getFileStatus",
    tag = "files",
    params(
        ("Prefer" = Option<String>, Header,
            description = "`wait=N`: answer when the status changes or is final, \
                at the latest after N seconds, N up to 20 (RFC 7240)"),
        FilePath,
    ),
    responses(
        (status = 200, description = "The status", body = FileStatus),
        NoSuchFile,
    ))]
pub(crate) async fn show(
    State(app): State<App>,
    file: WatchedFile,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wait = preferred_wait(&headers);
    let record = match wait {
        Some(wait) => changed(&app, file, wait.min(MAX_WAIT)).await?,
        None => file.record,
    };
    let body = FileStatus { message: message(&record), file_info: FileInfo::from(&record) };
    let mut response = axum::Json(body).into_response();
    if let Some(wait) = wait
        && let Ok(applied) = HeaderValue::from_str(&format!("wait={}", wait.min(MAX_WAIT).as_secs()))
    {
        response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
    }
    Ok(response)
}

/// Waits until the record differs visibly from how it was read or `wait` is over, and returns the latest
/// record.
async fn changed(app: &App, file: WatchedFile, wait: Duration) -> Result<Record, ApiError> {
    let shown = |record: &Record| (record.status(), record.state.version().is_some());
    let first = shown(&file.record);
    until(app, file, Instant::now() + wait, |record| shown(record) != first).await
}

/// Waits until the file has its verdict, `is_enough` holds or the deadline has come, and returns the latest
/// record. Other processes' changes are found by polling.
pub(crate) async fn until(
    app: &App,
    file: WatchedFile,
    deadline: Instant,
    is_enough: impl Fn(&Record) -> bool,
) -> Result<Record, ApiError> {
    let WatchedFile { mut record, mut changes } = file;
    let ledger = &app.stores.ledger;
    while !record.status().is_terminal() && !is_enough(&record) && Instant::now() < deadline {
        let announced = tokio::select! {
            announced = changes.changed() => announced,
            () = sleep_until(deadline.min(Instant::now() + app.settings.poll_interval)) => None,
        };
        match announced {
            Some(newer) if newer.revision > record.revision => record = Record::clone(&newer),
            Some(_) => {}
            None => record = ledger.load(record.file_id).await?.ok_or(ApiError::FileNotFound)?,
        }
    }
    Ok(record)
}

fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut items = preferences.flat_map(|value| value.split(&[',', ';'][..]));
    items.find_map(|item| item.trim().strip_prefix("wait=")?.parse().ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preference_is_read() {
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", value.parse().unwrap());
            preferred_wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, wait=7"), Some(7));
        assert_eq!(wait("wait=x"), None);
        assert_eq!(wait("return=minimal"), None);
    }
}
