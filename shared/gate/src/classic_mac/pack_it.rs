//! Unpacks PackIt: files one after another, each with a mark that says whether it is stored, compressed or
//! encrypted.

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::format::is_text;
use crate::walk::{Walk, Walked, refuse};

const MARK_BYTES: u64 = 4;
/// The header, and its checksum, which readers do not insist on.
const HEADER_BYTES: usize = 94;
const CRC_BYTES: u64 = 2;

/// Hands the forks of stored files, and refuses what is compressed.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = 0;
    loop {
        match &blob.bytes_at(at, 4)?[..] {
            b"PMag" => at += walk_stored(walk, &blob.tail(at + MARK_BYTES), depth)?,
            b"PMa4" | b"PMa5" | b"PMa6" if !is_text(blob)? => {
                return refuse(Unscannable::UnsupportedContainer, "PackIt, compressed or encrypted");
            }
            _ => return Ok(()),
        }
    }
}

/// Returns how many bytes a stored file takes.
fn walk_stored(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<u64> {
    let header = blob.bytes_at(0, HEADER_BYTES)?;
    let (data_bytes, resource_bytes) = (u64::from(header.u32_be(76)), u64::from(header.u32_be(80)));
    let data_at = to_u64(HEADER_BYTES);
    walk.reading_of(blob.slice(data_at, data_bytes), depth)?;
    walk.reading_of(blob.slice(data_at + data_bytes, resource_bytes), depth)?;
    Ok(MARK_BYTES + data_at + data_bytes + resource_bytes + CRC_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::{handed, is_refused};

    fn pack_it(mark: &[u8], data: &[u8], resource: &[u8]) -> Vec<u8> {
        let mut header = [0; 94];
        header[76..80].copy_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        header[80..84].copy_from_slice(&u32::try_from(resource.len()).unwrap().to_be_bytes());
        [mark, &header, data, resource, &[0; 2]].concat()
    }

    #[test]
    fn stored_forks_are_handed() {
        let file =
            [pack_it(b"PMag", b"first", b"resource"), pack_it(b"PMag", b"second", b""), b"PEnd".to_vec()];
        assert_eq!(handed(walk, &file.concat()), [&b"first"[..], b"resource", b"second"]);
    }

    #[test]
    fn compressed_files_are_refused() {
        for mark in [b"PMa4", b"PMa5", b"PMa6"] {
            let compressed = pack_it(mark, b"data", b"");
            assert!(is_refused(walk, &compressed));
            assert!(is_refused(walk, &[pack_it(b"PMag", b"first", b""), compressed].concat()));
            assert!(!is_refused(walk, &[mark, &b", a word in a text"[..]].concat()));
        }
    }
}
