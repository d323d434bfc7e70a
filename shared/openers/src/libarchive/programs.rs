//! Recognises what libarchive leaves to programs, which a confined process cannot run.

use std::io;

use gate::{Blob, Kind};

use super::bytes::bytes_at;

const N_BYTES: u64 = 34;

/// Returns whether `blob` is a file of lzop, lrzip or GRZip, unless the gate has walked it.
pub(super) fn needs_program(blob: &Blob, walked: Option<Kind>) -> io::Result<bool> {
    let start = bytes_at(blob, 0, N_BYTES)?;
    let is_lzop = walked != Some(Kind::Lzop) && is_lzop(&start);
    Ok(is_lzop || is_lrzip(&start) || start.starts_with(b"GRZipII\0\x02\x04:)"))
}

/// Recognises a header of lzop by what lzop 1.04 writes (src/lzop.c) and libarchive requires: the magic
/// number, three versions, a method.
fn is_lzop(start: &[u8]) -> bool {
    const MAGIC: &[u8] = b"\x89LZO\0\r\n\x1A\n";
    let Some(header) = start.strip_prefix(MAGIC) else { return false };
    let Some((version, header)) = header.split_first_chunk() else { return false };
    let is_new = u16::from_be_bytes(*version) >= 0x940;
    // Behind the version of the library, and, in new files, behind the version that is needed.
    let method = header.get(if is_new { 4 } else { 2 });
    method.is_some_and(|method| (1..=3).contains(method))
}

/// The magic number, and a version from 0.6 on.
fn is_lrzip(start: &[u8]) -> bool {
    matches!(start, [b'L', b'R', b'Z', b'I', 0, minor, ..] if *minor >= 6)
}
