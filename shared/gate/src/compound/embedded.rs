//! Looks into a compound file that stands in other data: an object of a presentation, a document in a
//! program or behind a picture.

use std::io;

use super::Header;
use crate::blob::{Blob, to_u64};
use crate::format::COMPOUND;
use crate::walk::{Stop, Walk, Walked};

/// The largest number of a sector; those above stand for none ([MS-CFB] 2.1).
const LAST_SECTOR: u32 = 0xffff_fffa;

/// Looks into what begins at `at`. What cannot be read is left to the engine: eight bytes tell little.
/// Returns how many bytes it takes, 0 if it is none.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, at: u64, depth: u32) -> Walked<u64> {
    let is_compound = blob.bytes_at(0, COMPOUND.len())? == COMPOUND;
    // All streams of a compound file are handed over already: in it stand parts of them.
    if is_compound && most_bytes(blob)?.is_some_and(|n_bytes| at < n_bytes) {
        return Ok(0);
    }
    let rest = blob.tail(at);
    let Some(n_bytes) = most_bytes(&rest)? else { return Ok(0) };
    let file = rest.slice(0, n_bytes);
    match walk.reading_of(file.clone(), depth) {
        Err(Stop::Refused(refusal) | Stop::Disputed(refusal)) if walk.leaves_to_engine(&refusal) => {
            walk.give_once(file).map(|()| 0)
        }
        read => read.map(|file| file.size_bytes()),
    }
}

/// How many bytes its tables can tell of.
fn most_bytes(rest: &Blob) -> io::Result<Option<u64>> {
    let Some(header) = Header::read(rest)? else { return Ok(None) };
    let has_more = header.difat_at < LAST_SECTOR;
    let n_tables = to_u64(header.fat_sectors.iter().filter(|sector| **sector < LAST_SECTOR).count());
    let sector_bytes = 1u64 << header.sector_shift;
    let most = (n_tables * (sector_bytes / 4) + 1) * sector_bytes;
    Ok(Some(if has_more { rest.size_bytes() } else { most.min(rest.size_bytes()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_long_as_its_tables_can_tell() {
        let file = |n_tables: usize, difat_at: u32| {
            let mut bytes = COMPOUND.to_vec();
            bytes.resize(2_000_008, 0xff);
            (bytes[30], bytes[31], bytes[32], bytes[33]) = (9, 0, 6, 0);
            bytes[76..76 + 4 * n_tables].fill(0);
            bytes[68..72].copy_from_slice(&difat_at.to_le_bytes());
            most_bytes(&Blob::from_bytes(bytes)).unwrap()
        };
        assert_eq!(file(1, u32::MAX), Some(129 * 512));
        assert_eq!(file(20, u32::MAX), Some((20 * 128 + 1) * 512));
        assert_eq!(file(1, 7), Some(2_000_008), "there are more tables");
        assert_eq!(file(109, u32::MAX), Some(2_000_008), "it is cut");
        assert_eq!(most_bytes(&Blob::from_bytes(COMPOUND.to_vec())).unwrap(), None);
    }
}
