//! Refuses archives that none of the openers opens, though other programs do: they are recognised by their
//! structure.
//!
//! unar reads archives of the Macintosh, the Amiga and CP/M. They begin where the blob does. A text that
//! begins with a signature is no archive.

use std::io;

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::format::{Format, is_text, sniff};
use crate::walk::{Walked, refuse};

/// Signatures that are recognised by their bytes alone.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"LZX", "LZX of the Amiga"),
    (b"PP20", "PowerPacker"),
    (b"AMPK", "AmiPack"),
    (b"DMS!", "DMS"),
    (b"\xab\xcd\0\x54", "DiskDoubler"),
    (b"DDAR", "DiskDoubler"),
    (b"DDA2", "DiskDoubler"),
    (b"RZIP", "rzip"),
    (b"BZ3v1", "bzip3"),
    (b"bvx-", "LZFSE"),
    (b"bvx1", "LZFSE"),
    (b"bvxn", "LZFSE"),
    (b"\xff\x06\0\0sNaPpY", "Snappy"),
    (b"SZ \x88\xf0\x27\x33\xd1", "SZ of QBasic"),
    (b"\x0d\0\0\0\0\0\0\0nix-archive-1", "NAR"),
    (b"MPQ\x1a", "MPQ"),
    (b"MPQ\x1b", "MPQ"),
];

const HEAD_BYTES: usize = 2048;

/// Refuses an archive that only other programs open.
pub(crate) fn refuse_unopened(blob: &Blob) -> Walked {
    let head = blob.bytes_at(0, HEAD_BYTES)?;
    match recognised(&head, blob)? {
        Some(name) if !is_text(blob)? => return refuse(Unscannable::UnsupportedContainer, name),
        _ => {}
    }
    // It may stand behind a text.
    if has_ace(blob)? {
        return refuse(Unscannable::UnsupportedContainer, "ACE in other data");
    }
    Ok(())
}

/// Refuses what begins as an archive that none of the openers opens, by more than an accident: even data that
/// only look encoded are that archive then.
pub(crate) fn refuse_surely_unopened(blob: &Blob) -> Walked {
    // Two or three bytes, or a structure that noise has.
    const WEAK: [&str; 5] =
        ["compress, LZH", "pack, or an old gzip", "zstd or lz4, skippable frame", "FAT image", "ZPAQ"];
    refuse_unopened(blob)?;
    match sniff(blob)? {
        Format::Foreign(foreign)
            if foreign.opened_by.is_empty() && !WEAK.contains(&foreign.name) && !is_text(blob)? =>
        {
            refuse(Unscannable::UnsupportedContainer, foreign.name)
        }
        _ => Ok(()),
    }
}

/// Refuses an archive that only 7-Zip opens and recognises, for a gate without 7-Zip.
pub(crate) fn refuse_without_seven_zip(blob: &Blob) -> Walked {
    let head = blob.bytes_at(0, HEAD_BYTES)?;
    if is_intel_hex(&head) {
        return refuse(Unscannable::UnsupportedContainer, "Intel HEX");
    }
    let is_packed_film = head.starts_with(b"CWS") || head.starts_with(b"ZWS");
    if is_packed_film && !is_text(blob)? {
        return refuse(Unscannable::UnsupportedContainer, "compressed SWF");
    }
    Ok(())
}

/// The first line is a record: a colon, and bytes in hexadecimal whose first one counts the data, and whose
/// sum is zero.
fn is_intel_hex(head: &[u8]) -> bool {
    const WITHOUT_DATA: usize = 5;
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let Some((digits, [])) = line.strip_prefix(b":").map(<[u8]>::as_chunks::<2>) else { return false };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let Some(record) = digits.iter().map(byte).collect::<Option<Vec<u8>>>() else { return false };
    let is_counted = record.first().is_some_and(|count| usize::from(*count) + WITHOUT_DATA == record.len());
    is_counted && record.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

fn recognised(head: &[u8], blob: &Blob) -> io::Result<Option<&'static str>> {
    let by_structure = [
        (is_stuffit(head), "StuffIt"),
        (is_crunched(head), "crunch of CP/M"),
        (is_dar(head), "dar"),
        (is_compact_pro(head, blob)?, "Compact Pro"),
    ];
    let by_structure = by_structure.into_iter().find(|(is_it, _)| *is_it);
    let by_signature = || SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature));
    Ok(by_structure.map(|(_, name)| name).or_else(|| by_signature().map(|(_, name)| *name)))
}

