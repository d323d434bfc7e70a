//! What a version in the plan has come to.

use domain::record::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Unsent,
    /// Sent, and not judged when it was last looked up.
    Sent,
    Clean,
    Infected,
    Released,
    Unscannable,
    /// Every attempt to scan it failed.
    Failed,
    /// It was deleted after the plan was made.
    Removed,
}

impl State {
    pub(crate) const ALL: [Self; 8] = [
        Self::Unsent,
        Self::Sent,
        Self::Clean,
        Self::Infected,
        Self::Released,
        Self::Unscannable,
        Self::Failed,
        Self::Removed,
    ];

    /// Its name in the plan and in JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::Sent => "waiting",
            Self::Clean => "clean",
            Self::Infected => "infected",
            Self::Released => "released",
            Self::Unscannable => "unscannable",
            Self::Failed => "failed",
            Self::Removed => "removed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state of a version whose file has this status.
    pub(crate) const fn of(status: Status) -> Self {
        match status {
            Status::Pending | Status::Scanning => Self::Sent,
            Status::Clean => Self::Clean,
            Status::Infected => Self::Infected,
            Status::Released => Self::Released,
            Status::Unscannable => Self::Unscannable,
            Status::Error => Self::Failed,
            Status::Expired | Status::Deleted => Self::Removed,
        }
    }

    /// Whether the service has judged the version.
    pub(crate) const fn is_judged(self) -> bool {
        matches!(self, Self::Clean | Self::Infected | Self::Released | Self::Unscannable)
    }
}
