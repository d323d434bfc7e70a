//! Recognises what a blob claims to be by its first bytes.

use std::io;

use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::opener::{Kind, Program};
use crate::{disks, http, lzop, mail, tar, warc};

/// The format that readers take a blob for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Zip,
    Gzip,
    Bzip2,
    Xz,
    Tar,
    SevenZip,
    Cabinet,
    Iso,
    Ar,
    Lzop,
    Warc,
    Http,
    /// Compound File Binary: old Office documents, MSI, Outlook messages.
    Compound,
    Mail,
    Pdf,
    /// Several of these: readers choose differently.
    Ambiguous,
    /// Only openers open it.
    Foreign(Foreign),
    Other,
}

impl Format {
    pub(crate) fn is_container(self) -> bool {
        !matches!(self, Self::Pdf | Self::Other)
    }

    /// Returns the kind that the gate walks itself, so that openers need not do it again.
    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Self::Zip => Some(Kind::Zip),
            Self::Gzip => Some(Kind::Gzip),
            Self::Bzip2 => Some(Kind::Bzip2),
            Self::Xz => Some(Kind::Xz),
            Self::Tar => Some(Kind::Tar),
            Self::SevenZip => Some(Kind::SevenZip),
            Self::Cabinet => Some(Kind::Cabinet),
            Self::Iso => Some(Kind::Iso),
            Self::Ar => Some(Kind::Ar),
            Self::Lzop => Some(Kind::Lzop),
            Self::Warc => Some(Kind::Warc),
            Self::Http => Some(Kind::Http),
            Self::Compound => Some(Kind::Compound),
            Self::Mail | Self::Pdf | Self::Ambiguous | Self::Foreign(_) | Self::Other => None,
        }
    }

    /// Returns whether what the gate finds malformed may be sound to the readers of this kind, if they agree
    /// on it.
    pub(crate) fn has_second_opinion(self) -> bool {
        self.kind().is_some() && !matches!(self, Self::Compound | Self::Lzop | Self::Http)
    }

    /// Returns whether bytes that the walk did not account for may be there: 7-Zip finds archives anywhere in
    /// them.
    pub(crate) fn may_hide_containers(self) -> bool {
        matches!(self, Self::Other | Self::Pdf | Self::Compound | Self::Mail | Self::Http)
    }
}

pub(crate) const ZIP_LOCAL: &[u8] = b"PK\x03\x04";
pub(crate) const ZIP_END: &[u8] = b"PK\x05\x06";
pub(crate) const SEVEN_ZIP: &[u8] = b"7z\xbc\xaf\x27\x1c";
pub(crate) const XZ: &[u8] = b"\xfd7zXZ\0";
pub(crate) const GZIP_DEFLATE: &[u8] = b"\x1f\x8b\x08";
pub(crate) const CABINET: &[u8] = b"MSCF";
pub(crate) const RAR: &[u8] = b"Rar!\x1a\x07";
pub(crate) const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// A kind of container that the gate does not walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Foreign {
    pub(crate) name: &'static str,
    /// The programs whose answer that it is no archive counts, if no other reader takes it for one either
    /// ([`crate::tolerant`]): none for images of disks, as QEMU, wimlib and the programs of Linux open images
    /// that 7-Zip declines.
    pub(crate) opened_by: &'static [Program],
}

pub(crate) const SEVEN_ZIP_OPENS: &[Program] = &[Program::SevenZip];
pub(crate) const LIBARCHIVE_OPENS: &[Program] = &[Program::Libarchive];
pub(crate) const BOTH_OPEN: &[Program] = &[Program::SevenZip, Program::Libarchive];
pub(crate) const NONE_OPENS: &[Program] = &[];

