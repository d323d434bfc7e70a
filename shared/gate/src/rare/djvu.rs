//! Hands the chunks of DjVu (DjVu3 specification, 8: IFF 85), which djvuextract (DjVuLibre 3.5) writes out.

use super::hand;
use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

pub(super) const MAGIC: &[u8] = b"AT&TFORM";

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const HEADER: u64 = 8;
    let mut at = 4;
    while at + HEADER <= blob.size_bytes() {
        let header = blob.bytes_at(at, 8)?;
        at += HEADER;
        if header.starts_with(b"FORM") {
            // Its kind; its chunks follow one behind another, at whatever level.
            at += 4;
            continue;
        }
        let n_bytes = u64::from(header.u32_be(4));
        hand(walk, &blob.slice(at, n_bytes), depth)?;
        at = (at + n_bytes).next_multiple_of(2);
    }
    Ok(())
}
