//! Decodes BinHex 4.0 (RFC 1741): six bits a character between two colons, runs shortened, then a header and
//! two forks. Checksums are ignored.

use std::io::{self, BufRead as _, Read};

use crate::blob::{Blob, BlobReader, to_usize};
use crate::walk::{Damage, Walk, Walked};

const DIGITS: &[u8; 64] = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
const IS_DIGIT: [bool; 256] = is_digit();
const RUN: u8 = 0x90;
const MAX_NAME: usize = 63;
/// Behind the name: a zero, type, creator and flags, the lengths of the two forks, a checksum.
const HEADER: usize = 1 + 4 + 4 + 2 + 4 + 4 + 2;

const fn is_digit() -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < DIGITS.len() {
        table[DIGITS[index] as usize] = true;
        index += 1;
    }
    table
}

/// Returns whether what is encoded from here on, behind a colon, begins with a header.
pub(super) fn begins(text: &[u8]) -> bool {
    let mut decoded = vec![0; 1 + MAX_NAME + HEADER];
    let n_bytes = Decoder::new(&Blob::from_bytes(text.to_vec())).read(&mut decoded).unwrap_or(0);
    header(&decoded[..n_bytes]).is_some()
}

/// Where the forks begin, and how long each is.
fn header(bytes: &[u8]) -> Option<(u64, [u64; 2])> {
    let n_name = usize::from(*bytes.first()?);
    let rest = bytes.get(1 + n_name..1 + n_name + HEADER)?;
    let length = |at: usize| rest[at..at + 4].try_into().map_or(0, u32::from_be_bytes);
    let lengths = [length(11), length(15)];
    let is_header = (1..=MAX_NAME).contains(&n_name) && rest[0] == 0 && lengths.iter().all(|n| *n < 1 << 31);
    is_header.then(|| (crate::blob::to_u64(1 + n_name + HEADER), lengths.map(u64::from)))
}

/// Unpacks both forks.
pub(super) fn forks(walk: &mut Walk<'_>, body: &Blob) -> Walked<Vec<Blob>> {
    let mut writer = walk.writer();
    walk.fill(&mut writer, &mut Decoder::new(body), Damage::Refused)?;
    let file = writer.finish();
    let head = file.bytes_at(0, 1 + MAX_NAME + HEADER)?;
    let Some((starts_at, [n_data, n_resource])) = header(&head) else { return Ok(Vec::new()) };
    // A checksum of two bytes stands behind each fork.
    let resource_at = starts_at + n_data + 2;
    Ok(vec![file.slice(starts_at, n_data), file.slice(resource_at, n_resource)])
}

/// Reads from behind the first colon to the next one. What is no digit is skipped.
struct Decoder {
    source: BlobReader,
    has_begun: bool,
    has_ended: bool,
    bits: u32,
    n_bits: u32,
    last: u8,
    is_run: bool,
    ready: io::Cursor<Vec<u8>>,
}

impl Decoder {
    fn new(body: &Blob) -> Self {
        let (source, ready) = (body.reader(), io::Cursor::default());
        Self { source, has_begun: false, has_ended: false, bits: 0, n_bits: 0, last: 0, is_run: false, ready }
    }

    fn decode_more(&mut self) -> io::Result<()> {
        let input = self.source.fill_buf()?.to_vec();
        self.has_ended = input.is_empty();
        self.source.consume(input.len());
        let mut bytes = Vec::new();
        for byte in input {
            match byte {
                b':' if self.has_begun => {
                    self.has_ended = true;
                    break;
                }
                b':' => self.has_begun = true,
                byte => {
                    if let Some(digit) = memchr::memchr(byte, DIGITS).filter(|_| self.has_begun) {
                        self.take(digit, &mut bytes);
                    }
                }
            }
        }
        self.ready = io::Cursor::new(bytes);
        Ok(())
    }

    fn take(&mut self, digit: usize, bytes: &mut Vec<u8>) {
        self.bits = self.bits << 6 | u32::try_from(digit).unwrap_or(0);
        self.n_bits += 6;
        if self.n_bits < 8 {
            return;
        }
        self.n_bits -= 8;
        let [.., byte] = (self.bits >> self.n_bits).to_be_bytes();
        match (std::mem::take(&mut self.is_run), byte) {
            (false, RUN) => self.is_run = true,
            (false, byte) => {
                self.last = byte;
                bytes.push(byte);
            }
            // The mark itself.
            (true, 0) => {
                self.last = RUN;
                bytes.push(RUN);
            }
            // So many in all, of which one is there.
            (true, n) => bytes.extend(std::iter::repeat_n(self.last, usize::from(n) - 1)),
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_bytes = self.ready.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() || self.has_ended {
                return Ok(n_bytes);
            }
            self.decode_more()?;
        }
    }
}

/// The colon at `at` and as much of what means something behind it as shows whether BinHex begins there, up
/// to the next colon. What is no digit counts for nothing, however much of it there is: unar 1.10.1 skips it.
pub(super) fn head_of(blob: &Blob, at: u64) -> io::Result<Vec<u8>> {
    const STEP: u64 = 512;
    const ENOUGH: usize = 256;
    let mut head = Vec::new();
    for from in (at..blob.size_bytes()).step_by(to_usize(STEP)) {
        for byte in blob.slice(from, STEP.min(blob.size_bytes() - from)).bytes_at(0, to_usize(STEP))? {
            if byte == b':' && !head.is_empty() {
                return Ok(head);
            }
            if byte == b':' || IS_DIGIT[usize::from(byte)] {
                head.push(byte);
            }
        }
        if head.len() >= ENOUGH {
            break;
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut text = b":".to_vec();
        for group in bytes.chunks(3) {
            let word = (0..3).fold(0, |word, at| word << 8 | usize::from(*group.get(at).unwrap_or(&0)));
            text.extend([18, 12, 6, 0].map(|shift| DIGITS[word >> shift & 63]));
        }
        [text.chunks(64).collect::<Vec<_>>().join(&b'\r'), b":".to_vec()].concat()
    }

    #[test]
    fn runs_and_escapes_are_undone() {
        let read = |bytes: &[u8]| {
            let mut decoded = Vec::new();
            Decoder::new(&Blob::from_bytes(encoded(bytes))).read_to_end(&mut decoded).unwrap();
            decoded
        };
        assert_eq!(read(b"Cat"), b"Cat");
        assert_eq!(read(&[b'a', RUN, 4, b'b', RUN, 0]), [b'a', b'a', b'a', b'a', b'b', RUN]);
    }

    #[test]
    fn a_header_shows_before_the_forks() {
        let file = [b"\x05e.com\0TYPECREA\0\0\0\0\0\x03\0\0\0\0xx".as_slice(), b"Catxx"].concat();
        assert!(begins(&encoded(&file)));
        assert_eq!(header(&file), Some((27, [3, 0])));
        for n_blanks in [0, 500, 600, 70_000] {
            let text = [b"text\n:", &vec![b' '; n_blanks][..], &encoded(&file)[1..]].concat();
            assert!(begins(&head_of(&Blob::from_bytes(text), 5).unwrap()), "{n_blanks}");
        }
        for prose in [": prose", ":10010000214601360121470136007EFE09D2190140", ":", ":::", "::"] {
            assert!(!begins(prose.as_bytes()), "{prose}");
        }
    }
}
