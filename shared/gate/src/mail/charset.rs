//! Converts text in other character sets than ASCII: some readers save the bytes of a part, others save them
//! converted to UTF-8.

use std::io::{self, Read};

use domain::verdict::Unscannable;
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_16BE, UTF_16LE};

use super::rare_charset;
use crate::blob::{Blob, BlobReader};
use crate::walk::{Walk, Walked, refuse};

/// Hands over what a body says in UTF-8, if that differs.
pub(crate) fn hand_converted(walk: &mut Walk<'_>, body: &Blob, label: &[u8], depth: u32) -> Walked {
    // Python's names have underscores.
    let label = String::from_utf8_lossy(label.trim_ascii()).to_ascii_lowercase().replace('_', "-");
    match label.as_str() {
        // Without a mark, readers take it for either.
        "utf-16" | "utf16" | "utf-16-le" | "utf-16-be" | "u16" | "ucs-2" | "iso-10646-ucs-2" => {
            for encoding in [UTF_16LE, UTF_16BE] {
                walk.reading(&mut Converted::new(body, encoding), depth)?;
            }
        }
        "utf-7" | "utf7" | "u7" | "unicode-1-1-utf-7" | "csunicode11utf7" => {
            walk.reading(&mut utf7(body)?.reader(), depth)?;
        }
        "utf-32" | "utf32" | "utf-32le" | "utf-32be" | "utf-32-le" | "utf-32-be" | "u32" | "ucs-4"
        | "iso-10646-ucs-4" => {
            for from_bytes in [u32::from_le_bytes, u32::from_be_bytes] {
                walk.reading(&mut utf32(body, from_bytes)?.reader(), depth)?;
            }
        }
        label => {
            // Labels of browsers have hyphens or underscores, each as it has been.
            let with_underscores = || Encoding::for_label(label.replace('-', "_").as_bytes());
            let marked = || (label == "utf-8-sig").then_some(encoding_rs::UTF_8);
            let known = Encoding::for_label(label.as_bytes()).or_else(with_underscores).or_else(marked);
            if let Some(encoding) = known {
                walk.reading(&mut Converted::new(body, encoding), depth)?;
            }
            if let Some(decode) = rare_charset::decoder(label) {
                let converted = Blob::from_bytes(decode(&rare(body)?));
                walk.reading(&mut converted.reader(), depth)?;
            }
        }
    }
    Ok(())
}

/// Hands over a text in UTF-16 as UTF-8: what is encoded in it is found there.
pub(super) fn walk_wide_text(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let head = blob.bytes_at(0, 4)?;
    let encoding = match head.as_slice() {
        [0xff, 0xfe, _, 0] | [b'<', 0, _, 0] => UTF_16LE,
        [0xfe, 0xff, 0, _] | [0, b'<', 0, _] => UTF_16BE,
        _ => return Ok(()),
    };
    walk.reading(&mut Converted::new(blob, encoding), depth).map(|_| ())
}

/// Reads a text converted to UTF-8; what is no character becomes U+FFFD.
struct Converted {
    source: BlobReader,
    decoder: Decoder,
    input: Vec<u8>,
    output: io::Cursor<Vec<u8>>,
    is_done: bool,
}

impl Converted {
    fn new(body: &Blob, encoding: &'static Encoding) -> Self {
        let (input, output) = (Vec::new(), io::Cursor::default());
        Self { source: body.reader(), decoder: encoding.new_decoder(), input, output, is_done: false }
    }

    fn convert_more(&mut self) -> io::Result<()> {
        const MOST: usize = 16 * 1024;
        self.input.resize(MOST, 0);
        let n_bytes = self.source.read(&mut self.input)?;
        self.is_done = n_bytes == 0;
        let (mut text, mut rest) = (String::new(), &self.input[..n_bytes]);
        loop {
            text.reserve(self.decoder.max_utf8_buffer_length(rest.len()).unwrap_or(4 * MOST));
            let (result, n_read) =
                self.decoder.decode_to_string_without_replacement(rest, &mut text, self.is_done);
            rest = &rest[n_read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => text.push('\u{fffd}'),
            }
        }
        self.output = io::Cursor::new(text.into_bytes());
        Ok(())
    }
}

impl Read for Converted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_bytes = self.output.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() || self.is_done {
                return Ok(n_bytes);
            }
            self.convert_more()?;
        }
    }
}

/// What a text in a rare character set may be at most: it is converted in memory.
const MAX_RARE: usize = 16 * 1024 * 1024;

/// All of a text in a rare character set. A longer one is refused, not cut.
fn rare(body: &Blob) -> Walked<Vec<u8>> {
    if body.size_bytes() > crate::blob::to_u64(MAX_RARE) {
        return refuse(
            Unscannable::UnsupportedContainer,
            "mail: a longer text in a rare character set than the limit",
        );
    }
    Ok(body.bytes_at(0, MAX_RARE)?)
}

/// RFC 2152: UTF-16 in base64 between `+` and `-`.
fn utf7(body: &Blob) -> Walked<Blob> {
    let bytes = rare(body)?;
    let (mut text, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some(at) = memchr::memchr(b'+', rest) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let (digits, behind) = rest.split_at(rest.iter().take_while(is_digit).count());
        rest = behind.strip_prefix(b"-").unwrap_or(behind);
        if digits.is_empty() {
            text.push(b'+');
        }
        let units = crate::text_encoding::decode_base64(digits);
        let units = units.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
        let characters = char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}'));
        text.extend(characters.collect::<String>().into_bytes());
    }
    text.extend_from_slice(rest);
    Ok(Blob::from_bytes(text))
}

fn utf32(body: &Blob, from_bytes: fn([u8; 4]) -> u32) -> Walked<Blob> {
    let bytes = rare(body)?;
    let units = bytes.chunks_exact(4).map(|unit| from_bytes([unit[0], unit[1], unit[2], unit[3]]));
    let characters =
        units.filter(|unit| *unit != 0xfeff).map(|unit| char::from_u32(unit).unwrap_or('\u{fffd}'));
    Ok(Blob::from_bytes(characters.collect::<String>().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(mut source: impl Read) -> String {
        let mut text = String::new();
        source.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn texts_are_converted() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let long = "a\u{e4}\u{1f600}".repeat(10_000);
        assert_eq!(content(Converted::new(&Blob::from_bytes(wide(&long)), UTF_16LE)), long);
        let shift_jis = Encoding::for_label(b"shift_jis").unwrap();
        let japanese = Blob::from_bytes(vec![0x93, 0xfa, 0x96, 0x7b, 0xff]);
        assert_eq!(content(Converted::new(&japanese, shift_jis)), "\u{65e5}\u{672c}\u{fffd}");
        assert_eq!(content(utf7(&Blob::from_bytes(b"a+AOQ-b+-c".to_vec())).unwrap().reader()), "a\u{e4}b+c");
        let four = "a\u{e4}".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>();
        assert_eq!(content(utf32(&Blob::from_bytes(four), u32::from_be_bytes).unwrap().reader()), "a\u{e4}");
    }
}