/// The installers' archives have other marks in the first four bytes, and the author's initials where all
/// have them.
fn is_stuffit(head: &[u8]) -> bool {
    let is_mark = head.starts_with(b"SIT!") || head.starts_with(b"ST");
    is_mark && head.at(10, 4) == b"rLau"
}

/// `76 FE`, or `76 FD` for CrLZH, the file's name, and the versions of the program that wrote it and of one
/// that reads it.
fn is_crunched(head: &[u8]) -> bool {
    const LONGEST_NAME: usize = 512;
    let is_mark = head.starts_with(b"\x76\xfe") || head.starts_with(b"\x76\xfd");
    let name = head.at(2, head.len().saturating_sub(2).min(LONGEST_NAME)).split(|byte| *byte == 0).next();
    let n_name = name.unwrap_or_default().len();
    let is_version = |at: usize| (0x10..0x30).contains(&head.u8_at(at));
    is_mark && n_name > 0 && is_version(2 + n_name + 1) && is_version(2 + n_name + 2)
}

/// A slice of dar begins with a number, a label of ten bytes, whether more slices follow, and how the header
/// goes on (libdar, `header.cpp`).
fn is_dar(head: &[u8]) -> bool {
    head.starts_with(b"\0\0\0\x7b")
        && matches!(head.u8_at(14), b'T' | b'N' | b'E' | b'L')
        && matches!(head.u8_at(15), b'N' | b'S' | b'T')
}

