//! How does a file begin? One way, whatever protocol the client speaks.

use aws::{Created, IdempotencyKey};
use domain::id::{FileId, ObjectKey, OwnerId};
use domain::parts::MultipartUpload;
use domain::record::{Record, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::Upload;
use web::ApiError;

use crate::App;

/// How the bytes will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Put,
    Post,
    Parts { has_checksums: bool },
}

/// Makes the record of a file that `owner` is about to upload. A repeated `once` gives the record that it gave before.
pub(crate) async fn announce(
    app: &App,
    owner: OwnerId,
    upload: Upload,
    way: Way,
    once: Option<&IdempotencyKey>,
    now: Timestamp,
) -> Result<Record, ApiError> {
    let file = FileId::from_random(aws::clock::random_uuid());
    let password = app.sealed_password(&upload, file)?;
    app.check_room(wanted_bytes(app, &upload, way))?;
    let method = match way {
        Way::Put => UploadMethod::Put,
        Way::Post => UploadMethod::Post,
        // At storage before there is a record: what has one can be ended by it.
        Way::Parts { has_checksums } => {
            let (objects, key) = (&app.stores.objects, ObjectKey::Issued(file));
            let upload_id = objects.begin_multipart(&key, &upload.content_type, has_checksums).await?;
            UploadMethod::Multipart(MultipartUpload { upload_id, has_checksums })
        }
    };
    let new = Record { password, ..app.new_record(file, owner, upload, method, now) };
    let write_id = aws::clock::random_uuid().to_string();
    let creation = aws::NewFile { record: &new, once, quotas: &app.quotas };
    let created = app.stores.ledger.create(creation, &write_id).await;
    if !matches!(created, Ok(Created::New)) {
        abandon(app, &new).await;
    }
    match created? {
        Created::New => Ok(new),
        Created::Replay(earlier) => app.stores.ledger.load(earlier).await?.ok_or(ApiError::FileNotFound),
        Created::KeyReused => Err(ApiError::IdempotencyKeyReused),
        Created::Exceeded(exceeded) => Err(ApiError::QuotaExceeded { exceeded, now }),
    }
}

/// What the upload takes of storage at most. Parts are there beside the whole while they are joined.
fn wanted_bytes(app: &App, upload: &Upload, way: Way) -> u64 {
    let size_bytes = upload.declared_size.unwrap_or(app.uploads.max_file_size);
    match way {
        Way::Put | Way::Post => size_bytes,
        Way::Parts { .. } => size_bytes.saturating_mul(2),
    }
}

/// Ends what was begun at storage for a record that did not come to be. What is left all the same, the bucket's lifecycle ends.
async fn abandon(app: &App, record: &Record) {
    let Some(upload) = record.multipart() else { return };
    let aborted = app.stores.objects.abort_multipart(&record.object_key(), upload.upload_id.as_str()).await;
    if let Err(error) = aborted {
        tracing::warn!(
            error = aws::log::chain(&error),
            "an upload in parts is left to the bucket's lifecycle"
        );
    }
}
