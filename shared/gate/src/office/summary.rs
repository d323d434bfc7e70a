//! Hands streams and storages that were moved into an encrypted stream: properties, and the objects in a
//! workbook ([MS-OFFCRYPTO] 2.3.5.3 and 2.3.5.4).

use std::io;

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

use super::rc4::Rc4Key;
use super::transform::Transformed;

/// Where the descriptors are, and their size.
const HEAD_BYTES: usize = 8;
const MAX_DESCRIPTOR_BYTES: u32 = 1024 * 1024;

/// A stream or a storage, which is a compound file then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Descriptor {
    offset: u64,
    n_bytes: u64,
    block: u32,
}

/// The beginning of a stream that has nothing moved into it: what is decrypted has no such stream, but a
/// place for it.
pub(super) fn erased() -> Blob {
    Blob::from_bytes(vec![0; HEAD_BYTES])
}

pub(super) fn is_erased(stream: &Blob) -> io::Result<bool> {
    Ok(stream.bytes_at(0, HEAD_BYTES)? == [0; HEAD_BYTES])
}

/// Hands over what is moved into a stream. Returns whether the key opens it.
pub(super) fn hand(walk: &mut Walk<'_>, stream: &Blob, key: &Rc4Key, depth: u32) -> Walked<bool> {
    let mut head = stream.bytes_at(0, HEAD_BYTES)?;
    key.cipher(0).apply(&mut head);
    let (offset, n_bytes) = (head.u32_le(0), head.u32_le(4));
    if n_bytes > MAX_DESCRIPTOR_BYTES {
        return Ok(false);
    }
    let mut bytes = stream.bytes_at(offset.into(), to_usize(u64::from(n_bytes) + 4))?;
    key.cipher(0).apply(&mut bytes);
    let Some(descriptors) = descriptors(&bytes, stream.size_bytes()) else { return Ok(false) };
    for descriptor in descriptors {
        let mut cipher = key.cipher(descriptor.block);
        let moved = stream.slice(descriptor.offset, descriptor.n_bytes);
        let mut reader = Transformed::of(&moved, |bytes| cipher.apply(bytes));
        walk.reading(&mut reader, depth)?;
    }
    Ok(true)
}

/// Their number, and each: where, how long, its block, and its name. `None` unless each is in the stream.
fn descriptors(bytes: &[u8], stream_bytes: u64) -> Option<Vec<Descriptor>> {
    const NAME_AT: usize = 16;
    let (mut at, mut found) = (4usize, Vec::new());
    for _ in 0..bytes.u32_le(0) {
        let descriptor = bytes.get(at..at.checked_add(NAME_AT)?)?;
        let (offset, n_bytes) = (u64::from(descriptor.u32_le(0)), u64::from(descriptor.u32_le(4)));
        found.push(Descriptor { offset, n_bytes, block: descriptor.u16_le(8).into() });
        at += NAME_AT + 2 * (usize::from(descriptor.u8_at(10)) + 1);
        if offset + n_bytes > stream_bytes {
            return None;
        }
    }
    (bytes.len() >= 4 && to_u64(at) <= to_u64(bytes.len())).then_some(found)
}
