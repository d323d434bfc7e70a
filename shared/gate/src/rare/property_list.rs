//! Hands the data in binary property lists (CFBinaryPList.c): Safari's web archives keep pages and their
//! files so, which pywebarchive and textutil write out.

use super::hand;
use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, refuse};
use domain::verdict::Unscannable;

pub(super) const MAGIC: &[u8] = b"bplist";
const TRAILER: u64 = 32;

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const MOST_TABLE_BYTES: u64 = 64 * 1024 * 1024;
    let trailer_at = blob.size_bytes().saturating_sub(TRAILER);
    let trailer = blob.bytes_at(trailer_at, to_usize(TRAILER))?;
    let n_offset = usize::from(trailer.u8_at(6));
    let (n_objects, table_at) = (number(trailer.at(8, 8)), number(trailer.at(24, 8)));
    if n_offset == 0 || table_at >= trailer_at {
        return Ok(());
    }
    let table_bytes = n_objects.saturating_mul(to_u64(n_offset)).min(trailer_at - table_at);
    if table_bytes > MOST_TABLE_BYTES {
        return refuse(Unscannable::TooManyFiles, "a property list with more objects than the limit");
    }
    for offset in blob.bytes_at(table_at, to_usize(table_bytes))?.chunks_exact(n_offset) {
        if let Some(data) = data_at(blob, number(offset))? {
            hand(walk, &data, depth)?;
        }
    }
    Ok(())
}

/// The data of an object that is data: a kind and a length of four bits, or of an integer that follows.
fn data_at(blob: &Blob, at: u64) -> std::io::Result<Option<Blob>> {
    const DATA: u8 = 0x4;
    const FOLLOWS: u8 = 0xf;
    let head = blob.bytes_at(at, 10)?;
    let (kind, length) = (head.u8_at(0) >> 4, head.u8_at(0) & 0xf);
    if kind != DATA {
        return Ok(None);
    }
    if length != FOLLOWS {
        return Ok(Some(blob.slice(at.saturating_add(1), length.into())));
    }
    let n_length = 1_usize << (head.u8_at(1) & 0x3);
    let data_at = at.saturating_add(2 + to_u64(n_length));
    Ok(Some(blob.slice(data_at, number(head.at(2, n_length)))))
}

/// Big-endian, of any length.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
