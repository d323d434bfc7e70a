//! LZMA streams without a container, `.lzma` and `.lzma86`. Nothing marks them: data with many zeros may look like one. So whatever decodes is
//! handed to the engine, and the bytes themselves stay what they are.
//!
//! (LZMA SDK, lzma-specification.txt: a byte of properties, the dictionary's size, the size of the data or all ones, the stream, which begins with
//! a zero. `.lzma86` has a byte in front: whether the data went through the filter for x86 programs.)

use std::io::{self, Read};

use domain::verdict::Unscannable;
use lzma_rust2::LzmaReader;
use lzma_rust2::filter::bcj::BcjReader;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::stream::MAX_DICTIONARY_KIB;
use crate::walk::{Damage, Walk, Walked, refuse};

const HEADER: u64 = 13;
/// What is shorter hides nothing, and fewer bytes may decode by chance.
const FEWEST: usize = 32;
const MAX_DICTIONARY: u32 = MAX_DICTIONARY_KIB * 1024;

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if let Some(stream) = Stream::at_start(blob)? {
        stream.unpack(walk, |decoder| decoder, depth)?;
    }
    let flag = blob.bytes_at(0, 1)?.u8_at(0);
    if flag <= 1
        && let Some(stream) = Stream::at_start(&blob.tail(1))?
    {
        stream.unpack(walk, |decoder| decoder, depth)?;
        if flag == 1 {
            stream.unpack(walk, |decoder| Box::new(BcjReader::new_x86(decoder, 0)), depth)?;
        }
    }
    Ok(())
}

type Decoder = Box<dyn Read>;

/// Bytes that may be a stream.
struct Stream {
    properties: u8,
    dictionary_bytes: u32,
    /// Of the data; all ones if it says where it ends.
    size: u64,
    data: Blob,
}

impl Stream {
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
        // One by one: what comes with an error is lost. The dictionary matters only beyond its size, and so not to the first bytes.
        let decoder = stream.decoder(64 * 1024);
        let n_bytes = decoder
            .map(|mut decoder| (0..FEWEST).take_while(|_| matches!(decoder.read(&mut [0]), Ok(1))).count());
        Ok((n_bytes == Some(FEWEST)).then_some(stream))
    }

    fn decoder(&self, dictionary_bytes: u32) -> Option<LzmaReader<impl Read + use<>>> {
        let reader = self.data.reader();
        LzmaReader::new_with_props(reader, self.size, self.properties, dictionary_bytes, None).ok()
    }

    /// A larger dictionary than the limit is needed only by data that is larger than the limit.
    fn unpack(&self, walk: &mut Walk<'_>, filter: fn(Decoder) -> Decoder, depth: u32) -> Walked {
        let Some(decoder) = self.decoder(self.dictionary_bytes.min(MAX_DICTIONARY)) else { return Ok(()) };
        let mut writer = walk.new_member()?;
        walk.fill(&mut writer, &mut *filter(Box::new(decoder)), Damage::CutOff)?;
        let member = writer.finish();
        if self.dictionary_bytes > MAX_DICTIONARY && member.size_bytes() >= u64::from(MAX_DICTIONARY) {
            return refuse(Unscannable::ExpandsTooMuch, "LZMA: needs more memory than the limit");
        }
        walk.visit_reading(member, depth).map(drop)
    }
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
