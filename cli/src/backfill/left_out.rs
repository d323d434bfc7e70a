//! Why a version is not sent. Each one is counted.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    DeleteMarker,
    Older,
    NotLatest,
    Auxiliary,
    OwnUpload,
    NoVersion,
    NotProtected,
    NoOwner,
    Archived,
    Malformed,
}

impl LeftOut {
    pub(crate) const ALL: [Self; 10] = [
        Self::DeleteMarker,
        Self::Older,
        Self::NotLatest,
        Self::Auxiliary,
        Self::OwnUpload,
        Self::NoVersion,
        Self::NotProtected,
        Self::NoOwner,
        Self::Archived,
        Self::Malformed,
    ];

    /// Its name in the plan and in JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::DeleteMarker => "delete_marker",
            Self::Older => "older",
            Self::NotLatest => "not_latest",
            Self::Auxiliary => "auxiliary",
            Self::OwnUpload => "own_upload",
            Self::NoVersion => "no_version",
            Self::NotProtected => "not_protected",
            Self::NoOwner => "no_owner",
            Self::Archived => "archived",
            Self::Malformed => "malformed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == text)
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::DeleteMarker => "delete markers, which have no bytes",
            Self::Older => "stored before --since",
            Self::NotLatest => "not the latest version of their key",
            Self::Auxiliary => "folders and tus servers' `.info` and `.part`, which are no files",
            Self::OwnUpload => "uploads through the API, which judges them",
            Self::NoVersion => "stored without a version id, so that no verdict could identify the bytes",
            Self::NotProtected => "in no place that the service protects (its own environment says which)",
            Self::NoOwner => "in a protected place where no rule names the owner",
            Self::Archived => "archived: restore them, then start a new plan",
            Self::Malformed => "with an entry that cannot be read",
        }
    }

    /// Whether the version has bytes that stay without a verdict, although the job asks for one.
    pub(crate) const fn stays_unjudged(self) -> bool {
        match self {
            Self::DeleteMarker | Self::Older | Self::NotLatest | Self::Auxiliary | Self::OwnUpload => false,
            Self::NoVersion | Self::NotProtected | Self::NoOwner | Self::Archived | Self::Malformed => true,
        }
    }
}
