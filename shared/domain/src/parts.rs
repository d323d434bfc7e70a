//! Checks the parts of a multipart upload against what was announced, before storage may join them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{ETag, Sha256, UploadId};

/// Bytes of every part but the last. S3 takes 5 MiB to 5 GiB, and 10,000 parts: the largest scannable file
/// has 256 of these.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;

/// A multipart upload in storage.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct MultipartUpload {
    pub upload_id: UploadId,
    /// Whether the uploader declares each part's SHA-256, which storage then verifies.
    pub has_checksums: bool,
}

/// A part as storage lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredPart {
    /// From 1.
    pub number: u32,
    pub etag: ETag,
    pub size_bytes: u64,
    /// The digest that storage measured, if the uploader declared one.
    pub sha256: Option<Sha256>,
}

/// How many parts a file of this size has.
pub const fn n_parts(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(PART_BYTES)
}

/// How many bytes a part has; `None` if the file has no such part.
pub fn part_size(size_bytes: u64, number: u32) -> Option<u64> {
    let before = PART_BYTES.checked_mul(u64::from(number.checked_sub(1)?))?;
    (before < size_bytes).then(|| (size_bytes - before).min(PART_BYTES))
}

/// Why parts are not presigned or not joined.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PartsError {
    #[error("the file is not a multipart upload")]
    NotInParts,
    #[error("the upload has ended and accepts no more parts")]
    Over,
    #[error("part {number} has not been uploaded")]
    Missing { number: u32 },
    #[error("part {number} has {found} bytes, not {expected}")]
    WrongSize { number: u32, expected: u64, found: u64 },
    #[error("there is no part {number}: the file has {n_parts}")]
    NoSuchPart { number: u32, n_parts: u64 },
    #[error("part {number} needs a `checksum_sha256`, in hexadecimal or base64")]
    ChecksumNeeded { number: u32 },
    #[error("part {number} has a `checksum_sha256`, but the upload was created without `part_checksums`")]
    ChecksumUnused { number: u32 },
    #[error("part {number} does not match your list of parts and ETags")]
    Differs { number: u32 },
    #[error("the parts add up to more than the limit of {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("request 1 to {MAX_PARTS_PER_REQUEST} parts at a time")]
    WrongNumber,
}

/// The maximum number of parts in one request.
pub const MAX_PARTS_PER_REQUEST: usize = 100;

/// The total size that the parts must have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whole {
    /// The uploader declared the size; all parts but the last have [`PART_BYTES`].
    Declared { size_bytes: u64 },
    /// The uploader's protocol declares no size; the uploader chooses the sizes of the parts.
    AtMost { limit_bytes: u64 },
}

/// S3's minimum for every part but the last.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
/// S3's limit for one upload.
const MAX_PARTS: u64 = 10_000;

impl Whole {
    /// The maximum number of parts.
    pub fn max_parts(self) -> u64 {
        match self {
            Self::Declared { size_bytes } => n_parts(size_bytes),
            Self::AtMost { limit_bytes } => limit_bytes.div_ceil(MIN_PART_BYTES).clamp(1, MAX_PARTS),
        }
    }

    /// How many bytes a part has, if that is known; an error if there can be no such part.
    pub fn part_size(self, number: u32) -> Result<Option<u64>, PartsError> {
        let size = match self {
            Self::Declared { size_bytes } => part_size(size_bytes, number).map(Some),
            Self::AtMost { .. } => (1..=self.max_parts()).contains(&u64::from(number)).then_some(None),
        };
        size.ok_or(PartsError::NoSuchPart { number, n_parts: self.max_parts() })
    }
}

/// Checks that `parts`, in order, are what was announced. It does not look at their bytes: storage has
/// verified the checksums, if there are any, and the scan judges the content.
pub fn check(whole: Whole, parts: &[StoredPart], has_checksums: bool) -> Result<(), PartsError> {
    match whole {
        Whole::Declared { size_bytes } => check_declared(size_bytes, parts)?,
        Whole::AtMost { limit_bytes } => check_sum(limit_bytes, parts)?,
    }
    match parts.iter().find(|part| has_checksums && part.sha256.is_none()) {
        Some(part) => Err(PartsError::ChecksumNeeded { number: part.number }),
        None => Ok(()),
    }
}

fn check_declared(size_bytes: u64, parts: &[StoredPart]) -> Result<(), PartsError> {
    let mut stored = parts.iter();
    let mut number = 1;
    while let Some(expected) = part_size(size_bytes, number) {
        let part = stored.next().filter(|part| part.number == number);
        let part = part.ok_or(PartsError::Missing { number })?;
        if part.size_bytes != expected {
            return Err(PartsError::WrongSize { number, expected, found: part.size_bytes });
        }
        number += 1;
    }
    match stored.next() {
        None => Ok(()),
        Some(part) => Err(PartsError::NoSuchPart { number: part.number, n_parts: n_parts(size_bytes) }),
    }
}

fn check_sum(limit_bytes: u64, parts: &[StoredPart]) -> Result<(), PartsError> {
    let mut numbers = 1..;
    let gap = parts.iter().find_map(|part| numbers.next().filter(|number| part.number != *number));
    if let Some(number) = gap.or_else(|| parts.is_empty().then_some(1)) {
        return Err(PartsError::Missing { number });
    }
    let sum = parts.iter().map(|part| part.size_bytes).fold(0, u64::saturating_add);
    if sum > limit_bytes { Err(PartsError::TooLarge { limit_bytes }) } else { Ok(()) }
}

