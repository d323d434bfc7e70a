//! Tests every row of the error table.

use domain::password::PasswordError;
use domain::usage::Quota;
use domain::verdict::{ScanError, Unscannable};

use super::*;

/// Pins every row: a change of a status or code is a change of the API.
#[test]
fn each_error_has_its_status_and_code() {
    let text = String::new;
    let mut unused = ErrorCode::ALL.to_vec();
    for (error, status, code) in [
        (ApiError::InvalidJson(text()), 400, "invalid_json"),
        (ApiError::InvalidBody(text()), 422, "invalid_body"),
        (ApiError::InvalidQuery(text()), 400, "invalid_query"),
        (ApiError::UnsupportedMediaType { expected: "x" }, 415, "unsupported_media_type"),
        (ApiError::BodyTooLarge { limit_bytes: 1 }, 413, "body_too_large"),
        (ApiError::UseDirectUpload { limit_bytes: 1 }, 413, "use_direct_upload"),
        (ApiError::IncompleteBody, 400, "incomplete_body"),
        (ApiError::EncodedBody, 415, "unsupported_media_type"),
        (ApiError::NoVerdict { reason: "timeout" }, 503, "no_verdict"),
        (ApiError::MalformedForm, 400, "malformed_form"),
        (ApiError::FileFieldMissing, 422, "file_field_missing"),
        (ApiError::InvalidCursor, 400, "invalid_cursor"),
        (ApiError::InvalidIdempotencyKey, 400, "invalid_idempotency_key"),
        (ApiError::IdempotencyKeyReused, 422, "idempotency_key_reused"),
        (ApiError::Upload(UploadError::Name(FileNameError::Empty)), 422, "filename_empty"),
        (ApiError::Upload(UploadError::Name(FileNameError::TooLong)), 422, "filename_too_long"),
        (
            ApiError::Upload(UploadError::ExtensionNotAllowed { extension: None, accepted: vec![] }),
            422,
            "extension_not_allowed",
        ),
        (ApiError::Upload(UploadError::EmptyFile), 422, "file_empty"),
        (ApiError::Upload(UploadError::TooLarge { limit_bytes: 1 }), 413, "file_too_large"),
        (ApiError::Upload(UploadError::InvalidContentType), 422, "invalid_content_type"),
        (ApiError::Upload(UploadError::InvalidChecksum), 422, "invalid_checksum"),
        (ApiError::Upload(UploadError::InvalidMaxDownloads), 422, "invalid_max_downloads"),
        (ApiError::Upload(UploadError::PasswordError(PasswordError)), 422, "invalid_password"),
        (ApiError::PasswordsNotAccepted, 422, "passwords_not_accepted"),
        (ApiError::Edit(EditError::Gone), 410, "file_gone"),
        (ApiError::Edit(EditError::Name(FileNameError::Empty)), 422, "filename_empty"),
        (ApiError::Edit(EditError::ExtensionChanged), 422, "extension_changed"),
        (ApiError::Edit(EditError::InvalidTags), 422, "invalid_tags"),
        (ApiError::Edit(EditError::InvalidMaxDownloads), 422, "invalid_max_downloads"),
        (
            ApiError::Edit(EditError::ExpiryOutOfRange { latest: Timestamp::from_secs(0) }),
            422,
            "invalid_expiry",
        ),
        (ApiError::Rescan(RescanError::Gone), 410, "file_gone"),
        (ApiError::Rescan(RescanError::NotJudged), 409, "not_scanned_yet"),
        (ApiError::Rescan(RescanError::Infected), 409, "finding_stands"),
        (ApiError::ProtectedObject, 409, "protected_object"),
        (ApiError::Release(ReleaseError::Gone), 410, "file_gone"),
        (ApiError::Release(ReleaseError::NotInfected), 409, "not_infected"),
        (ApiError::Release(ReleaseError::OtherBytes), 409, "other_bytes"),
        (ApiError::Release(ReleaseError::BytesRemoved), 410, "bytes_removed"),
        (ApiError::Release(ReleaseError::InvalidReason), 422, "invalid_reason"),
        (ApiError::Sample(SampleError::Gone), 410, "file_gone"),
        (ApiError::Sample(SampleError::NotJudged), 409, "not_scanned_yet"),
        (ApiError::Sample(SampleError::Clean), 409, "file_clean"),
        (ApiError::Sample(SampleError::OtherBytes), 409, "other_bytes"),
        (ApiError::Sample(SampleError::BytesRemoved), 410, "bytes_removed"),
        (ApiError::Sample(SampleError::InvalidReason), 422, "invalid_reason"),
        (ApiError::Sample(SampleError::TooLarge { size_bytes: 2, limit_bytes: 1 }), 413, "sample_too_large"),
        (ApiError::SamplesNotAllowed, 403, "samples_not_allowed"),
        (ApiError::Upload(UploadError::SizeNeeded), 422, "size_needed"),
        (ApiError::Parts(PartsError::NotInParts), 409, "not_in_parts"),
        (ApiError::Parts(PartsError::Over), 409, "upload_over"),
        (ApiError::Parts(PartsError::Missing { number: 1 }), 409, "part_missing"),
        (
            ApiError::Parts(PartsError::WrongSize { number: 1, expected: 1, found: 2 }),
            409,
            "part_size_mismatch",
        ),
        (ApiError::Parts(PartsError::NoSuchPart { number: 2, n_parts: 1 }), 422, "no_such_part"),
        (ApiError::Parts(PartsError::ChecksumNeeded { number: 1 }), 422, "checksum_needed"),
        (ApiError::Parts(PartsError::ChecksumUnused { number: 1 }), 422, "checksum_unused"),
        (ApiError::Parts(PartsError::Differs { number: 1 }), 409, "part_mismatch"),
        (ApiError::Parts(PartsError::TooLarge { limit_bytes: 1 }), 413, "file_too_large"),
        (ApiError::InvalidMd5, 422, "invalid_checksum"),
        (ApiError::NotAnUpload, 422, "not_an_upload"),
        (ApiError::WrongNumberOfFiles { max: 1 }, 422, "wrong_number_of_files"),
        (ApiError::InvalidXml, 400, "invalid_xml"),
        (ApiError::InvalidUploadToken, 401, "invalid_upload_token"),
        (ApiError::Parts(PartsError::WrongNumber), 422, "wrong_number_of_parts"),
        (ApiError::NotUploaded, 409, "not_uploaded"),
        (
            ApiError::QuotaExceeded {
                exceeded: QuotaError { quota: Quota::Bytes, limit: 1 },
                now: Timestamp::from_secs(0),
            },
            429,
            "quota_exceeded",
        ),
        (ApiError::AdminRequired, 403, "admin_required"),
        (ApiError::AccessError(AccessError::LinkRevoked), 410, "link_revoked"),
        (ApiError::Unauthorized, 401, "unauthorized"),
        (ApiError::HostNotAllowed, 403, "host_not_allowed"),
        (ApiError::CrossOrigin, 403, "cross_origin"),
        (ApiError::FileNotFound, 404, "file_not_found"),
        (ApiError::ReleaseNotFound, 404, "release_not_found"),
        (ApiError::BucketNotAllowed, 403, "bucket_not_allowed"),
        (ApiError::ObjectNotFound, 404, "object_not_found"),
        (ApiError::InvalidLink, 404, "invalid_link"),
        (ApiError::AccessError(AccessError::LinkExpired), 410, "link_expired"),
        (ApiError::AccessError(AccessError::Gone), 410, "file_gone"),
        (ApiError::AccessError(AccessError::NotJudged), 409, "not_scanned_yet"),
        (ApiError::AccessError(AccessError::NotTagged), 503, "unavailable"),
        (ApiError::AccessError(AccessError::Infected { signature: text() }), 403, "infected"),
        (ApiError::AccessError(AccessError::Unscannable(Unscannable::Encrypted)), 403, "unscannable"),
        (ApiError::AccessError(AccessError::Error(ScanError::EngineTrouble)), 403, "scan_failed"),
        (ApiError::AccessError(AccessError::OtherVersion), 404, "invalid_link"),
        (ApiError::AccessError(AccessError::LimitReached), 410, "download_limit_reached"),
        (ApiError::RouteNotFound, 404, "route_not_found"),
        (ApiError::MethodNotAllowed, 405, "method_not_allowed"),
        (ApiError::StorageFull, 507, "storage_full"),
        (ApiError::TooManyConnections, 503, "unavailable"),
        (ApiError::Internal, 500, "internal_error"),
    ] {
        let (found_status, found_code, _) = error.row();
        assert_eq!((found_status.as_u16(), found_code.as_str()), (status, code), "{error:?}");
        unused.retain(|unused| *unused != found_code);
    }
    assert_eq!(unused, [], "these codes are documented, and no error has them");
}

#[test]
fn a_code_is_the_same_text_in_a_body_and_in_the_description() {
    use utoipa::PartialSchema as _;
    let described = serde_json::to_value(ErrorCode::schema()).unwrap();
    let written: Vec<_> = ErrorCode::ALL.iter().map(|code| serde_json::to_value(code).unwrap()).collect();
    assert_eq!(described["enum"], serde_json::Value::Array(written));
    let texts: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(described["enum"], serde_json::to_value(texts).unwrap());
}

#[test]
fn details_are_sentences_and_our_failures_say_nothing() {
    let detail = |error: ApiError| error.detail(error.row().0);
    assert_eq!(detail(ApiError::FileNotFound), "There is no such file.");
    let encrypted = ApiError::AccessError(AccessError::Unscannable(Unscannable::Encrypted));
    assert_eq!(
        detail(encrypted),
        "We could not check this file because it is password-protected. \
         Remove the password and upload it again."
    );
    let full = "There is no room for this upload at present; try again later.";
    assert_eq!(detail(ApiError::StorageFull), full);
    assert_eq!(detail(ApiError::Internal), "The service could not answer. Please try again later.");
}
