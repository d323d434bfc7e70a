//! Decodes PDF's own filters (ISO 32000-2, 7.4) up to damage: readers keep what came out before.

use std::io::{self, BufRead, Read};

use crate::inflate::Inflate;
use crate::walk::is_storage_trouble;

pub(super) type Source = Box<dyn BufRead>;

/// Decodes a little.
pub(super) trait Step {
    /// Adds to `out`; `false` at the end.
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool>;
}

/// What a decoder makes of a source.
pub(super) struct Decoding<S> {
    source: Source,
    step: S,
    out: Vec<u8>,
    at: usize,
    is_done: bool,
}

pub(super) fn decoding<S: Step + 'static>(source: Source, step: S) -> Source {
    Box::new(Decoding { source, step, out: Vec::new(), at: 0, is_done: false })
}

impl<S: Step> BufRead for Decoding<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        const ENOUGH: usize = 16 * 1024;
        if self.at >= self.out.len() {
            self.out.clear();
            self.at = 0;
            while !self.is_done && self.out.len() < ENOUGH {
                self.is_done = !self.step.step(&mut *self.source, &mut self.out)?;
            }
        }
        Ok(&self.out[self.at..])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.at += n_bytes;
    }
}

impl<S: Step> Read for Decoding<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.fill_buf()?.read(buffer)?;
        self.consume(n_bytes);
        Ok(n_bytes)
    }
}

pub(super) fn next_byte(source: &mut dyn BufRead) -> io::Result<Option<u8>> {
    let byte = source.fill_buf()?.first().copied();
    source.consume(usize::from(byte.is_some()));
    Ok(byte)
}

/// Up to as many bytes as `buffer` holds; how many there were.
pub(super) fn fill(source: &mut dyn BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n_bytes = 0;
    while n_bytes < buffer.len() {
        match source.read(&mut buffer[n_bytes..])? {
            0 => break,
            n_read => n_bytes += n_read,
        }
    }
    Ok(n_bytes)
}

/// Deflated data without what stands around it.
pub(super) fn inflating(source: Source) -> Source {
    Box::new(io::BufReader::with_capacity(16 * 1024, UntilDamage(Inflate::new(source))))
}

/// Ends where there is damage.
pub(super) struct UntilDamage<R>(pub(super) R);

impl<R: Read> Read for UntilDamage<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if !is_storage_trouble(&error) => Ok(0),
            read => read,
        }
    }
}

/// What a reader makes of a character that is no digit: MuPDF skips it, poppler takes it for a zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoDigit {
    Skipped,
    Zero,
}

/// ASCIIHexDecode.
#[derive(Debug)]
pub(super) struct Hexadecimal(pub(super) NoDigit);

impl Hexadecimal {
    fn digit(&self, byte: u8) -> Option<u8> {
        let digit = char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let is_zero = self.0 == NoDigit::Zero && !matches!(byte, b'>' | b' ' | b'\t'..=b'\r');
        digit.or(is_zero.then_some(0))
    }
}

impl Step for Hexadecimal {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut high = None;
        loop {
            let byte = next_byte(source)?;
            match (byte, byte.and_then(|byte| self.digit(byte)), high) {
                (_, Some(digit), Some(high)) => {
                    out.push(high << 4 | digit);
                    return Ok(true);
                }
                (_, Some(digit), None) => high = Some(digit),
                (None | Some(b'>'), None, _) => {
                    out.extend(high.map(|high: u8| high << 4));
                    return Ok(false);
                }
                (Some(_), None, _) => {}
            }
        }
    }
}

/// Which characters are digits of base 85 to a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Digits85 {
    /// From `!` to `u`; others are skipped (MuPDF, qpdf).
    Strict,
    /// All but white space and `~` (poppler 22.12, pdf.js 5).
    All,
    /// Of white space, pdf.js takes zero bytes and form feeds for digits as well.
    AllAndControls,
}

/// ASCII85Decode.
#[derive(Debug)]
pub(super) struct Base85 {
    digits: Digits85,
    has_begun: bool,
}

impl Base85 {
    pub(super) fn new(digits: Digits85) -> Self {
        Self { digits, has_begun: false }
    }

