//! What do we know about a file? One record per file; the ledger stores it whole.

mod edit;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aftermath::{Aftermath, Quarantine};
use crate::content_type::ContentType;
use crate::file_name::FileName;
use crate::id::{FileId, ObjectKey, OwnerId, ScanId, Sha256, Version};
use crate::incoming::Incoming;
use crate::journal::Journal;
use crate::parts::{MultipartUpload, Whole};
use crate::password::SealedPassword;
use crate::timestamp::Timestamp;
use crate::upload::{AllowedExtensions, Upload, UploadPolicy};
use crate::verdict::{Judgement, Verdict};

pub use edit::{Edit, EditRejected, MAX_TAGS};

/// A file's whole story.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    pub file_id: FileId,
    pub owner: OwnerId,
    pub filename: FileName,
    pub content_type: ContentType,
    pub declared_size: Option<u64>,
    pub declared_sha256: Option<Sha256>,
    pub upload_method: UploadMethod,
    pub created_at: Timestamp,
    /// After this moment no presigned upload for the file is valid any more.
    pub upload_deadline: Timestamp,
    /// After this moment the file is gone.
    pub expires_at: Timestamp,
    pub tags: BTreeMap<String, String>,
    pub max_downloads: Option<u32>,
    /// What opens the file, until it has its verdict.
    pub password: Option<SealedPassword>,
    /// Counted by the ledger, atomically and apart from `revision`.
    pub download_count: u32,
    pub state: State,
    /// Versions other than the bound one were seen under the key and are not removed yet.
    pub has_surplus: bool,
    /// When the sweep must look at the file's state next; `None` when nothing is left to do there. See [`Record::next_look`].
    pub due_at: Option<Timestamp>,
    /// What has happened, and what of it is still to be told.
    pub journal: Journal,
    /// When the sweep must see to it that the journal's outbox is emptied; `None` when it is empty.
    pub publish_due_at: Option<Timestamp>,
    /// When something last changed that a client sees.
    pub changed_at: Timestamp,
    /// Links of earlier generations are dead.
    pub link_generation: u32,
    /// What the quarantine policy did with the bytes.
    pub quarantined: Option<Quarantine>,
    /// Whether the file counts against its owner's quotas, and with how many bytes until it is known how many arrived. Fixed at its creation,
    /// so that sums stay exact when quotas are turned on or off later.
    pub metered: Option<u64>,
    /// Grows by one with every committed change; commits are conditional on it.
    pub revision: u64,
}

/// How the bytes come in.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadMethod {
    /// A presigned PUT; `if-none-match: *` makes it work once.
    Put,
    /// A presigned POST; its policy cannot forbid a replay, so later versions are swept.
    Post,
    /// Through the service itself.
    Form,
    /// In parts, which the API joins when all of them are there.
    Multipart(MultipartUpload),
    /// Past us: somebody else stored this version, and its event made the record.
    Incoming(Incoming),
}

/// Where a file is on its way. A version is bound from `Queued` on, and never changes after that.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one at a time, and most records are judged")]
pub enum State {
    /// Nothing has arrived, as far as we know.
    Awaiting,
    /// Bytes are bound; nobody is scanning them.
    Queued {
        version: Version,
        n_attempts: u32,
    },
    Scanning {
        version: Version,
        lease: Lease,
    },
    Judged {
        version: Version,
        judgement: Judgement,
        #[serde(default)]
        aftermath: Aftermath,
    },
    Expired,
    Deleted,
}

/// Who may write the verdict, and until when nobody else may try.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Lease {
    pub holder: ScanId,
    /// Which attempt this is, from 1: the fencing token.
    pub epoch: u32,
    pub until: Timestamp,
}

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

    /// Whether the file has ended: nothing but deletion, expiry, a rescan or a release changes it any more.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Scanning)
    }

    /// Whether the file can be downloaded: nothing was found, or an operator answers for what was.
    pub const fn is_downloadable(self) -> bool {
        matches!(self, Self::Clean | Self::Released)
    }
}

impl State {
    pub fn status(&self) -> Status {
        match self {
            Self::Awaiting | Self::Queued { .. } => Status::Pending,
            Self::Scanning { .. } => Status::Scanning,
            Self::Judged { aftermath: Aftermath { release: Some(release), .. }, judgement, .. }
                if release.covers(judgement) =>
            {
                Status::Released
            }
            Self::Judged { judgement, .. } => match judgement.verdict {
                Verdict::Clean(_) => Status::Clean,
                Verdict::Infected { .. } => Status::Infected,
                Verdict::Unscannable { .. } => Status::Unscannable,
                Verdict::Error { .. } => Status::Error,
            },
            Self::Expired => Status::Expired,
            Self::Deleted => Status::Deleted,
        }
    }

