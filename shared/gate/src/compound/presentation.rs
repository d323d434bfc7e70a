//! Hands the objects of a binary presentation: records that hold a compound file, as it is or compressed
//! ([MS-PPT] 2.10.34, 2.10.35, 2.10.37: OLE objects, controls, VBA projects).
//!
//! Readers of such objects walk the records, each in its own way; here the objects are found by their own
//! headers, whatever stands in front of them.

use std::io;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::walk::{Walk, Walked};

/// The type of such a record, 2 bytes behind its start.
const OBJECT: [u8; 2] = 0x1011u16.to_le_bytes();
const TYPE_AT: u64 = 2;
const HEADER_BYTES: u64 = 8;
/// A compressed object has its size in front.
const SIZE_BYTES: u64 = 4;
const ZLIB_HEADER_BYTES: usize = 2;

/// Returns whether a stream holds the records of a presentation.
pub(super) fn is_document(name: &str) -> bool {
    name.eq_ignore_ascii_case("PowerPoint Document")
}

/// Hands over what is compressed in the records. What is not is found as every compound file in other data.
pub(super) fn hand_objects(walk: &mut Walk<'_>, document: &Blob, depth: u32) -> Walked {
    for at in objects(document)? {
        for data_at in [at + HEADER_BYTES + SIZE_BYTES, at + HEADER_BYTES] {
            if begins_zlib(&document.bytes_at(data_at, ZLIB_HEADER_BYTES)?) {
                walk.count_attempt()?;
                let data = document.tail(data_at + to_u64(ZLIB_HEADER_BYTES));
                walk.reading_cut_off(|| Ok(Inflate::new(data.reader())), depth)?;
            }
        }
    }
    Ok(())
}

/// Where records of objects may begin.
fn objects(document: &Blob) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut windows = document.windows(0, OBJECT.len() - 1);
    while let Some((at, window)) = windows.next_window()? {
        let places = memchr::memmem::find_iter(window, &OBJECT).map(|hit| at + to_u64(hit));
        found.extend(places.filter_map(|type_at| type_at.checked_sub(TYPE_AT)));
    }
    Ok(found)
}

/// RFC 1950, 2.2: deflate, a window of at most 32 KiB, no dictionary, and a check.
fn begins_zlib(head: &[u8]) -> bool {
    let (method, flags) = (head.u8_at(0), head.u8_at(1));
    head.len() == ZLIB_HEADER_BYTES
        && method & 0xf == 8
        && method >> 4 <= 7
        && flags & 0x20 == 0
        && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::scratch::Scratch;
    use crate::{Gate, Limits};

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let n_bytes = u32::try_from(data.len()).unwrap();
        [&[0x10, 0], kind.to_le_bytes().as_slice(), &n_bytes.to_le_bytes(), data].concat()
    }

    fn compressed(data: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
        encoder.write_all(data).unwrap();
        let n_bytes = u32::try_from(data.len()).unwrap();
        [n_bytes.to_le_bytes().as_slice(), &encoder.finish().unwrap()].concat()
    }

    fn holds_cat(document: Vec<u8>) -> bool {
        let limits =
            Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 22, max_members: 1000, max_depth: 5 };
        let gate = Gate { limits, capabilities: [].into_iter().collect() };
        let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        hand_objects(&mut through, &Blob::from_bytes(document), 0).unwrap();
        through.into_handed().iter().any(|blob| blob.bytes_at(0, 9).unwrap().starts_with(b"A cat"))
    }

    #[test]
    fn compressed_objects_are_found_whatever_stands_around_them() {
        for level in [0, 1, 6, 9] {
            let object = compressed(b"A cat", level);
            let record_of = record(0x1011, &object);
            for (name, document) in [
                ("alone", record_of.clone()),
                ("behind a record of no length", [record(0, b""), record_of.clone()].concat()),
                ("in others", record(0x3e8, &record(0x1010, &record_of))),
                ("behind a record that is cut", [&record(0x3e8, b"abc")[..9], &record_of].concat()),
                (
                    "another size",
                    [&[0; 2], [0x11, 0x10].as_slice(), &[9; 4], &[7, 0, 0, 0], &object[4..]].concat(),
                ),
                ("no size", record(0x1011, &object[4..])),
                ("cut off", record_of[..record_of.len() - 2].to_vec()),
            ] {
                assert!(holds_cat(document), "{name}, level {level}");
            }
        }
        assert!(!holds_cat(record(0x1011, b"A cat is not compressed")));
        assert!(!holds_cat(record(0x1012, &compressed(b"A cat", 6))));
    }

    #[test]
    fn a_presentation_is_known_by_its_name() {
        assert!(is_document("PowerPoint Document") && is_document("POWERPOINT DOCUMENT"));
        assert!(!is_document("WordDocument"));
    }
}
