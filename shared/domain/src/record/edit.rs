//! What may an owner change about a file?

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Record, State};
use crate::file_name::{FileName, InvalidName};
use crate::timestamp::Timestamp;
use crate::upload::UploadPolicy;

/// The most tags a file can have, and the longest key and value in bytes: S3's own limits for object tags.
pub const MAX_TAGS: usize = 10;
const MAX_TAG_KEY_BYTES: usize = 128;
const MAX_TAG_VALUE_BYTES: usize = 256;

impl Record {
    /// The record with the owner's changes. `revision` is the caller's to advance, as with [`crate::machine::step`].
    pub fn edited(&self, edit: &Edit, policy: &UploadPolicy, now: Timestamp) -> Result<Self, EditRejected> {
        if matches!(self.state, State::Expired | State::Deleted) {
            return Err(EditRejected::Gone);
        }
        let mut next = self.clone();
        if let Some(name) = &edit.filename {
            let renamed = FileName::sanitize(name)?;
            // What the policy accepted was a name with this extension; it was not asked about an incoming file.
            if self.incoming_version().is_none() && renamed.extension() != self.filename.extension() {
                return Err(EditRejected::ExtensionChanged);
            }
            next.filename = renamed;
        }
        if let Some(tags) = &edit.tags {
            check_tags(tags)?;
            next.tags.clone_from(tags);
        }
        if let Some(limit) = edit.max_downloads {
            if limit == 0 {
                return Err(EditRejected::InvalidMaxDownloads);
            }
            next.max_downloads = Some(limit);
        }
        if let Some(expires_at) = edit.expires_at {
            let latest = self.created_at + policy.retention;
            if expires_at <= now || expires_at > latest {
                return Err(EditRejected::ExpiryOutOfRange { latest });
            }
            next.expires_at = expires_at;
            next.due_at = Some(next.due_at.map_or(expires_at, |due_at| due_at.min(expires_at)));
        }
        next.changed_at = now;
        Ok(next)
    }
}

/// What an owner can change; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Edit {
    pub filename: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
    pub max_downloads: Option<u32>,
    pub expires_at: Option<Timestamp>,
}

/// Why an edit is refused.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Error)]
pub enum EditRejected {
    #[error("the file is gone")]
    Gone,
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("a rename cannot change the extension")]
    ExtensionChanged,
    #[error(
        "at most {MAX_TAGS} tags, keys of 1 to {MAX_TAG_KEY_BYTES} bytes, values of at most {MAX_TAG_VALUE_BYTES} bytes, no control characters"
    )]
    InvalidTags,
    #[error("`max_downloads` must be at least 1")]
    InvalidMaxDownloads,
    #[error("`expires_at` must be in the future and not after {latest}")]
    ExpiryOutOfRange { latest: Timestamp },
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), EditRejected> {
    let fits = |text: &str, max: usize| text.len() <= max && !text.chars().any(char::is_control);
    let all_fit = tags.iter().all(|(key, value)| {
        !key.is_empty() && fits(key, MAX_TAG_KEY_BYTES) && fits(value, MAX_TAG_VALUE_BYTES)
    });
    if all_fit && tags.len() <= MAX_TAGS { Ok(()) } else { Err(EditRejected::InvalidTags) }
}
