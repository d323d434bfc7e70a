//! Walks gzip, bzip2 and xz: there is one stream that ends where the file ends, or else the engine is given
//! the whole content.
//!
//! ClamAV reads the first stream and is silent about the rest; parallel compressors and `cat` make files of
//! several.

use std::io::{self, BufRead as _, Read};

use crate::blob::{Blob, BlobReader, to_u64};
use crate::capability::Method;
use crate::fields::Fields as _;
use crate::format::{GZIP_DEFLATE, XZ, is_bzip2};
use crate::walk::{Damage, Reach, Stop, Walk, Walked, malformed};

/// A dictionary larger than this is refused: 64 MiB is what `xz -9` and `7z -mx=9` use.
pub(crate) const MAX_DICTIONARY_KIB: u32 = 96 * 1024;

pub(crate) fn walk_gzip(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Gzip)?;
    let is_stream = |bytes: &[u8]| bytes.starts_with(GZIP_DEFLATE);
    walk_streams(walk, blob, depth, is_stream, gzip, gzip_header_bytes, Reach::Followed)
}

pub(crate) fn walk_bzip2(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Bzip2)?;
    walk_streams(walk, blob, depth, is_bzip2, bzip2, |_| Ok(0), Reach::Followed)
}

pub(crate) fn walk_xz(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Xz)?;
    let reach = if xz_is_plain(blob)? { Reach::Followed } else { Reach::Handed };
    walk_streams(walk, blob, depth, |bytes| bytes.starts_with(XZ), xz, |_| Ok(0), reach)
}

pub(crate) type Decoder<'a> = Box<dyn Read + 'a>;

pub(crate) fn gzip(reader: &mut BlobReader) -> Decoder<'_> {
    Box::new(flate2::bufread::GzDecoder::new(reader))
}

pub(crate) fn bzip2(reader: &mut BlobReader) -> Decoder<'_> {
    Box::new(bzip2::bufread::BzDecoder::new(reader))
}

pub(crate) fn xz(reader: &mut BlobReader) -> Decoder<'_> {
    Box::new(lzma_rust2::XzReader::new_mem_limit(reader, false, MAX_DICTIONARY_KIB))
}

/// Decodes stream after stream as one member, the way the compressors' own tools do. Zeros between them and
/// at the end are padding. `header_bytes` says how much stands in front of the data.
fn walk_streams(
    walk: &mut Walk<'_>,
    blob: &Blob,
    depth: u32,
    is_stream: fn(&[u8]) -> bool,
    decoder: fn(&mut BlobReader) -> Decoder<'_>,
    header_bytes: fn(&Blob) -> io::Result<u64>,
    one_stream: Reach,
) -> Walked {
    let (mut reader, mut writer, mut n_streams) = (blob.reader(), walk.new_member()?, 0u64);
    loop {
        skip_zeros(&mut reader)?;
        if reader.position() >= blob.size_bytes() {
            break;
        }
        if !is_stream(&blob.bytes_at(reader.position(), 16)?) {
            look_behind(walk, &blob.tail(reader.position()), depth)?;
            return malformed("data behind the compressed stream");
        }
        let starts_at = reader.position();
        walk.fill(&mut writer, &mut *decoder(&mut reader), Damage::Refused)?;
        let data_at = starts_at + header_bytes(&blob.tail(starts_at))?;
        walk.account(&blob.slice(data_at, reader.position().saturating_sub(data_at)));
        n_streams += 1;
    }
    let reach = if n_streams > 1 { Reach::Handed } else { one_stream };
    walk.visit(writer.finish(), depth, reach)
}

/// What stands in front of the data: the header, and the fields that it says there are (RFC 1952, 2.3).
fn gzip_header_bytes(blob: &Blob) -> io::Result<u64> {
    const HAS_CHECKSUM: u8 = 0x02;
    const HAS_EXTRA: u8 = 0x04;
    const HAS_NAME: u8 = 0x08;
    const HAS_COMMENT: u8 = 0x10;
    let start = blob.bytes_at(0, 12)?;
    let has = |field: u8| start.u8_at(3) & field != 0;
    let mut at = 10 + if has(HAS_EXTRA) { 2 + u64::from(start.u16_le(10)) } else { 0 };
    for _ in [HAS_NAME, HAS_COMMENT].into_iter().filter(|field| has(*field)) {
        at += string_bytes(&blob.tail(at))?;
    }
    Ok(at + if has(HAS_CHECKSUM) { 2 } else { 0 })
}

/// The bytes up to a zero, with it.
fn string_bytes(blob: &Blob) -> io::Result<u64> {
    let mut windows = blob.windows(0, 0);
    while let Some((at, window)) = windows.next_window()? {
        if let Some(zero) = memchr::memchr(0, window) {
            return Ok(at + to_u64(zero) + 1);
        }
    }
    Ok(blob.size_bytes())
}

/// Readers of several formats continue with another one behind a stream. An opener that stops before it must
/// not overrule a refusal of what stands there.
fn look_behind(walk: &mut Walk<'_>, rest: &Blob, depth: u32) -> Walked {
    match walk.reading_of(rest.clone(), depth) {
        Err(Stop::Refused(refusal)) => Err(Stop::Disputed(refusal)),
        looked => looked.map(drop),
    }
}

pub(crate) fn skip_zeros(reader: &mut BlobReader) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let n_zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        let is_done = n_zeros < buffer.len() || buffer.is_empty();
        reader.consume(n_zeros);
        if is_done {
            return Ok(());
        }
    }
}

/// Returns whether there is one block, and LZMA2 is its only filter: the one chain that the engine is known
/// to follow. (xz file format 1.2: a block header stands behind the stream header of 12 bytes, its size
/// first, then flags with the number of filters; the index, a zero and the number of blocks, stands before
/// the footer of 12 bytes, which has its size in units of four bytes, less one.)
fn xz_is_plain(blob: &Blob) -> io::Result<bool> {
    const FOOTER: u64 = 12;
    let first = blob.bytes_at(12, 2)?;
    let is_empty = first.u8_at(0) == 0;
    let n_more_filters = first.u8_at(1) % 4;
    let footer_at = blob.size_bytes().saturating_sub(FOOTER);
    let n_index = (u64::from(blob.bytes_at(footer_at, 12)?.u32_le(4)) + 1) * 4;
    let index = blob.bytes_at(footer_at.saturating_sub(n_index), 2)?;
    let has_one_block = index == [0, 1];
    Ok(is_empty || (has_one_block && n_more_filters == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_skipped_to_their_end() {
        for n_zeros in [0, 1, 100_000, 1_000_000] {
            let mut reader = Blob::from_bytes([vec![0; n_zeros], b"data".to_vec()].concat()).reader();
            skip_zeros(&mut reader).unwrap();
            assert_eq!(reader.position(), n_zeros as u64);
        }
    }
}
