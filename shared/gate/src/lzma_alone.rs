//! Decodes LZMA streams without a container, `.lzma` and `.lzma86`. Nothing marks them: data with many zeros
//! may look like one. So whatever decodes is handed to the engine, and the bytes themselves stay what they
//! are.
//!
//! (LZMA SDK, lzma-specification.txt: a byte of properties, the dictionary's size, the size of the data or
//! all ones, the stream, which begins with a zero. `.lzma86` has a byte in front: whether the data went
//! through the filter for x86 programs.)

use std::io::{self, Read};

use domain::verdict::Unscannable;
use lzma_rust2::LzmaReader;
use lzma_rust2::filter::bcj::BcjReader;

use crate::blob::{Blob, BlobReader, to_u64};
use crate::fields::Fields as _;
use crate::format::{GZIP_DEFLATE, XZ};
use crate::lz4_frames;
use crate::stream::MAX_DICTIONARY_KIB;
use crate::walk::{Damage, Walk, Walked, refuse};

const HEADER: u64 = 13;
/// What is shorter hides nothing, and fewer bytes may decode by chance.
const FEWEST: usize = 32;
const MAX_DICTIONARY: u32 = MAX_DICTIONARY_KIB * 1024;

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_streams(walk, blob, depth)?;
    let flag = blob.bytes_at(0, 1)?.u8_at(0);
    if flag <= 1
        && let Some(stream) = Stream::at_start(&blob.tail(1))?
    {
        stream.unpack(walk, depth)?;
        if flag == 1 {
            stream.unpack_program(walk, depth)?;
        }
    }
    Ok(())
}

/// Unpacks a stream that begins in the middle of other data.
pub(crate) fn walk_embedded(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    match Stream::at_start(blob)? {
        Some(stream) => stream.unpack(walk, depth).map(drop),
        None => Ok(()),
    }
}

/// Unpacks stream after stream, each by itself and all of them joined, as 7-Zip does. Of them, some may be
/// empty.
fn walk_streams(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let (mut streams, mut rest) = (Vec::new(), blob.clone());
    while let Some((stream, n_bytes)) = Stream::next(walk, &rest, depth)? {
        rest = rest.tail(HEADER + n_bytes);
        streams.push(stream);
    }
    if streams.len() > 1 {
        let mut writer = walk.new_member()?;
        // One decoder at a time: each may take as much memory as it is allowed to.
        for mut decoder in streams.iter().filter_map(Stream::whole_decoder) {
            walk.fill(&mut writer, &mut decoder, Damage::CutOff)?;
        }
        walk.visit_reading(writer.finish(), depth)?;
    }
    if !streams.is_empty() && begins_other(&rest)? {
        walk.reading_of(rest, depth)?;
    }
    Ok(())
}

/// Returns whether a stream of another format begins here: zstd(1) continues with those that it unpacks.
fn begins_other(blob: &Blob) -> io::Result<bool> {
    const STARTS: &[&[u8]] = &[GZIP_DEFLATE, XZ];
    let head = blob.bytes_at(0, 8)?;
    // zstd in all its versions, and what both skip.
    let is_zstd = matches!(head.at(1, 3), b"\xb5\x2f\xfd" | b"\x2a\x4d\x18");
    Ok(is_zstd || lz4_frames::begins(&head) || STARTS.iter().any(|start| head.starts_with(start)))
}

/// Bytes that may be a stream.
struct Stream {
    properties: u8,
    dictionary_bytes: u32,
    /// Of the data; all ones if it says where it ends.
    size: u64,
    data: Blob,
}

