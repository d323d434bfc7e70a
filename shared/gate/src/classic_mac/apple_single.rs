//! Unwraps AppleSingle and AppleDouble (RFC 1740): a table of entries, each a fork, a name or some attribute.

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const SINGLE: u32 = 0x0005_1600;
const DOUBLE: u32 = 0x0005_1607;
const TABLE_AT: u64 = 26;
const ENTRY_BYTES: usize = 12;

/// Hands every entry, whatever its kind. Readers know both orders of bytes.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let header = blob.bytes_at(0, to_usize(TABLE_AT))?;
    let is_magic = |magic: u32| magic == SINGLE || magic == DOUBLE;
    let is_big_endian = is_magic(header.u32_be(0));
    if !is_big_endian && !is_magic(header.u32_le(0)) {
        return Ok(());
    }
    let number = |bytes: &[u8], at: usize| if is_big_endian { bytes.u32_be(at) } else { bytes.u32_le(at) };
    let n_entries = usize::from(if is_big_endian { header.u16_be(24) } else { header.u16_le(24) });
    let table = blob.bytes_at(TABLE_AT, n_entries * ENTRY_BYTES)?;
    for entry in table.chunks_exact(ENTRY_BYTES) {
        let (offset, n_bytes) = (number(entry, 4), number(entry, 8));
        walk.reading_of(blob.slice(u64::from(offset), u64::from(n_bytes)), depth)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    fn apple_single(magic: u32, u16_bytes: fn(u16) -> [u8; 2], u32_bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
        let mut file = [&u32_bytes(magic)[..], &u32_bytes(0x0002_0000), &[0; 16], &u16_bytes(2)].concat();
        for (kind, offset, n_bytes) in [(9u32, 50u32, 4u32), (1, 54, 99)] {
            file.extend([u32_bytes(kind), u32_bytes(offset), u32_bytes(n_bytes)].concat());
        }
        file.extend(b"infodata fork, cut");
        file
    }

    #[test]
    fn every_entry_is_handed() {
        let entries = [&b"info"[..], b"data fork, cut"];
        for magic in [SINGLE, DOUBLE] {
            assert_eq!(handed(walk, &apple_single(magic, u16::to_be_bytes, u32::to_be_bytes)), entries);
            assert_eq!(handed(walk, &apple_single(magic, u16::to_le_bytes, u32::to_le_bytes)), entries);
        }
        assert_eq!(handed(walk, &apple_single(0x0005_1602, u16::to_be_bytes, u32::to_be_bytes)).len(), 0);
    }
}
