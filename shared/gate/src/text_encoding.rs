//! uuencode and base64 behind a `begin` line: what decodes, line by line, until something does not.

use std::io::{self, BufRead as _, Read};

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::NO_PAD};

use crate::blob::BlobReader;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    Uu,
    Base64,
}

/// What a line says that the next ones are: `begin 644 name` or `begin-base64 644 name`.
pub(crate) fn of_line(line: &[u8]) -> Option<Encoding> {
    let (encoding, rest) = match line.strip_prefix(b"begin-base64 ") {
        Some(rest) => (Encoding::Base64, rest),
        None => (Encoding::Uu, line.strip_prefix(b"begin ")?),
    };
    let n_digits = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    ((3..=4).contains(&n_digits) && rest.get(n_digits) == Some(&b' ')).then_some(encoding)
}

/// Decodes base64 with or without padding. What no reader could decode is `None`.
pub(crate) fn decode_base64(digits: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    let decoder = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
    // A digit too many means nothing to anyone.
    let n_whole = digits.len() - usize::from(digits.len() % 4 == 1);
    decoder.decode(&digits[..n_whole]).ok()
}

/// Reads the lines behind a `begin` line, decoded.
pub(crate) struct Decoder {
    source: BlobReader,
    encoding: Encoding,
    has_begun: bool,
    ready: io::Cursor<Vec<u8>>,
}

const MAX_LINE: u64 = 64 * 1024;

impl Decoder {
    pub(crate) fn new(source: BlobReader, encoding: Encoding) -> Self {
        Self { source, encoding, has_begun: false, ready: io::Cursor::default() }
    }

    fn next_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.source).take(MAX_LINE).read_until(b'\n', &mut line)?;
        Ok(line)
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.next_line()?;
        }
        let n_bytes = self.ready.read(buffer)?;
        if n_bytes > 0 || buffer.is_empty() {
            return Ok(n_bytes);
        }
        let line = self.next_line()?;
        let text = line.trim_ascii_end();
        let decoded = match self.encoding {
            Encoding::Uu => decode_uu(text),
            Encoding::Base64 => decode_base64(text.split(|byte| *byte == b'=').next().unwrap_or_default()),
        };
        self.ready = io::Cursor::new(decoded.unwrap_or_default());
        self.ready.read(buffer)
    }
}

/// One line: its length, then four characters for three bytes each, six bits a character, space or backquote for zero. Missing
/// characters at the end count as spaces, which mail programs strip.
fn decode_uu(line: &[u8]) -> Option<Vec<u8>> {
    let bits = |byte: u8| (0x20..=0x60).contains(&byte).then(|| u32::from(byte - 0x20) % 64);
    let (length, text) = line.split_first()?;
    let n_bytes = usize::try_from(bits(*length)?).ok()?;
    let mut bytes = Vec::new();
    for group in text.chunks(4) {
        let mut word = 0;
        for index in 0..4 {
            word = word << 6 | bits(group.get(index).copied().unwrap_or(b' '))?;
        }
        bytes.extend_from_slice(&word.to_be_bytes()[1..]);
    }
    bytes.resize(n_bytes, 0);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_decoded_until_one_is_not() {
        assert_eq!(decode_uu(b"#0V%T").unwrap(), b"Cat");
        assert_eq!(decode_uu(b"#0V%").unwrap(), b"Ca@", "a stripped space counts as zero");
        assert_eq!(decode_uu(b"`").unwrap(), b"");
        assert_eq!(decode_uu(b"end"), None);
        assert_eq!(decode_base64(b"Q2F0").unwrap(), b"Cat");
        assert_eq!(decode_base64(b"Q2F0Q").unwrap(), b"Cat");
        assert_eq!(of_line(b"begin 644 a"), Some(Encoding::Uu));
        assert_eq!(of_line(b"begin-base64 0644 a"), Some(Encoding::Base64));
        for prose in ["begin with", "begin 64 a", "begin 644", "beginning 644 a", "begin 644444 a"] {
            assert_eq!(of_line(prose.as_bytes()), None, "{prose}");
        }
        let text = b"begin 644 a\n#0V%T\n#0V%T\nend\n#0V%T\n".to_vec();
        let mut decoded = Vec::new();
        let source = crate::Blob::from_bytes(text).reader();
        Decoder::new(source, Encoding::Uu).read_to_end(&mut decoded).unwrap();
        assert_eq!(decoded, b"CatCat");
    }
}
