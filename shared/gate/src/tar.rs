//! tar: header after header, to the zero blocks that end it (POSIX.1-2024 pax, "ustar Interchange Format"; GNU tar manual).

use std::io;

use crate::blob::{Blob, to_usize};
use crate::capability::Method;
use crate::fields::Fields as _;
use crate::walk::{Reach, Walk, Walked, malformed};

const BLOCK: u64 = 512;

/// Whether 512 bytes are a header: their checksum says so, for tars with and without `ustar`.
pub(crate) fn is_header(header: &[u8]) -> bool {
    let stored = octal(header.at(148, 8)).and_then(|sum| i64::try_from(sum).ok());
    let sum = |value: fn(u8) -> i64| {
        header
            .iter()
            .enumerate()
            .fold(0, |sum, (index, byte)| sum + value(if (148..156).contains(&index) { b' ' } else { *byte }))
    };
    let sums = [sum(i64::from), sum(|byte| i64::from(byte.cast_signed()))];
    header.len() == 512 && stored.is_some_and(|stored| sums.contains(&stored))
}

/// A number field: octal digits, padded with spaces or zeros, ended by a space or a zero byte.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    u64::from_str_radix(text, 8).ok()
}

/// Walks a tar that reaches to the blob's end.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Tar)?;
    let mut at = 0;
    while let Some(header) = next_header(blob, at)? {
        at = walk_member(walk, blob, at, &header, depth, Reach::Followed)?;
    }
    // Readers stop at the zeros or go on, as they are told: nothing may follow. A tar without zeros is cut.
    let has_end = at < blob.size_bytes();
    if has_end && is_zero_from(blob, at)? { Ok(()) } else { malformed("tar: cut, or data behind its end") }
}

/// Walks a tar in the middle of other data, as far as it goes, and hands its members to the engine. Returns where it ends.
pub(crate) fn walk_embedded(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<u64> {
    let mut at = 0;
    while let Some(header) = next_header(blob, at)?.filter(|header| is_header(header)) {
        at = walk_member(walk, blob, at, &header, depth, Reach::Handed)?;
    }
    Ok(at)
}

/// The block at `at`, unless it is zeros or the end.
fn next_header(blob: &Blob, at: u64) -> io::Result<Option<Vec<u8>>> {
    let block = blob.bytes_at(at, to_usize(BLOCK))?;
    Ok(block.iter().any(|byte| *byte != 0).then_some(block))
}

/// Returns where the next header stands.
fn walk_member(
    walk: &mut Walk<'_>,
    blob: &Blob,
    at: u64,
    header: &[u8],
    depth: u32,
    reach: Reach,
) -> Walked<u64> {
    if !is_header(header) {
        return malformed("tar: a header that is none");
    }
    // To some readers an empty name is the end; to others the directory field is name enough.
    if header.u8_at(0) == 0 {
        return malformed("tar: a member without a name");
    }
    // Sizes in base 256 are for members beyond 8 GiB; the engine reads octal.
    let Some(size_bytes) = octal(header.at(124, 12)) else {
        return malformed("tar: a size that is not octal");
    };
    let data = blob.slice(at + BLOCK, size_bytes);
    if data.size_bytes() != size_bytes {
        return malformed("tar: a member behind the end");
    }
    match header.u8_at(156) {
        b'0' | b'\0' | b'7' => walk.stored_member(data, depth, reach)?,
        // Links, devices, directories and pipes have no data; readers disagree on what a size means there.
        b'1'..=b'6' if size_bytes == 0 => {}
        b'x' | b'g' if !changes_layout(&data)? => {}
        b'L' | b'K' if size_bytes <= MAX_ATTRIBUTES => {}
        _ => return malformed("tar: a member of an unusual kind"),
    }
    Ok((at + BLOCK).saturating_add(size_bytes.next_multiple_of(BLOCK)))
}

const MAX_ATTRIBUTES: u64 = 1024 * 1024;

/// Whether attributes say that the next member's size or layout is not what its header says.
fn changes_layout(attributes: &Blob) -> io::Result<bool> {
    if attributes.size_bytes() > MAX_ATTRIBUTES {
        return Ok(true);
    }
    let text = attributes.bytes_at(0, to_usize(attributes.size_bytes()))?;
    let keys = [&b" size="[..], b" GNU.sparse."];
    Ok(keys.iter().any(|key| memchr::memmem::find(&text, key).is_some()))
}

pub(crate) fn is_zero_from(blob: &Blob, start: u64) -> io::Result<bool> {
    const CHUNK: usize = 64 * 1024;
    let mut at = start;
    while at < blob.size_bytes() {
        let chunk = blob.bytes_at(at, CHUNK)?;
        if chunk.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += crate::blob::to_u64(chunk.len());
    }
    Ok(true)
}
