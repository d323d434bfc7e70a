//! Which files are accepted, and how long they are kept.

use std::time::Duration;

use domain::upload::{AllowedExtensions, UploadPolicy};

use crate::declare::subject;
use crate::parse;

subject! {
    /// Which files are accepted, and how long they are kept.
    pub struct UploadSettings: "Uploads" {
        /// Largest file that is accepted.
        max_file_size: u64 = defaulted "MAX_FILE_SIZE" {
            default: "104857600",
            unit: "bytes",
            allowed: "a whole number of bytes up to 2147483647; the engine skips larger files",
            parameter: "MaxFileSize",
            parse: file_size,
        }
        /// File name extensions that are accepted, separated by commas.
        allowed_extensions: Option<AllowedExtensions> = optional "ALLOWED_EXTENSIONS" {
            default: "documents, pictures, audio, video, archives (`shared/domain/src/upload.rs`)",
            allowed: "extensions, or `*` for all files",
            parameter: "AllowedExtensions",
            parse: |value| Some(AllowedExtensions::parse(value)),
        }
        /// Largest body of `POST /scan`, on one machine; on AWS, Lambda's limit leaves 4.4 MB.
        max_scan_body: u64 = defaulted "MAX_SCAN_BODY_SIZE" {
            default: "26214400",
            unit: "bytes",
            allowed: "a whole number of bytes up to 2147483647; `MAX_FILE_SIZE` is a limit as well",
            parse: file_size,
        }
        /// Buckets whose objects operators may have scanned by `POST /scan/s3`, separated by commas.
        read_buckets: Vec<String> = defaulted "READ_BUCKETS" {
            default: "",
            allowed: "names of buckets",
            parameter: "ReadBuckets",
            parse: buckets,
        }
        /// How long a file is kept after its upload began; then it expires and its bytes are removed.
        retention: Duration = defaulted "FILE_RETENTION_DAYS" {
            default: "7",
            unit: "days",
            allowed: "a whole number of days",
            parameter: "FileRetentionDays",
            parse: parse::days,
        }
    }
}

/// Names of general purpose buckets: 3 to 63 lower-case letters, digits, dots and hyphens.
fn buckets(value: &str) -> Option<Vec<String>> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_name = |name: &&str| (3..=63).contains(&name.len()) && name.bytes().all(is_allowed);
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| Some(name).filter(is_name).map(ToOwned::to_owned)).collect()
}

fn file_size(value: &str) -> Option<u64> {
    parse::number(value).filter(|size| *size <= UploadPolicy::LARGEST_SCANNABLE)
}

impl UploadSettings {
    pub fn policy(&self) -> UploadPolicy {
        UploadPolicy {
            max_file_size: self.max_file_size,
            allowed_extensions: self.allowed_extensions.clone().unwrap_or_default(),
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: self.retention,
        }
    }
}
