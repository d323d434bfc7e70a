//! Finds members of RAR 5 archives that are encrypted. libarchive up to 3.7 does not see that, and gives what
//! is encrypted for the member's data.
//!
//! Source: RAR 5.0 archive format, <https://www.rarlab.com/technote.htm>.

use std::io;

use gate::Blob;

use super::bytes::bytes_at;

const SIGNATURE: &[u8] = b"Rar!\x1A\x07\x01\0";
/// libarchive looks for the signature as far as this, behind a program.
const MAX_PROGRAM_BYTES: u64 = 1 << 20;
/// More than the format allows.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// Flags of a header.
const HAS_EXTRA: u64 = 1;
const HAS_DATA: u64 = 2;
/// Types of headers.
const FILE: u64 = 2;
const SERVICE: u64 = 3;
const ENCRYPTION_OF_HEADERS: u64 = 4;
/// A type of record in the extra area.
const ENCRYPTION: u64 = 1;

/// Returns whether any header says so. Headers are followed for as long as they make sense.
pub(super) fn has_encrypted_members(blob: &Blob) -> io::Result<bool> {
    let start = bytes_at(blob, 0, MAX_PROGRAM_BYTES)?;
    for place in memchr::memmem::find_iter(&start, SIGNATURE) {
        if headers_say_encrypted(blob, to_u64(place + SIGNATURE.len()))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn headers_say_encrypted(blob: &Blob, mut offset: u64) -> io::Result<bool> {
    while let Some(header) = Header::read(blob, offset)? {
        if header.is_encrypted {
            return Ok(true);
        }
        offset = header.next;
    }
    Ok(false)
}

struct Header {
    is_encrypted: bool,
    /// The offset of the next one, behind this one's data.
    next: u64,
}

impl Header {
    fn read(blob: &Blob, offset: u64) -> io::Result<Option<Self>> {
        // A checksum of four bytes, then the size of what follows.
        const FIXED_BYTES: u64 = 4 + 3;
        let fixed = bytes_at(blob, offset, FIXED_BYTES)?;
        let Some((size_bytes, rest)) = fixed.get(4..).and_then(number) else { return Ok(None) };
        if size_bytes > MAX_HEADER_BYTES {
            return Ok(None);
        }
        let body_offset = offset + to_u64(fixed.len() - rest.len());
        let body = bytes_at(blob, body_offset, size_bytes)?;
        Ok(Self::parse(&body, body_offset))
    }

    fn parse(body: &[u8], offset: u64) -> Option<Self> {
        let (kind, rest) = number(body)?;
        let (flags, rest) = number(rest)?;
        let (extra_bytes, rest) = if flags & HAS_EXTRA == 0 { (0, rest) } else { number(rest)? };
        let (data_bytes, rest) = if flags & HAS_DATA == 0 { (0, rest) } else { number(rest)? };
        // The extra area ends the header.
        let extra = rest.len().checked_sub(usize::try_from(extra_bytes).ok()?)?;
        let is_of_member = kind == FILE || kind == SERVICE;
        let is_encrypted =
            kind == ENCRYPTION_OF_HEADERS || is_of_member && has_record(&rest[extra..], ENCRYPTION);
        let next = offset.checked_add(to_u64(body.len()))?.checked_add(data_bytes)?;
        Some(Self { is_encrypted, next })
    }
}

fn has_record(mut extra: &[u8], wanted: u64) -> bool {
    while let Some((size_bytes, rest)) = number(extra) {
        let Some((kind, _)) = number(rest) else { return false };
        if kind == wanted {
            return true;
        }
        let Some(next) = usize::try_from(size_bytes).ok().and_then(|size| rest.get(size..)) else {
            return false;
        };
        extra = next;
    }
    false
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let last = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (digits, rest) = bytes.split_at(last + 1);
    let value = digits.iter().rev().fold(0_u64, |value, digit| value << 7 | u64::from(digit & 0x7F));
    Some((value, rest))
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
