//! Creates uploads, for all protocols that clients use.

use aws::IdempotencyKey;
use domain::id::{FileId, ObjectKey, OwnerId};
use domain::parts::MultipartUpload;
use domain::record::{Record, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::Upload;
use lifecycle::{Creation, NewUpload};
use web::ApiError;

use crate::App;

/// How the bytes will be uploaded, before a multipart upload exists at storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    Put,
    Post,
    Parts { has_checksums: bool },
}

/// Creates the record of a file that `owner` will upload. If `once` was used before for the same request,
/// returns the earlier record.
pub(crate) async fn create_upload(
    app: &App,
    owner: OwnerId,
    upload: Upload,
    transfer: Transfer,
    once: Option<&IdempotencyKey>,
    now: Timestamp,
) -> Result<Record, ApiError> {
    let file = FileId::from_random(aws::clock::random_uuid());
    let password = app.sealed_password(&upload, file)?;
    app.check_room(wanted_bytes(app, &upload, transfer))?;
    let method = match transfer {
        Transfer::Put => UploadMethod::Put,
        Transfer::Post => UploadMethod::Post,
        // Created at storage first, because the record names the upload, so that it can be aborted.
        Transfer::Parts { has_checksums } => {
            let (objects, key) = (&app.stores.objects, ObjectKey::Issued(file));
            let upload_id = objects.begin_multipart(&key, &upload.content_type, has_checksums).await?;
            UploadMethod::Multipart(MultipartUpload { upload_id, has_checksums })
        }
    };
    let new = NewUpload { file, owner, upload, method: method.clone(), password };
    let created = app.creator().create(new, once, now).await;
    if !matches!(created, Ok(Creation::New(_))) {
        abandon(app, file, &method).await;
    }
    match created? {
        Creation::New(record) => Ok(*record),
        Creation::Replay(earlier) => app.stores.ledger.load(earlier).await?.ok_or(ApiError::FileNotFound),
        Creation::KeyReused => Err(ApiError::IdempotencyKeyReused),
        Creation::Exceeded(exceeded) => Err(ApiError::QuotaExceeded { exceeded, now }),
    }
}

/// The largest number of bytes that the upload occupies at storage. While parts are joined, storage keeps
/// them beside the whole file.
fn wanted_bytes(app: &App, upload: &Upload, transfer: Transfer) -> u64 {
    let size_bytes = upload.declared_size.unwrap_or(app.uploads.max_file_size);
    match transfer {
        Transfer::Put | Transfer::Post => size_bytes,
        Transfer::Parts { .. } => size_bytes.saturating_mul(2),
    }
}

/// Aborts the multipart upload of a record that was not created. If this fails, the bucket's lifecycle aborts
/// it.
async fn abandon(app: &App, file: FileId, method: &UploadMethod) {
    let UploadMethod::Multipart(upload) = method else { return };
    let key = ObjectKey::Issued(file);
    if let Err(error) = app.stores.objects.abort_multipart(&key, upload.upload_id.as_str()).await {
        tracing::warn!(
            error = aws::log::chain(&error),
            "a multipart upload is left to the bucket's lifecycle"
        );
    }
}
