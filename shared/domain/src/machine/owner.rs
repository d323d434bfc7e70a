//! An owner's changes that do not depend on the file's state: edits and the revocation of links.

use std::collections::BTreeMap;

use thiserror::Error;

use super::change::{Change, commit, keep};
use super::{NoChange, Step};
use crate::file_name::{FileName, FileNameError};
use crate::record::{Record, State};
use crate::timestamp::Timestamp;
use crate::upload::UploadPolicy;

/// The most tags a file can have, and the longest key and value in bytes: S3's own limits for object tags.
pub const MAX_TAGS: usize = 10;
const MAX_TAG_KEY_BYTES: usize = 128;
const MAX_TAG_VALUE_BYTES: usize = 256;

/// An owner's requested changes, unchecked; `None` leaves a field unchanged.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct EditRequest {
    pub filename: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
    pub max_downloads: Option<u32>,
    pub expires_at: Option<Timestamp>,
}

/// An owner's changes, checked by [`edit`]; `None` leaves a field unchanged.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Edit {
    filename: Option<FileName>,
    tags: Option<BTreeMap<String, String>>,
    max_downloads: Option<u32>,
    expires_at: Option<Timestamp>,
}

/// Why an edit is refused.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Error)]
pub enum EditError {
    #[error("the file has expired or was deleted")]
    Gone,
    #[error(transparent)]
    Name(#[from] FileNameError),
    #[error("a rename cannot change the extension")]
    ExtensionChanged,
    #[error(
        "at most {MAX_TAGS} tags, keys of 1 to {MAX_TAG_KEY_BYTES} bytes, \
         values of at most {MAX_TAG_VALUE_BYTES} bytes, no control characters"
    )]
    InvalidTags,
    #[error("`max_downloads` must be at least 1")]
    InvalidMaxDownloads,
    #[error("`expires_at` must be in the future and not after {latest}")]
    ExpiryOutOfRange { latest: Timestamp },
}

/// Checks an owner's changes against a file, for [`super::Event::Edited`]. The checks do not depend on the
/// file's state, so the edit stays valid while other writers change the record. If the file ends meanwhile,
/// it is not changed.
pub fn edit(
    record: &Record,
    request: &EditRequest,
    policy: &UploadPolicy,
    now: Timestamp,
) -> Result<Edit, EditError> {
    if matches!(record.state, State::Expired | State::Deleted) {
        return Err(EditError::Gone);
    }
    let filename = request.filename.as_deref().map(|name| renamed(record, name)).transpose()?;
    if let Some(tags) = &request.tags {
        check_tags(tags)?;
    }
    if request.max_downloads == Some(0) {
        return Err(EditError::InvalidMaxDownloads);
    }
    let latest = record.created_at + policy.retention;
    if request.expires_at.is_some_and(|at| at <= now || at > latest) {
        return Err(EditError::ExpiryOutOfRange { latest });
    }
    let EditRequest { tags, max_downloads, expires_at, .. } = request.clone();
    Ok(Edit { filename, tags, max_downloads, expires_at })
}

fn renamed(record: &Record, name: &str) -> Result<FileName, EditError> {
    let renamed = FileName::sanitize(name)?;
    // The upload policy accepted this extension; for an incoming file it was not consulted.
    if record.incoming_version().is_none() && renamed.extension() != record.filename.extension() {
        return Err(EditError::ExtensionChanged);
    }
    Ok(renamed)
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), EditError> {
    let fits = |text: &str, max: usize| text.len() <= max && !text.chars().any(char::is_control);
    let all_fit = tags.iter().all(|(key, value)| {
        !key.is_empty() && fits(key, MAX_TAG_KEY_BYTES) && fits(value, MAX_TAG_VALUE_BYTES)
    });
    if all_fit && tags.len() <= MAX_TAGS { Ok(()) } else { Err(EditError::InvalidTags) }
}

pub(super) fn edited(change: Change<'_>, edit: &Edit) -> Step {
    if change.has_ended() {
        return keep(NoChange::AlreadyEnded);
    }
    let mut next = change.advanced();
    if let Some(filename) = &edit.filename {
        next.filename.clone_from(filename);
    }
    if let Some(tags) = &edit.tags {
        next.tags.clone_from(tags);
    }
    next.max_downloads = edit.max_downloads.or(next.max_downloads);
    if let Some(expires_at) = edit.expires_at {
        next.expires_at = expires_at;
        next.due_at = Some(next.due_at.map_or(expires_at, |due_at| due_at.min(expires_at)));
    }
    next.changed_at = change.now;
    commit(next, vec![])
}

pub(super) fn links_revoked(change: Change<'_>) -> Step {
    if change.has_ended() {
        return keep(NoChange::AlreadyEnded);
    }
    let mut next = change.advanced();
    next.link_generation += 1;
    next.changed_at = change.now;
    commit(next, vec![])
}

#[cfg(test)]
mod tests;
