//! `/files/{id}/parts`: presigns and lists the parts of a multipart upload, which `POST /files` creates and
//! `POST /files/{id}/complete` completes.

use std::collections::BTreeMap;

use aws::PartRequest;
use axum::extract::State;
use domain::id::Sha256;
use domain::parts::{self, MAX_PARTS_PER_REQUEST, MultipartUpload, PartsError, Whole};
use domain::record::{Record, State as FileState};
use domain::timestamp::Timestamp;
use domain::upload::UploadPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{ApiError, FilePath, Json, NoSuchFile, OwnedFile, Problem, Refused};

use crate::App;

/// The parts to presign.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedParts {
    #[schema(min_items = 1, max_items = 100)]
    parts: Vec<WantedPart>,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedPart {
    /// From 1.
    #[schema(example = 1, minimum = 1)]
    part_number: u32,
    /// Hexadecimal or base64; required if the upload was created with `part_checksums`.
    checksum_sha256: Option<String>,
}

/// How to send parts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PartInstructions {
    parts: Vec<PartInstruction>,
}

/// PUT the part's bytes to `url`, with these headers. Browsers set `content-length` themselves.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PartInstruction {
    part_number: u32,
    url: String,
    headers: BTreeMap<String, String>,
    /// Absent if the size of the upload is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
}

/// The state of a multipart upload.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PartList {
    /// Bytes of every part but the last; absent if the upload was created by another protocol, without its
    /// size.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part_count: Option<u64>,
    /// Whether the client must declare the SHA-256 of each part.
    part_checksums: bool,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
    parts: Vec<StoredPart>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StoredPart {
    part_number: u32,
    size: u64,
    etag: String,
    /// Hexadecimal; only if the upload was created with `part_checksums`.
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_sha256: Option<String>,
}

/// Presign the upload of parts
///
/// Each request is valid for at most 15 minutes and for exactly this part's length. A part can be sent again
/// until the upload is complete.
#[utoipa::path(post, path = "/files/{file_id}/parts", operation_id = "presignParts",
    tag = "files",
    request_body = WantedParts, params(FilePath),
    responses(
        (status = 200, description = "One request for each part", body = PartInstructions),
        Refused,
    ))]
pub(crate) async fn presign(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
    Json(body): Json<WantedParts>,
) -> Result<axum::Json<PartInstructions>, ApiError> {
    let now = aws::clock::now();
    let upload = open_upload(&record, now)?;
    if body.parts.is_empty() || body.parts.len() > MAX_PARTS_PER_REQUEST {
        return Err(PartsError::WrongNumber.into());
    }
    // No part is presigned unless all of the requested parts are valid.
    let whole = record.whole(app.uploads.max_file_size);
    let wanted = body.parts.iter().map(|part| part_request(whole, upload, part));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let ttl = UploadPolicy::UPLOAD_TTL.min(record.upload_deadline.since(now));
    let mut parts = Vec::with_capacity(wanted.len());
    for part in wanted {
        let (objects, key) = (&app.stores.objects, record.object_key());
        let presigned = objects.presign_part(&key, &upload.upload_id, part, ttl, now).await?;
        parts.push(PartInstruction {
            part_number: part.number,
            url: presigned.url,
            headers: presigned.headers,
            size: part.size_bytes,
            expires_at: presigned.expires_at.to_string(),
        });
    }
    Ok(axum::Json(PartInstructions { parts }))
}

/// List the uploaded parts
///
/// A client resumes an interrupted upload by sending the missing parts.
#[utoipa::path(get, path = "/files/{file_id}/parts", operation_id = "listParts",
    tag = "files", params(FilePath),
    responses(
        (status = 200, description = "The parts that storage has", body = PartList),
        NoSuchFile,
        (status = 409, description = "Not a multipart upload, or completed or expired",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
) -> Result<axum::Json<PartList>, ApiError> {
    let upload = open_upload(&record, aws::clock::now())?;
    let found = match app.stores.objects.list_parts(&record.object_key(), &upload.upload_id).await {
        Err(error) if error.kind == aws::StoreErrorKind::NotFound => return Err(PartsError::Over.into()),
        found => found?,
    };
    let parts = found.into_iter().map(|part| StoredPart {
        part_number: part.number,
        size: part.size_bytes,
        etag: part.etag.to_string(),
        checksum_sha256: part.sha256.map(|digest| digest.to_string()),
    });
    Ok(axum::Json(PartList {
        part_size: record.declared_size.map(|_| parts::PART_BYTES),
        part_count: record.declared_size.map(parts::n_parts),
        part_checksums: upload.has_checksums,
        expires_at: record.upload_deadline.to_string(),
        parts: parts.collect(),
    }))
}

/// The multipart upload of a record. Errors: the record has none, or no more parts can be added.
pub(crate) fn open_upload(record: &Record, now: Timestamp) -> Result<&MultipartUpload, ApiError> {
    let upload = record.multipart().ok_or(PartsError::NotInParts)?;
    match record.state {
        FileState::Expired | FileState::Deleted => Err(domain::access::AccessError::Gone.into()),
        FileState::Awaiting if now < record.upload_deadline => Ok(upload),
        _ => Err(PartsError::Over.into()),
    }
}

fn part_request(whole: Whole, upload: &MultipartUpload, part: &WantedPart) -> Result<PartRequest, ApiError> {
    let number = part.part_number;
    let size_bytes = whole.part_size(number)?;
    let sha256 = match (part.checksum_sha256.as_deref().map(Sha256::parse), upload.has_checksums) {
        (Some(Ok(digest)), true) => Some(digest),
        (None, false) => None,
        (None | Some(Err(_)), true) => return Err(PartsError::ChecksumNeeded { number }.into()),
        (Some(_), false) => return Err(PartsError::ChecksumUnused { number }.into()),
    };
    Ok(PartRequest { number, size_bytes, sha256 })
}
