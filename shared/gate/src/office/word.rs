//! Decrypts binary Word documents ([MS-DOC] 2.2.6): the main stream, the table stream and the data stream.

use std::io::{self, Read};

use crate::blob::{Blob, BlobWriter, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

use super::fitting_keys;
use super::rc4::{Rc4Header, Rc4Key, Rc4Stream};
use super::transform::Transformed;

const BLOCK_BYTES: usize = 512;
/// The beginning of the main stream, which is not encrypted.
pub(super) const PLAIN_BYTES: usize = 68;
const FLAGS_AT: usize = 0x0a;
const ENCRYPTED: u16 = 0x0100;
const SECOND_TABLE: u16 = 0x0200;
const OBFUSCATED: u16 = 0x8000;
const KEY_AT: usize = 0x0e;

/// What the beginning of the main stream of an encrypted document says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Protection {
    pub(super) table_name: &'static str,
    /// Bytes of the header that the table stream begins with; `None` if the document is obfuscated.
    n_header_bytes: Option<u32>,
}

impl Protection {
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let flags = head.u16_le(FLAGS_AT);
        let is_encrypted = head.u16_le(0) == 0xa5ec && flags & ENCRYPTED != 0;
        is_encrypted.then_some(Self {
            table_name: if flags & SECOND_TABLE == 0 { "0Table" } else { "1Table" },
            n_header_bytes: (flags & OBFUSCATED == 0).then(|| head.u32_le(KEY_AT)),
        })
    }

    /// The keys that fit, by the header in the table stream.
    pub(super) fn keys(self, walk: &mut Walk<'_>, table: &Blob) -> Walked<Vec<Rc4Key>> {
        const MAX_HEADER_BYTES: u32 = 64 * 1024;
        let Some(n_bytes) = self.n_header_bytes.filter(|n_bytes| *n_bytes <= MAX_HEADER_BYTES) else {
            return Ok(vec![]);
        };
        let header = Rc4Header::parse(&table.bytes_at(0, to_usize(n_bytes.into()))?);
        Ok(fitting_keys(walk, |password| header.as_ref().and_then(|header| header.key(password))))
    }

    pub(super) fn decrypted_table(self, walk: &Walk<'_>, table: &Blob, key: &Rc4Key) -> io::Result<Blob> {
        let n_header_bytes = to_usize(self.n_header_bytes.unwrap_or(0).into());
        decrypted(walk.writer(), table, key, &table.bytes_at(0, n_header_bytes)?)
    }
}

/// The main stream of a document that is not encrypted.
pub(super) fn decrypted_document(walk: &Walk<'_>, document: &Blob, key: &Rc4Key) -> io::Result<Blob> {
    let mut plain = document.bytes_at(0, PLAIN_BYTES)?;
    let flags = plain.u16_le(FLAGS_AT) & !ENCRYPTED;
    if let Some(at) = plain.get_mut(FLAGS_AT..FLAGS_AT + 2) {
        at.copy_from_slice(&flags.to_le_bytes());
    }
    if let Some(at) = plain.get_mut(KEY_AT..KEY_AT + 4) {
        at.fill(0);
    }
    decrypted(walk.writer(), document, key, &plain)
}

pub(super) fn decrypted_data(walk: &Walk<'_>, data: &Blob, key: &Rc4Key) -> io::Result<Blob> {
    decrypted(walk.writer(), data, key, b"")
}

/// A stream that has `plain` in the place of as many bytes at its beginning.
fn decrypted(mut writer: BlobWriter, stream: &Blob, key: &Rc4Key, plain: &[u8]) -> io::Result<Blob> {
    const COPY_BYTES: usize = 64 * 1024;
    let mut cipher = Rc4Stream::new(key.clone(), BLOCK_BYTES);
    cipher.skip(plain.len());
    writer.write(plain)?;
    let rest = stream.tail(to_u64(plain.len()));
    let mut reader = Transformed::of(&rest, |bytes| cipher.apply(bytes));
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(writer.finish()),
            n_bytes => writer.write(&buffer[..n_bytes])?,
        }
    }
}