impl Stream {
    /// Unpacks the stream that begins here. Returns how long its data are. A short one counts only in front
    /// of another.
    fn next(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<Option<(Self, u64)>> {
        if let Some(stream) = Self::at_start(blob)? {
            let n_bytes = stream.unpack(walk, depth)?;
            return Ok(Some((stream, n_bytes)));
        }
        let Some((stream, n_bytes)) = Self::short_at_start(blob)? else { return Ok(None) };
        let rest = blob.tail(HEADER + n_bytes);
        let is_followed = Self::at_start(&rest)?.is_some() || begins_other(&rest)?;
        Ok(is_followed.then_some((stream, n_bytes)))
    }

    /// One that ends before it has as many bytes as it takes to be one by itself.
    fn short_at_start(blob: &Blob) -> io::Result<Option<(Self, u64)>> {
        let head = blob.bytes_at(0, 14)?;
        let (properties, dictionary_bytes, size) = (head.u8_at(0), head.u32_le(1), head.u64_le(5));
        let is_size = size == u64::MAX || size < to_u64(FEWEST);
        if properties >= 225 || !is_size || head.len() < 14 || head.u8_at(13) != 0 {
            return Ok(None);
        }
        let stream = Self { properties, dictionary_bytes, size, data: blob.tail(HEADER) };
        let Some(mut decoder) = stream.decoder(64 * 1024) else { return Ok(None) };
        let mut data = Vec::new();
        let read = (&mut decoder).take(to_u64(FEWEST)).read_to_end(&mut data);
        let is_short = read.is_ok() && data.len() < FEWEST;
        Ok(is_short.then(|| (stream, n_used(decoder))))
    }

    /// The conditions of 7-Zip and liblzma, the wider one of each, and then that the first bytes decode.
    fn at_start(blob: &Blob) -> io::Result<Option<Self>> {
        let head = blob.bytes_at(0, 14)?;
        let (properties, dictionary_bytes, size) = (head.u8_at(0), head.u32_le(1), head.u64_le(5));
        let is_dictionary = matches!(dictionary_bytes, 0 | u32::MAX)
            || dictionary_bytes.is_power_of_two()
            || (dictionary_bytes.is_multiple_of(3) && (dictionary_bytes / 3).is_power_of_two());
        let is_size = size == u64::MAX || (to_u64(FEWEST)..1 << 56).contains(&size);
        // So there is one byte of data at least: a field that is not whole reads as zero.
        if properties >= 225 || !is_dictionary || !is_size || head.u8_at(13) != 0 {
            return Ok(None);
        }
        let stream = Self { properties, dictionary_bytes, size, data: blob.tail(HEADER) };
        // One by one: what comes with an error is lost. The dictionary matters only beyond its size, and so
        // not to the first bytes.
        let decoder = stream.decoder(64 * 1024);
        let n_bytes = decoder
            .map(|mut decoder| (0..FEWEST).take_while(|_| matches!(decoder.read(&mut [0]), Ok(1))).count());
        Ok((n_bytes == Some(FEWEST)).then_some(stream))
    }

    fn decoder(&self, dictionary_bytes: u32) -> Option<LzmaReader<BlobReader>> {
        let reader = self.data.reader();
        LzmaReader::new_with_props(reader, self.size, self.properties, dictionary_bytes, None).ok()
    }

    fn whole_decoder(&self) -> Option<LzmaReader<BlobReader>> {
        self.decoder(self.dictionary_bytes.min(MAX_DICTIONARY))
    }

    /// Returns how many bytes of the data the stream takes.
    fn unpack(&self, walk: &mut Walk<'_>, depth: u32) -> Walked<u64> {
        let Some(mut decoder) = self.whole_decoder() else { return Ok(0) };
        self.hand(walk, &mut decoder, depth)?;
        Ok(n_used(decoder))
    }

    /// The same through the filter for x86 programs.
    fn unpack_program(&self, walk: &mut Walk<'_>, depth: u32) -> Walked {
        let Some(decoder) = self.whole_decoder() else { return Ok(()) };
        self.hand(walk, &mut BcjReader::new_x86(decoder, 0), depth)
    }

    /// A larger dictionary than the limit is needed only by data that is larger than the limit.
    fn hand(&self, walk: &mut Walk<'_>, unpacked: &mut dyn Read, depth: u32) -> Walked {
        let mut writer = walk.new_member()?;
        walk.fill(&mut writer, unpacked, Damage::CutOff)?;
        let member = writer.finish();
        if self.dictionary_bytes > MAX_DICTIONARY && member.size_bytes() >= u64::from(MAX_DICTIONARY) {
            return refuse(Unscannable::ExpandsTooMuch, "LZMA: needs more memory than the limit");
        }
        walk.visit_reading(member, depth).map(drop)
    }
}

/// The bytes that a decoder has used. It reads ahead.
fn n_used(decoder: LzmaReader<BlobReader>) -> u64 {
    let (reader, unused) = decoder.into_parts();
    reader.position() - to_u64(unused.len())
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
        Stream::at_start(&Blob::from_bytes(bytes)).unwrap().is_some()
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
        assert!(of_size(u64::MAX) && of_size(208) && of_size((1 << 56) - 1));
        assert!(!of_size(0) && !of_size(31) && !of_size(1 << 56) && !of_size(u64::MAX - 1));
        for n_bytes in [0, u32::MAX, 1 << 12, 1 << 31, 3 << 20] {
            assert!(of_dictionary(n_bytes), "{n_bytes}");
        }
        for n_bytes in [5, 7 << 20, u32::MAX - 1] {
            assert!(!of_dictionary(n_bytes), "{n_bytes}");
        }
        assert!(!may_be(|bytes| bytes[0] = 225) && !may_be(|bytes| bytes[13] = 1));
        assert!(!may_be(|bytes| bytes.truncate(18)) && !may_be(|bytes| bytes.truncate(13)));
    }
}
