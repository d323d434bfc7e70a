//! The stable codes of errors, by which programs tell errors apart.

use serde::Serialize;
use utoipa::ToSchema;

/// Declares the codes once: as an enum, as text and as a list.
macro_rules! codes {
    ($($name:ident = $code:literal,)+) => {
        /// An error's stable code. `docs/http.md` says what to do on each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($name,)+
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

codes! {
    AdminRequired = "admin_required",
    BodyTooLarge = "body_too_large",
    BucketNotAllowed = "bucket_not_allowed",
    BytesRemoved = "bytes_removed",
    ChecksumNeeded = "checksum_needed",
    ChecksumUnused = "checksum_unused",
    CrossOrigin = "cross_origin",
    DownloadLimitReached = "download_limit_reached",
    ExtensionChanged = "extension_changed",
    ExtensionNotAllowed = "extension_not_allowed",
    FileClean = "file_clean",
    FileEmpty = "file_empty",
    FileFieldMissing = "file_field_missing",
    FileGone = "file_gone",
    FileNotFound = "file_not_found",
    FileTooLarge = "file_too_large",
    FilenameEmpty = "filename_empty",
    FilenameTooLong = "filename_too_long",
    FindingStands = "finding_stands",
    HostNotAllowed = "host_not_allowed",
    IdempotencyKeyReused = "idempotency_key_reused",
    IncompleteBody = "incomplete_body",
    Infected = "infected",
    InternalError = "internal_error",
    InvalidBody = "invalid_body",
    InvalidChecksum = "invalid_checksum",
    InvalidContentType = "invalid_content_type",
    InvalidCursor = "invalid_cursor",
    InvalidExpiry = "invalid_expiry",
    InvalidIdempotencyKey = "invalid_idempotency_key",
    InvalidJson = "invalid_json",
    InvalidLink = "invalid_link",
    InvalidMaxDownloads = "invalid_max_downloads",
    InvalidPassword = "invalid_password",
    InvalidQuery = "invalid_query",
    InvalidReason = "invalid_reason",
    InvalidTags = "invalid_tags",
    InvalidUploadToken = "invalid_upload_token",
    InvalidXml = "invalid_xml",
    LinkExpired = "link_expired",
    LinkRevoked = "link_revoked",
    MalformedForm = "malformed_form",
    MethodNotAllowed = "method_not_allowed",
    NoSuchPart = "no_such_part",
    NoVerdict = "no_verdict",
    NotAnUpload = "not_an_upload",
    NotInParts = "not_in_parts",
    NotInfected = "not_infected",
    NotScannedYet = "not_scanned_yet",
    NotUploaded = "not_uploaded",
    ObjectNotFound = "object_not_found",
    OtherBytes = "other_bytes",
    PartMismatch = "part_mismatch",
    PartMissing = "part_missing",
    PartSizeMismatch = "part_size_mismatch",
    PasswordsNotAccepted = "passwords_not_accepted",
    ProtectedObject = "protected_object",
    QuotaExceeded = "quota_exceeded",
    ReleaseNotFound = "release_not_found",
    RouteNotFound = "route_not_found",
    SampleTooLarge = "sample_too_large",
    SamplesNotAllowed = "samples_not_allowed",
    ScanFailed = "scan_failed",
    SizeNeeded = "size_needed",
    StorageFull = "storage_full",
    Unauthorized = "unauthorized",
    Unavailable = "unavailable",
    Unscannable = "unscannable",
    UnsupportedMediaType = "unsupported_media_type",
    UploadOver = "upload_over",
    UseDirectUpload = "use_direct_upload",
    WrongNumberOfFiles = "wrong_number_of_files",
    WrongNumberOfParts = "wrong_number_of_parts",
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
