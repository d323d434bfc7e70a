//! Hands covers, profiles and other values in the boxes of MP4, QuickTime, HEIF, AVIF and JPEG 2000 (ISO/IEC
//! 14496-12; QuickTime File Format).

use super::hand;
use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

/// What the first box may be called.
pub(super) const FIRST: [&[u8]; 8] = [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"jP  "];
/// Boxes of boxes, and how many bytes stand in front of these.
const PARENTS: [(&[u8], &[u64]); 12] = [
    (b"moov", &[0]),
    (b"trak", &[0]),
    (b"mdia", &[0]),
    (b"minf", &[0]),
    (b"stbl", &[0]),
    (b"udta", &[0]),
    // In QuickTime it has no version.
    (b"meta", &[4, 0]),
    (b"iprp", &[0]),
    (b"ipco", &[0]),
    (b"moof", &[0]),
    (b"jp2h", &[0]),
    (b"traf", &[0]),
];
/// Values, and how many bytes stand in front of these.
const VALUES: [(&[u8], u64); 10] = [
    (b"data", 8),
    (b"colr", 4),
    (b"uuid", 16),
    (b"xml ", 4),
    (b"xml ", 0),
    (b"bxml", 4),
    (b"ID32", 6),
    (b"Exif", 4),
    (b"exif", 0),
    (b"thmb", 0),
];
const MOST_BOXES: u64 = 100_000;
const MOST_LEVELS: u32 = 16;

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_boxes(walk, blob, &mut 0, MOST_LEVELS, depth)
}

fn walk_boxes(walk: &mut Walk<'_>, blob: &Blob, n_boxes: &mut u64, n_levels: u32, depth: u32) -> Walked {
    const HEADER: u64 = 8;
    let mut at = 0;
    while at + HEADER <= blob.size_bytes() && *n_boxes < MOST_BOXES {
        *n_boxes += 1;
        let header = blob.bytes_at(at, 16)?;
        let (n_header, n_bytes) = match header.u32_be(0) {
            0 => (HEADER, blob.size_bytes() - at),
            1 => (16, u64::from(header.u32_be(8)) << 32 | u64::from(header.u32_be(12))),
            n_bytes => (HEADER, n_bytes.into()),
        };
        if n_bytes < n_header {
            return Ok(());
        }
        let content = blob.slice(at + n_header, n_bytes - n_header);
        walk_box(walk, header.at(4, 4), &content, n_boxes, n_levels, depth)?;
        at = at.saturating_add(n_bytes);
    }
    Ok(())
}

fn walk_box(
    walk: &mut Walk<'_>,
    kind: &[u8],
    content: &Blob,
    n_boxes: &mut u64,
    n_levels: u32,
    depth: u32,
) -> Walked {
    for (_, n_front) in VALUES.iter().filter(|(value, _)| *value == kind) {
        hand(walk, &content.tail(*n_front), depth)?;
    }
    let Some(n_levels) = n_levels.checked_sub(1) else { return Ok(()) };
    if kind == b"ilst" {
        return walk_items(walk, content, n_boxes, n_levels, depth);
    }
    for (_, fronts) in PARENTS.iter().filter(|(parent, _)| *parent == kind) {
        for n_front in *fronts {
            walk_boxes(walk, &content.tail(*n_front), n_boxes, n_levels, depth)?;
        }
    }
    Ok(())
}

/// Items have any name; their values stand in boxes called `data`.
fn walk_items(walk: &mut Walk<'_>, list: &Blob, n_boxes: &mut u64, n_levels: u32, depth: u32) -> Walked {
    let mut at = 0;
    while at + 8 <= list.size_bytes() && *n_boxes < MOST_BOXES {
        let n_bytes = u64::from(list.bytes_at(at, 4)?.u32_be(0));
        if n_bytes < 8 {
            return Ok(());
        }
        walk_boxes(walk, &list.slice(at + 8, n_bytes - 8), n_boxes, n_levels, depth)?;
        at += n_bytes;
    }
    Ok(())
}
