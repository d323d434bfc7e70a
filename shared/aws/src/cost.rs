//! What scans cost at AWS's list prices: the model of `bench scale`, and the estimate before a backfill.
//!
//! Costs per scan are what the benchmarks measure and what the tests count; prices are AWS's.

#![expect(clippy::cast_precision_loss, reason = "estimates of counts and sizes")]

/// List prices in us-east-1 in dollars, November 2026; check them before you rely on them.
pub mod price {
    pub const LAMBDA_ARM_GB_SECOND: f64 = 0.000_013_333_4;
    pub const MILLION_LAMBDA_REQUESTS: f64 = 0.20;
    pub const MILLION_HTTP_REQUESTS: f64 = 1.00;
    pub const THOUSAND_S3_WRITES: f64 = 0.005;
    pub const THOUSAND_S3_READS: f64 = 0.0004;
    pub const MILLION_SQS_REQUESTS: f64 = 0.40;
    pub const MILLION_TABLE_WRITES: f64 = 0.625;
    pub const MILLION_TABLE_READS: f64 = 0.125;
    pub const LOG_GB: f64 = 0.50;
    /// GuardDuty Malware Protection for S3: each object, and each GB.
    pub const THOUSAND_GUARDDUTY_OBJECTS: f64 = 0.215;
    pub const GUARDDUTY_GB: f64 = 0.09;
}

/// One small document, in seconds of an execution environment of [`MEMORY_GB`] (1.7 processors): two
/// canaries, one object read, four calls to the table.
pub const WARM_SCAN_SECONDS: f64 = 0.25;
/// The gate and the engine, for each byte: the mean of noise, programs, zip and tar.gz of 100 MB in
/// `bench gate`, 7.05 s of processor time.
pub const SCAN_SECONDS_PER_BYTE: f64 = 7.05 / 100e6;
/// The scan function's memory.
pub const MEMORY_GB: f64 = 3008.0 / 1024.0;
/// Lines and platform reports of one scan without requests by users, in GB.
pub const SCAN_LOG_GB: f64 = 1e-6;

/// DynamoDB's write units until the verdict, step by step; `tests/write_units.rs` and `tests/backfill.rs`
/// limit the sum.
const WRITE_UNITS: [(&str, f64); 5] =
    [("created", 4.0), ("claimed", 5.0), ("judged", 6.0), ("verdict cached", 1.0), ("verdict counted", 1.0)];
/// Record before its creation, claim, verdict, cached verdict, release, and once for `--check`.
const TABLE_READS: f64 = 6.0;
/// A tenth of a request to send, one to receive, one to delete, and a share of empty receives.
const QUEUE_REQUESTS: f64 = 3.1;
/// The verdict's tag; tags before it, and the bytes.
const S3_WRITES: f64 = 1.0;
const S3_READS: f64 = 2.0;
/// Versions in one request that S3 charges as a write.
const LISTED: f64 = 1000.0;

/// Scans of versions that are in a bucket already, by the scan function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackfillCost {
    pub n_versions: u64,
    /// Of the versions that are read: larger ones than the service scans are not.
    pub n_bytes: u64,
}

impl BackfillCost {
    /// Seconds of all execution environments together.
    pub fn scan_seconds(self) -> f64 {
        self.n_versions as f64 * WARM_SCAN_SECONDS + self.n_bytes as f64 * SCAN_SECONDS_PER_BYTE
    }

    /// Dollars by service: the table, scans, storage, the queue and logs.
    pub fn dollars_by_service(self) -> [(&'static str, f64); 5] {
        let n = self.n_versions as f64;
        let write_units: f64 = WRITE_UNITS.iter().map(|(_, units)| units).sum();
        let millions = n / 1e6;
        [
            (
                "table",
                millions * (write_units * price::MILLION_TABLE_WRITES)
                    + millions * (TABLE_READS * price::MILLION_TABLE_READS),
            ),
            (
                "scans",
                self.scan_seconds() * MEMORY_GB * price::LAMBDA_ARM_GB_SECOND
                    + millions * price::MILLION_LAMBDA_REQUESTS,
            ),
            (
                "storage",
                n / 1000.0
                    * ((S3_WRITES + 1.0 / LISTED) * price::THOUSAND_S3_WRITES
                        + S3_READS * price::THOUSAND_S3_READS),
            ),
            ("queue", millions * QUEUE_REQUESTS * price::MILLION_SQS_REQUESTS),
            ("logs", n * SCAN_LOG_GB * price::LOG_GB),
        ]
    }

    pub fn dollars(self) -> f64 {
        self.dollars_by_service().iter().map(|(_, dollars)| dollars).sum()
    }

    /// What GuardDuty Malware Protection for S3 charges for as many objects and bytes.
    pub fn guardduty_dollars(self) -> f64 {
        self.n_versions as f64 / 1000.0 * price::THOUSAND_GUARDDUTY_OBJECTS
            + self.n_bytes as f64 / 1e9 * price::GUARDDUTY_GB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_small_versions_cost_tens_of_dollars() {
        let cost = BackfillCost { n_versions: 1_000_000, n_bytes: 100_000_000_000 };
        assert!((20.0..60.0).contains(&cost.dollars()), "{:?}", cost.dollars_by_service());
        assert!((cost.guardduty_dollars() - 224.0).abs() < 0.01, "{}", cost.guardduty_dollars());
        assert!(BackfillCost { n_versions: 0, n_bytes: 0 }.dollars() < 1e-9);
    }
}
