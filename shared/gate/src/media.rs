//! Hands the files in media: covers and objects in tags, attachments of Matroska, profiles and previews in
//! pictures.
//!
//! Programs write them out as they are: eyeD3 0.9 (`--write-objects`, `--write-images`), metaflac
//! (`--export-picture-to`), mkvextract, MP4Box, and exiftool 12 (`-b`) any value of any of these formats.
//! Nothing is refused here: what is no such structure is left alone.

mod boxes;
mod chunks;
mod exif;
mod id3;
mod matroska;
mod picture_block;

use crate::blob::{Blob, to_u64, to_usize};
use crate::walk::{Walk, Walked};

/// The shortest data that are handed. The EICAR test file has 68 bytes.
const SHORTEST: u64 = 64;

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const START: usize = 16;
    let start = blob.bytes_at(0, START)?;
    picture_block::walk(walk, blob, depth)?;
    id3::walk(walk, blob, depth)?;
    match start.as_slice() {
        [0xff, 0xd8, 0xff, ..] => chunks::walk_jpeg(walk, blob, depth),
        [0x89, b'P', b'N', b'G', ..] => chunks::walk_png(walk, blob, depth),
        [b'8', b'B', b'P', b'S', ..] => chunks::walk_photoshop(walk, blob, depth),
        [b'R', b'I', b'F', b'F', ..] => chunks::walk_riff(walk, blob, u32::from_le_bytes, depth),
        [b'R', b'I', b'F', b'X', ..] | [b'F', b'O', b'R', b'M', ..] => {
            chunks::walk_riff(walk, blob, u32::from_be_bytes, depth)
        }
        [b'I', b'I', b'*' | b'U', 0, ..] | [b'M', b'M', 0, b'*', ..] => exif::walk(walk, blob, depth),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => matroska::walk(walk, blob, depth),
        [b'f', b'L', b'a', b'C', ..] => picture_block::walk_flac(walk, blob, depth),
        [b'O', b'g', b'g', b'S', ..] => picture_block::walk_ogg(walk, blob, depth),
        [_, _, _, _, kind @ ..] if boxes::FIRST.iter().any(|first| kind.starts_with(first)) => {
            boxes::walk(walk, blob, depth)
        }
        _ => Ok(()),
    }
}

/// Hands data that stand in the file as they are.
fn hand(walk: &mut Walk<'_>, data: &Blob, depth: u32) -> Walked {
    if data.size_bytes() < SHORTEST {
        return Ok(());
    }
    walk.count_pointed(data.size_bytes())?;
    walk.reading_of(data.clone(), depth).map(drop)
}

/// Hands what a stream of zlib inflates to, as far as it goes.
fn hand_inflated(walk: &mut Walk<'_>, packed: &Blob, depth: u32) -> Walked<Blob> {
    let inflated = || Ok(flate2::bufread::ZlibDecoder::new(packed.reader()));
    let (blob, _) = walk.reading_cut_off(inflated, depth)?;
    walk.count_pointed(blob.size_bytes())?;
    Ok(blob)
}

/// Hands pieces as one.
fn hand_joined(walk: &mut Walk<'_>, pieces: &[Blob], depth: u32) -> Walked {
    let mut writer = walk.new_member()?;
    for piece in pieces {
        walk.fill(&mut writer, &mut piece.reader(), crate::walk::Damage::Refused)?;
    }
    walk.visit_reading(writer.finish(), depth).map(drop)
}

/// Returns what stands behind the first zero.
fn behind_zero(blob: &Blob) -> std::io::Result<Option<Blob>> {
    const LONGEST_NAME: usize = 64 * 1024;
    let start = blob.bytes_at(0, LONGEST_NAME)?;
    Ok(memchr::memchr(0, &start).map(|zero| blob.tail(to_u64(zero) + 1)))
}

/// Returns what stands behind the first two zeros in a row that begin at an even place.
fn behind_wide_zero(blob: &Blob) -> std::io::Result<Option<Blob>> {
    const LONGEST_NAME: usize = 64 * 1024;
    let start = blob.bytes_at(0, LONGEST_NAME)?;
    let zero = start.chunks_exact(2).position(|unit| unit == [0, 0]);
    Ok(zero.map(|index| blob.tail(2 * to_u64(index) + 2)))
}

/// The number of bytes that are looked at in search of a structure.
fn bounded(n_bytes: u64, most: u64) -> usize {
    to_usize(n_bytes.min(most))
}

#[cfg(test)]
mod tests;
