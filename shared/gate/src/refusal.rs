//! The reason for which a file is refused, and what was seen.

use std::borrow::Cow;
use std::fmt;

use domain::verdict::Unscannable;
use serde::{Deserialize, Serialize};

/// A reason for the uploader, and the observation behind it for the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: Unscannable,
    /// What was seen, in a few words. Fixed texts only: nothing of the file's own.
    pub seen: Cow<'static, str>,
}

impl Refusal {
    /// Returns whether the engine scans the file nevertheless, because it may know it as malware. It does not
    /// scan what unpacks to too much: that refusal exists to save the work.
    pub fn may_ask_engine(&self) -> bool {
        match self.reason {
            Unscannable::Encrypted
            | Unscannable::InspectionFailed
            | Unscannable::Malformed
            | Unscannable::TooDeep
            | Unscannable::UnsupportedContainer => true,
            Unscannable::ContentEncoding
            | Unscannable::Empty
            | Unscannable::ExpandsTooMuch
            | Unscannable::ScanTimeout
            | Unscannable::StaleDefinitions
            | Unscannable::TooLarge
            | Unscannable::TooManyFiles => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.code(), self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_too_much_is_not_given_to_the_engine() {
        let asked = Unscannable::ALL
            .into_iter()
            .filter(|reason| Refusal { reason: *reason, seen: "".into() }.may_ask_engine());
        assert_eq!(
            asked.collect::<Vec<_>>(),
            [
                Unscannable::Encrypted,
                Unscannable::InspectionFailed,
                Unscannable::Malformed,
                Unscannable::TooDeep,
                Unscannable::UnsupportedContainer
            ]
        );
    }
}
