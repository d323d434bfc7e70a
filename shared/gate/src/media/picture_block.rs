//! Hands pictures in FLAC and Ogg (RFC 9639, 8.8). In comments they stand in base64, which is found as a run
//! of text: so the block is read as a file of its own too.

use super::hand;
use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::mail;
use crate::survey::Survey;
use crate::walk::{Walk, Walked};

/// Walks a blob that is a picture's block: a kind, a media type, a description, four numbers, data.
pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const MAX_KIND: u32 = 20;
    const LONGEST: u32 = 1 << 16;
    let start = blob.bytes_at(0, 8)?;
    let n_type = start.u32_be(4);
    if start.u32_be(0) > MAX_KIND || start.len() < 8 || n_type > LONGEST {
        return Ok(());
    }
    let mut at = 8 + u64::from(n_type);
    at += 4 + u64::from(blob.bytes_at(at, 4)?.u32_be(0)) + 16;
    let length = blob.bytes_at(at, 4)?;
    let data = blob.slice(at + 4, length.u32_be(0).into());
    if length.len() == 4 && data.size_bytes() == u64::from(length.u32_be(0)) {
        hand(walk, &data, depth)?;
    }
    Ok(())
}

/// Walks the blocks in front of the sound.
pub(super) fn walk_flac(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const APPLICATION: u8 = 2;
    const PICTURE: u8 = 6;
    const IS_LAST: u8 = 0x80;
    let mut at = 4;
    loop {
        let header = blob.bytes_at(at, 4)?;
        if header.len() < 4 {
            return Ok(());
        }
        let block = blob.slice(at + 4, (header.u32_be(0) & 0x00ff_ffff).into());
        match header.u8_at(0) & !IS_LAST {
            PICTURE => {
                self::walk(walk, &block, depth)?;
                // Sizes that contradict each other: the data reach as far as the block may.
                self::walk(walk, &blob.tail(at + 4), depth)?;
            }
            APPLICATION => hand(walk, &block.tail(4), depth)?,
            _ => {}
        }
        if header.u8_at(0) & IS_LAST != 0 {
            return Ok(());
        }
        at += 4 + block.size_bytes();
    }
}

/// Looks for text in the first packets, without the headers of the pages between them (RFC 3533).
pub(super) fn walk_ogg(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const HEADER: usize = 27;
    const MOST_PACKETS: usize = 64;
    let (mut at, mut n_packets, mut writer) = (0, 0, walk.writer());
    while n_packets < MOST_PACKETS {
        let header = blob.bytes_at(at, HEADER + 255)?;
        let lengths = header.at(HEADER, header.u8_at(26).into());
        if !header.starts_with(b"OggS") || lengths.is_empty() {
            break;
        }
        let n_bytes = lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
        let body_at = at + to_u64(HEADER + lengths.len());
        let body = blob.slice(body_at, n_bytes);
        writer.write(&body.bytes_at(0, crate::blob::to_usize(n_bytes))?)?;
        n_packets += lengths.iter().filter(|length| **length < 255).count();
        at = body_at + n_bytes;
    }
    let packets = writer.finish();
    mail::walk(walk, &packets, &Survey::of(&packets)?, depth)
}
