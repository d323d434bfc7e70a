//! Hands the next stream of lzip files whose first one is empty: libarchive stops there, lzip(1) continues.

use crate::blob::{Blob, to_u64};
use crate::walk::{Walk, Walked};

/// What streams begin with.
const LZIP: &[u8] = b"LZIP";
/// An empty stream is shorter.
const LONGEST: usize = 64;

/// Hands what begins with the next stream, if one is near.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let start = blob.bytes_at(0, LONGEST)?;
    if !start.starts_with(LZIP) {
        return Ok(());
    }
    match memchr::memmem::find(&start[1..], LZIP).map(|at| at + 1) {
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
