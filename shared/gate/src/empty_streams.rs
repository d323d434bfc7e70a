//! Hands the next stream of lzip and lz4 files whose first one is empty: libarchive stops there, other
//! programs continue.

use crate::blob::{Blob, to_u64};
use crate::walk::{Walk, Walked};

/// What streams begin with: lzip; lz4, and lz4 as it was.
const LZIP: &[&[u8]] = &[b"LZIP"];
const LZ4: &[&[u8]] = &[b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"];
/// An empty stream is shorter.
const LONGEST: usize = 64;

/// Hands what begins with the next stream, if one is near.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let start = blob.bytes_at(0, LONGEST)?;
    let begins = |bytes: &[u8], magics: &[&[u8]]| magics.iter().any(|magic| bytes.starts_with(magic));
    let Some(magics) = [LZIP, LZ4].into_iter().find(|magics| begins(&start, magics)) else { return Ok(()) };
    match (1..start.len()).find(|at| begins(&start[*at..], magics)) {
        Some(at) => walk.reading_of(blob.tail(to_u64(at)), depth).map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::walked;

    #[test]
    fn what_follows_an_empty_stream_is_handed() {
        for (bytes, expected) in [
            (&b"LZIP\x01\x0c\0\0LZIPrest"[..], &[&b"LZIPrest"[..]][..]),
            (b"LZIPLZIP", &[b"LZIP"]),
            (b"\x04\x22\x4d\x18LZIP", &[]),
            (b"xLZIPLZIP", &[]),
        ] {
            assert_eq!(walked(walk, bytes).1, expected);
        }
        let far = [&b"LZIP"[..], &[0; LONGEST], b"LZIP"].concat();
        assert!(walked(walk, &far).1.is_empty());
    }
}
