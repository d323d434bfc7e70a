//! A file's state in one word, as the API shows it.

use serde::{Deserialize, Serialize};

/// The state in one word, as the API shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Scanning,
    Clean,
    Infected,
    /// Something was found, and an operator has released it.
    Released,
    Unscannable,
    Error,
    Expired,
    Deleted,
}

impl Status {
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Scanning,
        Self::Clean,
        Self::Infected,
        Self::Released,
        Self::Unscannable,
        Self::Error,
        Self::Expired,
        Self::Deleted,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scanning => "scanning",
            Self::Clean => "clean",
            Self::Infected => "infected",
            Self::Released => "released",
            Self::Unscannable => "unscannable",
            Self::Error => "error",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the file has a verdict or has ended: only deletion, expiry, a rescan or a release changes the
    /// status.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Scanning)
    }

    /// Whether the file can be downloaded: nothing was found, or an operator released the finding.
    pub const fn is_downloadable(self) -> bool {
        matches!(self, Self::Clean | Self::Released)
    }
}
