//! Finds containers that begin in the middle of other data: self-extracting programs, installers, pictures
//! with an archive behind them.
//!
//! 7-Zip finds them anywhere, and every zip reader goes by the file's end. ClamAV finds some. What unpacks is
//! handed to the engine; four bytes of a signature are not taken for a container, since programs that read
//! archives hold them.

mod signatures;
mod streams;

use std::io;

use domain::verdict::Unscannable;

use crate::ask::{self, Asked};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::format::{BOTH_OPEN, Format, LIBARCHIVE_OPENS, NONE_OPENS, SEVEN_ZIP_OPENS};
use crate::format::{ZIP_END, ZIP_LOCAL};
use crate::format::{cabinet_size, is_arj, is_bzip2, is_cpio, is_lha_member, is_rar};
use crate::opener::Program;
use crate::survey::Survey;
use crate::text_encoding::address;
use crate::walk::{Damage, Reach, Stop, Walk, Walked, refuse};
use crate::{cabinet, compound, iso, openpgp, seven_zip, stream, tar, zip};

pub use signatures::prepare;
pub(crate) use signatures::{ARMOR, Signatures};

use signatures::{Heads, Signature};

/// The longest header that is looked at behind a signature: an ARJ header, a tar block.
pub(crate) const HEADER: usize = 4 * 1024;
/// `ustar` stands this far into a tar header, the method this far into an LHA header, the volume descriptor
/// this far into an image.
const USTAR_AT: u64 = 257;
const LHA_METHOD_AT: u64 = 2;
/// The second half of the word that an address begins with.
const ADDRESS_END_AT: u64 = 2;
const DESCRIPTOR_AT: u64 = 16 * 2048;

/// Unpacks every container that begins at a plausible signature.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_surveyed(walk, blob, Survey::of(blob)?, depth)
}

/// Does the same for a blob that has been surveyed.
pub(crate) fn walk_surveyed(walk: &mut Walk<'_>, blob: &Blob, survey: Survey, depth: u32) -> Walked {
    walk_old_tars(walk, blob, &survey, depth)?;
    follow_all(walk, blob, survey.signatures, depth, Damaged::Refused, |_| true)
}

/// What is done about an archive in other data that cannot be unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damaged {
    Refused,
    /// It counts as far as it goes: compressed data and parts of members begin like archives.
    CutOff,
}

impl Damaged {
    fn judge<T: Default>(self, walked: Walked<T>) -> Walked<T> {
        match walked {
            Err(Stop::Refused(refusal) | Stop::Disputed(refusal))
                if self == Self::CutOff && refusal.reason == Unscannable::Malformed =>
            {
                Ok(T::default())
            }
            walked => walked,
        }
    }
}

/// Does the same for what is left of a container of this kind beside its members. The container's own parts
/// are none. If nothing is known to be a member, only what programs look for anywhere counts.
pub(crate) fn walk_beside(
    walk: &mut Walk<'_>,
    format: Format,
    rest: &Blob,
    is_whole: bool,
    survey: Survey,
    depth: u32,
) -> Walked {
    let damaged = if is_whole { Damaged::CutOff } else { Damaged::Refused };
    if format != Format::Tar {
        damaged.judge(walk_old_tars(walk, rest, &survey, depth))?;
    }
    let is_own = |signature| match format {
        Format::Zip => matches!(signature, Signature::Zip | Signature::ZipEnd),
        Format::SevenZip => signature == Signature::SevenZip,
        Format::Cabinet => signature == Signature::Cabinet,
        Format::Xz => signature == Signature::Xz,
        Format::Gzip => signature == Signature::Gzip,
        Format::Bzip2 => signature == Signature::Bzip2,
        Format::Tar => signature == Signature::Tar,
        Format::Iso => signature == Signature::Iso,
        Format::Ar => signature == Signature::Ar,
        _ => false,
    };
    // The two are searched for in every container.
    let is_searched = |signature| matches!(signature, Signature::Armor | Signature::Address);
    follow_all(walk, rest, survey.signatures, depth, damaged, |signature| {
        !is_own(signature) && !is_searched(signature) && (!is_whole || is_looked_for_anywhere(signature))
    })
}

