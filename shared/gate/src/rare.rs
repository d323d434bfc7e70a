//! Hands the files in containers that neither the engine nor an opener knows, and whose own programs write
//! them out.
//!
//! Most are directories of stored data. What is compressed in them is inflated.

mod asar;
mod djvu;
mod git;
mod mobipocket;
mod property_list;
mod sqlite;

use crate::blob::Blob;
use crate::walk::{Walk, Walked};

/// The shortest data that are handed. The EICAR test file has 68 bytes.
const SHORTEST: u64 = 64;

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const START: usize = 80;
    let start = blob.bytes_at(0, START)?;
    if start.starts_with(sqlite::MAGIC) {
        sqlite::walk(walk, blob, depth)
    } else if start.starts_with(property_list::MAGIC) {
        property_list::walk(walk, blob, depth)
    } else if start.starts_with(djvu::MAGIC) {
        djvu::walk(walk, blob, depth)
    } else if git::BUNDLES.iter().any(|magic| start.starts_with(magic)) {
        git::walk_bundle(walk, blob, depth)
    } else if start.starts_with(git::PACK) {
        git::walk(walk, blob, depth)
    } else if mobipocket::begins(&start) {
        mobipocket::walk(walk, blob, depth)
    } else if asar::begins(&start) {
        asar::walk(walk, blob, depth)
    } else {
        Ok(())
    }
}

/// Hands data that stand in the container as they are.
fn hand(walk: &mut Walk<'_>, data: &Blob, depth: u32) -> Walked {
    if data.size_bytes() < SHORTEST {
        return Ok(());
    }
    walk.count_pointed(data.size_bytes())?;
    walk.reading_of(data.clone(), depth).map(drop)
}

/// Hands what a stream of zlib inflates to, as far as it goes.
fn hand_inflated(walk: &mut Walk<'_>, packed: &Blob, depth: u32) -> Walked {
    let inflated = || Ok(flate2::bufread::ZlibDecoder::new(packed.reader()));
    let (blob, _) = walk.reading_cut_off(inflated, depth)?;
    walk.count_pointed(blob.size_bytes())
}

#[cfg(test)]
mod tests;
