//! Decodes base64 as lenient readers do: whatever is no digit is skipped, and the end may be missing.

use std::io::{self, BufRead as _, Read};

use crate::blob::{Blob, BlobReader};

/// What a `=` in the middle means. Readers differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Padding {
    /// The data end where a group of four is full.
    Ends,
    /// Another group begins behind it: several encodings one after another.
    EndsGroup,
    IsJunk,
    /// The data end, wherever it stands: behind them, armor has its checksum.
    EndsData,
}

/// The bytes that these digits stand for; those that are missing in the last group are cut.
pub(crate) fn decode(digits: &[u8]) -> Vec<u8> {
    let (mut state, mut bytes) = (State::default(), Vec::new());
    for byte in digits {
        state.take(*byte, Padding::EndsGroup, &mut bytes);
    }
    state.end_group(&mut bytes);
    bytes
}

pub(crate) fn digit(byte: u8) -> Option<u32> {
    match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// A group of four digits, of which some are there.
#[derive(Debug, Default)]
struct State {
    group: u32,
    n_digits: u32,
    n_pads: u32,
}

impl State {
    /// Returns whether the data continue.
    fn take(&mut self, byte: u8, padding: Padding, bytes: &mut Vec<u8>) -> bool {
        if let Some(digit) = digit(byte) {
            self.group = self.group << 6 | digit;
            self.n_digits += 1;
            self.n_pads = 0;
            if self.n_digits == 4 {
                self.end_group(bytes);
            }
        } else if byte == b'=' && (self.n_digits >= 2 || padding == Padding::EndsData) {
            self.n_pads += 1;
            match padding {
                Padding::EndsData => {
                    self.end_group(bytes);
                    return false;
                }
                Padding::EndsGroup => self.end_group(bytes),
                Padding::Ends if self.n_digits + self.n_pads >= 4 => {
                    self.end_group(bytes);
                    return false;
                }
                Padding::Ends | Padding::IsJunk => {}
            }
        }
        true
    }

    fn end_group(&mut self, bytes: &mut Vec<u8>) {
        let n_bytes = (self.n_digits * 6 / 8) as usize;
        let group = self.group << (6 * (4 - self.n_digits.min(4)));
        bytes.extend_from_slice(&group.to_be_bytes()[1..=n_bytes]);
        *self = Self::default();
    }
}

/// Reads a blob decoded.
#[derive(Debug)]
pub(crate) struct Base64 {
    source: BlobReader,
    padding: Padding,
    state: State,
    ready: io::Cursor<Vec<u8>>,
    has_ended: bool,
}

impl Base64 {
    pub(crate) fn new(body: &Blob, padding: Padding) -> Self {
        let (state, ready) = (State::default(), io::Cursor::default());
        Self { source: body.reader(), padding, state, ready, has_ended: false }
    }

    /// Returns whether there are digits behind a padding. Call it when all has been read.
    pub(crate) fn has_inner_padding(&mut self) -> io::Result<bool> {
        let mut found_padding = self.has_ended;
        if !found_padding {
            self.source = self.source.rewound();
        }
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            for byte in buffer {
                found_padding |= *byte == b'=';
                if found_padding && digit(*byte).is_some() {
                    return Ok(true);
                }
            }
            let n_bytes = buffer.len();
            self.source.consume(n_bytes);
        }
    }

    fn decode_more(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let buffer = self.source.fill_buf()?;
        let is_end = buffer.is_empty();
        let mut n_taken = 0;
        for byte in buffer {
            n_taken += 1;
            if !self.state.take(*byte, self.padding, &mut bytes) {
                self.has_ended = true;
                break;
            }
        }
        self.source.consume(n_taken);
        if is_end {
            self.state.end_group(&mut bytes);
        }
        self.ready = io::Cursor::new(bytes);
        Ok(())
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.has_ended || (self.state.n_digits == 0 && self.source.fill_buf()?.is_empty()))
    }
}

impl Read for Base64 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_bytes = self.ready.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() || self.is_at_end()? {
                return Ok(n_bytes);
            }
            self.decode_more()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, padding: Padding) -> (String, bool) {
        let mut decoder = Base64::new(&Blob::from_bytes(text.as_bytes().to_vec()), padding);
        let mut bytes = String::new();
        decoder.read_to_string(&mut bytes).unwrap();
        (bytes, decoder.has_inner_padding().unwrap())
    }

    #[test]
    fn what_is_no_digit_is_skipped() {
        for text in ["Q2F0", "Q2!F0", "Q\r\n2 F\t0\r\n", "--Q.2.F.0", "=Q2F0", "Q=2F0"] {
            assert_eq!(decoded(text, Padding::Ends).0, "Cat", "{text}");
        }
        assert_eq!(decoded("Q2F0Q", Padding::Ends).0, "Cat", "a digit too many is no byte");
        assert_eq!(decoded("Q2F0Q0", Padding::Ends).0, "CatC");
        assert_eq!(decode(b"Q2F0"), b"Cat");
    }

    #[test]
    fn padding_in_the_middle_is_read_in_three_ways() {
        assert_eq!(decoded("Q2E=Q2F0", Padding::Ends), ("Ca".into(), true));
        assert_eq!(decoded("Q2E=Q2F0", Padding::EndsGroup).0, "CaCat");
        assert_eq!(decoded("Q2=F0", Padding::IsJunk).0, "Cat");
        assert_eq!(decoded("Q2=F0", Padding::Ends), ("Cat".into(), true));
        assert_eq!(decoded("Q2E=\r\n--\r\n", Padding::Ends), ("Ca".into(), false));
        assert_eq!(decoded("Qw==", Padding::Ends), ("C".into(), false));
        for text in ["Q2F0=Q2F0", "Q2F0\n=Q2F0\n", "Q2F0Q=", "Q2F0=\n"] {
            assert_eq!(decoded(text, Padding::EndsData).0, "Cat", "{text}");
        }
        assert_eq!(decoded("Qw==Q2F0", Padding::EndsData).0, "C");
    }

    #[test]
    fn long_data_come_in_pieces() {
        let text = "Q2F0\r\n".repeat(50_000);
        assert_eq!(decoded(&text, Padding::Ends), ("Cat".repeat(50_000), false));
    }
}
