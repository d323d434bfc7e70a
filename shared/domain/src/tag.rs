//! The tag that shows a version's verdict to people and bucket policies. It is written after the verdict; no
//! decision depends on it.

use crate::record::Status;

/// The key and values of the tag, so that existing policies and programs continue to work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TagProfile {
    /// `scan-status`, as cdk-serverless-clamscan writes it.
    #[default]
    ClamScan,
    /// `GuardDutyMalwareScanStatus`, as GuardDuty Malware Protection for S3 writes it.
    GuardDuty,
    /// `airlock-status`, with the status as the API shows it.
    Plain,
}

impl TagProfile {
    pub const ALL: [Self; 3] = [Self::ClamScan, Self::GuardDuty, Self::Plain];

    /// The value of `TAG_PROFILE` that selects the profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClamScan => "scan-status",
            Self::GuardDuty => "guardduty",
            Self::Plain => "plain",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == text)
    }

    pub const fn key(self) -> &'static str {
        match self {
            Self::ClamScan => "scan-status",
            Self::GuardDuty => "GuardDutyMalwareScanStatus",
            Self::Plain => "airlock-status",
        }
    }

    pub fn value(self, status: Status) -> String {
        match self {
            Self::ClamScan => status.as_str().to_uppercase(),
            Self::GuardDuty => guardduty_result(status).to_owned(),
            Self::Plain => status.as_str().to_owned(),
        }
    }
}

/// The status in GuardDuty's terms (AWS, "Monitoring scan status and result in Malware Protection for S3").
/// GuardDuty has no term for a released file: its tag still reports the finding, and policies that use the
/// tag deny access.
pub const fn guardduty_result(status: Status) -> &'static str {
    match status {
        Status::Clean => "NO_THREATS_FOUND",
        Status::Infected | Status::Released => "THREATS_FOUND",
        Status::Unscannable => "UNSUPPORTED",
        Status::Pending | Status::Scanning | Status::Error | Status::Expired | Status::Deleted => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clean_file_is_called_clean_in_any_words() {
        for profile in TagProfile::ALL {
            assert_eq!(TagProfile::parse(profile.name()), Some(profile));
            let clean = profile.value(Status::Clean);
            for status in Status::ALL.into_iter().filter(|status| *status != Status::Clean) {
                assert_ne!(profile.value(status), clean, "{profile:?} {status:?}");
            }
        }
        assert_eq!(TagProfile::ClamScan.value(Status::Clean), "CLEAN");
        assert_eq!(TagProfile::Plain.value(Status::Infected), "infected");
    }
}
