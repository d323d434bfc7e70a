//! `POST /rails/active_storage/direct_uploads`: direct uploads for `@rails/activestorage`.
//!
//! Sources: the client, and Rails 8.1 (`active_storage/direct_uploads_controller.rb`). The client declares
//! the size and the MD5 beforehand, and storage accepts no other bytes.

use std::collections::BTreeMap;

use aws::PutRequest;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use web::{ApiError, Json, Refused};

use super::Uploader;
use crate::App;
use crate::create_upload::{Transfer, create_upload};

#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct NewBlob {
    blob: Blob,
}

/// A file as Rails describes it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Blob {
    filename: String,
    #[serde(default)]
    content_type: Option<String>,
    byte_size: u64,
    /// The MD5 of the file in base64.
    #[schema(example = "XUFAKrxLKna5cZ2REBfFkg==")]
    checksum: String,
}

/// The new file, and how to upload it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CreatedBlob {
    /// The file's id.
    id: String,
    key: String,
    /// The file's id, which a form sends to your application.
    signed_id: String,
    #[serde(flatten)]
    blob: Blob,
    direct_upload: DirectUpload,
}

/// PUT the file to `url`, with these headers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DirectUpload {
    url: String,
    headers: BTreeMap<String, String>,
}

/// Active Storage: create a direct upload
#[utoipa::path(post, path = "/rails/active_storage/direct_uploads",
    operation_id = "createActiveStorageUpload", tag = "upload-clients",
    request_body = NewBlob,
    responses(
        (status = 200, description = "Upload to `direct_upload.url`", body = CreatedBlob),
        Refused,
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    uploader: Uploader,
    Json(NewBlob { blob }): Json<NewBlob>,
) -> Result<axum::Json<CreatedBlob>, ApiError> {
    let now = aws::clock::now();
    if STANDARD.decode(&blob.checksum).map_or(true, |digest| digest.len() != 16) {
        return Err(ApiError::InvalidMd5);
    }
    let content_type = blob.content_type.as_deref().unwrap_or_default();
    let upload = super::accepted(&app, &blob.filename, Some(blob.byte_size), content_type)?;
    let record = create_upload(&app, uploader.owner, upload.clone(), Transfer::Put, None, now).await?;
    let put = PutRequest { md5: Some(&blob.checksum), ..PutRequest::from(&upload) };
    let presigned = super::presign_put(&app, &record, put, now).await?;
    Ok(axum::Json(CreatedBlob {
        id: record.file_id.to_string(),
        signed_id: record.file_id.to_string(),
        key: record.object_key().to_string(),
        direct_upload: DirectUpload { url: presigned.url, headers: presigned.headers },
        blob,
    }))
}
