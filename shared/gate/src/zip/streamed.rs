//! Unpacks zip members in the middle of other data, header by header and without a directory, as 7-Zip and
//! streaming readers do.

use std::io;

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::format::ZIP_LOCAL;
use crate::walk::{Damage, Reach, Walk, Walked, refuse};

use super::directory::zip64_values;
use super::{DEFLATED, STORED, require_method, unpack};

const LOCAL_BYTES: usize = 30;

/// Returns whether a header stands here that 7-Zip would follow. Four bytes alone occur in every program that
/// reads zips.
pub(crate) fn is_plausible(header: &[u8]) -> bool {
    let n_name = usize::from(header.u16_le(26));
    let name = header.at(LOCAL_BYTES, n_name.min(32));
    header.starts_with(ZIP_LOCAL)
        && header.u8_at(4) < 128
        && header.u8_at(5) < 128
        && matches!(header.u16_le(8), 0..=20 | 93..=99)
        && !name.is_empty()
        && !name.contains(&0)
}

/// Unpacks members one behind the other, as far as they go, and hands them to the engine. Returns where they
/// end.
pub(crate) fn walk_streamed(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<u64> {
    let mut at = 0;
    loop {
        let header = blob.bytes_at(at, LOCAL_BYTES + 32)?;
        if !is_plausible(&header) {
            return Ok(at);
        }
        let (flags, method) = (header.u16_le(6), header.u16_le(8));
        let (n_name, n_extra) = (u64::from(header.u16_le(26)), u64::from(header.u16_le(28)));
        let data_at = at + to_u64(LOCAL_BYTES) + n_name + n_extra;
        let declared = packed_bytes(blob, at, &header)?;
        let is_streamed = flags & 0x0008 != 0 && declared == 0;
        let is_encrypted = flags & 1 != 0;
        if is_encrypted {
            // No reader unpacks it without the password, and programs carry such resources.
            at = data_at.saturating_add(declared);
            continue;
        }
        require_method(walk, flags, method)?;
        if is_streamed && method == STORED {
            return refuse(Unscannable::Malformed, "zip: a stored member of unknown size in other data");
        }
        let n_packed = if is_streamed { u64::MAX } else { declared };
        let packed = blob.slice(data_at, n_packed);
        let member = unpack(walk, &packed, method, Damage::CutOff)?;
        walk.visit(member.blob, depth, Reach::Handed)?;
        at = data_at + if method == DEFLATED { member.packed_bytes } else { packed.size_bytes() };
        at += descriptor_bytes(&blob.bytes_at(at, 28)?);
    }
}

/// From the header, or from its ZIP64 field: the second value there.
fn packed_bytes(blob: &Blob, at: u64, header: &[u8]) -> io::Result<u64> {
    if header.u32_le(18) != u32::MAX {
        return Ok(header.u32_le(18).into());
    }
    let extra_at = at + to_u64(LOCAL_BYTES) + u64::from(header.u16_le(26));
    let extra = blob.bytes_at(extra_at, usize::from(header.u16_le(28)))?;
    Ok(zip64_values(&extra).nth(1).unwrap_or(0))
}

/// A descriptor with its signature, if a header follows it.
fn descriptor_bytes(bytes: &[u8]) -> u64 {
    let has_signature = bytes.starts_with(b"PK\x07\x08");
    [16, 24].into_iter().find(|n| has_signature && bytes.at(*n, 2) == b"PK").map_or(0, to_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_followed_where_7_zip_follows_them() {
        let header = |versions: [u8; 2], method: u8, name: &[u8]| {
            let mut header = vec![0; LOCAL_BYTES];
            header[..4].copy_from_slice(ZIP_LOCAL);
            header[4..6].copy_from_slice(&versions);
            header[8] = method;
            header[26] = u8::try_from(name.len()).unwrap();
            [&header, name].concat()
        };
        assert!(is_plausible(&header([20, 0], 8, b"a")));
        assert!(is_plausible(&header([127, 127], 99, b"a")));
        for (versions, method, name) in [
            ([128, 0], 8, &b"a"[..]),
            ([20, 128], 8, b"a"),
            ([20, 0], 21, b"a"),
            ([20, 0], 92, b"a"),
            ([20, 0], 100, b"a"),
            ([20, 0], 8, b""),
            ([20, 0], 8, b"a\0b"),
        ] {
            assert!(!is_plausible(&header(versions, method, name)), "{versions:?} {method} {name:?}");
        }
        assert!(!is_plausible(&header([20, 0], 8, b"a")[1..]));
    }

    #[test]
    fn a_descriptor_has_its_signature_and_a_header_behind_it() {
        let followed = |signature: &[u8], n_bytes: usize| {
            let mut bytes = vec![0; 28];
            bytes[..4].copy_from_slice(signature);
            bytes[n_bytes..n_bytes + 2].copy_from_slice(b"PK");
            descriptor_bytes(&bytes)
        };
        assert_eq!(followed(b"PK\x07\x08", 16), 16);
        assert_eq!(followed(b"PK\x07\x08", 24), 24);
        assert_eq!(followed(b"PK\x07\x08", 20), 0);
        assert_eq!(followed(b"PK\x07\x09", 16), 0);
        assert_eq!(descriptor_bytes(&[0; 28]), 0);
    }
}
