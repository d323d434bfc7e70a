//! Walks ZIP: one directory at the end must account for every byte (APPNOTE 6.3.10).
//!
//! Readers disagree about zips: some go by the directory, some by the local headers, some by what they find
//! first. A file passes when all of them must see the same members.

mod directory;
mod entry;
mod pieces;
mod streamed;

use std::collections::HashSet;
use std::io::Read;

use domain::verdict::Unscannable;

use crate::blob::Blob;
use crate::capability::Method;
use crate::inflate::Inflate;
use crate::walk::{Damage, Reach, Walk, Walked, locked, malformed, refuse};
use crate::{embedded, encrypted};

use directory::{Directory, Listed};
use entry::Local;

pub(crate) use streamed::walk_streamed;

pub(crate) const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const DEFLATE64: u16 = 9;
const BZIP2: u16 = 12;

/// Walks a zip that begins where the blob begins and ends where it ends.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let directory = directory::read(blob)?;
    let reach = if directory.has_zip64 { Reach::Handed } else { Reach::Followed };
    if directory.starts_at != 0 {
        return malformed("zip: offsets that do not count from the start");
    }
    if walk_members(walk, blob, &directory, 0, depth, reach)? == Members::SomeEncrypted {
        return locked(walk, "zip: an encrypted member");
    }
    Ok(())
}

/// Walks a zip that ends where the blob ends, behind something else: a program, a signature, a picture.
/// Returns where it begins; `None` if it lies in pieces, so that its members may be anywhere.
pub(crate) fn walk_behind(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<Option<u64>> {
    let directory = directory::read_damaged(blob)?;
    if pieces::is_in_pieces(blob, &directory)? {
        return pieces::walk(walk, blob, &directory, depth).map(|()| None);
    }
    let starts_at = match directory.entries.first() {
        Some(first) => entry::read(blob, first, directory.starts_at)?.starts_at,
        None => directory.begins_at,
    };
    if walk_members(walk, blob, &directory, starts_at, depth, Reach::Handed)? == Members::SomeEncrypted {
        return refuse(Unscannable::Encrypted, "zip: an encrypted member");
    }
    Ok(Some(starts_at))
}

/// Which members have been looked into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Members {
    All,
    /// All but encrypted ones, for which there is a password.
    SomeEncrypted,
}

fn walk_members(
    walk: &mut Walk<'_>,
    blob: &Blob,
    directory: &Directory,
    starts_at: u64,
    depth: u32,
    reach: Reach,
) -> Walked<Members> {
    check_names(directory)?;
    let n_bytes = directory.entries.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.size_bytes));
    walk.expect(directory.entries.len() as u64, n_bytes)?;
    let (mut covered_to, mut members) = (starts_at, Members::All);
    for listed in &directory.entries {
        let local = entry::read(blob, listed, directory.starts_at)?;
        if !is_padding(blob, covered_to, local.starts_at)? {
            return malformed("zip: bytes between members, or members that overlap");
        }
        covered_to = local.ends_at;
        let reach = if local.is_zip64 { Reach::Handed } else { reach };
        if is_encrypted(listed.flags, listed.method) && walk.password.is_some() {
            // The openers use it. Where the members are must be plain before they are asked.
            members = Members::SomeEncrypted;
            continue;
        }
        walk_entry(walk, blob, listed, &local, depth, reach)?;
    }
    if is_padding(blob, covered_to, directory.begins_at)? {
        return Ok(members);
    }
    let gap = blob.slice(covered_to, directory.begins_at.saturating_sub(covered_to));
    if !is_apk_signing_block(&gap)? {
        return malformed("zip: bytes that belong to no member");
    }
    embedded::walk(walk, &gap, depth)?;
    Ok(members)
}

/// Returns whether a range is empty or holds zeros only: some tools align members so. It must not run
/// backwards.
fn is_padding(blob: &Blob, from: u64, to: u64) -> Walked<bool> {
    const MAX_PADDING: u64 = 64 * 1024;
    let Some(n_bytes) = to.checked_sub(from) else { return Ok(false) };
    if n_bytes > MAX_PADDING {
        return Ok(false);
    }
    let bytes = blob.bytes_at(from, usize::try_from(n_bytes).unwrap_or(usize::MAX))?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}