/// GNU tar, cpio, cabextract and lhasa look for their archives in any data.
fn is_looked_for_anywhere(signature: Signature) -> bool {
    matches!(signature, Signature::Tar | Signature::Cpio | Signature::Cabinet | Signature::Lha)
}

/// Finds what begins amid the members of a container that an opener has unpacked, or behind them. Archives
/// that no program looks for anywhere are found behind it.
pub(crate) fn walk_among_members(walk: &mut Walk<'_>, blob: &Blob, survey: Survey, depth: u32) -> Walked {
    let damaged = Damaged::CutOff;
    damaged.judge(walk_old_tars(walk, blob, &survey, depth))?;
    follow_all(walk, blob, survey.signatures, depth, damaged, |signature| {
        is_looked_for_anywhere(signature) || signature == Signature::Armor
    })
}

fn walk_old_tars(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    if let Some(block_at) = survey.tar_block_at {
        tar::walk_blocks_without_magic(block_at, walk, blob, depth)?;
    }
    if let Some(header_at) = survey.tar_header_at {
        tar::anywhere::walk(header_at, walk, blob, depth)?;
    }
    Ok(())
}

fn follow_all(
    walk: &mut Walk<'_>,
    blob: &Blob,
    mut signatures: Signatures,
    depth: u32,
    damaged: Damaged,
    counts: impl Fn(Signature) -> bool,
) -> Walked {
    let (mut heads, mut from, mut has_armor) = (Heads::new(blob), 0, false);
    while let Some((at, signature)) = signatures.next(blob, from)? {
        // From the next byte on: one signature can begin within another, as in `07070701`.
        from = at + 1;
        if !counts(signature) {
            continue;
        }
        if signature != Signature::Armor {
            let followed = follow(walk, blob, at, heads.head(at)?, signature, depth);
            from = at + damaged.judge(followed)?.max(1);
        } else if !std::mem::replace(&mut has_armor, true) {
            openpgp::walk_armor(walk, blob, at, depth)?;
        }
    }
    Ok(())
}

