//! The headers that S3 keeps with an object, returns with it, or refuses.

use s3s::dto::{
    CopyObjectInput, CreateMultipartUploadInput, GetObjectOutput, HeadObjectOutput, MetadataDirective,
    ObjectCannedACL, PutObjectInput, StorageClass,
};
use s3s::{S3Result, s3_error};

use super::rows::Meta;

/// The storage classes of a general purpose bucket (S3, "Storage classes").
const STORAGE_CLASSES: [&str; 8] = [
    StorageClass::STANDARD,
    StorageClass::REDUCED_REDUNDANCY,
    StorageClass::STANDARD_IA,
    StorageClass::ONEZONE_IA,
    StorageClass::INTELLIGENT_TIERING,
    StorageClass::GLACIER_IR,
    StorageClass::GLACIER,
    StorageClass::DEEP_ARCHIVE,
];

/// The storage classes whose objects cannot be read before they are restored.
const ARCHIVES: [&str; 2] = [StorageClass::GLACIER, StorageClass::DEEP_ARCHIVE];

/// Reads the headers that are kept with an object, or refuses them as S3 does for a bucket with default
/// settings. The three kinds of request have the same fields, but no type in common.
macro_rules! meta_of {
    ($input:expr) => {{
        let input = $input;
        let has_lock = input.object_lock_mode.is_some()
            || input.object_lock_retain_until_date.is_some()
            || input.object_lock_legal_hold_status.is_some();
        let has_grants = input.grant_full_control.is_some()
            || input.grant_read.is_some()
            || input.grant_read_acp.is_some()
            || input.grant_write_acp.is_some();
        let has_customer_key = input.sse_customer_algorithm.is_some()
            || input.sse_customer_key.is_some()
            || input.sse_customer_key_md5.is_some();
        let storage_class = input.storage_class.as_ref().map(|class| class.as_str().to_owned());
        if has_lock {
            return Err(s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"));
        }
        // S3 accepts only the first one if the bucket's owner is enforced. rclone sends the second, which
        // grants no more.
        let is_owners_acl = |acl: &ObjectCannedACL| {
            matches!(acl.as_str(), ObjectCannedACL::BUCKET_OWNER_FULL_CONTROL | ObjectCannedACL::PRIVATE)
        };
        if has_grants || !input.acl.as_ref().is_none_or(is_owners_acl) {
            return Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs"));
        }
        if has_customer_key {
            return Err(s3_error!(
                InvalidRequest,
                "Requests specifying Server Side Encryption with Customer provided keys must be made over a \
                 secure connection."
            ));
        }
        if storage_class.as_deref().is_some_and(|class| !STORAGE_CLASSES.contains(&class)) {
            return Err(s3_error!(InvalidStorageClass, "The storage class you specified is not valid"));
        }
        Meta {
            content_type: input.content_type.clone(),
            content_disposition: input.content_disposition.clone(),
            content_encoding: without_chunking(input.content_encoding.as_deref()),
            content_language: input.content_language.clone(),
            cache_control: input.cache_control.clone(),
            expires: input.expires.clone(),
            website_redirect: input.website_redirect_location.clone(),
            storage_class,
            user: input.metadata.clone(),
            ..Meta::default()
        }
    }};
}

/// Returns the kept headers, for the answer to a `GET` or a `HEAD`.
macro_rules! described {
    ($output:ident, $meta:expr, $shows_checksums:expr) => {{
        let (meta, shows_checksums) = ($meta, $shows_checksums);
        $output {
            content_type: meta.content_type,
            content_disposition: meta.content_disposition,
            content_encoding: meta.content_encoding,
            content_language: meta.content_language,
            cache_control: meta.cache_control,
            expires: meta.expires,
            website_redirect_location: meta.website_redirect,
            // S3 does not name the class that is the default.
            storage_class: meta
                .storage_class
                .filter(|class| class != StorageClass::STANDARD)
                .map(StorageClass::from),
            metadata: meta.user,
            checksum_crc32: meta.crc32.filter(|_| shows_checksums),
            checksum_sha256: meta.sha256.filter(|_| shows_checksums),
            ..Default::default()
        }
    }};
}

impl Meta {
    pub(super) fn of_put(input: &PutObjectInput) -> S3Result<Self> {
        Ok(meta_of!(input))
    }

    /// S3 refuses fields that a form's policy does not name, and our policies name no encryption. `s3s` 0.14
    /// lets these fields through, as `MinIO` does.
    pub(super) fn of_form(input: &PutObjectInput) -> S3Result<Self> {
        let asks_for_encryption = input.sse_customer_algorithm.is_some()
            || input.sse_customer_key.is_some()
            || input.sse_customer_key_md5.is_some()
            || input.server_side_encryption.is_some()
            || input.ssekms_key_id.is_some()
            || input.ssekms_encryption_context.is_some()
            || input.bucket_key_enabled.is_some();
        if asks_for_encryption {
            return Err(s3_error!(
                AccessDenied,
                "Invalid according to Policy: Extra input fields: x-amz-server-side-encryption"
            ));
        }
        Self::of_put(input)
    }

    pub(super) fn of_multipart(input: &CreateMultipartUploadInput) -> S3Result<Self> {
        Ok(meta_of!(input))
    }

    /// A copy has its source's headers, or the request's with `x-amz-metadata-directive: REPLACE`. The
    /// website redirect and the storage class are always the request's (S3, `CopyObject`).
    pub(super) fn of_copy(input: &CopyObjectInput, source: Self) -> S3Result<Self> {
        let asked = meta_of!(input);
        let replaces = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        Ok(if replaces {
            Self { crc32: source.crc32, sha256: source.sha256, ..asked }
        } else {
            Self { website_redirect: asked.website_redirect, storage_class: asked.storage_class, ..source }
        })
    }

    /// Refuses to read an archived object.
    pub(super) fn check_readable(&self) -> S3Result<()> {
        let is_archived = self.storage_class.as_deref().is_some_and(|class| ARCHIVES.contains(&class));
        if is_archived {
            return Err(s3_error!(
                InvalidObjectState,
                "The operation is not valid for the object's storage class"
            ));
        }
        Ok(())
    }

    pub(super) fn into_get(self, shows_checksums: bool) -> GetObjectOutput {
        described!(GetObjectOutput, self, shows_checksums)
    }

    pub(super) fn into_head(self, shows_checksums: bool) -> HeadObjectOutput {
        described!(HeadObjectOutput, self, shows_checksums)
    }
}

/// S3 does not keep `aws-chunked`, which is about the request's body; the other codings stay.
fn without_chunking(encoding: Option<&str>) -> Option<String> {
    let is_kept = |coding: &&str| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked");
    let kept: Vec<&str> = encoding?.split(',').map(str::trim).filter(is_kept).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_chunking_is_not_kept() {
        for (sent, kept) in [
            ("aws-chunked", None),
            ("AWS-Chunked", None),
            ("aws-chunked, gzip", Some("gzip")),
            ("gzip,aws-chunked", Some("gzip")),
            ("deflate, deflate", Some("deflate,deflate")),
            ("identity", Some("identity")),
            ("", None),
        ] {
            assert_eq!(without_chunking(Some(sent)).as_deref(), kept, "{sent:?}");
        }
        assert_eq!(without_chunking(None), None);
    }
}
