//! Sample archives, in as much of the zip format as they need: stored entries, no ZIP64 (APPNOTE 6.3).

const STORED: u16 = 0;
const ENCRYPTED: u16 = 1;

struct Entry {
    name: String,
    bytes: Vec<u8>,
    flags: u16,
}

/// An archive with one file.
pub(crate) fn zip_of(bytes: &[u8]) -> Vec<u8> {
    zip(&[Entry { name: "inside.txt".to_owned(), bytes: bytes.to_vec(), flags: 0 }])
}

/// An archive with one file that is marked as encrypted. It has no password: no cipher made its bytes.
pub(crate) fn encrypted_zip() -> Vec<u8> {
    let bytes = (0..64u8).map(|n| n.wrapping_mul(89).wrapping_add(37)).collect();
    zip(&[Entry { name: "secret.txt".to_owned(), bytes, flags: ENCRYPTED }])
}

/// An archive with `n_before` small files, and one more with these bytes.
pub(crate) fn zip_ending_with(bytes: &[u8], n_before: u16) -> Vec<u8> {
    let entry = |n: u16, bytes: &[u8]| Entry { name: format!("{n}.txt"), bytes: bytes.to_vec(), flags: 0 };
    let small = (0..n_before).map(|n| entry(n, b"x"));
    zip(&small.chain([entry(n_before, bytes)]).collect::<Vec<_>>())
}

fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = length(&archive);
        let common = common(entry);
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(entry.name.as_bytes());
        archive.extend(&entry.bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]); // no comment, first disk, no attributes
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let (start, size) = (length(&archive), length(&directory));
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes();
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00");
    archive.extend([count, count].concat());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

/// The fields that the local header and the directory share: from the version to the lengths.
fn common(entry: &Entry) -> Vec<u8> {
    let (size, name) = (length(&entry.bytes), u16::try_from(entry.name.len()).unwrap_or(u16::MAX));
    let crc = crc32fast::hash(&entry.bytes);
    let mut bytes = Vec::new();
    for field in [20, entry.flags, STORED, 0, 0x21] {
        bytes.extend(u16::to_le_bytes(field)); // the date is 1980-01-01
    }
    for field in [crc, size, size] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(name.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
