//! Hands pictures, objects and private data in ID3 tags (ID3v2.2 to 2.4) and APE tags.
//!
//! Frames are found by their names: readers differ on how sizes are written in which version.

use std::io::BufRead as _;

use super::{behind_wide_zero, behind_zero, hand, hand_inflated};
use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const TAG: &[u8] = b"ID3";
const TAG_HEADER: u64 = 10;
const IS_UNSYNCHRONISED: u8 = 0x80;

/// Walks the tags at the start, one behind another, and an APE tag at the end.
pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_ape(walk, blob, depth)?;
    let mut at = 0;
    loop {
        let header = blob.bytes_at(at, to_usize(TAG_HEADER))?;
        if !header.starts_with(TAG) || header.len() < to_usize(TAG_HEADER) {
            break;
        }
        let n_bytes = u64::from(syncsafe(header.u32_be(6)));
        let tag = blob.slice(at + TAG_HEADER, n_bytes);
        walk_tag(walk, &tag, header.u8_at(3), depth)?;
        if header.u8_at(5) & IS_UNSYNCHRONISED != 0 {
            let plain = synchronised(walk, &tag)?;
            walk_tag(walk, &plain, header.u8_at(3), depth)?;
        }
        at += TAG_HEADER + n_bytes;
    }
    if at == 0 {
        return Ok(());
    }
    super::walk(walk, &blob.tail(at), depth)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Frame {
    Object,
    Picture,
    Private,
}

fn walk_tag(walk: &mut Walk<'_>, tag: &Blob, version: u8, depth: u32) -> Walked {
    const OLD: [(&[u8], Frame); 2] = [(b"GEO", Frame::Object), (b"PIC", Frame::Picture)];
    const NEW: [(&[u8], Frame); 3] =
        [(b"GEOB", Frame::Object), (b"APIC", Frame::Picture), (b"PRIV", Frame::Private)];
    let names: &[(&[u8], Frame)] = if version == 2 { &OLD } else { &NEW };
    for (name, frame) in names {
        let mut from = 0;
        while let Some(at) = tag.find(from, name)? {
            from = at + 1;
            walk.count_attempt()?;
            let rest = tag.tail(at);
            for body in bodies(walk, &rest, version, depth)? {
                hand_body(walk, &body, *frame, version, depth)?;
            }
        }
    }
    Ok(())
}

/// Every way to read the frame that begins here: by a plain or a syncsafe size, with what flags may put in
/// front of it, and as it was before it was compressed or unsynchronised.
fn bodies(walk: &mut Walk<'_>, rest: &Blob, version: u8, depth: u32) -> Walked<Vec<Blob>> {
    let header = rest.bytes_at(0, 10)?;
    if version == 2 {
        let n_bytes = header.u32_be(2) & 0x00ff_ffff;
        return Ok(vec![rest.slice(6, n_bytes.into())]);
    }
    let (size, flags) = (header.u32_be(4), header.u8_at(9));
    let fronts: &[u64] = if flags == 0 { &[0] } else { &[0, 1, 4, 5, 6] };
    let mut bodies = Vec::new();
    for n_bytes in std::collections::BTreeSet::from([size, syncsafe(size)]) {
        for front in fronts {
            let body = rest.slice(10 + front, u64::from(n_bytes).saturating_sub(*front));
            if flags != 0 {
                bodies.push(hand_inflated(walk, &body, depth)?);
                bodies.push(synchronised(walk, &body)?);
            }
            bodies.push(body);
        }
    }
    Ok(bodies)
}

/// A character set, a media type (of three letters in version 2), for a picture its kind, for an object its
/// name, a description, data.
fn hand_body(walk: &mut Walk<'_>, body: &Blob, frame: Frame, version: u8, depth: u32) -> Walked {
    let Some(behind_owner) = behind_zero(body)? else { return Ok(()) };
    if frame == Frame::Private {
        return hand(walk, &behind_owner, depth);
    }
    let text = body.tail(1);
    let behind_type = match (frame, version) {
        (Frame::Picture, 2) => Some(text.tail(3)),
        _ => behind_zero(&text)?,
    };
    let Some(mut behind_type) = behind_type else { return Ok(()) };
    if frame == Frame::Picture {
        behind_type = behind_type.tail(1);
    }
    let n_texts = if frame == Frame::Object { 2 } else { 1 };
    for behind in [behind_zero, behind_wide_zero] {
        let mut data = Some(behind_type.clone());
        for _ in 0..n_texts {
            data = data.map(|rest| behind(&rest)).transpose()?.flatten();
        }
        if let Some(data) = data {
            hand(walk, &data, depth)?;
        }
    }
    Ok(())
}

/// Seven bits of each byte.
fn syncsafe(size: u32) -> u32 {
    size.to_be_bytes().iter().fold(0, |sum, byte| sum << 7 | u32::from(byte & 0x7f))
}

/// Leaves out each zero that stands behind `FF`.
fn synchronised(walk: &mut Walk<'_>, data: &Blob) -> Walked<Blob> {
    walk.count_pointed(data.size_bytes())?;
    let (mut writer, mut reader, mut is_behind) = (walk.writer(), data.reader(), false);
    loop {
        let bytes = reader.fill_buf()?;
        let n_bytes = bytes.len();
        if n_bytes == 0 {
            return Ok(writer.finish());
        }
        let mut kept = Vec::with_capacity(n_bytes);
        for byte in bytes {
            if !(is_behind && *byte == 0) {
                kept.push(*byte);
            }
            is_behind = *byte == 0xff;
        }
        writer.write(&kept)?;
        reader.consume(n_bytes);
    }
}

/// Items of an APE tag (APEv2): size, flags, a key, a value, which for covers begins with a file's name.
fn walk_ape(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const FOOTER: u64 = 32;
    const MAGIC: &[u8] = b"APETAGEX";
    /// An ID3v1 tag may stand behind it.
    const TAIL: u64 = 512;
    let tail_at = blob.size_bytes().saturating_sub(TAIL);
    let tail = blob.bytes_at(tail_at, to_usize(TAIL))?;
    let Some(hit) = memchr::memmem::rfind(&tail, MAGIC) else { return Ok(()) };
    let footer = &tail[hit..];
    let (n_bytes, n_items) = (u64::from(footer.u32_le(12)), footer.u32_le(16));
    let end = tail_at + to_u64(hit) + FOOTER;
    let mut at = end.saturating_sub(n_bytes);
    for _ in 0..n_items.min(1000) {
        let item = blob.slice(at + 8, end.saturating_sub(at + 8));
        let Some(value) = behind_zero(&item)?.filter(|_| at + 8 < end) else { break };
        let value = value.slice(0, u64::from(blob.bytes_at(at, 4)?.u32_le(0)));
        hand(walk, &value, depth)?;
        if let Some(cover) = behind_zero(&value)? {
            hand(walk, &cover, depth)?;
        }
        at += 8 + value_end(&item, &value);
    }
    Ok(())
}

fn value_end(item: &Blob, value: &Blob) -> u64 {
    value.range_in(item).map_or(item.size_bytes(), |(_, end)| end)
}
