//! `POST /better-upload`: the server side of `@better-upload/client` 3.
//!
//! Sources: the client, and `@better-upload/server` 3.0. The requests for all parts are signed together, so
//! they stay valid as long as the upload.

use aws::PutRequest;
use axum::extract::State;
use domain::parts::{PART_BYTES, n_parts};
use domain::password::Password;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::upload::{Upload, UploadError, UploadPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use web::{ApiError, Json, Problem};

use super::{PublicOrigin, Uploader, companion, sign_request};
use crate::App;
use crate::create_upload::{Transfer, create_upload};

/// A file may need hundreds of signatures.
const MAX_FILES: usize = 20;
/// If a file is larger, all files of the request are uploaded in parts.
const MAX_WHOLE_BYTES: u64 = 100 * 1024 * 1024;

/// The files to upload. The `route` is ignored.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct NewFiles {
    #[schema(min_items = 1, max_items = 20)]
    files: Vec<ClientFile>,
    #[serde(default)]
    metadata: Option<ClientMetadata>,
}

/// What a page passes to the client as `metadata`; other members are ignored.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct ClientMetadata {
    /// Opens the files that are encrypted. See `POST /files`.
    #[schema(write_only, min_length = 1, max_length = 255)]
    password: Option<String>,
}

/// A file as the browser describes it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct ClientFile {
    name: String,
    /// Bytes.
    size: u64,
    /// A content type, or empty.
    r#type: String,
}

/// Presigned requests for whole files, or for their parts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum SignedFiles {
    Whole { files: Vec<WholeFile>, metadata: FileIds },
    Parts { multipart: FilesInParts, metadata: FileIds },
}

/// The files' ids, in the order of the request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FileIds {
    file_ids: Vec<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WholeFile {
    signed_url: String,
    headers: BTreeMap<String, String>,
    file: SignedFile,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilesInParts {
    part_size: u64,
    files: Vec<FileInParts>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileInParts {
    file: SignedFile,
    parts: Vec<SignedPart>,
    upload_id: String,
    complete_signed_url: String,
    abort_signed_url: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedPart {
    signed_url: String,
    part_number: u32,
    size: u64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedFile {
    #[serde(flatten)]
    file: ClientFile,
    object_info: ObjectInfo,
}

/// The file's id is the last part of the key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ObjectInfo {
    key: String,
    /// Always empty: the client would send it to storage, which keeps no such metadata.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// better-upload: create uploads
#[utoipa::path(post, path = "/better-upload", operation_id = "createBetterUploads",
    tag = "upload-clients", request_body = NewFiles,
    responses(
        (status = 200, description = "The requests to send", body = SignedFiles),
        (status = "4XX", description = "All files are refused",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn sign(
    State(app): State<App>,
    uploader: Uploader,
    origin: PublicOrigin,
    Json(body): Json<NewFiles>,
) -> Result<axum::Json<SignedFiles>, ApiError> {
    let now = aws::clock::now();
    if body.files.is_empty() || body.files.len() > MAX_FILES {
        return Err(ApiError::WrongNumberOfFiles { max: MAX_FILES });
    }
    // No upload is created unless all of the files are acceptable.
    let password = body.metadata.and_then(|metadata| metadata.password);
    let password = password.as_deref().map(Password::parse).transpose().map_err(UploadError::from)?;
    let uploads = body.files.iter().map(|file| {
        let upload = super::accepted(&app, &file.name, Some(file.size), &file.r#type)?;
        Ok::<_, ApiError>(Upload { password: password.clone(), ..upload })
    });
    let uploads = uploads.collect::<Result<Vec<_>, _>>()?;
    let is_in_parts = body.files.iter().any(|file| file.size > MAX_WHOLE_BYTES);
    let (mut whole, mut in_parts, mut file_ids) = (vec![], vec![], vec![]);
    for (file, upload) in body.files.into_iter().zip(uploads) {
        let transfer = if is_in_parts { Transfer::Parts { has_checksums: false } } else { Transfer::Put };
        let record = create_upload(&app, uploader.owner.clone(), upload.clone(), transfer, None, now).await?;
        file_ids.push(record.file_id.to_string());
        if is_in_parts {
            in_parts.push(parts_of(&app, &origin, &record, file, now).await?);
        } else {
            whole.push(put_of(&app, &record, file, &upload, now).await?);
        }
    }
    let metadata = FileIds { file_ids };
    Ok(axum::Json(if is_in_parts {
        SignedFiles::Parts { multipart: FilesInParts { part_size: PART_BYTES, files: in_parts }, metadata }
    } else {
        SignedFiles::Whole { files: whole, metadata }
    }))
}

async fn put_of(
    app: &App,
    record: &Record,
    file: ClientFile,
    upload: &Upload,
    now: Timestamp,
) -> Result<WholeFile, ApiError> {
    // The client sends the file's type unchanged, even if it is empty, so only that type can be signed.
    let content_type = Some(upload.content_type.as_str()).filter(|signed| *signed == file.r#type);
    let put = PutRequest { content_type, ..PutRequest::from(upload) };
    let mut presigned = super::presign_put(app, record, put, now).await?;
    // The client adds this header itself; with this one the request would have it twice.
    presigned.headers.remove("content-type");
    Ok(WholeFile { signed_url: presigned.url, headers: presigned.headers, file: signed_file(record, file) })
}

async fn parts_of(
    app: &App,
    origin: &PublicOrigin,
    record: &Record,
    file: ClientFile,
    now: Timestamp,
) -> Result<FileInParts, ApiError> {
    let mut parts = vec![];
    for part_number in 1..=u32::try_from(n_parts(file.size)).unwrap_or(u32::MAX) {
        let (signed_url, _) =
            companion::part_url(app, record, part_number, UploadPolicy::MULTIPART_TTL, now).await?;
        let size = domain::parts::part_size(file.size, part_number).unwrap_or(0);
        parts.push(SignedPart { signed_url, part_number, size });
    }
    let url = sign_request::multipart_url(app, origin, record, now)?;
    Ok(FileInParts {
        parts,
        upload_id: super::multipart(record)?.upload_id.to_string(),
        complete_signed_url: url.clone(),
        abort_signed_url: url,
        file: signed_file(record, file),
    })
}

fn signed_file(record: &Record, file: ClientFile) -> SignedFile {
    let key = record.object_key().to_string();
    SignedFile { file, object_info: ObjectInfo { key, metadata: Map::new() } }
}
