//! Hands the records of e-books of Mobipocket and Kindle, and undoes what fonts are hidden by (MobileRead
//! wiki, "MOBI"; KindleUnpack 0.83 writes fonts, pictures and sources to files).

use std::io::Read as _;

use super::{hand, hand_inflated};
use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Damage, Walk, Walked};

const KINDS: [&[u8]; 2] = [b"BOOKMOBI", b"RBINCONT"];
const KIND_AT: usize = 60;
const TABLE_AT: u64 = 78;

pub(super) fn begins(start: &[u8]) -> bool {
    KINDS.iter().any(|kind| start.at(KIND_AT, kind.len()) == *kind)
}

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const ENTRY: usize = 8;
    const N_TEXTS_AT: u64 = 8;
    let n_records = usize::from(blob.bytes_at(76, 2)?.u16_be(0));
    let table = blob.bytes_at(TABLE_AT, n_records * ENTRY)?;
    let mut starts = table.chunks_exact(ENTRY).map(|entry| u64::from(entry.u32_be(0))).collect::<Vec<_>>();
    starts.push(blob.size_bytes());
    let header_at = starts.first().copied().unwrap_or_default();
    let n_texts = usize::from(blob.bytes_at(header_at + N_TEXTS_AT, 2)?.u16_be(0));
    for (index, range) in starts.windows(2).enumerate() {
        let record = blob.slice(range[0], range[1].saturating_sub(range[0]));
        let start = record.bytes_at(0, FONT_HEADER)?;
        match start.at(0, 4) {
            b"FONT" => hand_font(walk, &record, &start, depth)?,
            // Behind a header: the files that the book was made from; sound and films; pictures.
            b"SRCS" => hand(walk, &record.tail(16), depth)?,
            b"AUDI" | b"VIDE" | b"CRES" => hand(walk, &record.tail(12), depth)?,
            // Text, which programs decode.
            _ if (1..=n_texts).contains(&index) => {}
            _ => hand(walk, &record, depth)?,
        }
    }
    Ok(())
}

const FONT_HEADER: usize = 24;

/// Its size, flags, where the data begin, and how long and where the key is.
fn hand_font(walk: &mut Walk<'_>, record: &Blob, header: &[u8], depth: u32) -> Walked {
    const IS_COMPRESSED: u32 = 1;
    const IS_HIDDEN: u32 = 2;
    const HIDDEN_BYTES: usize = 1040;
    const LONGEST_KEY: u32 = 4096;
    let flags = header.u32_be(8);
    let mut data = record.tail(header.u32_be(12).into());
    if flags & IS_HIDDEN != 0 {
        let key =
            record.bytes_at(header.u32_be(20).into(), to_usize(header.u32_be(16).min(LONGEST_KEY).into()))?;
        let hidden = data.bytes_at(0, HIDDEN_BYTES)?;
        let plain = hidden.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect::<Vec<_>>();
        let mut writer = walk.new_member()?;
        let rest = data.tail(to_u64(plain.len()));
        walk.fill(&mut writer, &mut (&plain[..]).chain(rest.reader()), Damage::Refused)?;
        walk.count_pointed(writer.size_bytes())?;
        data = walk.visit_reading(writer.finish(), depth)?;
    } else {
        hand(walk, &data, depth)?;
    }
    if flags & IS_COMPRESSED != 0 {
        hand_inflated(walk, &data, depth)?;
    }
    Ok(())
}
