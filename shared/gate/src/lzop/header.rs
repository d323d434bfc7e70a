//! Reads the header of a member: versions, method, flags, the file's name and times, and a checksum of it
//! all.

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::lzop::MAGIC;
use crate::lzop::block::adler32;
use crate::walk::{Walked, malformed};

/// The longest distance between bytes that a filter subtracts from each other.
pub(super) const MAX_FILTER: u32 = 16;

/// Flags. Checksums are of blocks as they were, or as they are packed.
pub(super) const ADLER32: u32 = 0x1;
pub(super) const ADLER32_OF_PACKED: u32 = 0x2;
pub(super) const CRC32: u32 = 0x100;
pub(super) const CRC32_OF_PACKED: u32 = 0x200;
const EXTRA_FIELD: u32 = 0x40;
const FILTER: u32 = 0x800;
const HEADER_CRC32: u32 = 0x1000;

/// Magic number, fields, the longest name, a checksum, the length of an extra field.
const LONGEST: usize = 9 + 29 + 255 + 4 + 4;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) method: u8,
    pub(super) flags: u32,
    /// Zero if there is none.
    pub(super) filter: u32,
    pub(super) extra_field: Blob,
    pub(super) is_sound: bool,
    pub(super) n_bytes: u64,
}

impl Header {
    /// The header at the start of `blob`, which begins with the magic number.
    pub(super) fn read(blob: &Blob) -> Walked<Self> {
        // From this version of lzop on, there are the version that is needed, the level, and more bits of the
        // time.
        const LONGER: u16 = 0x940;
        let bytes = blob.bytes_at(0, LONGEST)?;
        let fields = bytes.at(MAGIC.len(), bytes.len().saturating_sub(MAGIC.len()));
        let is_longer = fields.u16_be(0) >= LONGER;
        let method_at = if is_longer { 6 } else { 4 };
        let flags_at = if is_longer { method_at + 2 } else { method_at + 1 };
        let flags = fields.u32_be(flags_at);
        let has_filter = flags & FILTER != 0;
        let mode_at = flags_at + if has_filter { 8 } else { 4 };
        let name_at = mode_at + if is_longer { 12 } else { 8 };
        let name_end = name_at + 1 + usize::from(fields.u8_at(name_at));
        let (checked, checksum) = (fields.at(0, name_end), fields.at(name_end, 4));
        if checksum.len() < 4 {
            return malformed("lzop: a header that is cut");
        }
        let actual = if flags & HEADER_CRC32 == 0 { adler32(checked) } else { crc32fast::hash(checked) };
        let fields_end = to_u64(MAGIC.len() + name_end + 4);
        let has_extra_field = flags & EXTRA_FIELD != 0;
        let n_extra = if has_extra_field { u64::from(fields.u32_be(name_end + 4)) } else { 0 };
        Ok(Self {
            method: fields.u8_at(method_at),
            flags,
            filter: if has_filter { fields.u32_be(flags_at + 4) } else { 0 },
            extra_field: blob.slice(fields_end + 4, n_extra),
            is_sound: actual == checksum.u32_be(0),
            // Its length stands in front of it, and a checksum behind.
            n_bytes: fields_end + if has_extra_field { n_extra + 8 } else { 0 },
        })
    }
}
