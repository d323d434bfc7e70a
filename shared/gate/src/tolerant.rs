//! Says of what openers decline whether more tolerant readers unpack it.
//!
//! An opener declines a header for one bit that another program only warns of, or for a version that it does
//! not know. So a signature counts, whatever the openers say, except where it is so short, or so like text,
//! that ordinary data begins with it: there the conditions of the most tolerant reader count.

use std::io;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::format::{Foreign, has_no_controls};
use crate::lz4_frames;

/// Returns whether some reader unpacks a blob that has the signature of this kind of container.
pub(crate) fn reads(foreign: Foreign, blob: &Blob) -> io::Result<bool> {
    let head = blob.bytes_at(0, 36)?;
    match head.as_slice() {
        [0x1f, 0x9d, ..] => Ok(is_compress(&head)),
        [0xc7, 0x71, ..] => Ok(is_binary_cpio(&head, blob.size_bytes(), u16::from_le_bytes)),
        [0x71, 0xc7, ..] => Ok(is_binary_cpio(&head, blob.size_bytes(), u16::from_be_bytes)),
        // An empty stream holds nothing; what follows it is handed by itself.
        _ if lz4_frames::begins_empty(blob)? || is_empty_lzip(&head) => Ok(false),
        // Parts of sound images, such as a map of partitions that lie elsewhere, have these marks as well.
        _ if matches!(foreign.name, "disk image" | "DMG") => Ok(false),
        // ClamAV unpacks these itself (libclamav/chmunpack.c).
        _ if foreign.name == "CHM" => Ok(false),
        // A date or a word, in a character set that is not UTF-8. Every header holds zeros, or a version. GNU
        // cpio 2.13 complains of digits that are none, and continues.
        _ if head.at(0, 4).is_ascii() => Ok(!has_no_controls(blob)?),
        _ => Ok(true),
    }
}

/// gzip 1.12 (unlzw.c) and ncompress 5.0 warn of reserved bits and continue. They reject more than 16 bits,
/// and a first code, of 9 bits, that is no byte.
fn is_compress(head: &[u8]) -> bool {
    head.len() > 4 && head.u8_at(2) & 0x1f <= 16 && head.u8_at(4) & 1 == 0
}

/// A member of 36 bytes, which ends with the size of its data, zero, and its own (lzip 1.23 manual, "File
/// format").
fn is_empty_lzip(head: &[u8]) -> bool {
    head.starts_with(b"LZIP") && head.u64_le(20) == 0 && head.u64_le(28) == 36
}

/// A header of 26 bytes, then the name, of at most the longest path of Linux, within the file. The size of
/// the name is its eleventh word (GNU cpio 2.13, cpiohdr.h).
fn is_binary_cpio(head: &[u8], size_bytes: u64, word: fn([u8; 2]) -> u16) -> bool {
    const HEADER: usize = 26;
    const MAX_NAME: u16 = 4096;
    let n_name = word([head.u8_at(20), head.u8_at(21)]);
    (1..=MAX_NAME).contains(&n_name) && to_u64(HEADER) + u64::from(n_name) <= size_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Foreign = Foreign { name: "any", opened_by: &[] };

    fn is_read(start: &[u8]) -> bool {
        reads(ANY, &Blob::from_bytes([start, &[0; 40]].concat())).unwrap()
    }

    #[test]
    fn a_map_of_partitions_may_stand_alone() {
        for (name, expected) in [("disk image", false), ("DMG", false), ("VMDK", true), ("NTFS image", true)]
        {
            let foreign = Foreign { name, ..ANY };
            assert_eq!(reads(foreign, &Blob::from_bytes(vec![0xff; 512])).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn what_a_tolerant_reader_unpacks_counts() {
        for (start, expected) in [
            (&b"\x1f\x9d\x90X\0"[..], true),
            (b"\x1f\x9d\xf0X\0", true),
            (b"\x1f\x9d\x30X\0", true),
            (b"\x1f\x9d\xacX\0", true),
            (b"\x1f\x9d\x91X\0", false),
            (b"\x1f\x9d\x90X\x01", false),
            (b"070701 and no digits", true),
            (b"0707010000000100", true),
            (b"\xc7\x71\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0", true),
            (b"\x71\xc7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04", true),
            (b"\x71\xc7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0", false),
            (b"\xc7\x71\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x50\0", false),
            (b"\xc7\x71\0\0", false),
            (b"MSWIM\0\0\0", true),
            (b"\x04\x22\x4d\x18\x60\x70\x73\0\0\0\0", false),
            (b"\x04\x22\x4d\x18\x60\x70\x73\x01\0\0\0\0", true),
            (b"\x04\x22\x4d\x18\x60\x70\x73\x04\0\0\x80data", true),
            (b"LZIP\x01\x0c\0\x83\xff\xfb\xff\xff\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x24", false),
            (b"LZIP\x01\x0c\0\x83\xff\xfb\xff\xff\xc0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x24", true),
        ] {
            assert_eq!(is_read(start), expected, "{start:?}");
        }
        let date = Blob::from_bytes(b"070701;12,50;Caf\xe9\r\n".repeat(20));
        assert!(!reads(ANY, &date).unwrap(), "a table, not in UTF-8");
    }
}