/// Returns how many bytes the container takes; 0 when there is none.
fn follow(
    walk: &mut Walk<'_>,
    blob: &Blob,
    at: u64,
    head: &[u8],
    signature: Signature,
    depth: u32,
) -> Walked<u64> {
    let rest = blob.tail(at);
    match signature {
        Signature::Zip => zip::walk_streamed(walk, &rest, depth),
        Signature::ZipEnd => match zip_end(blob, at, head)? {
            Some(ends_at) => zip::walk_behind(walk, &blob.slice(0, ends_at), depth).map(|_| ends_at - at),
            None => Ok(0),
        },
        Signature::SevenZip => {
            match seven_zip::announced_size(head).filter(|size| *size <= rest.size_bytes()) {
                Some(size) => {
                    // Where it stands in other data, no opener is asked to use a password.
                    let walked = seven_zip::walk(walk, &rest.slice(0, size), depth, Reach::Handed);
                    walked.map_err(Stop::without_password).map(|()| size)
                }
                None => Ok(0),
            }
        }
        // cabextract takes one that is cut by less than a folder's header.
        Signature::Cabinet => match cabinet_size(head).filter(|size| *size < rest.size_bytes() + 32) {
            Some(size) => cabinet::walk(walk, &rest.slice(0, size), depth, Reach::Handed).map(|()| size),
            None => Ok(0),
        },
        Signature::Xz => follow_stream(walk, &rest, depth, stream::xz),
        Signature::Gzip if head.u8_at(3) & 0xe0 == 0 => follow_stream(walk, &rest, depth, stream::gzip),
        Signature::Bzip2 if is_bzip2(head) => follow_stream(walk, &rest, depth, stream::bzip2),
        Signature::Tar => match at.checked_sub(USTAR_AT) {
            Some(start) => {
                let n_bytes = tar::walk_embedded(walk, &blob.tail(start), depth)?;
                Ok(n_bytes.saturating_sub(USTAR_AT))
            }
            None => Ok(0),
        },
        Signature::Rar if is_rar(head) => open(walk, &rest, depth, LIBARCHIVE_OPENS, "RAR in other data"),
        Signature::Arj if is_arj(head) => open(walk, &rest, depth, SEVEN_ZIP_OPENS, "ARJ in other data"),
        Signature::Wim if head.u32_le(8) == 208 => {
            open(walk, &rest, depth, SEVEN_ZIP_OPENS, "WIM in other data")
        }
        Signature::Cpio if is_cpio(&rest)? && head.starts_with(b"0") => {
            open(walk, &rest, depth, BOTH_OPEN, "cpio in other data")
        }
        // Words of two bytes pass for a header by chance, as in tables of numbers: damage says nothing.
        Signature::Cpio if is_cpio(&rest)? => {
            walk.count_attempt()?;
            if !walk.has_one_of(BOTH_OPEN) {
                return refuse(Unscannable::UnsupportedContainer, "cpio in other data");
            }
            ask::ask_in_other_data(walk, &rest, depth).map(|_| 0)
        }
        Signature::Ar if head.at(66, 2) == b"`\n" => open(walk, &rest, depth, BOTH_OPEN, "ar in other data"),
        Signature::Lha => match at.checked_sub(LHA_METHOD_AT) {
            Some(start) if is_lha_member(&blob.bytes_at(start, HEADER)?) => {
                // PMarc's methods none of them knows.
                let opened_by = if head.starts_with(b"-pm") { NONE_OPENS } else { BOTH_OPEN };
                open(walk, &blob.tail(start), depth, opened_by, "LHA in other data")
            }
            _ => Ok(0),
        },
        Signature::Iso => match at.checked_sub(DESCRIPTOR_AT) {
            Some(start) => iso::walk_embedded(walk, &blob.tail(start), depth).map(|()| 0),
            None => Ok(0),
        },
        Signature::Compound if at > 0 => compound::embedded::walk(walk, blob, at, depth),
        Signature::Address => match at.checked_sub(ADDRESS_END_AT) {
            Some(start) if blob.bytes_at(start, 2)?.eq_ignore_ascii_case(b"da") => {
                address::hand(walk, blob, start, depth).map(|()| 0)
            }
            _ => Ok(0),
        },
        // A Java class has its version here, which has never been below 45.
        Signature::MachO if (1..45).contains(&head.u8_at(7)) => {
            walk.count_attempt()?;
            ask::ask(walk, &rest, None, depth).map(|_| 0)
        }
        Signature::Zstd
        | Signature::Lz4
        | Signature::Lzip
        | Signature::Compress
        | Signature::Lzop
        | Signature::Lzma => streams::follow(walk, &rest, head, signature, depth).map(|()| 0),
        Signature::Armor
        | Signature::Compound
        | Signature::Gzip
        | Signature::Bzip2
        | Signature::MachO
        | Signature::Rar
        | Signature::Arj
        | Signature::Wim
        | Signature::Cpio
        | Signature::Ar => Ok(0),
    }
}

/// Has the openers unpack what begins here. It has been seen to be more than a signature: what none of them
/// opens is refused, unless one that opens its kind says that it is none, such as the header of a member amid
/// an archive.
fn open(
    walk: &mut Walk<'_>,
    rest: &Blob,
    depth: u32,
    opened_by: &[Program],
    seen: &'static str,
) -> Walked<u64> {
    let asked = ask::ask(walk, rest, None, depth)?;
    if asked == Asked::Given || walk.has_one_of(opened_by) {
        return Ok(0);
    }
    refuse(Unscannable::UnsupportedContainer, seen)
}

/// Decodes the `data:` URLs in what may hide nothing else.
pub(crate) fn walk_addresses(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let (mut signatures, mut heads, mut from) = (Signatures::default(), Heads::new(blob), 0);
    while let Some((at, signature)) = signatures.next(blob, from)? {
        from = at + 1;
        if signature == Signature::Address {
            follow(walk, blob, at, heads.head(at)?, signature, depth)?;
        }
    }
    Ok(())
}

/// Finds armor in a container, between its members or in a comment.
pub(crate) fn walk_armor(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut windows = blob.windows(0, ARMOR.len());
    while let Some((at, window)) = windows.next_window()? {
        if let Some(hit) = memchr::memmem::find(window, ARMOR) {
            return openpgp::walk_armor(walk, blob, at + to_u64(hit), depth);
        }
    }
    Ok(())
}

