//! `GET /files`, and `GET`, `PATCH` and `DELETE /files/{id}`: lists, shows, edits and deletes files.

use std::collections::BTreeMap;

use aws::PageStart;
use axum::extract::State;
use axum::http::StatusCode;
use domain::id::{ObjectKey, OwnerId, Version};
use domain::incoming;
use domain::machine::{self, EditError, EditRequest, Event};
use domain::record::{Record, Status};
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::view::{FileInfo, StatusName};
use web::{ApiError, Caller, FilePath, Json, NoSuchFile, OwnedFile, QueryString, Refused};

use crate::App;
use crate::limit::page_limit;

/// The filters and the page.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// Only files with this status.
    #[param(value_type = Option<StatusName>)]
    status: Option<String>,
    /// At most this many, 1 to 100.
    #[param(default = 20, minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Only files under this key in the bucket, such as `uploads/123e4567-e89b-42d3-a456-426614174000`: one
    /// file, or one for each version if the key is below the incoming prefix.
    // No example: the API reference would fill it in as a filter.
    key: Option<String>,
}

/// One page of files, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FileList {
    files: Vec<FileInfo>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

const DEFAULT_LIMIT: u32 = 20;
/// With a filter, a page of the ledger may hold few matches. At most this many pages are read for one answer;
/// the client continues with the cursor.
const MAX_PAGES: usize = 10;
/// The newest versions of one key that are listed.
const MAX_VERSIONS: i32 = 100;

/// List your files
#[utoipa::path(get, path = "/files", operation_id = "listFiles",
    tag = "files", params(ListQuery),
    responses(
        (status = 200, description = "One page", body = FileList),
        Refused,
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    QueryString(query): QueryString<ListQuery>,
) -> Result<axum::Json<FileList>, ApiError> {
    let invalid = |what: &str| ApiError::InvalidQuery(what.to_owned());
    let limit = page_limit(query.limit, DEFAULT_LIMIT)?;
    let status =
        query.status.as_deref().map(|text| Status::parse(text).ok_or_else(|| invalid("unknown `status`")));
    let status = status.transpose()?;
    if let Some(key) = &query.key {
        let found = under_key(&app, &caller.owner, key).await?;
        let matching = found.iter().filter(|record| status.is_none_or(|status| record.status() == status));
        return Ok(axum::Json(FileList { files: matching.map(FileInfo::from).collect(), next_cursor: None }));
    }
    let start = query
        .cursor
        .as_deref()
        .map(|cursor| app.link_key.signer.read_cursor(&caller.owner, cursor))
        .transpose()?;
    let (records, next) = page(&app, &caller, status, limit, start).await?;
    let next_cursor = next.map(|next| app.link_key.signer.sign_cursor(&caller.owner, &next)).transpose()?;
    Ok(axum::Json(FileList { files: records.iter().map(FileInfo::from).collect(), next_cursor }))
}

/// The owner's files under a key. Some upload clients keep a file's key instead of its id.
async fn under_key(app: &App, owner: &OwnerId, key: &str) -> Result<Vec<Record>, ApiError> {
    let mut files = vec![];
    if let Ok(file) = ObjectKey::issued_for(key) {
        files.push(file);
    }
    let rules = app.stores.incoming.as_ref();
    if let Some(rules) = rules.filter(|rules| key.starts_with(rules.prefix())) {
        let listing = app.stores.objects.list_versions(key, None, MAX_VERSIONS).await?;
        let versions = listing.versions.iter().filter(|(found, _)| found == key);
        let read = |(key, version): &(String, Version)| match rules.read(key, &version.version_id) {
            incoming::KeyMatch::File { incoming, .. } => Some(incoming.file_id()),
            incoming::KeyMatch::Elsewhere | incoming::KeyMatch::Sidecar | incoming::KeyMatch::NoOwner => None,
        };
        files.extend(versions.filter_map(read));
    }
    let mut records = vec![];
    for file in files {
        let found = app.stores.ledger.load(file).await?;
        records.extend(found.filter(|record| record.owner == *owner && !record.is_on_demand()));
    }
    Ok(records)
}

async fn page(
    app: &App,
    caller: &Caller,
    status: Option<Status>,
    limit: u32,
    mut start: Option<PageStart>,
) -> Result<(Vec<Record>, Option<PageStart>), ApiError> {
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..MAX_PAGES {
        let wanted = i32::try_from(limit).unwrap_or(1) - i32::try_from(records.len()).unwrap_or(0);
        let listing = app.stores.ledger.list(&caller.owner, status, wanted, start).await?;
        records.extend(listing.records);
        start = listing.next;
        if start.is_none() || records.len() >= limit as usize {
            break;
        }
    }
    Ok((records, start))
}

/// Show a file
#[utoipa::path(get, path = "/files/{file_id}", operation_id = "getFile",
    tag = "files", params(FilePath),
    responses(
        (status = 200, description = "The file", body = FileInfo),
        NoSuchFile,
    ))]
pub(crate) async fn show(OwnedFile(record): OwnedFile) -> axum::Json<FileInfo> {
    axum::Json(FileInfo::from(&record))
}

/// Changes to a file; absent fields stay unchanged.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEdit {
    /// A new name with the same extension.
    filename: Option<String>,
    /// Replaces all tags.
    tags: Option<BTreeMap<String, String>>,
    max_downloads: Option<u32>,
    /// RFC 3339; not later than the retention allows.
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: Option<String>,
}

/// Change a file's name, tags, expiry or download limit
#[utoipa::path(patch, path = "/files/{file_id}", operation_id = "updateFile",
    tag = "files", request_body = FileEdit, params(FilePath),
    responses(
        (status = 200, description = "Changed", body = FileInfo),
        Refused,
    ))]
pub(crate) async fn edit(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
    Json(body): Json<FileEdit>,
) -> Result<axum::Json<FileInfo>, ApiError> {
    let expires_at = body.expires_at.as_deref().map(|text| {
        Timestamp::parse_rfc3339(text)
            .ok_or_else(|| ApiError::InvalidBody("`expires_at` must be RFC 3339".to_owned()))
    });
    let request = EditRequest {
        filename: body.filename,
        tags: body.tags,
        max_downloads: body.max_downloads,
        expires_at: expires_at.transpose()?,
    };
    if request.expires_at.is_some() && !app.machine.may_remove(&record) {
        return Err(ApiError::ProtectedObject);
    }
    let edit = machine::edit(&record, &request, &app.uploads, aws::clock::now())?;
    let record = app.apply(record.file_id, &Event::Edited { edit }).await?;
    // Another request may have deleted the file after the check, or it may have expired.
    match record.status() {
        Status::Expired | Status::Deleted => Err(EditError::Gone.into()),
        _ => Ok(axum::Json(FileInfo::from(&record))),
    }
}

/// Delete a file, all its versions and its links
#[utoipa::path(delete, path = "/files/{file_id}", operation_id = "deleteFile",
    tag = "files", params(FilePath),
    responses(
        (status = 204, description = "Deleted"),
        Refused,
    ))]
pub(crate) async fn delete(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
) -> Result<StatusCode, ApiError> {
    if !app.machine.may_remove(&record) {
        return Err(ApiError::ProtectedObject);
    }
    app.apply(record.file_id, &Event::OwnerDeleted).await?;
    Ok(StatusCode::NO_CONTENT)
}
