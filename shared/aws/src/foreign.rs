//! Reads objects in buckets that are not the service's own.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use domain::content_encoding::ContentEncoding;
use futures_util::{Stream, stream};

use crate::error::{StoreError, StoreErrorKind};
use crate::objects::Objects;

/// An object, or one version of it, in any bucket.
#[derive(Clone, Copy, Debug)]
pub struct ObjectAddress<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    /// The current version if absent.
    pub version_id: Option<&'a str>,
}

/// A version of an object that is being read.
#[derive(Debug)]
pub struct ForeignObject {
    /// The version that is read; `None` if the bucket has never kept versions.
    pub version_id: Option<String>,
    /// Without its quotes.
    pub etag: String,
    pub size_bytes: u64,
    /// The stored header that the store sends to clients. The bytes are the stored ones, not decoded.
    pub content_encoding: ContentEncoding,
    body: ByteStream,
}

/// The codes of requests for objects that do not exist, cannot be read now (archived), or may not be read:
/// without the permission to list, S3 answers that an unknown key is forbidden.
const UNREADABLE: [&str; 9] = [
    "AccessDenied",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidObjectState",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "PermanentRedirect",
];

impl Objects {
    /// Opens a version for reading. `None` if there is none, or it may not be read.
    pub async fn open_foreign(
        &self,
        address: ObjectAddress<'_>,
    ) -> Result<Option<ForeignObject>, StoreError> {
        let operation = "open an object in another bucket";
        let version_id = address.version_id.map(ToOwned::to_owned);
        let request = self.client.get_object().bucket(address.bucket).key(address.key);
        let output = match request.set_version_id(version_id).send().await {
            Ok(output) => output,
            Err(error) => {
                let code = error.as_service_error().and_then(|error| error.code());
                let is_unreadable = code.is_some_and(|code| UNREADABLE.contains(&code));
                return if is_unreadable { Ok(None) } else { Err(StoreError::of_sdk(operation, error)) };
            }
        };
        let size_bytes = output.content_length.and_then(|length| length.try_into().ok());
        Ok(Some(ForeignObject {
            version_id: output.version_id,
            etag: output.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
            size_bytes: size_bytes.ok_or_else(|| StoreError::new(operation, StoreErrorKind::Corrupt))?,
            content_encoding: ContentEncoding::parse(output.content_encoding.as_deref()),
            body: output.body,
        }))
    }
}

impl ForeignObject {
    /// The object's bytes. An error if they end before its size.
    pub fn chunks(self) -> impl Stream<Item = Result<Bytes, StoreError>> {
        stream::try_unfold((self.body, self.size_bytes), async |(mut body, left_bytes)| {
            let operation = "read an object in another bucket";
            let next = body.try_next().await;
            match next.map_err(|error| StoreError::caused(operation, StoreErrorKind::Unavailable, error))? {
                Some(chunk) => {
                    let n_bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                    Ok(Some((chunk, (body, left_bytes.saturating_sub(n_bytes)))))
                }
                None if left_bytes > 0 => Err(StoreError::new(operation, StoreErrorKind::Unavailable)),
                None => Ok(None),
            }
        })
    }
}