/// Signatures of containers that the gate does not walk, and where they stand. The engine opens a few of
/// these (ARJ, CHM, cpio, DMG, XAR), but the gate cannot tell whether it saw the whole of one.
const FOREIGN: &[(usize, &[u8], Foreign)] = &[
    (0, b"PK\x07\x08PK\x03\x04", Foreign { name: "split zip", opened_by: SEVEN_ZIP_OPENS }),
    (0, b"PK00PK\x03\x04", Foreign { name: "split zip", opened_by: SEVEN_ZIP_OPENS }),
    (0, RAR, Foreign { name: "RAR", opened_by: LIBARCHIVE_OPENS }),
    (0, b"RE~^", Foreign { name: "RAR 1", opened_by: NONE_OPENS }),
    (0, b"\x28\xb5\x2f\xfd", Foreign { name: "zstd", opened_by: BOTH_OPEN }),
    // The versions before the format's first release (zstd 1.5, lib/legacy): zstd(1) unpacks 0.5 and later.
    (1, b"\xb5\x2f\xfd", Foreign { name: "zstd of an early version", opened_by: NONE_OPENS }),
    (0, b"\xfd\x2f\xb5\x1e", Foreign { name: "zstd of an early version", opened_by: NONE_OPENS }),
    (1, b"\x2a\x4d\x18", Foreign { name: "zstd or lz4, skippable frame", opened_by: NONE_OPENS }),
    (0, b"\x04\x22\x4d\x18", Foreign { name: "lz4", opened_by: LIBARCHIVE_OPENS }),
    (0, b"\x02\x21\x4c\x18", Foreign { name: "lz4, legacy", opened_by: LIBARCHIVE_OPENS }),
    (0, b"LZIP", Foreign { name: "lzip", opened_by: LIBARCHIVE_OPENS }),
    (0, b"LRZI", Foreign { name: "lrzip", opened_by: LIBARCHIVE_OPENS }),
    (0, b"\x1f\x9d", Foreign { name: "compress", opened_by: BOTH_OPEN }),
    (0, b"\x1f\xa0", Foreign { name: "compress, LZH", opened_by: NONE_OPENS }),
    (0, b"bvx2", Foreign { name: "LZFSE", opened_by: NONE_OPENS }),
    (7, b"**ACE**", Foreign { name: "ACE", opened_by: NONE_OPENS }),
    (20, b"\xdc\xa7\xc4\xfd", Foreign { name: "ZOO", opened_by: NONE_OPENS }),
    (0, b"ALZ\x01", Foreign { name: "ALZ", opened_by: NONE_OPENS }),
    (0, b"EGGA", Foreign { name: "EGG", opened_by: NONE_OPENS }),
    (0, b"7kSt", Foreign { name: "ZPAQ", opened_by: NONE_OPENS }),
    (0, b"zPQ", Foreign { name: "ZPAQ", opened_by: NONE_OPENS }),
    (0, b"SIT!", Foreign { name: "StuffIt", opened_by: NONE_OPENS }),
    (0, b"StuffIt", Foreign { name: "StuffIt", opened_by: NONE_OPENS }),
    (0, b"MSWIM\0\0\0", Foreign { name: "WIM", opened_by: NONE_OPENS }),
    (0, b"SZDD\x88\xf0\x27\x33", Foreign { name: "SZDD", opened_by: SEVEN_ZIP_OPENS }),
    (0, b"KWAJ\x88\xf0\x27\xd1", Foreign { name: "KWAJ", opened_by: NONE_OPENS }),
    (0, b"\x8f\xaf\xac\x84", Foreign { name: "PPMd", opened_by: SEVEN_ZIP_OPENS }),
    (0, b"ITOLITLS", Foreign { name: "HxS", opened_by: SEVEN_ZIP_OPENS }),
    (0, b"qshs", Foreign { name: "SquashFS", opened_by: NONE_OPENS }),
    (0, b"shsq", Foreign { name: "SquashFS", opened_by: NONE_OPENS }),
    (512, b"PM\0\0", Foreign { name: "disk image", opened_by: SEVEN_ZIP_OPENS }),
    (0, b"\xed\xab\xee\xdb", Foreign { name: "RPM", opened_by: BOTH_OPEN }),
    (0, b"xar!", Foreign { name: "XAR", opened_by: BOTH_OPEN }),
    (0, b"ITSF", Foreign { name: "CHM", opened_by: SEVEN_ZIP_OPENS }),
    (0, b"070701", Foreign { name: "cpio", opened_by: BOTH_OPEN }),
    (0, b"070702", Foreign { name: "cpio", opened_by: BOTH_OPEN }),
    (0, b"070707", Foreign { name: "cpio", opened_by: BOTH_OPEN }),
    (0, b"\xc7\x71", Foreign { name: "cpio", opened_by: BOTH_OPEN }),
    (0, b"\x71\xc7", Foreign { name: "cpio", opened_by: BOTH_OPEN }),
    (0, b"hsqs", Foreign { name: "SquashFS", opened_by: NONE_OPENS }),
    (0, b"sqsh", Foreign { name: "SquashFS", opened_by: NONE_OPENS }),
    (0, b"\x28\xcd\x3d\x45", Foreign { name: "cramfs", opened_by: NONE_OPENS }),
    (0, b"\x45\x3d\xcd\x28", Foreign { name: "cramfs", opened_by: NONE_OPENS }),
    (0, b"conectix", Foreign { name: "VHD", opened_by: NONE_OPENS }),
    (0, b"vhdxfile", Foreign { name: "VHDX", opened_by: NONE_OPENS }),
    (0, b"KDMV", Foreign { name: "VMDK", opened_by: NONE_OPENS }),
    (0, b"QFI\xfb", Foreign { name: "QCOW", opened_by: NONE_OPENS }),
    (0x40, b"\x7f\x10\xda\xbe", Foreign { name: "VDI", opened_by: NONE_OPENS }),
    (32, b"NXSB", Foreign { name: "APFS image", opened_by: NONE_OPENS }),
    (512, b"EFI PART", Foreign { name: "disk image", opened_by: SEVEN_ZIP_OPENS }),
    (1024, b"H+\0\x04", Foreign { name: "HFS+ image", opened_by: NONE_OPENS }),
    (32769, b"BEA01", Foreign { name: "UDF image", opened_by: NONE_OPENS }),
    (0x9311, b"CD001", Foreign { name: "raw CD image", opened_by: NONE_OPENS }),
];

