//! gzip, bzip2 and xz: one stream that ends where the file ends, or else its whole content is handed to the engine.
//!
//! ClamAV reads the first stream and is silent about the rest; parallel compressors and `cat` make files of several.

use std::io::{self, BufRead as _, Read};

use domain::verdict::Unscannable;
use lzma_rust2::LzmaReader;

use crate::blob::{Blob, BlobReader};
use crate::capability::Method;
use crate::fields::Fields as _;
use crate::format::{GZIP_DEFLATE, XZ, is_bzip2};
use crate::walk::{Damage, Reach, Walk, Walked, malformed, refuse};

/// A dictionary larger than this is refused: 64 MiB is what `xz -9` and `7z -mx=9` use.
pub(crate) const MAX_DICTIONARY_KIB: u32 = 96 * 1024;

pub(crate) fn walk_gzip(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Gzip)?;
    walk_streams(walk, blob, depth, |bytes| bytes.starts_with(GZIP_DEFLATE), gzip, Reach::Followed)
}

pub(crate) fn walk_bzip2(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Bzip2)?;
    walk_streams(walk, blob, depth, is_bzip2, bzip2, Reach::Followed)
}

pub(crate) fn walk_xz(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Xz)?;
    let reach = if xz_is_plain(blob)? { Reach::Followed } else { Reach::Handed };
    walk_streams(walk, blob, depth, |bytes| bytes.starts_with(XZ), xz, reach)
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

/// Decodes stream after stream as one member, the way the compressors' own tools do. Zeros between them and at the end are
/// padding.
fn walk_streams(
    walk: &mut Walk<'_>,
    blob: &Blob,
    depth: u32,
    is_stream: fn(&[u8]) -> bool,
    decoder: fn(&mut BlobReader) -> Decoder<'_>,
    one_stream: Reach,
) -> Walked {
    let (mut reader, mut writer, mut n_streams) = (blob.reader(), walk.new_member()?, 0u64);
    loop {
        skip_zeros(&mut reader)?;
        if reader.position() >= blob.size_bytes() {
            break;
        }
        if !is_stream(&blob.bytes_at(reader.position(), 16)?) {
            return malformed("data behind the compressed stream");
        }
        walk.fill(&mut writer, &mut *decoder(&mut reader), Damage::Refused)?;
        n_streams += 1;
    }
    let reach = if n_streams > 1 { Reach::Handed } else { one_stream };
    walk.visit(writer.finish(), depth, reach)
}

