//! Decrypts the package in a document of the newer formats ([MS-OFFCRYPTO] 2.3.4.4, 2.3.4.7 and 2.3.4.15), a
//! segment at a time.

use std::io::{self, Read};

use crate::blob::{Blob, BlobReader, to_u64};
use crate::ciphers::{Aes, BLOCK};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

use super::agile::start_of_chain;
use super::hash::Hash;

const SEGMENT_BYTES: usize = 4096;
const SIZE_BYTES: u64 = 8;

/// What a package is decrypted with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum PackageKey {
    /// Each segment is chained by itself.
    Agile { key: Vec<u8>, hash: Hash, salt: Vec<u8> },
    /// Each block is encrypted by itself.
    Standard { key: Vec<u8> },
}

/// Hands over what is in an encrypted package: as long as it is said to be, and to the end of its data if
/// there is more than padding. Returns whether the key is the one of the package: only a zip is encrypted.
pub(super) fn hand(walk: &mut Walk<'_>, encrypted: &Blob, key: &PackageKey, depth: u32) -> Walked<bool> {
    let data = encrypted.tail(SIZE_BYTES);
    let n_bytes = encrypted.bytes_at(0, 8)?.as_slice().u64_le(0);
    let mut start = Vec::new();
    Decrypted::of(&data, key).take(4).read_to_end(&mut start)?;
    if start != b"PK\x03\x04" {
        return Ok(false);
    }
    if n_bytes <= data.size_bytes() {
        walk.reading(&mut Decrypted::of(&data, key).take(n_bytes), depth)?;
    }
    if n_bytes.saturating_add(to_u64(BLOCK)) <= data.size_bytes() || n_bytes > data.size_bytes() {
        walk.reading(&mut Decrypted::of(&data, key), depth)?;
    }
    Ok(true)
}

struct Decrypted<'k> {
    source: BlobReader,
    key: &'k PackageKey,
    n_segments: u32,
    segment: io::Cursor<Vec<u8>>,
}

impl<'k> Decrypted<'k> {
    fn of(data: &Blob, key: &'k PackageKey) -> Self {
        Self { source: data.reader(), key, n_segments: 0, segment: io::Cursor::default() }
    }

    fn next_segment(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.source.by_ref().take(to_u64(SEGMENT_BYTES)).read_to_end(&mut bytes)?;
        bytes.truncate(bytes.len() / BLOCK * BLOCK);
        let (PackageKey::Agile { key, .. } | PackageKey::Standard { key }) = self.key;
        // The parsers let no other key through.
        let aes = Aes::new(key).ok_or(io::ErrorKind::InvalidData)?;
        match self.key {
            PackageKey::Agile { hash, salt, .. } => {
                let before = start_of_chain(hash.of(salt, &self.n_segments.to_le_bytes()));
                aes.decrypt_chained(&mut bytes, before);
            }
            PackageKey::Standard { .. } => aes.decrypt_each(&mut bytes),
        }
        self.n_segments = self.n_segments.wrapping_add(1);
        Ok(bytes)
    }
}

impl Read for Decrypted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.segment.position() >= to_u64(self.segment.get_ref().len()) {
            self.segment = io::Cursor::new(self.next_segment()?);
        }
        self.segment.read(buffer)
    }
}
