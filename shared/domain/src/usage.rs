//! Computes what a file counts against its owner's quotas.
//!
//! The sum over an owner's files is never computed: each committed change of a record adds its difference, in
//! the same transaction, so the sum is exact.

use std::time::Duration;

use crate::record::{Record, State};
use crate::timestamp::Timestamp;

/// The resources that one file, or all files of an owner, use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Usage {
    /// Files without a verdict.
    pub pending: i64,
    /// Files that have not ended.
    pub objects: i64,
    /// Their bytes: the reserved size until the real one is known.
    pub bytes: i64,
}

impl Usage {
    pub const NONE: Self = Self { pending: 0, objects: 0, bytes: 0 };

    pub fn of(record: &Record) -> Self {
        let Some(reserved_bytes) = record.metered else { return Self::NONE };
        let is_over = matches!(record.state, State::Expired | State::Deleted);
        if is_over {
            return Self::NONE;
        }
        let bytes = record.size_bytes().unwrap_or(reserved_bytes);
        Self {
            pending: i64::from(!record.status().is_terminal()),
            objects: 1,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        }
    }
}

impl std::ops::Sub for Usage {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            pending: self.pending - other.pending,
            objects: self.objects - other.objects,
            bytes: self.bytes - other.bytes,
        }
    }
}

/// The scan time of the change from `before` to `after`; zero for files that are not metered.
pub fn scan_time(before: &Record, after: &Record) -> Duration {
    let is_new = before.judgement() != after.judgement();
    let judgement = after.judgement().filter(|_| is_new && after.metered.is_some());
    judgement.map_or(Duration::ZERO, |judgement| judgement.duration)
}

/// The quotas of one owner; `None` for no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quotas {
    pub pending: Option<u64>,
    pub objects: Option<u64>,
    pub bytes: Option<u64>,
    /// Per day in UTC.
    pub scan_seconds: Option<u64>,
}

/// One of an owner's quotas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quota {
    Pending,
    Objects,
    Bytes,
    ScanSeconds,
}

impl Quota {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Objects, Self::Bytes, Self::ScanSeconds];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending-uploads",
            Self::Objects => "files",
            Self::Bytes => "bytes",
            Self::ScanSeconds => "scan-seconds",
        }
    }
}

impl Quotas {
    pub const NONE: Self = Self { pending: None, objects: None, bytes: None, scan_seconds: None };

    pub const fn limit(&self, quota: Quota) -> Option<u64> {
        match quota {
            Quota::Pending => self.pending,
            Quota::Objects => self.objects,
            Quota::Bytes => self.bytes,
            Quota::ScanSeconds => self.scan_seconds,
        }
    }

    /// The first quota that a new file of `bytes` would exceed, given the current usage `used` and
    /// `scan_seconds`.
    pub fn broken_by(&self, bytes: u64, used: Usage, scan_seconds: u64) -> Option<QuotaError> {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        let (pending, objects) = (unsigned(used.pending), unsigned(used.objects));
        let after = |quota| match quota {
            Quota::Pending => pending.saturating_add(1),
            Quota::Objects => objects.saturating_add(1),
            Quota::Bytes => unsigned(used.bytes).saturating_add(bytes),
            Quota::ScanSeconds => scan_seconds.saturating_add(1),
        };
        Quota::ALL.into_iter().find_map(|quota| {
            let limit = self.limit(quota)?;
            (after(quota) > limit).then_some(QuotaError { quota, limit })
        })
    }
}

/// A quota that would be exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("your quota of {limit} {} is used up", .quota.name())]
pub struct QuotaError {
    pub quota: Quota,
    pub limit: u64,
}

impl QuotaError {
    /// When the client should retry: after midnight UTC for a daily quota, else after a time in which files
    /// are judged or expire.
    pub fn retry_after(self, now: Timestamp) -> Duration {
        match self.quota {
            Quota::Pending => Duration::from_mins(1),
            Quota::Objects | Quota::Bytes => Duration::from_hours(1),
            Quota::ScanSeconds => Timestamp::from_secs((day(now) + 1) * DAY_SECS).since(now),
        }
    }
}

const DAY_SECS: i64 = 86_400;

/// Which day in UTC a moment is in, since 1970.
pub fn day(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(DAY_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quota_stands_in_the_way_exactly_at_its_limit() {
        let quotas = Quotas { pending: Some(2), objects: Some(3), bytes: Some(100), scan_seconds: Some(5) };
        let used = Usage { pending: 1, objects: 2, bytes: 90 };
        let broken = |bytes, used, seconds| {
            quotas.broken_by(bytes, used, seconds).map(|exceeded: QuotaError| exceeded.quota)
        };
        assert_eq!(broken(10, used, 4), None);
        assert_eq!(broken(11, used, 4), Some(Quota::Bytes));
        assert_eq!(broken(10, used, 5), Some(Quota::ScanSeconds));
        assert_eq!(broken(10, Usage { pending: 2, ..used }, 4), Some(Quota::Pending));
        assert_eq!(broken(10, Usage { objects: 3, ..used }, 4), Some(Quota::Objects));
        assert_eq!(Quotas::NONE.broken_by(u64::MAX, used, u64::MAX), None);
    }

    #[test]
    fn what_is_counted_by_day_comes_back_at_midnight() {
        let exceeded = QuotaError { quota: Quota::ScanSeconds, limit: 1 };
        let an_hour_before = Timestamp::from_secs(86_400 * 3 - 3600);
        assert_eq!(exceeded.retry_after(an_hour_before), Duration::from_hours(1));
    }
}
