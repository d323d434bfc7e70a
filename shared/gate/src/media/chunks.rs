//! Hands profiles, texts and previews in PNG, JPEG, WebP, WAVE and Photoshop's resources (PNG 3rd edition;
//! ITU T.81 and ICC.1:2022 annex B; RIFF; Adobe Photoshop File Formats).

use super::{behind_zero, exif, hand, hand_inflated, hand_joined};
use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const MOST_CHUNKS: usize = 100_000;

pub(super) fn walk_png(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = 8;
    for _ in 0..MOST_CHUNKS {
        let header = blob.bytes_at(at, 8)?;
        if header.len() < 8 {
            break;
        }
        let data = blob.slice(at + 8, header.u32_be(0).into());
        match header.at(4, 4) {
            // A name, a zero, the method.
            b"iCCP" | b"zTXt" => {
                if let Some(rest) = behind_zero(&data)? {
                    let text = hand_inflated(walk, &rest.tail(1), depth)?;
                    hand_raw_profile(walk, &text, depth)?;
                }
            }
            b"tEXt" => {
                if let Some(text) = behind_zero(&data)? {
                    hand(walk, &text, depth)?;
                    hand_raw_profile(walk, &text, depth)?;
                }
            }
            b"iTXt" => walk_text(walk, &data, depth)?,
            // ExifTool 12.57 saves it as it is where it is no TIFF.
            b"eXIf" => {
                hand(walk, &data, depth)?;
                exif::walk(walk, &data, depth)?;
            }
            b"caBX" => hand(walk, &data, depth)?,
            _ => {}
        }
        at += 12 + u64::from(header.u32_be(0));
    }
    Ok(())
}

/// A keyword, whether it is compressed, the method, a language, the keyword in it, the text.
fn walk_text(walk: &mut Walk<'_>, data: &Blob, depth: u32) -> Walked {
    let Some(rest) = behind_zero(data)? else { return Ok(()) };
    let Some(behind_language) = behind_zero(&rest.tail(2))? else { return Ok(()) };
    let Some(text) = behind_zero(&behind_language)? else { return Ok(()) };
    hand_inflated(walk, &text, depth)?;
    hand(walk, &text, depth)
}

/// ImageMagick writes profiles as text: a line break, the kind, the size, hexadecimal.
fn hand_raw_profile(walk: &mut Walk<'_>, text: &Blob, depth: u32) -> Walked {
    const LONGEST: usize = 16 * 1024 * 1024;
    let bytes = if text.bytes_at(0, 1)? == b"\n" { text.bytes_at(0, LONGEST)? } else { Vec::new() };
    let Some(digits) = bytes.splitn(4, |byte| *byte == b'\n').nth(3) else { return Ok(()) };
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16)?).ok();
    let digits = digits.iter().filter_map(digit).collect::<Vec<_>>();
    let data = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    let data = Blob::from_bytes(data.collect());
    hand(walk, &data, depth)?;
    exif_behind_mark(walk, &data, depth)
}

fn exif_behind_mark(walk: &mut Walk<'_>, data: &Blob, depth: u32) -> Walked {
    const MARK: &[u8] = b"Exif\0\0";
    if data.bytes_at(0, MARK.len())? == MARK {
        return exif::walk(walk, &data.tail(to_u64(MARK.len())), depth);
    }
    Ok(())
}

