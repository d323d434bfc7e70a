//! Looks into a compound file that stands in other data: an object of a presentation, a document in a
//! program or behind a picture.

use std::io;

use super::Header;
use crate::blob::{Blob, to_u64};
use crate::walk::{Stop, Walk, Walked};

/// The largest number of a sector; those above stand for none ([MS-CFB] 2.1).
const LAST_SECTOR: u32 = 0xffff_fffa;

/// Looks into what begins here. What cannot be read is left to the engine: eight bytes tell little. Returns
/// how many bytes it takes, 0 if it is none.
pub(crate) fn walk(walk: &mut Walk<'_>, rest: &Blob, depth: u32) -> Walked<u64> {
    let Some(n_bytes) = most_bytes(rest)? else { return Ok(0) };
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
