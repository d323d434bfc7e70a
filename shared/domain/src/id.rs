//! Identifiers. Each is a type of its own, parsed once at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// Text that is not a valid identifier of the named kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a valid {0}")]
pub struct IdError(pub &'static str);

/// A file's public name: a random UUID, so that it cannot be guessed and spreads over partitions. An incoming
/// object's id is derived from its key and version; see [`crate::incoming`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileId(Uuid);

impl FileId {
    /// `random` is a version 4 UUID that the caller drew.
    pub const fn from_random(random: Uuid) -> Self {
        Self(random)
    }

    /// For a file whose id is derived from its key and version: a version 8 UUID (RFC 9562), which never
    /// equals a random one.
    pub const fn from_digest(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Accepts one spelling only (hyphenated, lower case), so that an id has one URL, one key and one ledger
    /// item.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| IdError("file id"))?;
        if id.to_string() == text { Ok(id) } else { Err(IdError("file id")) }
    }

    /// The last four bits: which of the sixteen shards of the index `due` the file is in.
    pub fn shard(self) -> u8 {
        self.0.as_bytes()[15] & 0x0f
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file#{self}")
    }
}

/// The name of a bucket, as S3 allows it for general purpose buckets.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

impl BucketName {
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if (3..=63).contains(&text.len()) && text.bytes().all(is_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError("bucket name"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BucketName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<BucketName> for String {
    fn from(name: BucketName) -> Self {
        name.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket#{}", self.0)
    }
}

/// The key of a file's object in the bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ObjectKey {
    /// The key of an upload through the API: `uploads/{file_id}`.
    Issued(FileId),
    /// The key that another uploader chose; see [`crate::incoming`].
    Incoming(String),
    /// The key of another application's object, in a bucket of its own; see [`crate::protected`].
    Protected { bucket: BucketName, key: String },
}

impl ObjectKey {
    pub const PREFIX: &'static str = "uploads/";
    pub const QUARANTINE_PREFIX: &'static str = "quarantine/";

    /// The key to which the quarantine policy moves an infected file's bytes. No event or link ever refers to
    /// such a key.
    pub fn quarantined(file: FileId) -> String {
        format!("{}{file}", Self::QUARANTINE_PREFIX)
    }

    /// The bucket of the object; `None` for the service's own.
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Issued(_) | Self::Incoming(_) => None,
            Self::Protected { bucket, .. } => Some(bucket),
        }
    }

    /// The file that a decoded key was issued for; an error for every other key.
    pub fn issued_for(key: &str) -> Result<FileId, IdError> {
        let id = key.strip_prefix(Self::PREFIX).ok_or(IdError("object key"))?;
        FileId::parse(id).map_err(|_| IdError("object key"))
    }
}

/// The key alone, without its bucket.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued(file) => write!(f, "{}{file}", Self::PREFIX),
            Self::Incoming(key) | Self::Protected { key, .. } => f.write_str(key),
        }
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key#{self}")
    }
}

macro_rules! bounded_text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $prefix:literal, $max_bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let acceptable =
                    !text.is_empty() && text.len() <= $max_bytes && !text.chars().any(char::is_control);
                if acceptable { Ok(Self(text)) } else { Err(IdError($what)) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "#{}"), self.0)
            }
        }
    };
}

bounded_text_id!(
    /// Who a file belongs to: the `sub` of a verified token, or `local`. At most 255 bytes, no control
    /// characters.
    OwnerId, "owner id", "owner", 255
);
bounded_text_id!(
    /// A version of an object, as the store named it. S3 allows up to 1,024 bytes.
    VersionId, "version id", "version", 1024
);
bounded_text_id!(
    /// The store's entity tag, without its quotes.
    ETag, "etag", "etag", 256
);

bounded_text_id!(
    /// A multipart upload, as the store named it.
    UploadId, "upload id", "upload", 1024
);

impl OwnerId {
    /// The only user of a local service without tokens. Reserved: no token is accepted for it.
    pub fn local() -> Self {
        Self("local".to_owned())
    }
}

/// One version of one object. A verdict is about exactly one of these.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Version {
    pub version_id: VersionId,
    pub etag: ETag,
    pub size_bytes: u64,
}

/// One attempt to scan. Together with the lease's epoch it fences the attempt's writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScanId(Uuid);

impl ScanId {
    pub const fn from_random(random: Uuid) -> Self {
        Self(random)
    }
}

impl fmt::Display for ScanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for ScanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scan#{self}")
    }
}

/// The SHA-256 of a file's bytes. Text form: 64 lower-case hexadecimal digits; S3's form: base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the 64 hexadecimal digits or the 44 base64 characters (with padding) of a digest.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let bytes = if text.len() == 64 { from_hex(text) } else { from_base64(text) };
        bytes.map(Self).ok_or(IdError("SHA-256"))
    }

    /// The form of the `x-amz-checksum-sha256` header.
    pub fn to_base64(self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.0)
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

fn from_base64(text: &str) -> Option<[u8; 32]> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()?.try_into().ok()
}

impl TryFrom<String> for Sha256 {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256#{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123e4567-e89b-42d3-a456-426614174000";

    #[test]
    fn a_file_id_has_one_spelling() {
        assert_eq!(FileId::parse(ID).map(|id| id.to_string()), Ok(ID.to_owned()));
        let others =
            ["", "x", &ID.to_uppercase(), &ID.replace('-', ""), &format!("{{{ID}}}"), &format!("{ID}/..")];
        for other in others {
            assert_eq!(FileId::parse(other), Err(IdError("file id")), "{other}");
        }
    }

    #[test]
    fn only_our_keys_are_issued() {
        let file = FileId::parse(ID).unwrap();
        assert_eq!(ObjectKey::issued_for(&ObjectKey::Issued(file).to_string()), Ok(file));
        for other in [
            ID,
            "uploads/",
            "uploads/../x",
            "uploads//",
            &format!("uploads/{ID}/a"),
            &format!("/uploads/{ID}"),
        ] {
            assert!(ObjectKey::issued_for(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_digest_reads_both_spellings() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let digest = Sha256::parse(hex).unwrap();
        assert_eq!(digest.to_string(), hex);
        assert_eq!(Sha256::parse(&digest.to_base64()), Ok(digest));
        for bad in
            ["", "abc", &hex[1..], &hex.replace('9', "g"), "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCg"]
        {
            assert!(Sha256::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_ids_are_bounded() {
        assert!(OwnerId::parse("auth0|123").is_ok());
        for bad in ["", "a\nb", &"x".repeat(256)] {
            assert!(OwnerId::parse(bad).is_err());
        }
    }
}
