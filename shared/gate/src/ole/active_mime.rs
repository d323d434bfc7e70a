//! Unpacks ActiveMime, in which Word keeps macros and objects of XML and web pages (`oledata.mso`,
//! `editdata.mso`): a header, then a compressed compound file.

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::walk::{Walk, Walked};

const SIGNATURE: &[u8] = b"ActiveMime";
/// The header says here how much longer it is than this place and the 16 bytes behind it.
const LENGTH_AT: usize = 0x1e;
const LENGTH_COUNTS_FROM: u64 = 46;
/// Headers have 50 or 554 bytes; readers that do not trust the length look for the data themselves.
const SEARCHED_BYTES: usize = 1024;
/// A header has hardly one pair of bytes that looks like the start of zlib's data.
const MAX_PLACES: usize = 16;
const ZLIB_HEADER_BYTES: u64 = 2;

/// Hands over what is compressed in a blob that is ActiveMime.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let head = blob.bytes_at(0, SEARCHED_BYTES)?;
    if !head.starts_with(SIGNATURE) {
        return Ok(());
    }
    for at in places(&head) {
        let data = blob.tail(at + ZLIB_HEADER_BYTES);
        walk.reading_cut_off(|| Ok(Inflate::new(data.reader())), depth)?;
    }
    Ok(())
}

/// Where the data may begin: where the header says, and wherever its first kilobyte has the header of zlib
/// (RFC 1950, 2.2).
fn places(head: &[u8]) -> Vec<u64> {
    let said = LENGTH_COUNTS_FROM + u64::from(head.u16_le(LENGTH_AT));
    let is_zlib =
        |pair: &[u8]| pair[0] & 0x8f == 8 && (u16::from(pair[0]) << 8 | u16::from(pair[1])) % 31 == 0;
    let found = head.windows(2).enumerate().skip(LENGTH_AT).filter(|(_, pair)| is_zlib(pair));
    let mut places: Vec<_> =
        found.map(|(at, _)| to_u64(at)).filter(|at| *at != said).take(MAX_PLACES).collect();
    places.push(said);
    places
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::classic_mac::tests::handed;

    fn active_mime(n_header: usize, said: u16) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.resize(n_header, 0);
        bytes[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&said.to_le_bytes());
        let mut encoder = flate2::write::ZlibEncoder::new(bytes, flate2::Compression::default());
        encoder.write_all(b"a compound file").unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_data_are_where_the_header_says_or_where_readers_find_them() {
        // The length of the header, and what it says of it.
        for (n_header, said) in [(50, 4), (554, 508), (50, 0), (554, 4), (5000, 4954)] {
            let handed = handed(walk, &active_mime(n_header, said));
            assert!(handed.contains(&b"a compound file".to_vec()), "{n_header} {said}");
        }
        let mut other = active_mime(50, 4);
        other[0] = b'a';
        assert!(handed(walk, &other).is_empty());
    }

    #[test]
    fn the_places_that_are_tried_are_few() {
        assert!(places(&[0x78, 0x9c].repeat(512)).len() <= MAX_PLACES + 1);
    }
}
