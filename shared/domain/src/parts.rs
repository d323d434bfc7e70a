//! Is an upload in parts whole? Each part is compared with what was announced before storage may join them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{ETag, Sha256, UploadId};

/// Bytes of every part but the last. S3 takes 5 MiB to 5 GiB, and 10,000 parts: the largest scannable file has 256 of these.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;

/// An upload in parts that storage keeps for us until it is complete.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct MultipartUpload {
    pub upload_id: UploadId,
    /// Whether the uploader says each part's SHA-256, which storage then insists on.
    pub has_checksums: bool,
}

/// A part as storage lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredPart {
    /// From 1.
    pub number: u32,
    pub etag: ETag,
    pub size_bytes: u64,
    /// What storage measured, where the uploader declared it.
    pub sha256: Option<Sha256>,
}

/// How many parts a file of this size has.
pub const fn n_parts(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(PART_BYTES)
}

/// How many bytes a part has; `None` when the file has no such part.
pub fn part_size(size_bytes: u64, number: u32) -> Option<u64> {
    let before = PART_BYTES.checked_mul(u64::from(number.checked_sub(1)?))?;
    (before < size_bytes).then(|| (size_bytes - before).min(PART_BYTES))
}

/// Why parts are not joined, or not asked for.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PartsRefused {
    #[error("the file is not uploaded in parts")]
    NotInParts,
    #[error("the upload is over: there is nothing to add to it")]
    Over,
    #[error("part {number} has not been uploaded")]
    Missing { number: u32 },
    #[error("part {number} has {found} bytes, not {expected}")]
    WrongSize { number: u32, expected: u64, found: u64 },
    #[error("there is no part {number}: the file has {n_parts}")]
    NoSuchPart { number: u32, n_parts: u64 },
    #[error("part {number} needs a `checksum_sha256`, in hexadecimal or base64")]
    ChecksumNeeded { number: u32 },
    #[error(
        "part {number} has a `checksum_sha256`, but the upload did not begin with `part_checksums`: nothing would compare it"
    )]
    ChecksumUnused { number: u32 },
    #[error("ask for 1 to {MAX_PARTS_AT_ONCE} parts at a time")]
    WrongNumber,
}

/// How many parts one request may ask for.
pub const MAX_PARTS_AT_ONCE: usize = 100;

/// Whether `parts`, in order, are exactly what a file of `size_bytes` is cut into. Their bytes are judged by the scan; storage has compared
/// them with their checksums already, if there are any.
pub fn check(size_bytes: u64, parts: &[StoredPart], has_checksums: bool) -> Result<(), PartsRefused> {
    let mut stored = parts.iter();
    let mut number = 1;
    while let Some(expected) = part_size(size_bytes, number) {
        let part = stored.next().filter(|part| part.number == number);
        let part = part.ok_or(PartsRefused::Missing { number })?;
        if part.size_bytes != expected {
            return Err(PartsRefused::WrongSize { number, expected, found: part.size_bytes });
        }
        if has_checksums && part.sha256.is_none() {
            return Err(PartsRefused::ChecksumNeeded { number });
        }
        number += 1;
    }
    match stored.next() {
        None => Ok(()),
        Some(part) => Err(PartsRefused::NoSuchPart { number: part.number, n_parts: n_parts(size_bytes) }),
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
        assert_eq!(check(size, &whole, false), Ok(()));
        let refused = |parts: &[StoredPart], has_checksums| check(size, parts, has_checksums).unwrap_err();
        assert_eq!(refused(&[], false), PartsRefused::Missing { number: 1 });
        assert_eq!(refused(&whole[..2], false), PartsRefused::Missing { number: 3 });
        assert_eq!(
            refused(&[whole[0].clone(), whole[2].clone()], false),
            PartsRefused::Missing { number: 2 }
        );
        let larger = [part(1, PART_BYTES), part(2, PART_BYTES), part(3, 6)];
        assert_eq!(refused(&larger, false), PartsRefused::WrongSize { number: 3, expected: 5, found: 6 });
        let more = [whole.as_slice(), &[part(4, 1)]].concat();
        assert_eq!(refused(&more, false), PartsRefused::NoSuchPart { number: 4, n_parts: 3 });
        assert_eq!(refused(&whole, true), PartsRefused::ChecksumNeeded { number: 1 });
    }

    proptest! {
        #[test]
        fn the_parts_of_a_file_add_up(size in 1u64..=crate::upload::UploadPolicy::LARGEST_SCANNABLE) {
            let sizes: Vec<u64> = (1..).map_while(|number| part_size(size, number)).collect();
            prop_assert_eq!(sizes.iter().sum::<u64>(), size);
            prop_assert_eq!(sizes.len() as u64, n_parts(size));
            prop_assert!(sizes.len() <= 10_000 && sizes[..sizes.len() - 1].iter().all(|part| *part == PART_BYTES));
            prop_assert_eq!(part_size(size, 0), None);
        }
    }
}
