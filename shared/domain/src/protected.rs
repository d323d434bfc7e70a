//! Buckets of other applications whose objects are judged where they are.
//!
//! Each version is a file of its own, as below the incoming prefix of the service's own bucket. What may be
//! changed in such a bucket, apart from the verdict's tag, is [`ProtectedChanges`]'s to say.

use std::time::Duration;

use thiserror::Error;

use crate::id::{BucketName, OwnerId, Version};
use crate::incoming::{Incoming, KeyMatch, MAX_KEY_BYTES, NEXT_PART};
use crate::place::BucketPlace;

/// The version that an object has which was stored while its bucket kept no versions. It can be replaced.
const NO_VERSION: &str = "null";

/// The protected buckets, with the owners of the files in them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProtectedBuckets(Vec<ProtectedBucket>);

/// A bucket or a prefix of it, whose objects become files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProtectedBucket {
    pub place: BucketPlace,
    /// `None` if the next part of the key names the owner.
    owner: Option<OwnerId>,
}

/// Why a list of buckets is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProtectedBucketsError {
    #[error("`{0}` is not a bucket or a prefix of one, with an owner behind `=` or `{{owner}}/` at its end")]
    Entry(String),
    #[error("`{0}` never applies: an earlier entry takes the same keys")]
    Unreachable(String),
    #[error("`{0}` is Airlock's own bucket; set `INCOMING_PREFIX` for objects there")]
    Own(String),
}

/// What may be done to objects in protected buckets, apart from the verdict's tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProtectedChanges {
    /// Whether the quarantine policy applies to infected versions.
    pub quarantines: bool,
    /// Whether a version is removed when its file expires or its owner deletes it.
    pub deletes: bool,
}

impl ProtectedChanges {
    /// How long a file is kept whose bytes are not the service's to remove: until its version is removed by
    /// others.
    pub const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

    /// `tags`, or `quarantine` and `delete`, separated by commas.
    pub fn parse(text: &str) -> Option<Self> {
        let mut changes = Self::default();
        for word in text.split(',').map(str::trim) {
            match word {
                "tags" => {}
                "quarantine" => changes.quarantines = true,
                "delete" => changes.deletes = true,
                _ => return None,
            }
        }
        Some(changes)
    }
}

impl ProtectedBuckets {
    /// Entries are separated by commas: `bucket`, `bucket/prefix/`, `bucket/prefix/=alice` for an owner,
    /// `bucket/prefix/{owner}/` for owners that the next part of the key names. `own` is the service's
    /// bucket.
    pub fn parse(text: &str, own: &str) -> Result<Self, ProtectedBucketsError> {
        let mut read: Vec<ProtectedBucket> = vec![];
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let entry =
                ProtectedBucket::parse(text).ok_or_else(|| ProtectedBucketsError::Entry(text.to_owned()))?;
            if entry.place.bucket.as_str() == own {
                return Err(ProtectedBucketsError::Own(text.to_owned()));
            }
            if read.iter().any(|earlier| earlier.place.contains(&entry.place)) {
                return Err(ProtectedBucketsError::Unreachable(text.to_owned()));
            }
            read.push(entry);
        }
        Ok(Self(read))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn places(&self) -> impl Iterator<Item = &BucketPlace> {
        self.0.iter().map(|entry| &entry.place)
    }

    /// Reads a decoded key of another bucket, for the version that was stored under it. An object without a
    /// version, which can be replaced, is [`KeyMatch::Elsewhere`]: no verdict could identify its bytes.
    pub fn read(&self, bucket: &str, key: &str, version: &Version) -> KeyMatch {
        let is_replaceable = version.version_id.as_str() == NO_VERSION;
        if is_replaceable || key.is_empty() || key.len() > MAX_KEY_BYTES {
            return KeyMatch::Elsewhere;
        }
        let is_in = |entry: &&ProtectedBucket| {
            entry.place.bucket.as_str() == bucket && key.starts_with(&entry.place.prefix)
        };
        let Some(entry) = self.0.iter().find(is_in) else { return KeyMatch::Elsewhere };
        if key.ends_with('/') && version.size_bytes == 0 {
            return KeyMatch::Sidecar;
        }
        let place = entry.place.bucket.clone();
        KeyMatch::File {
            owner: entry.owner_of(key),
            incoming: Incoming::protected(place, key.to_owned(), version.version_id.clone()),
        }
    }
}

impl ProtectedBucket {
    fn parse(text: &str) -> Option<Self> {
        let (place, owner) = match text.split_once('=') {
            Some((place, owner)) => (place, Some(OwnerId::parse(owner).ok()?)),
            None => match text.strip_suffix(NEXT_PART) {
                Some(place) if place.ends_with('/') => (place, None),
                Some(_) => return None,
                None => (text, Some(owner_of_bucket(&BucketPlace::parse(text).ok()?.bucket)?)),
            },
        };
        let place = BucketPlace::parse(place).ok()?;
        (!place.prefix.contains(['{', '}'])).then_some(Self { place, owner })
    }

    /// The owner of a key in the place. A key that names no owner belongs to the bucket's, because every
    /// object of a protected bucket is judged.
    fn owner_of(&self, key: &str) -> OwnerId {
        let bucket = || owner_of_bucket(&self.place.bucket).unwrap_or_else(OwnerId::local);
        let next_part = || {
            let (owner, name) = key.strip_prefix(&self.place.prefix)?.split_once('/')?;
            OwnerId::parse(owner).ok().filter(|_| !name.is_empty())
        };
        self.owner.clone().or_else(next_part).unwrap_or_else(bucket)
    }
}

/// The owner of a bucket's files if no rule names another one. No token has such a subject by accident.
fn owner_of_bucket(bucket: &BucketName) -> Option<OwnerId> {
    OwnerId::parse(format!("s3://{bucket}")).ok()
}

#[cfg(test)]
mod tests;
