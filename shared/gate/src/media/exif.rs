//! Hands the values in TIFF and Exif that are files or may hold one: previews, profiles, notes of the maker
//! (TIFF 6.0; Exif 2.32).

use std::collections::BTreeSet;

use super::hand;
use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const PREVIEW_AT: u16 = 0x0201;
const PREVIEW_BYTES: u16 = 0x0202;
/// Directories: of Exif, of GPS, of interoperability, and below.
const DIRECTORIES: [u16; 4] = [0x8769, 0x8825, 0xa005, 0x014a];
const MOST_DIRECTORIES: usize = 64;

/// How numbers are written.
#[derive(Clone, Copy)]
struct Numbers {
    is_little: bool,
}

impl Numbers {
    fn short(self, bytes: &[u8], at: usize) -> u16 {
        if self.is_little { bytes.u16_le(at) } else { bytes.u16_be(at) }
    }

    fn long(self, bytes: &[u8], at: usize) -> u64 {
        u64::from(if self.is_little { bytes.u32_le(at) } else { bytes.u32_be(at) })
    }
}

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let start = blob.bytes_at(0, 8)?;
    let numbers = Numbers { is_little: start.starts_with(b"II") };
    let (mut to_read, mut seen) = (vec![numbers.long(&start, 4)], BTreeSet::new());
    while let Some(at) = to_read.pop() {
        if at > 0 && seen.len() < MOST_DIRECTORIES && seen.insert(at) {
            walk_directory(walk, blob, at, numbers, &mut to_read, depth)?;
        }
    }
    Ok(())
}

fn walk_directory(
    walk: &mut Walk<'_>,
    blob: &Blob,
    at: u64,
    numbers: Numbers,
    directories: &mut Vec<u64>,
    depth: u32,
) -> Walked {
    const ENTRY: usize = 12;
    const MOST_ENTRIES: usize = 1000;
    let n_entries = usize::from(numbers.short(&blob.bytes_at(at, 2)?, 0)).min(MOST_ENTRIES);
    let bytes = blob.bytes_at(at + 2, n_entries * ENTRY + 4)?;
    let (mut preview_at, mut preview_bytes) = (None, None);
    for entry in bytes.chunks_exact(ENTRY).take(n_entries) {
        let (tag, kind) = (numbers.short(entry, 0), numbers.short(entry, 2));
        let (n_values, value) = (numbers.long(entry, 4), numbers.long(entry, 8));
        match (tag, kind) {
            (PREVIEW_AT, _) => preview_at = Some(value),
            (PREVIEW_BYTES, _) => preview_bytes = Some(value),
            (tag, _) if DIRECTORIES.contains(&tag) && n_values <= 1 => directories.push(value),
            (tag, _) if DIRECTORIES.contains(&tag) => {
                let places = blob.bytes_at(value, 4 * super::bounded(n_values, 64))?;
                directories.extend(places.chunks_exact(4).map(|place| numbers.long(place, 0)));
            }
            // Bytes, text, and what only its tag explains.
            (_, 1 | 2 | 6 | 7 | 13) => hand(walk, &blob.slice(value, n_values), depth)?,
            _ => {}
        }
    }
    if let (Some(start), Some(n_bytes)) = (preview_at, preview_bytes) {
        hand(walk, &blob.slice(start, n_bytes), depth)?;
    }
    directories.push(numbers.long(&bytes, n_entries * ENTRY));
    Ok(())
}