/// ACE stands behind programs that unpack it: acefile 0.6 looks for it in the first 512 KiB. In front of the
/// mark are a checksum, the header's size, its kind, which is zero, and flags; behind it the versions that
/// unpack and that packed it. Programs that know ACE hold the mark alone.
fn has_ace(blob: &Blob) -> io::Result<bool> {
    const MARK: &[u8] = b"**ACE**";
    const BEFORE: usize = 7;
    const SEARCHED: u64 = 512 * 1024;
    let mut windows = blob.windows(0, BEFORE + MARK.len() + 3);
    while let Some((at, window)) = windows.next_window()?
        && at <= SEARCHED
    {
        let is_header = |mark_at: usize| {
            let header = &window[mark_at - BEFORE..];
            let is_version = |byte: u8| (1..=30).contains(&byte);
            header.u8_at(4) == 0
                && (20..=4096).contains(&header.u16_le(2))
                && is_version(header.u8_at(14))
                && is_version(header.u8_at(15))
        };
        if memchr::memmem::find_iter(window, MARK).any(|mark_at| mark_at >= BEFORE && is_header(mark_at)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory, wherever the header says that it is, with a right checksum over a whole number of entries.
fn is_compact_pro(head: &[u8], blob: &Blob) -> io::Result<bool> {
    const MOST_ENTRIES: u16 = 10_000;
    const FILE_BYTES: u64 = 45;
    let directory = blob.tail(head.u32_be(4).into());
    let start = directory.bytes_at(0, 7)?;
    let n_entries = start.u16_be(4);
    if head.u8_at(0) != 1 || start.len() < 7 || n_entries == 0 {
        return Ok(false);
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 7 + u64::from(start.u8_at(6));
    hasher.update(&directory.bytes_at(4, usize::from(start.u8_at(6)) + 3)?);
    for _ in 0..n_entries.min(MOST_ENTRIES) {
        let name = directory.bytes_at(at, 1)?.u8_at(0);
        let n_more = if name & 0x80 == 0 { FILE_BYTES } else { 2 };
        let n_bytes = 1 + u64::from(name & 0x7f) + n_more;
        let entry = directory.bytes_at(at, to_usize(n_bytes))?;
        if to_u64(entry.len()) != n_bytes {
            return Ok(false);
        }
        hasher.update(&entry);
        at += n_bytes;
        // Whether entries in folders count is not asked: a right checksum is no accident anywhere.
        if !hasher.clone().finalize() == start.u32_be(0) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::Stop;

    fn is_refused(bytes: &[u8]) -> bool {
        matches!(refuse_unopened(&Blob::from_bytes(bytes.to_vec())), Err(Stop::Refused(_)))
    }

    fn compact_pro() -> Vec<u8> {
        let folder = [&[0x80 | 3][..], b"dir\0\x01"].concat();
        let file = [&[4][..], b"name", &[0; 45]].concat();
        let directory = [&[0, 2, 0][..], &folder, &file].concat();
        let crc = !crc32fast::hash(&directory);
        [&[1, 1, 0, 0, 0, 0, 0, 12][..], b"data", &crc.to_be_bytes(), &directory, b"more"].concat()
    }

    #[test]
    fn archives_are_recognised_by_their_structure() {
        let stuffit = b"STi3\0\x01\0\0\0\x99rLau\x01\0".to_vec();
        let crunched = b"\x76\xfeNAME.TXT\0\x20\x20\0\0data".to_vec();
        // A change of this byte makes it another format, which is not refused.
        for (archive, at) in [(stuffit, 10), (crunched, 12), (compact_pro(), 20)] {
            assert!(is_refused(&archive), "{archive:?}");
            let mut other = archive.clone();
            other[at] ^= 0x40;
            assert!(!is_refused(&other), "{other:?}");
        }
    }

    #[test]
    fn ace_is_found_behind_other_data() {
        let ace = b"\x12\x34\x31\0\0\0\x90**ACE**\x14\x14\x02\0";
        for n_before in [0, 1, 250, 65_535, 65_536, 100_000] {
            let file = [&vec![b' '; n_before][..], ace].concat();
            assert!(is_refused(&file), "{n_before}");
            for (at, byte) in [(2, 19), (3, 17), (4, 1), (7, b'+'), (14, 0), (15, 31)] {
                let mut other = file.clone();
                other[n_before + at] = byte;
                assert!(!is_refused(&other), "{n_before}: {at}");
            }
        }
    }

    #[test]
    fn a_slice_of_dar_has_known_flags() {
        let slice = b"\0\0\0\x7b0123456789TT\x80\0";
        assert!(is_refused(slice));
        for at in [3, 14, 15] {
            let mut other = slice.to_vec();
            other[at] = b'x';
            assert!(!is_refused(&other), "{at}");
        }
    }

    #[test]
    fn a_text_may_begin_with_a_signature() {
        for (signature, _) in
            SIGNATURES.iter().filter(|(signature, _)| signature.iter().all(u8::is_ascii_graphic))
        {
            assert!(!is_refused(&[signature, &b" is a word in a text"[..]].concat()));
            assert!(is_refused(&[signature, &b"\0\x01"[..]].concat()));
        }
    }

    #[test]
    fn what_only_seven_zip_knows_is_refused_without_it() {
        let is_refused = |bytes: &[u8]| {
            matches!(refuse_without_seven_zip(&Blob::from_bytes(bytes.to_vec())), Err(Stop::Refused(_)))
        };
        for (bytes, expected) in [
            (b":0300300002337A1E\r\n:00000001FF\r\n".as_slice(), true),
            (b":0300300002337A1F\r\n", false),
            (b":0400300002337A1D\r\n", false),
            (b": a text\n", false),
            (b"", false),
            (b"CWS\x06\x10\0\0\0\x78\x9c", true),
            (b"CWS is a word in a text", false),
        ] {
            assert_eq!(is_refused(bytes), expected, "{bytes:?}");
        }
    }
}
