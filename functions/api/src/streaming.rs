//! Streams a request's bytes to storage, and measures and hashes them on the way.

use aws::ObjectWriter;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header;
use domain::id::{FileId, ObjectKey, OwnerId, Sha256};
use domain::record::{Record, UploadMethod};
use domain::upload::{Upload, UploadError};
use futures_util::{Stream, StreamExt as _};
use lifecycle::{Creation, NewUpload};
use sha2::Digest as _;
use web::ApiError;

use crate::App;

/// Returns the most bytes that the request can send: its content length, or else the limit. Refuses a content
/// length that is too large, without reading the body. 64 KiB are allowed for a form around the file.
pub(crate) fn announced(app: &App, request: &Request, limit_bytes: u64) -> Result<u64, ApiError> {
    const FORM_BYTES: u64 = 64 * 1024;
    match content_length(request) {
        Some(length) if length > limit_bytes.saturating_add(FORM_BYTES) => Err(too_large(app, limit_bytes)),
        Some(length) => Ok(length),
        None => Ok(limit_bytes),
    }
}

fn content_length(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(app: &App, limit_bytes: u64) -> ApiError {
    let file_limit_bytes = app.uploads.max_file_size;
    if limit_bytes < file_limit_bytes {
        ApiError::UseDirectUpload { limit_bytes }
    } else {
        ApiError::Upload(UploadError::TooLarge { limit_bytes: file_limit_bytes })
    }
}

/// A file whose bytes come with the request.
#[derive(Clone, Debug)]
pub(crate) struct StreamedFile {
    pub(crate) owner: OwnerId,
    /// Without a size and a digest, which are those of the bytes.
    pub(crate) upload: Upload,
    pub(crate) method: UploadMethod,
    /// The most bytes that can come.
    pub(crate) announced_bytes: u64,
    /// More bytes are refused.
    pub(crate) limit_bytes: u64,
}

/// Streams bytes to storage, and creates the file's record just before the object becomes visible. If this
/// fails before the record exists, nothing is stored; after that, the sweep ends the file and removes what
/// storage has completed in spite of an error.
pub(crate) async fn store(
    app: &App,
    wanted: StreamedFile,
    bytes: impl Stream<Item = Result<Bytes, ApiError>>,
) -> Result<Record, ApiError> {
    let StreamedFile { owner, upload, method, announced_bytes, limit_bytes } = wanted;
    let file = FileId::from_random(aws::clock::random_uuid());
    let password = app.sealed_password(&upload, file)?;
    app.check_room(announced_bytes)?;
    let mut writer =
        ObjectWriter::new(&app.stores.objects, ObjectKey::Issued(file), upload.content_type.clone());
    let (size_bytes, sha256) = match copy(app, bytes, &mut writer, limit_bytes).await {
        Ok(copied) => copied,
        Err(error) => {
            abandon(writer).await;
            return Err(error);
        }
    };
    let upload = Upload { declared_size: Some(size_bytes), declared_sha256: Some(sha256), ..upload };
    let now = aws::clock::now();
    let new = NewUpload { file, owner, upload, method, password };
    let refused = match app.creator().create(new, None, now).await {
        Ok(Creation::New(record)) => {
            writer.complete().await?;
            return Ok(*record);
        }
        Ok(Creation::Exceeded(exceeded)) => ApiError::QuotaExceeded { exceeded, now },
        // These need an idempotency key, which such requests do not have.
        Ok(Creation::Replay(_) | Creation::KeyReused) => ApiError::Internal,
        Err(error) => error.into(),
    };
    abandon(writer).await;
    Err(refused)
}

/// Copies at most `limit_bytes` to storage, and at least one byte. Returns the size and the digest; the scan
/// must find the same digest.
async fn copy(
    app: &App,
    chunks: impl Stream<Item = Result<Bytes, ApiError>>,
    writer: &mut ObjectWriter<'_>,
    limit_bytes: u64,
) -> Result<(u64, Sha256), ApiError> {
    let mut chunks = std::pin::pin!(chunks);
    let (mut size_bytes, mut hasher) = (0u64, sha2::Sha256::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        size_bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if size_bytes > limit_bytes {
            return Err(too_large(app, limit_bytes));
        }
        hasher.update(&chunk);
        writer.write(&chunk).await?;
    }
    if size_bytes == 0 {
        return Err(UploadError::EmptyFile.into());
    }
    Ok((size_bytes, Sha256::from_bytes(hasher.finalize().into())))
}

/// Removes the parts of an object that is not completed. If this fails, the bucket's lifecycle removes them.
async fn abandon(writer: ObjectWriter<'_>) {
    if let Err(error) = writer.abort().await {
        tracing::warn!(
            error = aws::log::chain(&error),
            "an unfinished upload is left to the bucket's lifecycle"
        );
    }
}
