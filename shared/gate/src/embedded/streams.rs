//! Unpacks compressed streams in the middle of other data that openers know: shell scripts carry an archive
//! behind them (makeself), and `tail` and the compressor's own program get it out.

use domain::verdict::Unscannable;

use super::signatures::Signature;
use crate::ask::{self, Asked};
use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::format::{BOTH_OPEN, LIBARCHIVE_OPENS};
use crate::walk::{Walk, Walked, refuse};
use crate::{lz4_frames, lzma_alone, lzop, zstd_frames};

/// Hands what the stream unpacks to, up to damage. What is more than a signature by the format's own rules,
/// and no opener takes, is refused.
pub(super) fn follow(
    walk: &mut Walk<'_>,
    rest: &Blob,
    head: &[u8],
    signature: Signature,
    depth: u32,
) -> Walked {
    let (is_stream, is_sure, seen) = match signature {
        Signature::Lzop => return lzop::walk_embedded(walk, rest, depth),
        Signature::Lzma => return lzma_alone::walk_embedded(walk, rest, depth),
        Signature::Zstd => {
            let is_whole = zstd_frames::frame_bytes(rest)?.is_some();
            // Openers decompress with zstd's own library.
            (is_whole || head.u8_at(4) & 0x08 == 0, false, "zstd in other data")
        }
        Signature::Lz4 => (lz4_frames::begins(head), false, "lz4 in other data"),
        // The version, and the dictionary's size (lzip 1.23 manual, "File format").
        Signature::Lzip => {
            let is_size = (12..=29).contains(&(head.u8_at(5) & 0x1f));
            (head.u8_at(4) <= 1 && is_size, false, "lzip in other data")
        }
        Signature::Compress => (is_compress(head), true, "compress in other data"),
        _ => return Ok(()),
    };
    if !is_stream {
        return Ok(());
    }
    walk.count_attempt()?;
    let asked = ask::ask_in_other_data(walk, rest, depth)?;
    let opened_by = if signature == Signature::Zstd { BOTH_OPEN } else { LIBARCHIVE_OPENS };
    if asked == Asked::Given || (walk.has_one_of(opened_by) && !is_sure) {
        return Ok(());
    }
    refuse(Unscannable::UnsupportedContainer, seen)
}

/// Returns whether codes of 9 bits follow a header of compress, none of them one that is not yet known. Its
/// two bytes alone occur everywhere. (ncompress 5.0: from 9 to 16 bits, and the flag that a code clears the
/// table; codes are written in eights, and the rest of eight is skipped there.)
fn is_compress(head: &[u8]) -> bool {
    const BITS: usize = 9;
    const CLEAR: u16 = 256;
    const MOST: usize = 64;
    const FEWEST: usize = 16;
    let flags = head.u8_at(2);
    let has_clear = flags & 0x80 != 0;
    let data = head.get(3..).unwrap_or_default();
    let (mut index, mut n_codes, mut n_known) = (0, 0, u16::from(u8::MAX) + 1);
    while n_codes < MOST && (index + 1) * BITS <= data.len() * 8 {
        let bit = index * BITS;
        let code = (data.u16_le(bit / 8) >> (bit % 8)) & 0x1ff;
        index += 1;
        if has_clear && code == CLEAR && n_codes > 0 {
            index = index.next_multiple_of(8);
            n_known = CLEAR;
        } else if code > n_known || (n_codes == 0 && code >= CLEAR) {
            return false;
        } else if n_codes > 0 {
            n_known += 1;
        } else if has_clear {
            n_known = CLEAR + 1;
        }
        n_codes += 1;
    }
    (9..=16).contains(&(flags & 0x1f)) && n_codes >= FEWEST
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of 9 bits behind a header.
    fn compress(flags: u8, codes: &[u16]) -> Vec<u8> {
        let mut bytes = vec![0x1f, 0x9d, flags];
        let bits =
            codes.iter().flat_map(|code| (0..9).map(move |bit| code >> bit & 1 == 1)).collect::<Vec<_>>();
        bytes.extend(bits.chunks(8).map(|bits| {
            bits.iter().enumerate().fold(0_u8, |byte, (index, bit)| byte | u8::from(*bit) << index)
        }));
        bytes
    }

    #[test]
    fn codes_are_known_before_they_are_used() {
        let with = |at: usize, code: u16| {
            let mut codes = [65; 24];
            codes[at] = code;
            codes.to_vec()
        };
        for (flags, codes, expected) in [
            (0x90, vec![65; 24], true),
            (0x8c, vec![65; 24], true),
            (0xb0, vec![65; 24], true),
            (0x10, vec![65; 24], true),
            (0x88, vec![65; 24], false),
            (0x91, vec![65; 24], false),
            (0x90, vec![65; 15], false),
            (0x90, vec![65; 100], true),
            (0x90, with(0, 256), false),
            (0x90, with(1, 257), true),
            (0x90, with(1, 258), false),
            (0x10, with(1, 256), true),
            (0x10, with(1, 257), false),
            (0x90, with(20, 276), true),
            (0x90, with(20, 278), false),
            (0x90, [&[65, 256, 500, 500, 500, 500, 500, 500][..], &[66; 20]].concat(), true),
            (0x90, [&[65, 256, 500, 500, 500, 500, 500, 500][..], &[266; 20]].concat(), false),
        ] {
            assert_eq!(is_compress(&compress(flags, &codes)), expected, "{flags:x} {codes:?}");
        }
    }
}