/// Android's signatures stand between the members and the directory: length, pairs, length,
/// `APK Sig Block 42` (source.android.com, "APK Signature Scheme v2"). Zeros may align it.
fn is_apk_signing_block(gap: &Blob) -> Walked<bool> {
    use crate::fields::Fields as _;
    let n_bytes = gap.size_bytes();
    let trailer = gap.bytes_at(n_bytes.saturating_sub(24), 24)?;
    let block_bytes = trailer.u64_le(0).saturating_add(8);
    if trailer.at(8, 16) != b"APK Sig Block 42" || block_bytes > n_bytes {
        return Ok(false);
    }
    let starts_at = n_bytes - block_bytes;
    let head = gap.bytes_at(starts_at, 8)?;
    Ok(head.u64_le(0).saturating_add(8) == block_bytes && is_padding(gap, 0, starts_at)?)
}

fn check_names(directory: &Directory) -> Walked {
    let mut seen = HashSet::new();
    for entry in &directory.entries {
        if entry.name.contains(&0) {
            return malformed("zip: a name with a zero byte");
        }
        let is_directory = entry.name.ends_with(b"/");
        if !seen.insert(entry.name.as_slice()) && !is_directory {
            return malformed("zip: two members of one name");
        }
    }
    Ok(())
}

fn walk_entry(
    walk: &mut Walk<'_>,
    blob: &Blob,
    listed: &Listed,
    local: &Local,
    depth: u32,
    reach: Reach,
) -> Walked {
    require_method(walk, listed.flags, listed.method)?;
    walk.expect_member(listed.size_bytes)?;
    let packed = blob.slice(local.data_at, listed.packed_bytes);
    let member = unpack(walk, &packed, listed.method, Damage::Refused)?;
    let is_whole = member.blob.size_bytes() == listed.size_bytes
        && member.crc32 == listed.crc32
        && member.packed_bytes == listed.packed_bytes;
    if !is_whole {
        return malformed("zip: a member is not what its header says");
    }
    walk.account(&packed);
    encrypted::refuse_protected_document(&listed.name, &member.blob)?;
    walk.visit(member.blob, depth, reach)
}

/// Refuses what is encrypted, and what the engine cannot unpack.
fn require_method(walk: &Walk<'_>, flags: u16, method: u16) -> Walked {
    if is_encrypted(flags, method) {
        return refuse(Unscannable::Encrypted, "zip: an encrypted member");
    }
    walk.require(match method {
        STORED => Method::ZipStored,
        DEFLATED => Method::ZipDeflated,
        DEFLATE64 => Method::ZipDeflate64,
        BZIP2 => Method::ZipBzip2,
        _ => return refuse(Unscannable::UnsupportedContainer, "zip: a method that the engine cannot unpack"),
    })
}

fn is_encrypted(flags: u16, method: u16) -> bool {
    const ENCRYPTED: u16 = 0x0001 | 0x0040 | 0x2000;
    const AES: u16 = 99;
    flags & ENCRYPTED != 0 || method == AES
}

struct Unpacked {
    blob: Blob,
    crc32: u32,
    /// How much of the input the decompressor used.
    packed_bytes: u64,
}

fn unpack(walk: &mut Walk<'_>, packed: &Blob, method: u16, damage: Damage) -> Walked<Unpacked> {
    let mut reader = packed.reader();
    let mut writer = walk.new_member()?;
    let mut crc = crc32fast::Hasher::new();
    {
        let decoder: Box<dyn Read + '_> = match method {
            DEFLATED => Box::new(Inflate::new(&mut reader)),
            DEFLATE64 => Box::new(deflate64::Deflate64Decoder::with_buffer(&mut reader)),
            BZIP2 => Box::new(bzip2::bufread::BzDecoder::new(&mut reader)),
            _ => Box::new(&mut reader),
        };
        walk.fill(&mut writer, &mut Checksummed { source: decoder, crc: &mut crc }, damage)?;
    }
    Ok(Unpacked { blob: writer.finish(), crc32: crc.finalize(), packed_bytes: reader.position() })
}

struct Checksummed<'a> {
    source: Box<dyn Read + 'a>,
    crc: &'a mut crc32fast::Hasher,
}

impl Read for Checksummed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = self.source.read(buffer)?;
        self.crc.update(&buffer[..n_bytes]);
        Ok(n_bytes)
    }
}
