//! The quotas of each user.

use domain::usage::Quotas;

use crate::declare::subject;
use crate::parse;

subject! {
    /// The quotas of each user.
    pub struct QuotaSettings: "Quotas of each user" {
        /// Files without a verdict.
        pending: Option<u64> = optional "QUOTA_PENDING_UPLOADS" {
            default: "no limit",
            unit: "files",
            allowed: "a whole number of files",
            parameter: "QuotaPendingUploads",
            parse: parse::number,
        }
        /// Files in all.
        objects: Option<u64> = optional "QUOTA_FILES" {
            default: "no limit",
            unit: "files",
            allowed: "a whole number of files",
            parameter: "QuotaFiles",
            parse: parse::number,
        }
        /// The sum of the sizes of all files.
        bytes: Option<u64> = optional "QUOTA_BYTES" {
            default: "no limit",
            unit: "bytes",
            allowed: "a whole number of bytes",
            parameter: "QuotaBytes",
            parse: parse::number,
        }
        /// Scan time per day (UTC).
        scan_seconds: Option<u64> = optional "QUOTA_SCAN_SECONDS_PER_DAY" {
            default: "no limit",
            unit: "seconds",
            allowed: "a whole number of seconds",
            parameter: "QuotaScanSecondsPerDay",
            parse: parse::number,
        }
    }
}

impl QuotaSettings {
    pub fn quotas(&self) -> Quotas {
        Quotas {
            pending: self.pending,
            objects: self.objects,
            bytes: self.bytes,
            scan_seconds: self.scan_seconds,
        }
    }
}