/// Unpacks every member that a reader finds by the headers in front of the data.
pub(crate) fn walk_zip_members(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = 0;
    while at < blob.size_bytes() {
        let window = blob.bytes_at(at, SEARCH_WINDOW)?;
        let Some(hit) = memchr::memmem::find(&window, ZIP_LOCAL) else {
            // A signature may be cut by the window's end.
            at += to_u64(window.len().saturating_sub(ZIP_LOCAL.len() - 1)).max(1);
            continue;
        };
        let found_at = at + to_u64(hit);
        let n_bytes = match zip::walk_streamed(walk, &blob.tail(found_at), depth) {
            // Such readers cannot unpack it either, but for libarchive, which was asked.
            Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::UnsupportedContainer => 0,
            walked => walked?,
        };
        at = found_at + n_bytes.max(1);
    }
    Ok(())
}

/// Decodes a stream as far as it decodes, and looks at the result as tools write it to the disk. Random bytes
/// end after a few.
fn follow_stream(
    walk: &mut Walk<'_>,
    rest: &Blob,
    depth: u32,
    decoder: fn(&mut crate::BlobReader) -> stream::Decoder<'_>,
) -> Walked<u64> {
    const LEAST: u64 = 32;
    let (mut reader, mut writer) = (rest.reader(), walk.writer());
    if !walk.fill_whole(&mut writer, &mut *decoder(&mut reader))? {
        (reader, writer) = (rest.reader(), walk.writer());
        walk.fill(&mut writer, &mut *decoder(&mut reader), Damage::CutOff)?;
    }
    if writer.size_bytes() < LEAST {
        return walk.count_attempt().map(|()| 0);
    }
    walk.count_member()?;
    walk.visit(writer.finish(), depth, Reach::Handed)?;
    Ok(reader.position())
}

/// Walks a zip whose end record is near the blob's end, where every reader looks for it. Returns what is not
/// part of the zip.
pub(crate) fn walk_zip_at_end(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<Vec<Blob>> {
    let Some(ends_at) = zip_at_end(blob)? else { return Ok(vec![blob.clone()]) };
    let zip_and_before = blob.slice(0, ends_at);
    let before = if let Some(starts_at) = zip::walk_behind(walk, &zip_and_before, depth)? {
        blob.slice(0, starts_at)
    } else {
        walk_zip_members(walk, &zip_and_before, depth)?;
        zip_and_before
    };
    Ok(vec![before, blob.tail(ends_at)])
}

fn zip_at_end(blob: &Blob) -> io::Result<Option<u64>> {
    // The longest comment is 64 KiB; unzip looks some buffers further.
    const TAIL: u64 = 128 * 1024;
    let tail_at = blob.size_bytes().saturating_sub(TAIL);
    let tail = blob.bytes_at(tail_at, to_usize(TAIL))?;
    // The search from the start is several times as fast as that from the end.
    let hits = memchr::memmem::find_iter(&tail, ZIP_END).collect::<Vec<_>>();
    for hit in hits.into_iter().rev() {
        let ends_at = zip_end(blob, tail_at + to_u64(hit), &tail[hit..])?;
        if ends_at.is_some() {
            return Ok(ends_at);
        }
    }
    Ok(None)
}

/// Returns where the zip ends whose end record stands at `at`, if that points at a directory. Programs that
/// read zips hold the signature alone.
fn zip_end(blob: &Blob, at: u64, record: &[u8]) -> io::Result<Option<u64>> {
    let begins = |n_bytes_before: u64, magic: &[u8]| match at.checked_sub(n_bytes_before) {
        Some(at) => blob.bytes_at(at, 4).map(|bytes| bytes == magic),
        None => Ok(false),
    };
    let directory_bytes = u64::from(record.u32_le(12));
    let has_directory = begins(directory_bytes, b"PK\x01\x02")?;
    let has_locator = begins(20, b"PK\x06\x07")?;
    let comment = u64::from(record.u16_le(20));
    let is_end = record.len() >= 22 && (has_directory || has_locator);
    Ok(is_end.then(|| (at + 22 + comment).min(blob.size_bytes())))
}
