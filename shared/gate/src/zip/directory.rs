//! Reads the central directory, and checks that the end record stands where it must.

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::format::{ZIP_END, ZIP_LOCAL};
use crate::refusal::Refusal;
use crate::walk::{Stop, Walked, malformed, refuse};

pub(super) struct Directory {
    /// In the order of their places in the file.
    pub(super) entries: Vec<Listed>,
    /// Where the directory begins, in the blob.
    pub(super) begins_at: u64,
    /// What the stored offsets count from, in the blob: not zero when a prefix was cut off.
    pub(super) starts_at: i128,
    pub(super) has_zip64: bool,
    /// Where the end record begins, in the blob.
    pub(super) ends_at: u64,
    /// Why the directory is not followed to its end.
    pub(super) damage: Option<Refusal>,
}

/// A member, as the directory has it.
pub(super) struct Listed {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) packed_bytes: u64,
    pub(super) size_bytes: u64,
    pub(super) offset: u64,
}

const END_BYTES: u64 = 22;
const LISTED: &[u8] = b"PK\x01\x02";
const LISTED_BYTES: usize = 46;
const ZIP64_END: &[u8] = b"PK\x06\x06";
const ZIP64_END_BYTES: u64 = 56;
const ZIP64_LOCATOR: &[u8] = b"PK\x06\x07";
const ZIP64_LOCATOR_BYTES: u64 = 20;
/// A directory is read as a whole: 10,000 members with generous names and extras.
const MAX_DIRECTORY_BYTES: u64 = 64 * 1024 * 1024;
const UNKNOWN_16: u16 = u16::MAX;
const UNKNOWN_32: u32 = u32::MAX;

struct End {
    n_entries: u64,
    directory_bytes: u64,
    directory_offset: u64,
    /// Where what stands behind the directory begins, in the blob.
    begins_at: u64,
    has_zip64: bool,
}

/// Reads the directory of a zip that reaches to the blob's end. Its members may be counted from before the
/// blob's start.
pub(super) fn read(blob: &Blob) -> Walked<Directory> {
    let directory = read_damaged(blob)?;
    directory.damage.clone().map_or(Ok(directory), |damage| Err(Stop::Refused(damage)))
}

/// The same for what may be damaged: up to the first record that is none.
pub(super) fn read_damaged(blob: &Blob) -> Walked<Directory> {
    let end = read_end(blob)?;
    let Some(begins_at) = end.begins_at.checked_sub(end.directory_bytes) else {
        return malformed("zip: the directory is larger than the file");
    };
    let starts_at = i128::from(begins_at) - i128::from(end.directory_offset);
    if end.directory_bytes > MAX_DIRECTORY_BYTES {
        return refuse(Unscannable::TooManyFiles, "zip: the directory is larger than the limit");
    }
    let bytes = blob.bytes_at(begins_at, to_usize(end.directory_bytes))?;
    let (mut entries, mut has_zip64, mut rest) = (Vec::new(), end.has_zip64, bytes.as_slice());
    let mut read_all = || {
        while !rest.is_empty() {
            let (listed, n_bytes, is_zip64) = read_listed(rest)?;
            entries.push(listed);
            has_zip64 |= is_zip64;
            rest = &rest[n_bytes..];
        }
        if to_u64(entries.len()) != end.n_entries {
            return malformed("zip: the directory has more or fewer members than the end record says");
        }
        Ok(())
    };
    let damage = match read_all() {
        Ok(()) => None,
        Err(Stop::Refused(damage)) => Some(damage),
        Err(trouble) => return Err(trouble),
    };
    entries.sort_by_key(|entry| entry.offset);
    Ok(Directory { entries, begins_at, starts_at, has_zip64, ends_at: end.begins_at, damage })
}

fn read_end(blob: &Blob) -> Walked<End> {
    let window = blob.size_bytes().min(END_BYTES + u64::from(u16::MAX));
    let tail_at = blob.size_bytes() - window;
    let tail = blob.bytes_at(tail_at, to_usize(window))?;
    // Readers take the last signature, or the first whose comment fits: there must be no choice.
    let Some(last) = memchr::memmem::rfind(&tail, ZIP_END) else {
        return malformed("zip: no end record");
    };
    let record = &tail[last..];
    let at = tail_at + to_u64(last);
    if END_BYTES + u64::from(record.u16_le(20)) != to_u64(record.len()) {
        return malformed("zip: the end record does not end the file");
    }
    let comment = &record[22..];
    if [ZIP_LOCAL, LISTED].iter().any(|magic| memchr::memmem::find(comment, magic).is_some()) {
        return malformed("zip: headers in the comment");
    }
    let is_split = record.u16_le(4) != 0 || record.u16_le(6) != 0 || record.u16_le(8) != record.u16_le(10);
    if is_split {
        return malformed("zip: one part of several");
    }
    let end = End {
        n_entries: record.u16_le(10).into(),
        directory_bytes: record.u32_le(12).into(),
        directory_offset: record.u32_le(16).into(),
        begins_at: at,
        has_zip64: false,
    };
    let locator_at = at.checked_sub(ZIP64_LOCATOR_BYTES);
    let locator = locator_at.map(|at| blob.bytes_at(at, to_usize(ZIP64_LOCATOR_BYTES))).transpose()?;
    match locator {
        Some(locator) if locator.starts_with(ZIP64_LOCATOR) => {
            read_zip64_end(blob, &end, &locator, at - ZIP64_LOCATOR_BYTES)
        }
        _ => Ok(end),
    }
}

