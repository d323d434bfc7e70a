//! What tells a file from the same file after a change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

/// What changes with a file's bytes. The kernel sets the time of the last change (`ctime`) at every write,
/// and no program can set it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fingerprint {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size_bytes: u64,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
}

impl Fingerprint {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file has not been changed for this long.
    pub(super) fn has_rested(&self, settle: Duration) -> bool {
        let age_ms = aws::clock::now().as_millis().saturating_sub(self.ctime_ns / 1_000_000);
        u64::try_from(age_ms).is_ok_and(|age_ms| Duration::from_millis(age_ms) >= settle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_rests_when_it_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fingerprint = Fingerprint::of(&file.as_file().metadata().unwrap());
        assert!(!fingerprint.has_rested(Duration::from_hours(1)));
        let earlier = Fingerprint { ctime_ns: fingerprint.ctime_ns - 7_200_000_000_000, ..fingerprint };
        assert!(earlier.has_rested(Duration::from_hours(1)));
        let future = Fingerprint { ctime_ns: i64::MAX, ..fingerprint };
        assert!(!future.has_rested(Duration::ZERO));
    }
}