    /// The bytes that the file is, once they are bound.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Queued { version, .. } | Self::Scanning { version, .. } | Self::Judged { version, .. } => {
                Some(version)
            }
            Self::Awaiting | Self::Expired | Self::Deleted => None,
        }
    }
}

impl Record {
    /// A file that is expected. `first_look` is when the sweep looks whether it arrived without an event.
    pub fn new(
        file_id: FileId,
        owner: OwnerId,
        upload: Upload,
        upload_method: UploadMethod,
        policy: &UploadPolicy,
        first_look: Duration,
        now: Timestamp,
    ) -> Self {
        let ttl = match upload_method {
            UploadMethod::Multipart(_) => UploadPolicy::MULTIPART_TTL,
            _ => policy.upload_ttl,
        };
        Self {
            file_id,
            owner,
            filename: upload.filename,
            content_type: upload.content_type,
            declared_size: upload.declared_size,
            declared_sha256: upload.declared_sha256,
            upload_method,
            created_at: now,
            upload_deadline: now + ttl,
            expires_at: now + policy.retention,
            tags: BTreeMap::new(),
            max_downloads: upload.max_downloads,
            password: None,
            download_count: 0,
            state: State::Awaiting,
            has_surplus: false,
            due_at: Some(now + first_look),
            journal: Journal::default(),
            publish_due_at: None,
            changed_at: now,
            link_generation: 0,
            quarantined: None,
            metered: None,
            revision: 1,
        }
    }

    /// A version that somebody else has stored, and that waits for its scan. It is kept for `retention` from now. With `is_metered` it counts
    /// against the owner's quotas, which refuse nothing here: the bytes are there already.
    pub fn incoming(
        incoming: Incoming,
        owner: OwnerId,
        version: Version,
        retention: Duration,
        look_again: Duration,
        is_metered: bool,
        now: Timestamp,
    ) -> Self {
        let upload = Upload {
            filename: incoming.filename(),
            content_type: ContentType::octet_stream(),
            declared_size: None,
            declared_sha256: None,
            max_downloads: None,
            password: None,
        };
        let policy = UploadPolicy {
            max_file_size: version.size_bytes,
            allowed_extensions: AllowedExtensions::All,
            upload_ttl: Duration::ZERO,
            retention,
        };
        let (file_id, method) = (incoming.file_id(), UploadMethod::Incoming(incoming));
        Self {
            metered: is_metered.then_some(version.size_bytes),
            state: State::Queued { version, n_attempts: 0 },
            ..Self::new(file_id, owner, upload, method, &policy, look_again, now)
        }
    }

    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// Where the bytes are.
    pub fn object_key(&self) -> ObjectKey {
        match &self.upload_method {
            UploadMethod::Incoming(incoming) => incoming.key(),
            _ => ObjectKey::Issued(self.file_id),
        }
    }

    /// The one version that is ours to remove, where the key is somebody else's.
    pub fn incoming_version(&self) -> Option<&Incoming> {
        match &self.upload_method {
            UploadMethod::Incoming(incoming) => Some(incoming),
            _ => None,
        }
    }

    /// The upload in parts that storage keeps for the file, or has kept.
    pub fn multipart(&self) -> Option<&MultipartUpload> {
        match &self.upload_method {
            UploadMethod::Multipart(upload) => Some(upload),
            _ => None,
        }
    }

    /// What the parts of an upload must add up to; `limit_bytes` where the uploader did not say.
    pub fn whole(&self, limit_bytes: u64) -> Whole {
        self.declared_size.map_or(Whole::AtMost { limit_bytes }, |size_bytes| Whole::Announced { size_bytes })
    }

    /// The measured size once bytes are bound, else the declared one.
    pub fn size_bytes(&self) -> Option<u64> {
        self.state.version().map(|version| version.size_bytes).or(self.declared_size)
    }

    pub fn judgement(&self) -> Option<&Judgement> {
        match &self.state {
            State::Judged { judgement, .. } => Some(judgement),
            _ => None,
        }
    }

    pub fn aftermath(&self) -> Option<&Aftermath> {
        match &self.state {
            State::Judged { aftermath, .. } => Some(aftermath),
            _ => None,
        }
    }

    pub(crate) fn rescan_was_asked_for(&self) -> bool {
        self.aftermath().is_some_and(|aftermath| aftermath.rescan.is_asked_for())
    }

    /// When the sweep must look at the file next, for whatever reason; `None` when nothing is left to do.
    pub fn next_look(&self) -> Option<Timestamp> {
        let rescan = self.aftermath().and_then(|aftermath| aftermath.rescan.due_at());
        [self.due_at, self.publish_due_at, rescan].into_iter().flatten().min()
    }
}
