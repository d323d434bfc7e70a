//! Hourly statistics: counts by status, and durations in buckets, from which percentiles are computed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::FileId;
use crate::record::{Record, Status};
use crate::timestamp::Timestamp;
use crate::verdict::Verdict;

/// The upper ends of the buckets in milliseconds; one more bucket is above them.
pub const BUCKET_ENDS_MS: [u64; 15] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000];
const N_BUCKETS: usize = BUCKET_ENDS_MS.len() + 1;

/// A class of file sizes; files of similar size take similar time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SizeClass {
    UpTo1Mb,
    UpTo10Mb,
    UpTo100Mb,
    Larger,
}

impl SizeClass {
    pub const ALL: [Self; 4] = [Self::UpTo1Mb, Self::UpTo10Mb, Self::UpTo100Mb, Self::Larger];

    pub const fn of(size_bytes: u64) -> Self {
        match size_bytes {
            0..=1_000_000 => Self::UpTo1Mb,
            1_000_001..=10_000_000 => Self::UpTo10Mb,
            10_000_001..=100_000_000 => Self::UpTo100Mb,
            _ => Self::Larger,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::UpTo1Mb => "up_to_1_mb",
            Self::UpTo10Mb => "up_to_10_mb",
            Self::UpTo100Mb => "up_to_100_mb",
            Self::Larger => "larger",
        }
    }
}

/// Durations, counted in buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Histogram([u64; N_BUCKETS]);

impl Histogram {
    /// Which bucket a duration is in.
    pub fn bucket_of(duration: Duration) -> usize {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        BUCKET_ENDS_MS.partition_point(|end| *end < millis)
    }

    pub fn add(&mut self, bucket: usize, n: u64) {
        if let Some(count) = self.0.get_mut(bucket) {
            *count += n;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    pub fn n(&self) -> u64 {
        self.0.iter().sum()
    }

    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let ends = BUCKET_ENDS_MS.iter().copied().map(Some).chain([None]);
        ends.zip(self.0)
    }

    /// The duration that `percent` of all durations do not exceed, interpolated within its bucket; `None` if
    /// there are none.
    #[expect(clippy::cast_precision_loss, reason = "an estimate, of counts far below 2^52")]
    pub fn percentile(&self, percent: u32) -> Option<Duration> {
        let n = self.n();
        if n == 0 {
            return None;
        }
        let rank = n as f64 * f64::from(percent) / 100.0;
        let mut below = 0.0;
        for (at, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if below + count >= rank {
                let start =
                    at.checked_sub(1).and_then(|before| BUCKET_ENDS_MS.get(before)).copied().unwrap_or(0);
                let end = BUCKET_ENDS_MS.get(at).copied().unwrap_or(start);
                let within = ((rank - below) / count).clamp(0.0, 1.0);
                let millis = start as f64 + (end - start) as f64 * within;
                return Some(Duration::from_secs_f64(millis / 1000.0));
            }
            below += count;
        }
        None
    }
}

/// The statistics of one hour.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HourStatistics {
    pub by_status: BTreeMap<&'static str, u64>,
    pub n_bytes: u64,
    /// By [`SizeClass::ALL`].
    pub durations: [Histogram; SizeClass::ALL.len()],
    pub failures: Vec<Failure>,
}

/// A file that ended `infected`, `unscannable` or in `error`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub file_id: FileId,
    pub at: Timestamp,
    pub status: Status,
    pub reason: String,
}

impl HourStatistics {
    pub fn merge(&mut self, other: Self) {
        for (status, n) in other.by_status {
            *self.by_status.entry(status).or_default() += n;
        }
        self.n_bytes += other.n_bytes;
        for (own, more) in self.durations.iter_mut().zip(&other.durations) {
            own.merge(more);
        }
        self.failures.extend(other.failures);
    }
}

/// Which hour in UTC a moment is in, since 1970.
pub fn hour(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(3600)
}

/// The failure of a file that is `infected`, `unscannable` or in `error`; `None` for other files. Of an
/// infected file, the reason is the name of the finding.
pub fn failure_of(record: &Record) -> Option<Failure> {
    let judgement = record.judgement()?;
    let reason = match &judgement.verdict {
        Verdict::Clean(_) => return None,
        // An operator released these bytes before: the file can be downloaded.
        Verdict::Infected { .. } if record.status() == Status::Released => return None,
        Verdict::Infected { signature } => signature,
        Verdict::Unscannable { reason } => reason.code(),
        Verdict::Error { reason } => reason.code(),
    };
    Some(Failure {
        file_id: record.file_id,
        at: judgement.judged_at,
        status: record.status(),
        reason: reason.to_owned(),
    })
}

