//! Unpacks TNEF, the `winmail.dat` that Outlook sends, with attachments, bodies and whole messages in it
//! ([MS-OXTNEF]).
//!
//! Readers differ in where one property ends and the next begins, and in how much of a damaged stream they
//! read. Whatever one of them saves is handed over. None of them minds checksums; ripMIME does not even mind
//! the signature.

mod properties;

use std::collections::BTreeSet;
use std::io;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::mail;
use crate::walk::{Walk, Walked};

use properties::{Reader, Value, What};

const SIGNATURE: &[u8] = b"\x78\x9f\x3e\x22";
/// The signature and a key.
const STREAM_HEADER_BYTES: usize = 6;
/// A level, an identifier and a size.
const ATTRIBUTE_HEADER_BYTES: usize = 9;
const CHECKSUM_BYTES: u64 = 2;

/// An identifier of its interface stands in front of an embedded message; some readers save it with that.
const INTERFACE_BYTES: u64 = 16;

const BODY: u16 = 0x800c;
const ATTACH_DATA: u16 = 0x800f;
const ATTACH_META_FILE: u16 = 0x8011;
const MESSAGE_PROPERTIES: u16 = 0x9003;
const ATTACHMENT_PROPERTIES: u16 = 0x9005;

/// Hands over what readers find in a blob that begins as TNEF does.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !begins_as_tnef(&blob.bytes_at(0, STREAM_HEADER_BYTES + ATTRIBUTE_HEADER_BYTES)?) {
        return Ok(());
    }
    let (mut at, mut n_attributes) = (to_u64(STREAM_HEADER_BYTES), 0);
    loop {
        let header = blob.bytes_at(at, ATTRIBUTE_HEADER_BYTES)?;
        if header.len() < ATTRIBUTE_HEADER_BYTES {
            return Ok(());
        }
        n_attributes += 1;
        walk.expect(n_attributes, 0)?;
        let (name, n_bytes) = (header.u16_le(1), u64::from(header.u32_le(5)));
        at += to_u64(ATTRIBUTE_HEADER_BYTES);
        hand_attribute(walk, name, &blob.slice(at, n_bytes), depth)?;
        let n_left = blob.size_bytes() - at;
        if n_left < n_bytes + CHECKSUM_BYTES {
            // tnefparse takes the last two bytes for the checksum even then.
            hand_attribute(walk, name, &blob.slice(at, n_left.saturating_sub(CHECKSUM_BYTES)), depth)?;
        }
        at += n_bytes + CHECKSUM_BYTES;
    }
}

fn begins_as_tnef(head: &[u8]) -> bool {
    let identifier = head.u32_le(STREAM_HEADER_BYTES + 1);
    let (kind, name) = (identifier >> 16, identifier & 0xffff);
    let is_known = (1..=9).contains(&kind) && matches!(name, 0x8000..=0x8020 | 0x9001..=0x9008);
    head.starts_with(SIGNATURE) || is_known
}

fn hand_attribute(walk: &mut Walk<'_>, name: u16, data: &Blob, depth: u32) -> Walked {
    match name {
        BODY | ATTACH_DATA | ATTACH_META_FILE => walk.reading_of(data.clone(), depth).map(|_| ()),
        MESSAGE_PROPERTIES | ATTACHMENT_PROPERTIES => hand_properties(walk, data, depth),
        _ => Ok(()),
    }
}

fn hand_properties(walk: &mut Walk<'_>, list: &Blob, depth: u32) -> Walked {
    let mut values = BTreeSet::new();
    for reader in Reader::ALL {
        properties::find(walk, list, reader, &mut values)?;
    }
    let mut before = None;
    for value in values {
        if is_padded(list, before.replace(value), value)? {
            hand_padded(walk, list, value)?;
            continue;
        }
        let blob = walk.reading_of(value.of(list), depth)?;
        match value.what {
            What::Object => walk.reading_of(blob.tail(INTERFACE_BYTES), depth).map(|_| ())?,
            What::WideText => mail::hand_converted(walk, &blob, b"utf-16le", depth)?,
            What::Bytes => {}
        }
    }
    Ok(())
}

/// Returns whether a value is the one before and the zeros behind it, which tnefparse saves with it.
fn is_padded(list: &Blob, before: Option<Value>, value: Value) -> io::Result<bool> {
    let Some(before) = before.filter(|before| before.start == value.start && before.what == value.what)
    else {
        return Ok(false);
    };
    let n_more = value.end - before.end;
    let more = list.slice(before.end, n_more).bytes_at(0, 4)?;
    Ok(n_more < 4 && more.iter().all(|byte| *byte == 0))
}

/// The engine may know it with the zeros as malware. They make an archive no other, but one that seems
/// damaged, so nothing else looks into it.
fn hand_padded(walk: &mut Walk<'_>, list: &Blob, value: Value) -> Walked {
    walk.give_once(value.of(list))?;
    if value.what == What::Object { walk.give_once(value.of(list).tail(INTERFACE_BYTES)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
