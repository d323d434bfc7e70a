//! Compares the header in front of a member with its entry in the directory.

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::format::ZIP_LOCAL;
use crate::walk::{Walked, malformed};

use super::directory::{Listed, zip64_values};

/// Where a member stands.
pub(super) struct Local {
    pub(super) starts_at: u64,
    pub(super) data_at: u64,
    /// Behind the data and its descriptor.
    pub(super) ends_at: u64,
    /// Its sizes stand in an extra field, where ClamAV 1.4 does not look.
    pub(super) is_zip64: bool,
}

const LOCAL_BYTES: usize = 30;
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// Sizes and CRC follow the data.
const HAS_DESCRIPTOR: u16 = 0x0008;
/// What does not change how a reader finds or unpacks the member: compression level hints, UTF-8 name.
const FLAGS_OF_NO_CONSEQUENCE: u16 = 0x0006 | 0x0800;

pub(super) fn read(blob: &Blob, listed: &Listed, starts_at: i128) -> Walked<Local> {
    let Ok(at) = u64::try_from(starts_at + i128::from(listed.offset)) else {
        return malformed("zip: a member before the start");
    };
    let header = blob.bytes_at(at, LOCAL_BYTES)?;
    if !header.starts_with(ZIP_LOCAL) {
        return malformed("zip: a member without its header");
    }
    let (n_name, n_extra) = (usize::from(header.u16_le(26)), usize::from(header.u16_le(28)));
    let rest = blob.bytes_at(at + to_u64(LOCAL_BYTES), n_name + n_extra)?;
    let is_same = rest.at(0, n_name) == listed.name
        && (header.u16_le(6) ^ listed.flags) & !FLAGS_OF_NO_CONSEQUENCE == 0
        && header.u16_le(8) == listed.method;
    if !is_same {
        return malformed("zip: a local header that differs from the directory");
    }
    let long = zip64_values(rest.at(n_name, n_extra)).collect::<Vec<_>>();
    let short = [header.u32_le(22), header.u32_le(18)];
    let is_zip64 = short.contains(&u32::MAX);
    // The long form has the size first, then the packed size.
    let [size_bytes, packed_bytes] = [0, 1].map(|index| match long.get(index) {
        Some(value) if short[index] == u32::MAX => *value,
        _ => u64::from(short[index]),
    });
    let data_at = at + to_u64(LOCAL_BYTES + n_name + n_extra);
    let Some(data_ends_at) = data_at.checked_add(listed.packed_bytes).filter(|end| *end <= blob.size_bytes())
    else {
        return malformed("zip: a member behind the end");
    };
    let said = [
        (u64::from(header.u32_le(14)), u64::from(listed.crc32)),
        (packed_bytes, listed.packed_bytes),
        (size_bytes, listed.size_bytes),
    ];
    let says_all = said.iter().all(|(here, there)| here == there);
    let may_say_nothing = listed.flags & HAS_DESCRIPTOR != 0;
    let is_unsaid = |value: u64| value == 0 || value == u64::from(u32::MAX);
    let agrees = said.iter().all(|(here, there)| here == there || (may_say_nothing && is_unsaid(*here)));
    if !agrees {
        return malformed("zip: a local header with other sizes than the directory");
    }
    let n_descriptor = if may_say_nothing {
        descriptor_bytes(&blob.bytes_at(data_ends_at, 24)?, listed, says_all)
    } else {
        Some(0)
    };
    let Some(n_descriptor) = n_descriptor else {
        return malformed("zip: sizes behind a member differ from the directory");
    };
    Ok(Local { starts_at: at, data_at, ends_at: data_ends_at + n_descriptor, is_zip64 })
}

/// The length of the descriptor behind the data: with or without signature, sizes short or long. `None` if
/// there is none that agrees; none is needed where the header said it all.
fn descriptor_bytes(bytes: &[u8], listed: &Listed, may_be_absent: bool) -> Option<u64> {
    for n_signature in [4, 0] {
        if n_signature == 4 && !bytes.starts_with(DESCRIPTOR) {
            continue;
        }
        let has_crc = bytes.u32_le(n_signature) == listed.crc32;
        let (short, long) = (n_signature + 4, n_signature + 12);
        let is_long =
            bytes.u64_le(short) == listed.packed_bytes && bytes.u64_le(short + 8) == listed.size_bytes;
        let is_short = u64::from(bytes.u32_le(short)) == listed.packed_bytes
            && u64::from(bytes.u32_le(short + 4)) == listed.size_bytes;
        if has_crc && is_long && bytes.len() >= short + 16 {
            return Some(to_u64(short + 16));
        }
        if has_crc && is_short && bytes.len() >= long {
            return Some(to_u64(long));
        }
    }
    may_be_absent.then_some(0)
}
