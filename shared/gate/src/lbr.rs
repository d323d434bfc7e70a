//! Unpacks LBR, CP/M's library: a directory of entries of 32 bytes, the first of which is its own, and
//! members in sectors of 128 bytes.

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const SECTOR: u64 = 128;
const ENTRY_BYTES: usize = 32;
/// A status of zero, a name of blanks, an index of zero.
const OWN_ENTRY: &[u8] = b"\0           \0\0";

/// Hands every member, deleted ones as well.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let own = blob.bytes_at(0, ENTRY_BYTES)?;
    if !own.starts_with(OWN_ENTRY) {
        return Ok(());
    }
    let n_sectors = u64::from(own.u16_le(14));
    let directory = blob.bytes_at(0, to_usize(n_sectors * SECTOR))?;
    for entry in directory.chunks_exact(ENTRY_BYTES).skip(1) {
        let (first, n_sectors) = (u64::from(entry.u16_le(12)), u64::from(entry.u16_le(14)));
        let member = blob.slice(first * SECTOR, n_sectors * SECTOR);
        // How much of the last sector is padding was added to the format later.
        let padding = u64::from(entry.u8_at(26));
        walk.reading_of(member.slice(0, member.size_bytes().saturating_sub(padding)), depth)?;
        walk.reading_of(member, depth)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    fn entry(name: &[u8; 11], first: u8, n_sectors: u8, padding: u8) -> Vec<u8> {
        let mut entry = [&[0], &name[..], &[first, 0, n_sectors, 0]].concat();
        entry.resize(26, 0);
        entry.push(padding);
        entry.resize(ENTRY_BYTES, 0);
        entry
    }

    #[test]
    fn members_are_handed_with_and_without_padding() {
        let directory = [entry(b"           ", 0, 1, 0), entry(b"A       TXT", 1, 1, 100)].concat();
        let mut file = [directory, vec![0; 64]].concat();
        file.extend([b'a'; 128]);
        assert_eq!(handed(walk, &file), [vec![b'a'; 28], vec![b'a'; 128]]);
        file[1] = b'A';
        assert_eq!(handed(walk, &file).len(), 0);
    }
}