/// The ZIP64 end record must stand right before its locator, and agree with the short record where that is
/// not all ones.
fn read_zip64_end(blob: &Blob, short: &End, locator: &[u8], locator_at: u64) -> Walked<End> {
    let Some(at) = locator_at.checked_sub(ZIP64_END_BYTES) else {
        return malformed("zip: no room for the ZIP64 end record");
    };
    let record = blob.bytes_at(at, to_usize(ZIP64_END_BYTES))?;
    let is_one = record.starts_with(ZIP64_END)
        && record.u64_le(4) == ZIP64_END_BYTES - 12
        && record.u32_le(16) == 0
        && record.u32_le(20) == 0
        && record.u64_le(24) == record.u64_le(32)
        && locator.u32_le(4) == 0
        && locator.u32_le(16) == 1;
    let end = End {
        n_entries: record.u64_le(32),
        directory_bytes: record.u64_le(40),
        directory_offset: record.u64_le(48),
        begins_at: at,
        has_zip64: true,
    };
    // The locator counts from where the directory's offset counts from.
    let expected = end.directory_offset.checked_add(end.directory_bytes);
    let agrees = |short: u64, long: u64, unknown: u64| short == long || short == unknown;
    let is_consistent = expected == Some(locator.u64_le(8))
        && agrees(short.n_entries, end.n_entries, UNKNOWN_16.into())
        && agrees(short.directory_bytes, end.directory_bytes, UNKNOWN_32.into())
        && agrees(short.directory_offset, end.directory_offset, UNKNOWN_32.into());
    if is_one && is_consistent { Ok(end) } else { malformed("zip: end records that disagree") }
}

/// One record, its length, and whether it is of the ZIP64 form.
fn read_listed(bytes: &[u8]) -> Walked<(Listed, usize, bool)> {
    let (n_name, n_extra, n_comment) =
        (usize::from(bytes.u16_le(28)), usize::from(bytes.u16_le(30)), usize::from(bytes.u16_le(32)));
    let n_bytes = LISTED_BYTES + n_name + n_extra + n_comment;
    if !bytes.starts_with(LISTED) || bytes.len() < n_bytes || n_name == 0 {
        return malformed("zip: a directory record that is none");
    }
    if bytes.u16_le(34) != 0 && bytes.u16_le(34) != UNKNOWN_16 {
        return malformed("zip: one part of several");
    }
    let mut listed = Listed {
        name: bytes.at(LISTED_BYTES, n_name).to_vec(),
        flags: bytes.u16_le(8),
        method: bytes.u16_le(10),
        crc32: bytes.u32_le(16),
        packed_bytes: bytes.u32_le(20).into(),
        size_bytes: bytes.u32_le(24).into(),
        offset: bytes.u32_le(42).into(),
    };
    let extra = bytes.at(LISTED_BYTES + n_name, n_extra);
    let mut values = zip64_values(extra);
    // The long values stand in this order, each only if its short one is all ones.
    let mut is_zip64 = false;
    for field in [&mut listed.size_bytes, &mut listed.packed_bytes, &mut listed.offset] {
        if *field == u64::from(UNKNOWN_32) {
            let Some(value) = values.next() else {
                return malformed("zip: a ZIP64 size is missing");
            };
            *field = value;
            is_zip64 = true;
        }
    }
    Ok((listed, n_bytes, is_zip64))
}

/// The values of the ZIP64 extra field, if there is one.
pub(super) fn zip64_values(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut rest = extra;
    let mut found: &[u8] = &[];
    while rest.len() >= 4 {
        let n_bytes = usize::from(rest.u16_le(2));
        if rest.u16_le(0) == 1 {
            found = rest.at(4, n_bytes);
            break;
        }
        rest = rest.get(4 + n_bytes..).unwrap_or(&[]);
    }
    found.chunks_exact(8).map(|chunk| chunk.u64_le(0))
}