/// The last 512 bytes of an Apple disk image, or of a fixed virtual disk, begin with these. What
/// stands behind a first stream ends so as well, and is none.
const FOREIGN_TRAILERS: &[(&[u8], Foreign)] = &[
    (b"koly", Foreign { name: "DMG", opened_by: SEVEN_ZIP_OPENS }),
    (b"conectix", Foreign { name: "VHD", opened_by: SEVEN_ZIP_OPENS }),
];

/// Enough for every signature above, and for a mail's header.
const HEAD_BYTES: usize = 40 * 1024;

pub(crate) fn sniff(blob: &Blob) -> io::Result<Format> {
    let head = blob.bytes_at(0, HEAD_BYTES)?;
    let starts = |magic: &[u8]| head.starts_with(magic);
    let by_magic = [
        (starts(ZIP_LOCAL) || starts(ZIP_END), Format::Zip),
        (starts(GZIP_DEFLATE), Format::Gzip),
        (is_bzip2(&head), Format::Bzip2),
        (starts(XZ), Format::Xz),
        (starts(SEVEN_ZIP), Format::SevenZip),
        (starts(b"MSCF") && !is_text(blob)?, Format::Cabinet),
        (starts(b"!<arch>\n"), Format::Ar),
        (starts(lzop::MAGIC), Format::Lzop),
        (warc::begins(blob)?, Format::Warc),
        (starts(COMPOUND), Format::Compound),
        (tar::is_header(head.at(0, 512)), Format::Tar),
        (head.at(32769, 5) == b"CD001", Format::Iso),
    ];
    let mut claims = by_magic.into_iter().filter_map(|(is_it, format)| is_it.then_some(format));
    if let Some(format) = claims.next() {
        // Readers would choose by the file's name, or by what they look for first.
        return Ok(if claims.next().is_some() { Format::Ambiguous } else { format });
    }
    if let Some(foreign) = foreign(&head, blob)? {
        return Ok(Format::Foreign(foreign));
    }
    if http::begins(blob)? {
        return Ok(Format::Http);
    }
    // A mail may speak of PDF in its header; a PDF has no header fields before it.
    let is_pdf = memchr::memmem::find(&head[..head.len().min(1024)], b"%PDF-").is_some();
    Ok(match (mail::is_header(&head), is_pdf) {
        (true, _) => Format::Mail,
        (false, true) => Format::Pdf,
        (false, false) => Format::Other,
    })
}

/// Returns whether the start of a blob is text. A signature at the start of a text is a word.
pub(crate) fn is_text(blob: &Blob) -> io::Result<bool> {
    let head = blob.bytes_at(0, HEAD_BYTES)?;
    // A character may be cut at the end.
    let is_utf8 = std::str::from_utf8(&head).map_or_else(|error| error.error_len().is_none(), |_| true);
    Ok(is_utf8 && !head.iter().copied().any(is_control))
}

/// Returns whether the start of a blob is text in any character set of single bytes.
pub(crate) fn has_no_controls(blob: &Blob) -> io::Result<bool> {
    Ok(!blob.bytes_at(0, HEAD_BYTES)?.into_iter().any(is_control))
}

fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31 | 127)
}