/// Estimates how long a new file waits for its verdict: each worker scans the waiting files one after the
/// other.
pub fn estimated_wait(n_waiting: u64, typical: Duration, n_workers: u64) -> Duration {
    let rounds = n_waiting.div_ceil(n_workers.max(1)).saturating_add(1);
    typical.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::id::{OwnerId, Sha256};
    use crate::post_verdict::{PostVerdict, Release};
    use crate::reason::Unscannable;
    use crate::record::{State, UploadMethod};
    use crate::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
    use crate::verdict::Judgement;

    fn judged(verdict: Verdict, release: Option<Release>) -> Record {
        let policy = UploadPolicy {
            max_file_size: 100,
            allowed_extensions: AllowedExtensions::All,
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: Duration::from_hours(24),
        };
        let request = UploadRequest { filename: "a.txt", ..UploadRequest::default() };
        let upload = accept(&request, &policy).unwrap();
        let (file, at) = (FileId::from_random(Uuid::from_u128(1)), Timestamp::from_secs(1_700_000_000));
        let sweep_in = Duration::from_mins(1);
        let put = UploadMethod::Put;
        let mut record = Record::new(file, OwnerId::local(), upload, put, &policy, sweep_in, at);
        let version = json!({ "version_id": "v", "etag": "e", "size_bytes": 6 });
        let duration = Duration::ZERO;
        let sha256 = Some(digest());
        record.state = State::Judged {
            version: serde_json::from_value(version).unwrap(),
            judgement: Judgement {
                verdict,
                judged_at: at,
                duration,
                sha256,
                engine: None,
                needed_password: false,
            },
            post_verdict: PostVerdict { release, ..PostVerdict::default() },
        };
        record
    }

    fn digest() -> Sha256 {
        Sha256::parse(&"0".repeat(64)).unwrap()
    }

    #[test]
    fn operators_see_what_is_not_clean_with_its_finding_or_reason() {
        let shown = |record: &Record| failure_of(record).map(|failure| (failure.status, failure.reason));
        let infected = || Verdict::Infected { signature: "Eicar".to_owned() };
        let encrypted = Verdict::Unscannable { reason: Unscannable::Encrypted };
        assert_eq!(shown(&judged(infected(), None)), Some((Status::Infected, "Eicar".to_owned())));
        assert_eq!(shown(&judged(encrypted, None)), Some((Status::Unscannable, "encrypted".to_owned())));
        let release = Release {
            sha256: digest(),
            signature: "Eicar".to_owned(),
            reason: "a false alarm".to_owned(),
            by: OwnerId::local(),
            at: Timestamp::from_secs(1_700_000_000),
        };
        assert_eq!(shown(&judged(infected(), Some(release))), None);
    }

    #[test]
    fn percentiles_are_read_from_buckets() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), None);
        for millis in [5, 30, 30, 30, 30, 30, 30, 30, 30, 3000] {
            histogram.add(Histogram::bucket_of(Duration::from_millis(millis)), 1);
        }
        let percentile = |percent| histogram.percentile(percent).unwrap().as_millis();
        assert!((25..=50).contains(&percentile(50)), "{}", percentile(50));
        assert!((2500..=5000).contains(&percentile(99)), "{}", percentile(99));
        assert_eq!(histogram.n(), 10);
        let mut slow = Histogram::default();
        slow.add(Histogram::bucket_of(Duration::from_secs(1000)), 1);
        assert_eq!(slow.percentile(50), Some(Duration::from_secs(320)), "at least that");
    }

    #[test]
    fn a_bucket_holds_what_does_not_exceed_its_end() {
        assert_eq!(Histogram::bucket_of(Duration::ZERO), 0);
        assert_eq!(Histogram::bucket_of(Duration::from_millis(10)), 0);
        assert_eq!(Histogram::bucket_of(Duration::from_millis(11)), 1);
        assert_eq!(Histogram::bucket_of(Duration::from_secs(321)), BUCKET_ENDS_MS.len());
    }

    #[test]
    fn a_wait_is_the_queue_and_the_scan_itself() {
        let second = Duration::from_secs(1);
        assert_eq!(estimated_wait(0, second, 1), second);
        assert_eq!(estimated_wait(4, second, 1), second * 5);
        assert_eq!(estimated_wait(4, second, 4), second * 2);
        assert_eq!(estimated_wait(4, second, 0), second * 5);
    }
}
