//! Decompresses zisofs: files that mkzftree(1) writes, in images of ISO 9660 or beside them.
//!
//! libarchive and Linux decompress them when Rock Ridge says so; to 7-Zip they are what they are.
//! (zisofs-tools 1.0.8, mkzftree.c: a magic number, the size of the data, that of the header in units of four
//! bytes, the logarithm of a block's size, two zeros; where each block begins and the last one ends; blocks
//! of zlib. A block of no bytes is zeros.)

use std::io::Read as _;

use domain::verdict::Unscannable;
use flate2::bufread::ZlibDecoder;

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Damage, Walk, Walked, malformed, refuse};

const MAGIC: &[u8] = b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07";
/// Of the second version, which libisofs and Linux read.
const MAGIC_2: &[u8] = b"\xef\x22\x55\xa1\xbc\x1b\x95\xa0";
const HEADER: u64 = 16;
/// Linux reads blocks of 32 to 128 KiB; others larger ones.
const LARGEST_BLOCK: u8 = 20;

/// Hands the data of a file that is compressed.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let magic = blob.bytes_at(0, MAGIC.len())?;
    if magic == MAGIC_2 {
        return refuse(Unscannable::UnsupportedContainer, "zisofs, version 2");
    }
    if magic != MAGIC {
        return Ok(());
    }
    if !has_usual_header(blob)? {
        return malformed("zisofs: a header that is none");
    }
    decompress(walk, blob, depth)
}

/// Returns whether the header is one that all readers read alike.
pub(crate) fn has_usual_header(blob: &Blob) -> std::io::Result<bool> {
    let header = blob.bytes_at(0, to_usize(HEADER))?;
    let is_block = (9..=LARGEST_BLOCK).contains(&header.u8_at(13));
    Ok(header.starts_with(MAGIC) && u64::from(header.u8_at(12)) * 4 == HEADER && is_block)
}

fn decompress(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let header = blob.bytes_at(0, to_usize(HEADER))?;
    let (size_bytes, block_bytes) = (u64::from(header.u32_le(8)), 1_u64 << header.u8_at(13));
    let n_blocks = size_bytes.div_ceil(block_bytes);
    let mut writer = walk.new_member()?;
    for index in 0..n_blocks {
        let pointers = blob.bytes_at(HEADER + 4 * index, 8)?;
        let (start, end) = (u64::from(pointers.u32_le(0)), u64::from(pointers.u32_le(4)));
        if pointers.len() < 8 || start > end || end > blob.size_bytes() {
            return malformed("zisofs: a block that is none");
        }
        let block = blob.slice(start, end - start);
        let wanted = block_bytes.min(size_bytes - index * block_bytes);
        let before = writer.size_bytes();
        if block.size_bytes() == 0 {
            walk.fill(&mut writer, &mut std::io::repeat(0).take(wanted), Damage::Refused)?;
        } else {
            walk.fill(&mut writer, &mut ZlibDecoder::new(block.reader()), Damage::Refused)?;
        }
        if writer.size_bytes() - before != wanted {
            return malformed("zisofs: a block of another size");
        }
    }
    walk.visit_reading(writer.finish(), depth).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::classic_mac::tests::{handed, is_refused};

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// Blocks of 512 bytes; an empty one has no bytes.
    fn zisofs(size_bytes: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
        let mut at = 16 + 4 * (blocks.len() + 1);
        let mut pointers = u32::try_from(at).unwrap().to_le_bytes().to_vec();
        for block in blocks {
            at += block.len();
            pointers.extend(u32::try_from(at).unwrap().to_le_bytes());
        }
        [MAGIC, &size_bytes.to_le_bytes(), &[4, 9, 0, 0], &pointers, &blocks.concat()].concat()
    }

    #[test]
    fn blocks_are_joined() {
        let first = [b'-'; 512];
        let file = zisofs(1030, &[zlib(&first), vec![], zlib(b"behind")]);
        assert_eq!(handed(walk, &file), [[&first[..], &[0; 512], b"behind"].concat()]);
        assert_eq!(handed(walk, &zisofs(0, &[])).len(), 0);
        assert_eq!(handed(walk, b"no zisofs").len(), 0);
    }

    #[test]
    fn what_readers_would_read_in_their_own_ways_is_refused() {
        let whole = zisofs(6, &[zlib(b"behind")]);
        // The size, the header's size, the block's size, where a block begins and ends, its bytes.
        for (at, byte) in [(8, 5), (8, 7), (12, 5), (13, 30), (16, 0xff), (20, 0xff), (24, 0)] {
            let mut changed = whole.clone();
            changed[at] = byte;
            assert!(is_refused(walk, &changed), "{at}: {byte}");
        }
        assert!(is_refused(walk, &whole[..22]));
        assert!(is_refused(walk, MAGIC_2));
    }
}