/// Walks the segments in front of the picture. The pieces of a profile have numbers, and readers join them by
/// these or as they come.
pub(super) fn walk_jpeg(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const PROFILE: &[u8] = b"ICC_PROFILE\0";
    const RESOURCES: &[u8] = b"Photoshop 3.0\0";
    let (mut at, mut pieces) = (2, Vec::new());
    for _ in 0..MOST_CHUNKS {
        let header = blob.bytes_at(at, 4 + RESOURCES.len())?;
        let (marker, n_bytes) = (header.u8_at(1), u64::from(header.u16_be(2)));
        if header.u8_at(0) != 0xff || header.len() < 4 {
            break;
        }
        match marker {
            // Fill bytes, and markers alone.
            0xff => {
                at += 1;
                continue;
            }
            0x01 | 0xd0..=0xd8 => {
                at += 2;
                continue;
            }
            0xd9 | 0xda => break,
            _ => {}
        }
        let segment = blob.slice(at + 4, n_bytes.saturating_sub(2));
        match (marker, &header[4..]) {
            (0xe2, mark) if mark.starts_with(PROFILE) => {
                let number = segment.bytes_at(to_u64(PROFILE.len()), 1)?.u8_at(0);
                pieces.push((number, segment.tail(to_u64(PROFILE.len()) + 2)));
            }
            (0xed, mark) if mark.starts_with(RESOURCES) => {
                walk_resources(walk, &segment.tail(to_u64(RESOURCES.len())), depth)?;
            }
            (0xe1, _) => exif_behind_mark(walk, &segment, depth)?,
            (0xfe, _) => hand(walk, &segment, depth)?,
            _ => {}
        }
        at += 2 + n_bytes.max(2);
    }
    let as_they_come = pieces.iter().map(|(_, piece)| piece.clone()).collect::<Vec<_>>();
    pieces.sort_by_key(|(number, _)| *number);
    let by_number = pieces.into_iter().map(|(_, piece)| piece).collect::<Vec<_>>();
    hand_joined(walk, &as_they_come, depth)?;
    hand_joined(walk, &by_number, depth)
}

/// Walks a document of Photoshop: a header, a table of colours, resources.
pub(super) fn walk_photoshop(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const TABLE_AT: u64 = 26;
    let at = TABLE_AT + 4 + u64::from(blob.bytes_at(TABLE_AT, 4)?.u32_be(0));
    let n_bytes = blob.bytes_at(at, 4)?.u32_be(0);
    walk_resources(walk, &blob.slice(at + 4, n_bytes.into()), depth)
}

/// `8BIM`, a number, a name with its length, a size, data; name and data are padded to even sizes.
fn walk_resources(walk: &mut Walk<'_>, resources: &Blob, depth: u32) -> Walked {
    /// In front of a preview.
    const PREVIEW_HEADER: u64 = 28;
    const PREVIEWS: [u16; 2] = [0x0409, 0x040c];
    let mut at = 0;
    for _ in 0..MOST_CHUNKS {
        let header = resources.bytes_at(at, 7)?;
        if header.len() < 7 || !header.starts_with(b"8B") {
            break;
        }
        let n_name = (1 + u64::from(header.u8_at(6))).next_multiple_of(2);
        let n_bytes = u64::from(resources.bytes_at(at + 6 + n_name, 4)?.u32_be(0));
        let data = resources.slice(at + 6 + n_name + 4, n_bytes);
        let is_preview = PREVIEWS.contains(&header.u16_be(4));
        hand(walk, &data.tail(if is_preview { PREVIEW_HEADER } else { 0 }), depth)?;
        at += 6 + n_name + 4 + n_bytes.next_multiple_of(2);
    }
    Ok(())
}

/// Walks the chunks of RIFF, or of IFF with numbers the other way round, for tags and profiles.
pub(super) fn walk_riff(walk: &mut Walk<'_>, blob: &Blob, number: fn([u8; 4]) -> u32, depth: u32) -> Walked {
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        let header = blob.bytes_at(at, 8)?;
        let Some(size) = header.get(4..8).and_then(|size| size.try_into().ok()).map(number) else { break };
        let data = blob.slice(at + 8, size.into());
        match header.at(0, 4) {
            b"ICCP" | b"XMP " | b"id3 " | b"ID3 " | b"_PMX" | b"APPL" => hand(walk, &data, depth)?,
            b"EXIF" => {
                hand(walk, &data, depth)?;
                exif_behind_mark(walk, &data, depth)?;
                exif::walk(walk, &data, depth)?;
            }
            _ => {}
        }
        at += 8 + u64::from(size).next_multiple_of(2);
    }
    Ok(())
}