/// A part as the uploader lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedPart {
    pub number: u32,
    /// Without its quotes.
    pub etag: String,
}

/// Checks that the stored parts are exactly the listed ones, and that none was replaced since.
pub fn compare(listed: &[ListedPart], stored: &[StoredPart]) -> Result<(), PartsError> {
    let differs = |at: usize| match (listed.get(at), stored.get(at)) {
        (Some(listed), Some(stored)) if listed.number == stored.number => {
            (listed.etag != stored.etag.as_str()).then_some(listed.number)
        }
        (Some(listed), Some(stored)) => Some(listed.number.min(stored.number)),
        (listed, stored) => listed.map(|part| part.number).or_else(|| stored.map(|part| part.number)),
    };
    match (0..listed.len().max(stored.len())).find_map(differs) {
        Some(number) => Err(PartsError::Differs { number }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(number: u32, size_bytes: u64) -> StoredPart {
        StoredPart { number, etag: ETag::parse("e").unwrap(), size_bytes, sha256: None }
    }

    #[test]
    fn only_exactly_the_announced_parts_are_joined() {
        let size = 2 * PART_BYTES + 5;
        let whole = [part(1, PART_BYTES), part(2, PART_BYTES), part(3, 5)];
        let announced = Whole::Declared { size_bytes: size };
        assert_eq!(check(announced, &whole, false), Ok(()));
        let refused =
            |parts: &[StoredPart], has_checksums| check(announced, parts, has_checksums).unwrap_err();
        assert_eq!(refused(&[], false), PartsError::Missing { number: 1 });
        assert_eq!(refused(&whole[..2], false), PartsError::Missing { number: 3 });
        assert_eq!(refused(&[whole[0].clone(), whole[2].clone()], false), PartsError::Missing { number: 2 });
        let larger = [part(1, PART_BYTES), part(2, PART_BYTES), part(3, 6)];
        assert_eq!(refused(&larger, false), PartsError::WrongSize { number: 3, expected: 5, found: 6 });
        let more = [whole.as_slice(), &[part(4, 1)]].concat();
        assert_eq!(refused(&more, false), PartsError::NoSuchPart { number: 4, n_parts: 3 });
        assert_eq!(refused(&whole, true), PartsError::ChecksumNeeded { number: 1 });
    }

    #[test]
    fn without_a_size_the_sum_is_limited() {
        let limit = Whole::AtMost { limit_bytes: 12_000_000 };
        let check = |parts: &[StoredPart]| check(limit, parts, false);
        assert_eq!(check(&[part(1, 6_000_000), part(2, 6_000_000)]), Ok(()));
        let too_large = PartsError::TooLarge { limit_bytes: 12_000_000 };
        assert_eq!(check(&[part(1, 6_000_000), part(2, 6_000_001)]), Err(too_large.clone()));
        assert_eq!(check(&[part(1, u64::MAX), part(2, u64::MAX)]), Err(too_large));
        assert_eq!(check(&[]), Err(PartsError::Missing { number: 1 }));
        assert_eq!(check(&[part(2, 5)]), Err(PartsError::Missing { number: 1 }));
        assert_eq!(check(&[part(1, 5), part(3, 5)]), Err(PartsError::Missing { number: 2 }));
        assert_eq!((limit.part_size(3), limit.max_parts()), (Ok(None), 3));
        for number in [0, 4] {
            assert_eq!(limit.part_size(number), Err(PartsError::NoSuchPart { number, n_parts: 3 }));
        }
        assert_eq!(Whole::AtMost { limit_bytes: u64::MAX }.max_parts(), 10_000);
    }

    #[test]
    fn only_what_was_sent_is_joined() {
        let listed = |parts: &[(u32, &str)]| -> Vec<ListedPart> {
            parts
                .iter()
                .map(|(number, etag)| ListedPart { number: *number, etag: (*etag).to_owned() })
                .collect()
        };
        let stored = [part(1, 5), part(2, 5)];
        assert_eq!(compare(&listed(&[(1, "e"), (2, "e")]), &stored), Ok(()));
        for (sent, number) in [
            (listed(&[(1, "e"), (2, "f")]), 2),
            (listed(&[(1, "e")]), 2),
            (listed(&[(2, "e")]), 1),
            (listed(&[(1, "e"), (2, "e"), (3, "e")]), 3),
            (listed(&[]), 1),
            (listed(&[(2, "e"), (1, "e")]), 1),
        ] {
            assert_eq!(compare(&sent, &stored), Err(PartsError::Differs { number }), "{sent:?}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_of_a_file_add_up(size in 1u64..=crate::upload::UploadPolicy::LARGEST_SCANNABLE) {
            let sizes: Vec<u64> = (1..).map_while(|number| part_size(size, number)).collect();
            prop_assert_eq!(sizes.iter().sum::<u64>(), size);
            prop_assert_eq!(sizes.len() as u64, n_parts(size));
            prop_assert!(
                sizes.len() <= 10_000 && sizes[..sizes.len() - 1].iter().all(|part| *part == PART_BYTES)
            );
            prop_assert_eq!(part_size(size, 0), None);
        }
    }
}