fn skip_zeros(reader: &mut BlobReader) -> io::Result<()> {
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

/// Whether there is one block, and LZMA2 is its only filter: the one chain that the engine is known to follow. (xz file format 1.2: a block
/// header stands behind the stream header of 12 bytes, its size first, then flags with the number of filters; the index, a zero and the
/// number of blocks, stands before the footer of 12 bytes, which has its size in units of four bytes, less one.)
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

/// What other tools unpack from an LZMA stream without a container (`.lzma`), if the bytes may be one. There is no signature: data with many
/// zeros may look like it. So whatever decodes is handed to the engine, and the bytes themselves stay what they are.
pub(crate) fn walk_lzma_alone(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !may_be_lzma_alone(blob)? {
        return Ok(());
    }
    let Ok(mut decoder) = LzmaReader::new_mem_limit(blob.reader(), MAX_DICTIONARY_KIB, None) else {
        return refuse(Unscannable::ExpandsTooMuch, "LZMA: needs more memory than the limit");
    };
    let mut writer = walk.new_member()?;
    walk.fill(&mut writer, &mut decoder, Damage::CutOff)?;
    walk.visit(writer.finish(), depth, Reach::Handed)
}

/// liblzma's own conditions come first (a property byte, a dictionary of 2^n or 2^n + 2^(n-1) bytes, an unknown size or one below 256 GiB, the
/// zero with which every stream begins), and then the decoder: most other bytes end after a few.
fn may_be_lzma_alone(blob: &Blob) -> io::Result<bool> {
    const LEAST: usize = 32;
    let head = blob.bytes_at(0, 14)?;
    let (dictionary, size) = (head.u32_le(1), head.u64_le(5));
    let is_dictionary = matches!(dictionary, 0 | u32::MAX)
        || dictionary.is_power_of_two()
        || (dictionary.is_multiple_of(3) && (dictionary / 3).is_power_of_two());
    // So there are 13 bytes at least: a field that is not whole reads as zero.
    let is_size = size == u64::MAX || (size > 0 && size < 1 << 38);
    if head.u8_at(0) >= 225 || !is_dictionary || !is_size || head.u8_at(13) != 0 {
        return Ok(false);
    }
    // The dictionary matters only beyond its size, and so not to the first bytes.
    let mut start = head[..13].to_vec();
    start[1..5].copy_from_slice(&(64u32 * 1024).to_le_bytes());
    let source = io::Cursor::new(start).chain(blob.tail(13).reader());
    let Ok(mut decoder) = LzmaReader::new_mem_limit(source, MAX_DICTIONARY_KIB, None) else {
        return Ok(false);
    };
    // One by one: what comes with an error is lost.
    let n_bytes = (0..LEAST).take_while(|_| matches!(decoder.read(&mut [0]), Ok(1))).count();
    Ok(n_bytes == LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The alphabet eight times, as `xz --format=lzma` packs it.
    const ALONE: [u8; 51] = [
        0x5d, 0x00, 0x00, 0x80, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x20, 0x90, 0x84,
        0x76, 0xba, 0x8a, 0x75, 0xcf, 0xb4, 0x0d, 0xb2, 0xe8, 0x9f, 0x13, 0x87, 0xf8, 0x05, 0x57, 0x7d, 0xec,
        0xad, 0xee, 0x74, 0x78, 0x00, 0xf6, 0x2b, 0x91, 0x52, 0xf6, 0xc7, 0xff, 0xff, 0xf0, 0x53, 0x80, 0x00,
    ];

    fn may_be(change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut bytes = ALONE.to_vec();
        change(&mut bytes);
        may_be_lzma_alone(&Blob::from_bytes(bytes)).unwrap()
    }

    fn of_size(size: u64) -> bool {
        may_be(|bytes| bytes[5..13].copy_from_slice(&size.to_le_bytes()))
    }

    fn of_dictionary(n_bytes: u32) -> bool {
        may_be(|bytes| bytes[1..5].copy_from_slice(&n_bytes.to_le_bytes()))
    }

    #[test]
    fn a_stream_without_a_signature_shows_in_every_field() {
        assert!(may_be(|_| {}));
        assert!(of_size(u64::MAX) && of_size(208) && of_size((1 << 38) - 1));
        assert!(!of_size(0) && !of_size(1 << 38) && !of_size(u64::MAX - 1));
        for n_bytes in [0, u32::MAX, 1 << 12, 1 << 23, 3 << 20] {
            assert!(of_dictionary(n_bytes), "{n_bytes}");
        }
        for n_bytes in [5, 7 << 20, u32::MAX - 1] {
            assert!(!of_dictionary(n_bytes), "{n_bytes}");
        }
        assert!(!may_be(|bytes| bytes[0] = 225) && !may_be(|bytes| bytes[13] = 1));
        assert!(!may_be(|bytes| bytes.truncate(18)) && !may_be(|bytes| bytes.truncate(13)));
    }

    #[test]
    fn zeros_are_skipped_to_their_end() {
        for n_zeros in [0, 1, 100_000, 1_000_000] {
            let mut reader = Blob::from_bytes([vec![0; n_zeros], b"data".to_vec()].concat()).reader();
            skip_zeros(&mut reader).unwrap();
            assert_eq!(reader.position(), n_zeros as u64);
        }
    }
}
