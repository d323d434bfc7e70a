//! Decodes the blocks of a member: sizes, checksums, and bytes that are packed unless packing made them
//! longer.

use std::io::{self, Read as _};

use domain::verdict::Unscannable;

use super::Filters;
use super::header::{ADLER32, ADLER32_OF_PACKED, CRC32, CRC32_OF_PACKED, Header};
use crate::blob::{Blob, BlobReader, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walked, malformed, refuse};

/// lzop makes blocks of 256 KiB, and reads 256 times as much.
const MAX_BLOCK: u32 = 16 * 1024 * 1024;

pub(super) struct Blocks<'a> {
    header: &'a Header,
    filters: Filters,
    reader: BlobReader,
    /// Both are used for one block after another.
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    is_sound: bool,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(member: &Blob, header: &'a Header, filters: Filters) -> Self {
        let mut reader = member.reader();
        io::BufRead::consume(&mut reader, to_usize(header.n_bytes));
        Self { header, filters, reader, packed: vec![], unpacked: vec![], is_sound: header.is_sound }
    }

    /// The next block, `None` behind the last. One with a wrong checksum is a block, and [`Self::end`] tells.
    pub(super) fn next_block(&mut self) -> Walked<Option<&[u8]>> {
        let n_unpacked = self.number()?;
        if n_unpacked == 0 {
            return Ok(None);
        }
        let n_packed = self.number()?;
        if n_packed == 0 || n_packed > n_unpacked || n_unpacked == u32::MAX {
            return malformed("lzop: sizes that cannot be");
        }
        if n_unpacked > MAX_BLOCK {
            return refuse(Unscannable::UnsupportedContainer, "lzop: a larger block than the limit");
        }
        let is_packed = n_packed < n_unpacked;
        let checksums = self.checksums(is_packed)?;
        self.read_packed(n_packed)?;
        if is_packed {
            self.unpack(to_usize(n_unpacked.into()))?;
        } else {
            std::mem::swap(&mut self.packed, &mut self.unpacked);
        }
        let block = &mut self.unpacked;
        if self.filters == Filters::Undone {
            add_up(block, to_usize(self.header.filter.into()));
            self.is_sound &= checksums.are_right(block, if is_packed { &self.packed } else { block });
        }
        Ok(Some(block))
    }

    /// Where the last block ends.
    pub(super) fn end(self) -> Walked<u64> {
        if self.is_sound { Ok(self.reader.position()) } else { malformed("lzop: a wrong checksum") }
    }

    fn checksums(&mut self, is_packed: bool) -> Walked<Checksums> {
        let mut number_if = |flag, is_there| {
            let is_there = is_there && self.header.flags & flag != 0;
            if is_there { self.number().map(Some) } else { Ok(None) }
        };
        Ok(Checksums {
            adler32: number_if(ADLER32, true)?,
            crc32: number_if(CRC32, true)?,
            adler32_of_packed: number_if(ADLER32_OF_PACKED, is_packed)?,
            crc32_of_packed: number_if(CRC32_OF_PACKED, is_packed)?,
        })
    }

    fn number(&mut self) -> Walked<u32> {
        self.read_packed(4)?;
        Ok(self.packed.u32_be(0))
    }

    /// Reads as many bytes from the file.
    fn read_packed(&mut self, n_bytes: u32) -> Walked {
        self.packed.clear();
        let n_read = self.reader.by_ref().take(n_bytes.into()).read_to_end(&mut self.packed)?;
        if to_u64(n_read) < u64::from(n_bytes) { malformed("lzop: cut") } else { Ok(()) }
    }

    fn unpack(&mut self, n_bytes: usize) -> Walked {
        self.unpacked.resize(n_bytes, 0);
        match lzokay::decompress::decompress(&self.packed, &mut self.unpacked) {
            Ok(n_unpacked) if n_unpacked == n_bytes => Ok(()),
            _ => malformed("lzop: a block that cannot be unpacked"),
        }
    }
}

/// Those that a block has.
struct Checksums {
    adler32: Option<u32>,
    crc32: Option<u32>,
    adler32_of_packed: Option<u32>,
    crc32_of_packed: Option<u32>,
}

impl Checksums {
    fn are_right(&self, unpacked: &[u8], packed: &[u8]) -> bool {
        self.adler32.is_none_or(|checksum| checksum == adler32(unpacked))
            && self.crc32.is_none_or(|checksum| checksum == crc32fast::hash(unpacked))
            && self.adler32_of_packed.is_none_or(|checksum| checksum == adler32(packed))
            && self.crc32_of_packed.is_none_or(|checksum| checksum == crc32fast::hash(packed))
    }
}

/// Undoes a filter: each byte is the difference to the one so many bytes before.
fn add_up(block: &mut [u8], distance: usize) {
    if distance > 0 {
        for at in distance..block.len() {
            block[at] = block[at].wrapping_add(block[at - distance]);
        }
    }
}

pub(super) fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    // As many sums of bytes do not overflow (RFC 1950, section 9).
    const N_AT_ONCE: usize = 5552;
    let (mut low, mut high) = (1, 0);
    for bytes in bytes.chunks(N_AT_ONCE) {
        for byte in bytes {
            low += u32::from(*byte);
            high += low;
        }
        (low, high) = (low % MODULUS, high % MODULUS);
    }
    high << 16 | low
}
