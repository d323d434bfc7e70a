//! Maps every error to its HTTP status, code, title and message, in one table.
//!
//! The body's `message`, `code` and `error` repeat `detail` and `type`, because upload clients read those
//! members.

use std::time::Duration;

use aws::{StoreError, StoreErrorKind};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::access::AccessError;
use domain::file_name::FileNameError;
use domain::machine::EditError;
use domain::machine::{ReleaseError, RescanError};
use domain::parts::PartsError;
use domain::sample::SampleError;
use domain::timestamp::Timestamp;
use domain::upload::UploadError;
use domain::usage::QuotaError;

use crate::error_code::ErrorCode;
use crate::problem::Parts;

/// Every error that a request can end with.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    // Invalid requests.
    #[error("the body is not valid JSON: {0}")]
    InvalidJson(String),
    #[error("the body does not have the expected fields: {0}")]
    InvalidBody(String),
    #[error("the query string is not valid: {0}")]
    InvalidQuery(String),
    #[error("the request's `Content-Type` must be `{expected}`")]
    UnsupportedMediaType { expected: &'static str },
    #[error("the request body is too large; the limit is {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: u64 },
    #[error(
        "the file is too large for this endpoint; the limit is {limit_bytes} bytes. \
         Upload larger files directly to storage: see `POST /files`"
    )]
    UseDirectUpload { limit_bytes: u64 },
    #[error("the multipart form is malformed or incomplete; send it again")]
    MalformedForm,
    #[error("the body has a `Content-Encoding`; send the bytes as they are")]
    EncodedBody,
    #[error("the body ended early; send it again")]
    IncompleteBody,
    #[error("the form has no field `file` with a file name")]
    FileFieldMissing,
    #[error("`cursor` is not valid; start again from the first page, without `cursor`")]
    InvalidCursor,
    #[error(
        "this service does not accept passwords for files; \
         remove the password from the file and upload it again"
    )]
    PasswordsNotAccepted,
    #[error("`Idempotency-Key` must be 1 to 255 visible ASCII characters")]
    InvalidIdempotencyKey,
    #[error("this `Idempotency-Key` was already used for a different request; use a new key")]
    IdempotencyKeyReused,
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Rescan(#[from] RescanError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Sample(#[from] SampleError),
    #[error(transparent)]
    Parts(#[from] PartsError),
    #[error("the file has not been uploaded yet; upload it before you complete the upload")]
    NotUploaded,
    #[error("`checksum` must be the file's MD5 digest in base64")]
    InvalidMd5,
    #[error("`method`, `uploadId` and `partNumber` do not describe an upload request that can be signed")]
    NotAnUpload,
    #[error("`files` must list 1 to {max} files")]
    WrongNumberOfFiles { max: usize },
    #[error("the body is not a valid `CompleteMultipartUpload` document of S3's API")]
    InvalidXml,
    #[error("{exceeded}")]
    QuotaExceeded { exceeded: QuotaError, now: Timestamp },
    // Authentication and authorization.
    #[error("a valid bearer token is required; send it as `Authorization: Bearer <token>`")]
    Unauthorized,
    #[error("the upload token is not valid or has expired; request a new one")]
    InvalidUploadToken,
    #[error("this operation is for operators only: the token needs the scope `admin`")]
    AdminRequired,
    #[error("this service accepts requests to a loopback address only, such as `localhost`")]
    HostNotAllowed,
    #[error("this service does not accept requests from this origin; an operator can allow it")]
    CrossOrigin,
    // Files, links and routes.
    #[error("there is no such file")]
    FileNotFound,
    #[error("no operator has released these bytes")]
    ReleaseNotFound,
    #[error("this service may not read this bucket; an operator can allow it with `READ_BUCKETS`")]
    BucketNotAllowed,
    #[error("this service gives out no samples; an operator can allow it with `SAMPLE_DOWNLOADS`")]
    SamplesNotAllowed,
    #[error("there is no such object, or this service may not read it")]
    ObjectNotFound,
    #[error("the bytes are an object of another application; remove it in its own bucket")]
    ProtectedObject,
    #[error("this download link is not valid; ask for a new one")]
    InvalidLink,
    #[error(transparent)]
    AccessError(#[from] AccessError),
    #[error("there is no resource at this path")]
    RouteNotFound,
    #[error("this resource does not support this HTTP method")]
    MethodNotAllowed,
    // Failures of the service.
    #[error("a storage operation failed")]
    Store(#[from] StoreError),
    #[error("there is no room for this upload at present; try again later")]
    StorageFull,
    /// `reason` is `timeout`, or why checking failed.
    #[error("there is no verdict on these bytes (`{reason}`); send them again later")]
    NoVerdict { reason: &'static str },
    #[error("too many connections are open")]
    TooManyConnections,
    #[error("internal error")]
    Internal,
}

/// `Retry-After` for a client that waits for a verdict.
const RETRY_JUDGEMENT: Duration = Duration::from_secs(2);
/// `Retry-After` when a dependency is unavailable.
const RETRY_DEPENDENCY: Duration = Duration::from_secs(5);
/// `Retry-After` when storage is full: expiry and operators free space in minutes at best.
const RETRY_STORAGE: Duration = Duration::from_mins(1);

impl ApiError {
    /// Returns the status, code and title. The match has no wildcard, so each new error needs a row here.
    pub fn row(&self) -> (StatusCode, ErrorCode, &'static str) {
        use {ErrorCode as C, StatusCode as S};
        match self {
            Self::InvalidJson(_) => (S::BAD_REQUEST, C::InvalidJson, "Invalid JSON"),
            Self::InvalidBody(_) => (S::UNPROCESSABLE_ENTITY, C::InvalidBody, "Invalid body"),
            Self::InvalidQuery(_) => (S::BAD_REQUEST, C::InvalidQuery, "Invalid query"),
            Self::UnsupportedMediaType { .. } => {
                (S::UNSUPPORTED_MEDIA_TYPE, C::UnsupportedMediaType, "Unsupported media type")
            }
            Self::EncodedBody => {
                (S::UNSUPPORTED_MEDIA_TYPE, C::UnsupportedMediaType, "Unsupported content encoding")
            }
            Self::BodyTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, C::BodyTooLarge, "Body too large"),
            Self::UseDirectUpload { .. } => (S::PAYLOAD_TOO_LARGE, C::UseDirectUpload, "Use a direct upload"),
            Self::IncompleteBody => (S::BAD_REQUEST, C::IncompleteBody, "Incomplete body"),
            Self::MalformedForm => (S::BAD_REQUEST, C::MalformedForm, "Malformed form"),
            Self::FileFieldMissing => (S::UNPROCESSABLE_ENTITY, C::FileFieldMissing, "File field missing"),
            Self::InvalidCursor => (S::BAD_REQUEST, C::InvalidCursor, "Invalid cursor"),
            Self::InvalidIdempotencyKey => {
                (S::BAD_REQUEST, C::InvalidIdempotencyKey, "Invalid idempotency key")
            }
            Self::PasswordsNotAccepted => {
                (S::UNPROCESSABLE_ENTITY, C::PasswordsNotAccepted, "Passwords not accepted")
            }
            Self::IdempotencyKeyReused => {
                (S::UNPROCESSABLE_ENTITY, C::IdempotencyKeyReused, "Idempotency key reused")
            }
            Self::Upload(rejected) => upload_row(rejected),
            Self::Edit(rejected) => edit_row(rejected),
            Self::Rescan(refused) => match refused {
                RescanError::Gone => (S::GONE, C::FileGone, "File gone"),
                RescanError::NotJudged => (S::CONFLICT, C::NotScannedYet, "Not scanned yet"),
                RescanError::Infected => (S::CONFLICT, C::FindingStands, "The finding stands"),
            },
            Self::Release(refused) => release_row(*refused),
            Self::Sample(refused) => sample_row(*refused),
            Self::Parts(refused) => parts_row(refused),
            Self::InvalidMd5 => (S::UNPROCESSABLE_ENTITY, C::InvalidChecksum, "Invalid checksum"),
            Self::NotAnUpload => (S::UNPROCESSABLE_ENTITY, C::NotAnUpload, "Not an upload"),
            Self::WrongNumberOfFiles { .. } => {
                (S::UNPROCESSABLE_ENTITY, C::WrongNumberOfFiles, "Wrong number of files")
            }
            Self::InvalidXml => (S::BAD_REQUEST, C::InvalidXml, "Invalid XML"),
            Self::NotUploaded => (S::CONFLICT, C::NotUploaded, "Not uploaded"),
            Self::QuotaExceeded { .. } => (S::TOO_MANY_REQUESTS, C::QuotaExceeded, "Quota exceeded"),
            Self::AdminRequired => (S::FORBIDDEN, C::AdminRequired, "Operators only"),
            Self::Unauthorized => (S::UNAUTHORIZED, C::Unauthorized, "Unauthorized"),
            Self::InvalidUploadToken => (S::UNAUTHORIZED, C::InvalidUploadToken, "Invalid upload token"),
            Self::HostNotAllowed => (S::FORBIDDEN, C::HostNotAllowed, "Host not allowed"),
            Self::CrossOrigin => (S::FORBIDDEN, C::CrossOrigin, "Cross-origin request refused"),
            Self::FileNotFound => (S::NOT_FOUND, C::FileNotFound, "File not found"),
            Self::ReleaseNotFound => (S::NOT_FOUND, C::ReleaseNotFound, "Release not found"),
            Self::BucketNotAllowed => (S::FORBIDDEN, C::BucketNotAllowed, "Bucket not allowed"),
            Self::SamplesNotAllowed => (S::FORBIDDEN, C::SamplesNotAllowed, "Samples not allowed"),
            Self::ObjectNotFound => (S::NOT_FOUND, C::ObjectNotFound, "Object not found"),
            Self::ProtectedObject => (S::CONFLICT, C::ProtectedObject, "Protected object"),
            Self::InvalidLink => (S::NOT_FOUND, C::InvalidLink, "Invalid link"),
            Self::AccessError(denied) => denied_row(denied),
            Self::RouteNotFound => (S::NOT_FOUND, C::RouteNotFound, "Not found"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, C::MethodNotAllowed, "Method not allowed"),
            Self::Store(error) => match error.kind {
                StoreErrorKind::Unavailable
                | StoreErrorKind::NotFound
                | StoreErrorKind::PreconditionFailed => {
                    (S::SERVICE_UNAVAILABLE, C::Unavailable, "Temporarily unavailable")
                }
                StoreErrorKind::Corrupt | StoreErrorKind::Unexpected => {
                    (S::INTERNAL_SERVER_ERROR, C::InternalError, "Internal error")
                }
            },
            Self::StorageFull => (S::INSUFFICIENT_STORAGE, C::StorageFull, "Storage full"),
            Self::NoVerdict { .. } => (S::SERVICE_UNAVAILABLE, C::NoVerdict, "No verdict"),
            Self::TooManyConnections => (S::SERVICE_UNAVAILABLE, C::Unavailable, "Temporarily unavailable"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, C::InternalError, "Internal error"),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::AccessError(AccessError::NotJudged)
            | Self::Rescan(RescanError::NotJudged)
            | Self::Sample(SampleError::NotJudged) => Some(RETRY_JUDGEMENT),
            Self::QuotaExceeded { exceeded, now } => Some(exceeded.retry_after(*now)),
            Self::Store(error) if error.kind == StoreErrorKind::Unavailable => Some(RETRY_DEPENDENCY),
            Self::StorageFull => Some(RETRY_STORAGE),
            Self::TooManyConnections | Self::NoVerdict { .. } | Self::AccessError(AccessError::NotTagged) => {
                Some(RETRY_DEPENDENCY)
            }
            _ => None,
        }
    }

    /// Returns the message for the client. For server errors but [`ApiError::StorageFull`] it is constant,
    /// and their cause is only logged.
    pub fn detail(&self, status: StatusCode) -> String {
        if status.is_server_error() && !matches!(self, Self::StorageFull) {
            return "The service could not answer. Please try again later.".to_owned();
        }
        if let Self::AccessError(AccessError::Unscannable(reason)) = self {
            return reason.sentence().to_owned();
        }
        if let Self::AccessError(AccessError::Error(reason)) = self {
            return reason.sentence().to_owned();
        }
        let text = self.to_string();
        let mut letters = text.chars();
        letters.next().map_or(text.clone(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
    }

    /// Returns the machine-readable reason that accompanies the code, if there is one.
    fn reason(&self) -> Option<String> {
        match self {
            Self::AccessError(AccessError::Unscannable(reason)) => Some(reason.code().to_owned()),
            Self::AccessError(AccessError::Error(reason)) => Some(reason.code().to_owned()),
            Self::AccessError(AccessError::Infected { signature }) => Some(signature.clone()),
            Self::QuotaExceeded { exceeded, .. } => Some(exceeded.quota.name().to_owned()),
            Self::NoVerdict { reason } => Some((*reason).to_owned()),
            _ => None,
        }
    }
}

fn upload_row(rejected: &UploadError) -> (StatusCode, ErrorCode, &'static str) {
    use {ErrorCode as C, StatusCode as S};
    match rejected {
        UploadError::Name(name) => name_row(*name),
        UploadError::ExtensionNotAllowed { .. } => {
            (S::UNPROCESSABLE_ENTITY, C::ExtensionNotAllowed, "File type not accepted")
        }
        UploadError::EmptyFile => (S::UNPROCESSABLE_ENTITY, C::FileEmpty, "Empty file"),
        UploadError::SizeNeeded => (S::UNPROCESSABLE_ENTITY, C::SizeNeeded, "Size needed"),
        UploadError::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, C::FileTooLarge, "File too large"),
        UploadError::InvalidContentType => {
            (S::UNPROCESSABLE_ENTITY, C::InvalidContentType, "Invalid content type")
        }
        UploadError::InvalidChecksum => (S::UNPROCESSABLE_ENTITY, C::InvalidChecksum, "Invalid checksum"),
        UploadError::PasswordError(_) => (S::UNPROCESSABLE_ENTITY, C::InvalidPassword, "Invalid password"),
        UploadError::InvalidMaxDownloads => {
            (S::UNPROCESSABLE_ENTITY, C::InvalidMaxDownloads, "Invalid download limit")
        }
    }
}

fn name_row(name: FileNameError) -> (StatusCode, ErrorCode, &'static str) {
    match name {
        FileNameError::Empty => {
            (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::FilenameEmpty, "Empty file name")
        }
        FileNameError::TooLong => {
            (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::FilenameTooLong, "File name too long")
        }
    }
}

fn edit_row(rejected: &EditError) -> (StatusCode, ErrorCode, &'static str) {
    use {ErrorCode as C, StatusCode as S};
    match rejected {
        EditError::Gone => (S::GONE, C::FileGone, "File gone"),
        EditError::Name(name) => name_row(*name),
        EditError::ExtensionChanged => (S::UNPROCESSABLE_ENTITY, C::ExtensionChanged, "Extension changed"),
        EditError::InvalidTags => (S::UNPROCESSABLE_ENTITY, C::InvalidTags, "Invalid tags"),
        EditError::InvalidMaxDownloads => {
            (S::UNPROCESSABLE_ENTITY, C::InvalidMaxDownloads, "Invalid download limit")
        }
        EditError::ExpiryOutOfRange { .. } => (S::UNPROCESSABLE_ENTITY, C::InvalidExpiry, "Invalid expiry"),
    }
}

fn parts_row(refused: &PartsError) -> (StatusCode, ErrorCode, &'static str) {
    use {ErrorCode as C, StatusCode as S};
    match refused {
        PartsError::NotInParts => (S::CONFLICT, C::NotInParts, "Not uploaded in parts"),
        PartsError::Over => (S::CONFLICT, C::UploadOver, "Upload over"),
        PartsError::Missing { .. } => (S::CONFLICT, C::PartMissing, "Part missing"),
        PartsError::WrongSize { .. } => (S::CONFLICT, C::PartSizeMismatch, "Wrong part size"),
        PartsError::NoSuchPart { .. } => (S::UNPROCESSABLE_ENTITY, C::NoSuchPart, "No such part"),
        PartsError::ChecksumNeeded { .. } => (S::UNPROCESSABLE_ENTITY, C::ChecksumNeeded, "Checksum needed"),
        PartsError::ChecksumUnused { .. } => (S::UNPROCESSABLE_ENTITY, C::ChecksumUnused, "Checksum unused"),
        PartsError::Differs { .. } => (S::CONFLICT, C::PartMismatch, "Another part"),
        PartsError::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, C::FileTooLarge, "File too large"),
        PartsError::WrongNumber => (S::UNPROCESSABLE_ENTITY, C::WrongNumberOfParts, "Wrong number of parts"),
    }
}

fn release_row(refused: ReleaseError) -> (StatusCode, ErrorCode, &'static str) {
    use {ErrorCode as C, StatusCode as S};
    match refused {
        ReleaseError::Gone => (S::GONE, C::FileGone, "File gone"),
        ReleaseError::NotInfected => (S::CONFLICT, C::NotInfected, "Not infected"),
        ReleaseError::OtherBytes => (S::CONFLICT, C::OtherBytes, "Other bytes"),
        ReleaseError::BytesRemoved => (S::GONE, C::BytesRemoved, "Bytes removed"),
        ReleaseError::InvalidReason => (S::UNPROCESSABLE_ENTITY, C::InvalidReason, "Invalid reason"),
    }
}

fn sample_row(refused: SampleError) -> (StatusCode, ErrorCode, &'static str) {
    use {ErrorCode as C, StatusCode as S};
    match refused {
        SampleError::Gone => (S::GONE, C::FileGone, "File gone"),
        SampleError::NotJudged => (S::CONFLICT, C::NotScannedYet, "Not scanned yet"),
        SampleError::Clean => (S::CONFLICT, C::FileClean, "File is clean"),
        SampleError::OtherBytes => (S::CONFLICT, C::OtherBytes, "Other bytes"),
        SampleError::BytesRemoved => (S::GONE, C::BytesRemoved, "Bytes removed"),
        SampleError::InvalidReason => (S::UNPROCESSABLE_ENTITY, C::InvalidReason, "Invalid reason"),
        SampleError::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, C::SampleTooLarge, "Sample too large"),
    }
}

fn denied_row(denied: &AccessError) -> (StatusCode, ErrorCode, &'static str) {
    use {ErrorCode as C, StatusCode as S};
    match denied {
        AccessError::LinkExpired => (S::GONE, C::LinkExpired, "Link expired"),
        AccessError::LinkRevoked => (S::GONE, C::LinkRevoked, "Link revoked"),
        AccessError::Gone => (S::GONE, C::FileGone, "File gone"),
        AccessError::NotJudged => (S::CONFLICT, C::NotScannedYet, "Not scanned yet"),
        AccessError::NotTagged => (S::SERVICE_UNAVAILABLE, C::Unavailable, "Temporarily unavailable"),
        AccessError::Infected { .. } => (S::FORBIDDEN, C::Infected, "File is infected"),
        AccessError::Unscannable(_) => (S::FORBIDDEN, C::Unscannable, "File could not be checked"),
        AccessError::Error(_) => (S::FORBIDDEN, C::ScanFailed, "Scan failed"),
        AccessError::OtherVersion => (S::NOT_FOUND, C::InvalidLink, "Invalid link"),
        AccessError::LimitReached => (S::GONE, C::DownloadLimitReached, "Download limit reached"),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, title) = self.row();
        // The server logs refused connections itself, once a minute rather than for each one.
        if status.is_server_error() && !matches!(self, Self::TooManyConnections) {
            tracing::error!(error = aws::log::chain(&self), "request failed");
        }
        let parts = Parts {
            status,
            code,
            title,
            detail: self.detail(status),
            reason: self.reason(),
            accepted_extensions: match &self {
                Self::Upload(UploadError::ExtensionNotAllowed { accepted, .. }) => Some(accepted.clone()),
                _ => None,
            },
            retry_after: self.retry_after(),
            quota: match &self {
                Self::QuotaExceeded { exceeded, .. } => Some((exceeded.quota.name(), exceeded.limit)),
                _ => None,
            },
        };
        parts.into_response()
    }
}

#[cfg(test)]
mod tests;
