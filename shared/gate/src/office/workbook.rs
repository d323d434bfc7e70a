//! Decrypts binary workbooks ([MS-XLS] 2.2.10): the data of their records, but not the headers.

use std::io::{self, Read};

use crate::blob::{Blob, BlobWriter, to_u64};
use crate::fields::Fields as _;
use crate::walk::Walk;

use super::fitting_keys;
use super::rc4::{Rc4Header, Rc4Key, Rc4Stream};
use super::xor::XorArray;

const HEADER_BYTES: usize = 4;
const BLOCK_BYTES: usize = 1024;
const END_OF_PART: u16 = 0x000a;
const FILE_PASS: u16 = 0x002f;
const BOUND_SHEET: u16 = 0x0085;
/// The beginnings of parts, `UsrExcl`, `FileLock`, `InterfaceHdr`, `RRDInfo` and `RRDHead`.
const PLAIN: [u16; 9] = [0x0009, 0x0209, 0x0409, 0x0809, 0x0194, 0x0195, 0x00e1, 0x0196, 0x0138];

/// The data of the `FilePass` records in the first part.
pub(super) fn file_passes(workbook: &Blob) -> io::Result<Vec<Vec<u8>>> {
    let (mut at, mut found) = (0, Vec::new());
    loop {
        let header = workbook.bytes_at(at, HEADER_BYTES)?;
        let kind = header.u16_le(0);
        if header.len() < HEADER_BYTES || kind == END_OF_PART || found.len() > 1 {
            return Ok(found);
        }
        at += to_u64(HEADER_BYTES);
        if kind == FILE_PASS {
            found.push(workbook.bytes_at(at, header.u16_le(2).into())?);
        }
        at += u64::from(header.u16_le(2));
    }
}

/// The keys of a workbook, by the data of its `FilePass` records.
pub(super) fn keys(walk: &mut Walk<'_>, passes: &[Vec<u8>]) -> Vec<Key> {
    let [pass] = passes else { return vec![] };
    let Some(method) = Method::parse(pass) else { return vec![] };
    fitting_keys(walk, |password| method.key(password))
}

/// A stream of records of the same size without a `FilePass`.
pub(super) fn decrypted(walk: &Walk<'_>, records: &Blob, key: &Key) -> io::Result<Blob> {
    let mut writer = walk.writer();
    decrypt(records, Cipher::of(key.clone()), &mut writer)?;
    Ok(writer.finish())
}

enum Method {
    Xor { key_and_verifier: Vec<u8> },
    Rc4(Rc4Header),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Xor(XorArray),
    Rc4(Rc4Key),
}

impl Key {
    pub(super) fn rc4(&self) -> Option<&Rc4Key> {
        match self {
            Self::Xor(_) => None,
            Self::Rc4(key) => Some(key),
        }
    }
}

impl Method {
    fn parse(pass: &[u8]) -> Option<Self> {
        const XOR: u16 = 0;
        const RC4: u16 = 1;
        match pass.len() {
            // Excel 5 and 95 know no other method.
            4 => Some(Self::Xor { key_and_verifier: pass.to_vec() }),
            6 if pass.u16_le(0) == XOR => Some(Self::Xor { key_and_verifier: pass[2..].to_vec() }),
            6.. if pass.u16_le(0) == RC4 => Rc4Header::parse(&pass[2..]).map(Self::Rc4),
            _ => None,
        }
    }

    fn key(&self, password: &str) -> Option<Key> {
        match self {
            Self::Xor { key_and_verifier } => XorArray::of(password, key_and_verifier).map(Key::Xor),
            Self::Rc4(header) => header.key(password).map(Key::Rc4),
        }
    }
}

enum Cipher {
    Xor { array: XorArray, position: usize },
    Rc4(Box<Rc4Stream>),
}

impl Cipher {
    fn of(key: Key) -> Self {
        match key {
            Key::Xor(array) => Self::Xor { array, position: 0 },
            Key::Rc4(key) => Self::Rc4(Box::new(Rc4Stream::new(key, BLOCK_BYTES))),
        }
    }

    /// Decrypts the data of a record behind the first `n_plain` bytes.
    fn apply(&mut self, data: &mut [u8], n_plain: usize) {
        match self {
            Self::Xor { array, position } => {
                array.apply(*position + data.len() + n_plain, &mut data[n_plain..]);
            }
            Self::Rc4(stream) => {
                stream.skip(n_plain);
                stream.apply(&mut data[n_plain..]);
            }
        }
        if let Self::Xor { position, .. } = self {
            *position += data.len();
        }
    }

    fn skip(&mut self, n_bytes: usize) {
        match self {
            Self::Xor { position, .. } => *position += n_bytes,
            Self::Rc4(stream) => stream.skip(n_bytes),
        }
    }
}

fn decrypt(workbook: &Blob, mut cipher: Cipher, writer: &mut BlobWriter) -> io::Result<()> {
    let (mut reader, mut data) = (workbook.reader(), Vec::new());
    let mut is_first_part = true;
    loop {
        data.clear();
        reader.by_ref().take(to_u64(HEADER_BYTES)).read_to_end(&mut data)?;
        let (kind, n_bytes) = (data.u16_le(0), data.u16_le(2));
        let is_pass = is_first_part && kind == FILE_PASS && data.len() == HEADER_BYTES;
        if is_pass {
            data[..2].fill(0);
        }
        writer.write(&data)?;
        if data.len() < HEADER_BYTES {
            return Ok(());
        }
        cipher.skip(HEADER_BYTES);
        data.clear();
        reader.by_ref().take(n_bytes.into()).read_to_end(&mut data)?;
        let n_plain = match kind {
            BOUND_SHEET => HEADER_BYTES.min(data.len()),
            FILE_PASS => data.len(),
            _ if PLAIN.contains(&kind) => data.len(),
            _ => 0,
        };
        cipher.apply(&mut data, n_plain);
        if is_pass {
            data.fill(0);
        }
        writer.write(&data)?;
        is_first_part &= kind != END_OF_PART;
    }
}