    fn is_digit(&self, byte: u8) -> bool {
        match (self.digits, byte) {
            (_, b'!'..=b'u') => true,
            (Digits85::Strict, _) | (_, b'~' | b'\t' | b'\n' | b'\r' | b' ') | (Digits85::All, 0 | 0x0c) => {
                false
            }
            _ => true,
        }
    }
}

impl Step for Base85 {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let (mut group, mut n_digits) = (0u32, 0);
        while n_digits < 5 {
            match next_byte(source)? {
                Some(b'z') if n_digits == 0 => {
                    out.extend([0; 4]);
                    self.has_begun = true;
                    return Ok(true);
                }
                // `<~` begins it in other programs.
                Some(b'~') if !self.has_begun && n_digits == 1 => (group, n_digits) = (0, 0),
                None | Some(b'~') => {
                    for _ in n_digits..5 {
                        group = group.wrapping_mul(85).wrapping_add(84);
                    }
                    out.extend(group.to_be_bytes().iter().take(usize::max(n_digits, 1) - 1));
                    return Ok(false);
                }
                Some(byte) if self.is_digit(byte) => {
                    let digit = u32::from(byte).wrapping_sub(u32::from(b'!'));
                    group = group.wrapping_mul(85).wrapping_add(digit);
                    n_digits += 1;
                }
                Some(_) => {}
            }
            self.has_begun |= n_digits > 1;
        }
        out.extend(group.to_be_bytes());
        Ok(true)
    }
}

/// RunLengthDecode.
#[derive(Debug)]
pub(super) struct RunLength;

impl Step for RunLength {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        match next_byte(source)? {
            None | Some(128) => Ok(false),
            Some(length @ 0..128) => {
                for _ in 0..=length {
                    let Some(byte) = next_byte(source)? else { return Ok(false) };
                    out.push(byte);
                }
                Ok(true)
            }
            Some(length) => {
                let Some(byte) = next_byte(source)? else { return Ok(false) };
                out.resize(out.len() + 257 - usize::from(length), byte);
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded<S: Step + 'static>(step: S, data: &'static [u8]) -> Vec<u8> {
        let mut out = Vec::new();
        decoding(Box::new(data), step).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn letters_are_read_up_to_their_end() {
        for (data, expected) in
            [(&b"41 4\n2>43"[..], &b"AB"[..]), (b"414>", b"A@"), (b"4x1", b"A"), (b"", b"")]
        {
            let skipped = decoded(Hexadecimal(NoDigit::Skipped), data);
            assert_eq!(skipped, expected, "{}", data.escape_ascii());
        }
        for (data, expected) in [(&b"4x 1\n2>"[..], &b"@\x12"[..]), (b"41\0>", b"A\0"), (b"41", b"A")] {
            assert_eq!(decoded(Hexadecimal(NoDigit::Zero), data), expected, "{}", data.escape_ascii());
        }
        for (data, expected) in [
            (&b"87cURD]i,\"Ebo80~>xx"[..], &b"Hello World!"[..]),
            (b"<~87cURD]i,\"Ebo80~>", b"Hello World!"),
            (b"87cUR D]\n", b"Hello"),
            (b"z5s~>", b"\0\0\0\0A"),
            (b"~>", b""),
        ] {
            assert_eq!(decoded(Base85::new(Digits85::Strict), data), expected, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn every_character_is_a_digit_of_base_85_to_some_readers() {
        for (digits, data, expected) in [
            // 87cUR, with one less of the fourth digit and 85 more of the last.
            (Digits85::All, &b"87cT\xa7~>"[..], &b"Hell"[..]),
            (Digits85::AllAndControls, b"87cT\xa7~>", b"Hell"),
            (Digits85::All, b"87\0cUR~>", b"Hell"),
        ] {
            let found = decoded(Base85::new(digits), data);
            assert_eq!(&found[..found.len().min(4)], expected, "{digits:?} {}", data.escape_ascii());
        }
    }

    #[test]
    fn runs_are_repeated_and_copied() {
        for (data, expected) in [
            (&[2, 1, 2, 3, 254, 9, 128, 7][..], &[1, 2, 3, 9, 9, 9][..]),
            (&[5, 1, 2], &[1, 2]),
            (&[200], &[]),
        ] {
            assert_eq!(decoded(RunLength, data), expected, "{data:?}");
        }
    }
}