/// Returns whether a blob is text that begins like a program for Windows. It is none: the offset at which the
/// real header would stand is beyond its end.
pub(crate) fn is_text_like_program(blob: &Blob) -> io::Result<bool> {
    const HEADER_AT: usize = 0x3c;
    let head = blob.bytes_at(0, HEADER_AT + 4)?;
    let is_program = head.len() == HEADER_AT + 4 && u64::from(head.u32_le(HEADER_AT)) < blob.size_bytes();
    Ok(head.starts_with(b"MZ") && !is_program && is_text(blob)?)
}

/// Returns whether a blob begins as the programs do that the engine may find broken: of Windows and DOS,
/// ELF, Mach-O.
pub(crate) fn begins_as_program(blob: &Blob) -> io::Result<bool> {
    const STARTS: &[&[u8]] = &[
        b"MZ",
        b"ZM",
        b"\x7fELF",
        b"\xfe\xed\xfa",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba",
    ];
    let head = blob.bytes_at(0, 4)?;
    Ok(STARTS.iter().any(|start| head.starts_with(start)))
}

pub(crate) fn is_bzip2(bytes: &[u8]) -> bool {
    let block = bytes.at(4, 6);
    bytes.starts_with(b"BZh")
        && (b'1'..=b'9').contains(&bytes.u8_at(3))
        && (block == b"\x31\x41\x59\x26\x53\x59" || block == b"\x17\x72\x45\x38\x50\x90")
}

fn foreign(head: &[u8], blob: &Blob) -> io::Result<Option<Foreign>> {
    let by_magic = FOREIGN.iter().find(|(offset, magic, _)| head.at(*offset, magic.len()) == *magic);
    let by_structure = [
        (is_arj(head), "ARJ", SEVEN_ZIP_OPENS),
        (is_partitioned(head), "disk image", SEVEN_ZIP_OPENS),
        (is_old_gzip(head), "pack, or an old gzip", NONE_OPENS),
        (is_lha(head), "LHA", BOTH_OPEN),
    ];
    let found = by_structure.into_iter().find(|(is_it, ..)| *is_it);
    if let Some(foreign) = by_magic.map(|(.., foreign)| *foreign) {
        return Ok(Some(foreign));
    }
    // A boot program can look like a table of partitions.
    if let Some(name) = disks::name_of(blob)? {
        return Ok(Some(Foreign { name, opened_by: NONE_OPENS }));
    }
    if let Some((_, name, opened_by)) = found {
        return Ok(Some(Foreign { name, opened_by }));
    }
    let trailer = blob.bytes_at(blob.size_bytes().saturating_sub(512), 8)?;
    Ok(FOREIGN_TRAILERS.iter().find(|(magic, _)| trailer.starts_with(magic)).map(|(_, foreign)| *foreign))
}

/// Recognises ARJ by `60 EA`, the size of the basic header, the header and its CRC-32. The two bytes alone
/// occur in ordinary files.
pub(crate) fn is_arj(bytes: &[u8]) -> bool {
    let n_header = usize::from(bytes.u16_le(2));
    let header = bytes.at(4, n_header);
    bytes.starts_with(b"\x60\xea")
        && (30..=2600).contains(&n_header)
        && header.len() == n_header
        && crc32fast::hash(header) == bytes.u32_le(4 + n_header)
}

/// Recognises what gzip(1) unpacks beside its own format: `1F 9E`, with a header like that of `1F 8B`, and
/// pack's `1F 1E`, a size and the number of lengths of codes, 24 at most.
fn is_old_gzip(head: &[u8]) -> bool {
    let is_old = head.starts_with(b"\x1f\x9e\x08") && head.u8_at(3) & 0xe0 == 0;
    let is_pack = head.starts_with(b"\x1f\x1e") && (1..=24).contains(&head.u8_at(6)) && head.len() > 8;
    is_old || is_pack
}

/// Recognises a master boot record by its signature and four entries that are empty or sensible, one of them
/// not empty.
fn is_partitioned(head: &[u8]) -> bool {
    let entries = [446, 462, 478, 494].map(|at| head.at(at, 16));
    let is_empty = |entry: &&[u8]| entry.iter().all(|byte| *byte == 0);
    let is_sensible = |entry: &[u8]| {
        matches!(entry.u8_at(0), 0 | 0x80)
            && entry.u8_at(4) != 0
            && entry.u32_le(8) > 0
            && entry.u32_le(12) > 0
    };
    head.at(510, 2) == [0x55, 0xaa]
        && entries.iter().all(|entry| is_empty(entry) || is_sensible(entry))
        && !entries.iter().all(is_empty)
}

