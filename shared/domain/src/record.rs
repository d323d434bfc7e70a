//! The record of a file: one for each file, stored whole by the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::content_type::ContentType;
use crate::file_name::FileName;
use crate::history::History;
use crate::id::{FileId, ObjectKey, OwnerId, Sha256, Version};
use crate::incoming::Incoming;
use crate::parts::{MultipartUpload, Whole};
use crate::password::SealedPassword;
use crate::post_verdict::{PostVerdict, Quarantine, Rescan};
use crate::timestamp::Timestamp;
use crate::upload::{AllowedExtensions, Upload, UploadPolicy};
use crate::verdict::{Judgement, Verdict};

pub use crate::lease::Lease;
pub use crate::status::Status;

/// A file's record, as it is stored. Field names are the stored names, except where `rename` says otherwise.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Record {
    pub file_id: FileId,
    pub owner: OwnerId,
    pub filename: FileName,
    pub content_type: ContentType,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub declared_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub declared_sha256: Option<Sha256>,
    pub upload_method: UploadMethod,
    pub created_at: Timestamp,
    /// After this moment no presigned upload for the file is valid.
    pub upload_deadline: Timestamp,
    /// The file expires at this moment.
    pub expires_at: Timestamp,
    pub tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_downloads: Option<u32>,
    /// The password that opens the file, kept until the verdict.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub password: Option<SealedPassword>,
    /// Counted by the ledger, atomically and apart from `revision`.
    pub download_count: u32,
    pub state: State,
    /// Whether versions other than the bound one were seen under the key and are not removed yet.
    pub has_surplus: bool,
    /// When the sweep must act on the file's state; `None` if nothing remains to be done. See
    /// [`Record::next_due_at`].
    #[serde(rename = "state_due_at", skip_serializing_if = "Option::is_none", default)]
    pub due_at: Option<Timestamp>,
    /// The file's changes, with those events that are not published yet.
    #[serde(rename = "journal")]
    pub history: History,
    /// When the sweep must request the publication of the outbox; `None` if it is empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub publish_due_at: Option<Timestamp>,
    /// When a field that clients see last changed.
    pub changed_at: Timestamp,
    /// Links of earlier generations are revoked.
    pub link_generation: u32,
    /// The quarantine action that was applied to the bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quarantined: Option<Quarantine>,
    /// Whether the file counts against its owner's quotas, and with how many bytes until its size is known.
    /// Fixed at its creation, so that sums stay exact when quotas are turned on or off later.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metered: Option<u64>,
    /// Grows by one with every committed change; commits are conditional on it.
    pub revision: u64,
}

/// How the bytes are uploaded.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadMethod {
    /// A presigned PUT; `if-none-match: *` makes it work once.
    Put,
    /// A presigned POST; its policy cannot forbid a replay, so later versions are swept.
    Post,
    /// A form upload whose bytes pass through the service.
    Form,
    /// A multipart upload, which the API completes when all parts are stored.
    Multipart(MultipartUpload),
    /// Outside the API: an uploader stored this version, and its event made the record.
    Incoming(Incoming),
    /// With a request that waits for the verdict. The file is removed after the answer, its record included.
    OnDemand,
}

/// The state of a file. From `Queued` on a version is bound, and it never changes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one at a time, and most records are judged")]
pub enum State {
    /// No bytes are known to have arrived.
    Awaiting,
    /// Bytes are bound, and no scanner has a lease on them.
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
        #[serde(rename = "aftermath", default)]
        post_verdict: PostVerdict,
    },
    Expired,
    Deleted,
}

impl State {
    pub fn status(&self) -> Status {
        match self {
            Self::Awaiting | Self::Queued { .. } => Status::Pending,
            Self::Scanning { .. } => Status::Scanning,
            Self::Judged { post_verdict: PostVerdict { release: Some(release), .. }, judgement, .. }
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

    /// The bound version.
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
    /// The record of an expected upload. After `first_sweep_in` the sweep looks for bytes that arrived
    /// without an event.
    pub fn new(
        file_id: FileId,
        owner: OwnerId,
        upload: Upload,
        upload_method: UploadMethod,
        policy: &UploadPolicy,
        first_sweep_in: Duration,
        now: Timestamp,
    ) -> Self {
        let ttl = match upload_method {
            UploadMethod::Multipart(_) => UploadPolicy::MULTIPART_TTL,
            _ => policy.upload_ttl,
        };
        let retention = match upload_method {
            UploadMethod::OnDemand => UploadPolicy::ON_DEMAND_TTL.min(policy.retention),
            _ => policy.retention,
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
            expires_at: now + retention,
            tags: BTreeMap::new(),
            max_downloads: upload.max_downloads,
            password: None,
            download_count: 0,
            state: State::Awaiting,
            has_surplus: false,
            due_at: Some(now + first_sweep_in),
            history: History::default(),
            publish_due_at: None,
            changed_at: now,
            link_generation: 0,
            quarantined: None,
            metered: None,
            revision: 1,
        }
    }

    /// The record of a version that was stored outside the API and waits for its scan. It is kept for
    /// `retention` from now. With `is_metered` it counts against the owner's quotas, but is never refused,
    /// because the bytes are already stored.
    pub fn incoming(
        incoming: Incoming,
        owner: OwnerId,
        version: Version,
        retention: Duration,
        sweep_retry: Duration,
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
            ..Self::new(file_id, owner, upload, method, &policy, sweep_retry, now)
        }
    }

    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// The key of the file's object.
    pub fn object_key(&self) -> ObjectKey {
        match &self.upload_method {
            UploadMethod::Incoming(incoming) => incoming.key(),
            _ => ObjectKey::Issued(self.file_id),
        }
    }

    /// The uploaded version, if the service did not issue its key. It may remove only this version.
    pub fn incoming_version(&self) -> Option<&Incoming> {
        match &self.upload_method {
            UploadMethod::Incoming(incoming) => Some(incoming),
            _ => None,
        }
    }

    /// Whether the file is another application's object, in a protected bucket.
    pub fn is_protected(&self) -> bool {
        self.incoming_version().is_some_and(Incoming::is_protected)
    }

    /// Whether the file only exists until a waiting request has its verdict. It is not listed, not downloaded
    /// and not reported in events.
    pub fn is_on_demand(&self) -> bool {
        self.upload_method == UploadMethod::OnDemand
    }

    /// The file's multipart upload, in progress or ended.
    pub fn multipart(&self) -> Option<&MultipartUpload> {
        match &self.upload_method {
            UploadMethod::Multipart(upload) => Some(upload),
            _ => None,
        }
    }

    /// What the parts of an upload must add up to; `limit_bytes` is the limit if the uploader declared no
    /// size.
    pub fn whole(&self, limit_bytes: u64) -> Whole {
        self.declared_size.map_or(Whole::AtMost { limit_bytes }, |size_bytes| Whole::Declared { size_bytes })
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

    pub fn post_verdict(&self) -> Option<&PostVerdict> {
        match &self.state {
            State::Judged { post_verdict, .. } => Some(post_verdict),
            _ => None,
        }
    }

    /// The earliest time at which the sweep must visit the record for anything but its rescan; `None` if
    /// nothing remains to be done.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        let tag = self.post_verdict().and_then(|post_verdict| post_verdict.tag_due_at);
        [self.due_at, self.publish_due_at, tag].into_iter().flatten().min()
    }

    /// The rescan, planned, queued or running; [`Rescan::None`] without a verdict.
    pub fn rescan(&self) -> Rescan {
        self.post_verdict().map_or(Rescan::None, |post_verdict| post_verdict.rescan)
    }
}

#[cfg(test)]
mod tests;
