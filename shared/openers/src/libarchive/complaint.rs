//! Classifies the library's errors.

use gate::{MemberEnd, Opened};

/// Why the library cannot continue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Complaint {
    /// No filter or format claims the file.
    NotRecognised,
    Damaged,
    Encrypted,
    Unsupported,
    TooMuchMemory,
    /// The blob could not be read; nothing is known about its bytes.
    Unreadable,
}

impl Complaint {
    /// Classifies an errno and its text. The library has few error codes of its own; its texts are stable,
    /// and an unknown text means damage.
    pub(super) fn new(errno: i32, text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["unrecognized archive format"]) {
            Self::NotRecognised
        } else if says(&["encrypt", "decrypt", "passphrase", "password", "crypto"]) {
            Self::Encrypted
        } else if errno == libc::ENOMEM || says(&["memory", "allocat"]) {
            Self::TooMuchMemory
        } else if says(&[
            "converted", // names
            "upported",
            "unavailable",
            "no support",
            "compiled without",
            "too many filters",
            "unknown codec",
        ]) {
            Self::Unsupported
        } else {
            Self::Damaged
        }
    }

    /// Returns how a member ends with this error.
    pub(super) fn member_end(self) -> MemberEnd {
        match self {
            Self::NotRecognised | Self::Damaged | Self::Unreadable => MemberEnd::Damaged,
            Self::Encrypted => MemberEnd::Encrypted,
            Self::Unsupported => MemberEnd::Unsupported,
            Self::TooMuchMemory => MemberEnd::TooMuchMemory,
        }
    }

    /// Returns what the error makes of the file as a whole.
    pub(super) fn opened(self) -> Opened {
        match self {
            Self::NotRecognised => Opened::NotMine,
            Self::Damaged => Opened::Damaged,
            Self::Unreadable => Opened::Unread,
            Self::Encrypted => Opened::Encrypted,
            Self::Unsupported => Opened::Unsupported,
            Self::TooMuchMemory => Opened::TooMuchMemory,
        }
    }
}