/// Returns whether a cpio member begins here: in one of its two text forms, digits, and a name that ends
/// where they say; or in words of two bytes in either order. The name's last byte is a zero, so that text of
/// digits alone never passes. The kind of file counts for nothing in text: programs unpack what they do not
/// know. With words, which stand anywhere by chance, only a regular file counts, as GNU cpio 2.13 has it.
pub(crate) fn is_cpio(blob: &Blob) -> io::Result<bool> {
    // The longest path of Linux.
    const MAX_NAME: usize = 4096;
    let bytes = blob.bytes_at(0, 110 + MAX_NAME)?;
    let name_ends = |n_header: usize, n_name: usize| {
        (1..=MAX_NAME).contains(&n_name) && bytes.at(n_header + n_name - 1, 1) == [0]
    };
    let (n_header, name_size_at, radix) = match bytes.at(0, 6) {
        b"070701" | b"070702" => (110, 94..102, 16),
        b"070707" => (76, 59..65, 8),
        [0xc7, 0x71, ..] => return Ok(is_regular(bytes.u16_le(6)) && name_ends(26, bytes.u16_le(20).into())),
        [0x71, 0xc7, ..] => return Ok(is_regular(bytes.u16_be(6)) && name_ends(26, bytes.u16_be(20).into())),
        _ => return Ok(false),
    };
    let digits = bytes.at(6, n_header - 6);
    let is_header = !digits.is_empty() && digits.iter().all(|byte| char::from(*byte).is_digit(radix));
    let n_name = bytes.get(name_size_at).and_then(|digits| std::str::from_utf8(digits).ok());
    let n_name = n_name.and_then(|digits| usize::from_str_radix(digits, radix).ok()).unwrap_or(0);
    Ok(is_header && name_ends(n_header, n_name))
}

fn is_regular(mode: u16) -> bool {
    mode >> 12 == 0o10
}

fn is_lha(bytes: &[u8]) -> bool {
    let method = bytes.at(2, 5);
    method.len() == 5
        && method.ends_with(b"-")
        && [&b"-lh"[..], b"-lz", b"-pm"].iter().any(|start| method.starts_with(start))
}

/// Returns whether the header of an LHA member stands here: its length, the sum of its bytes, the method, and
/// in its place the header's level. (Levels 0 and 1; level 2 has a longer length instead of the sum, level 3
/// a word size of 4.)
pub(crate) fn is_lha_member(bytes: &[u8]) -> bool {
    let n_header = usize::from(bytes.u8_at(0));
    let header = bytes.at(2, n_header);
    let has_sum =
        header.len() > 20 && header.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) == bytes.u8_at(1);
    let is_level = match bytes.u8_at(20) {
        0 | 1 => has_sum,
        2 => (26..=4096).contains(&bytes.u16_le(0)),
        3 => bytes.u16_le(0) == 4,
        _ => false,
    };
    is_lha(bytes) && is_level
}

/// Returns whether a RAR header with a right checksum follows the signature. Programs that read RAR hold the
/// signature alone.
pub(crate) fn is_rar(bytes: &[u8]) -> bool {
    let version_4 = bytes.at(6, 1) == [0] && bytes.u8_at(9) == 0x73 && {
        let n_header = usize::from(bytes.u16_le(12));
        let header = bytes.at(9, n_header.saturating_sub(2));
        let [low, high, ..] = crc32fast::hash(header).to_le_bytes();
        !header.is_empty() && u16::from_le_bytes([low, high]) == bytes.u16_le(7)
    };
    // Version 5: CRC-32, then the header's size as a variable number of one or two bytes here.
    let version_5 = bytes.at(6, 2) == [1, 0] && {
        let (first, second) = (usize::from(bytes.u8_at(12)), usize::from(bytes.u8_at(13)));
        let (n_size, n_header) = if first < 0x80 { (1, first) } else { (2, (first & 0x7f) | (second << 7)) };
        let header = bytes.at(12, n_size + n_header);
        header.len() > 1 && crc32fast::hash(header) == bytes.u32_le(8)
    };
    bytes.starts_with(RAR) && (version_4 || version_5)
}

/// Returns the size of a cabinet by its header; `None` if the header is none. As cabextract, it accepts any
/// version, and anything in the place of reserved zeros.
pub(crate) fn cabinet_size(bytes: &[u8]) -> Option<u64> {
    const HEADER_BYTES: u32 = 36;
    let (size, files_at) = (bytes.u32_le(8), bytes.u32_le(16));
    let is_header = bytes.starts_with(CABINET) && (HEADER_BYTES..size).contains(&files_at);
    is_header.then_some(size.into())
}

#[cfg(test)]
mod tests;
