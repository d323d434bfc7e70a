//! Finds what Rock Ridge says of a file (System Use Sharing Protocol 1.12; RRIP 1.12).

use std::io;

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;

const SECTOR: u64 = 2048;

/// Returns whether an entry says that the file is compressed: `ZF`, a length, a version, and the algorithm,
/// `pz`, or `PZ` in the second version of zisofs. Readers skip to the entries by different lengths, so it
/// counts at any byte.
pub(super) fn is_compressed(system_use: &[u8], image: &Blob) -> io::Result<bool> {
    // More continuations than any writer needs.
    const MOST: usize = 64;
    let (mut areas, mut n_read) = (vec![system_use.to_vec()], 0);
    while let Some(area) = areas.pop().filter(|_| n_read < MOST) {
        n_read += 1;
        if area.windows(6).any(says_compressed) {
            return Ok(true);
        }
        for entry in area.windows(28).filter(|entry| entry.starts_with(b"CE\x1c")) {
            let at = u64::from(entry.u32_le(4)) * SECTOR + u64::from(entry.u32_le(12));
            areas.push(image.bytes_at(at, to_usize(u64::from(entry.u32_le(20)).min(SECTOR)))?);
        }
    }
    Ok(n_read == MOST)
}

fn says_compressed(entry: &[u8]) -> bool {
    entry.starts_with(b"ZF") && entry.at(4, 2).eq_ignore_ascii_case(b"pz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_file_is_told_in_any_entry() {
        let entry: &[u8] = b"ZF\x10\x01pz\x04\x0f\x44\0\0\0\0\0\0\x44";
        let continued = |at: u32| {
            let mut entry = vec![0; 28];
            entry[..4].copy_from_slice(b"CE\x1c\x01");
            entry[4..8].copy_from_slice(&1_u32.to_le_bytes());
            entry[12..16].copy_from_slice(&at.to_le_bytes());
            entry[20..24].copy_from_slice(&100_u32.to_le_bytes());
            entry
        };
        let image = [&[0; 2048 + 30], entry, &[0; 100], &continued(400), &[0; 100], &continued(300)].concat();
        let image = Blob::from_bytes(image);
        for (system_use, expected) in [
            (entry.to_vec(), true),
            ([b"\0PX\x04\x01", entry].concat(), true),
            (b"ZF\x10\x02PZ\0\0".to_vec(), true),
            (b"ZF\x10\x01xx\0\0".to_vec(), false),
            (continued(0), true),
            (continued(100), false),
            (continued(130), false),
            (vec![], false),
        ] {
            assert_eq!(is_compressed(&system_use, &image).unwrap(), expected, "{system_use:?}");
        }
    }
}
