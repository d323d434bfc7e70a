//! Converts text in other character sets than ASCII: some readers save the bytes of a part, others save them
//! converted to UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_16BE, UTF_16LE};

use super::boundary::{parameters, percent_decoded};
use super::rare_charset::{self, Cut, Rare};
use crate::blob::{Blob, BlobReader, to_u64};
use crate::text_encoding::{decode_base64, decoder};
use crate::walk::{Walk, Walked};

/// Hands over what a body says in UTF-8, if that differs.
pub(crate) fn hand_converted(walk: &mut Walk<'_>, body: &Blob, label: &[u8], depth: u32) -> Walked {
    let written = String::from_utf8_lossy(label.trim_ascii()).to_ascii_lowercase();
    let label = normalized(&written);
    match label.as_str() {
        // Without a mark, readers take it for either.
        "utf-16" | "utf16" | "utf-16-le" | "utf-16-be" | "u16" | "ucs-2" | "ucs2" | "iso-10646-ucs-2"
        | "unicode" | "csunicode" => {
            for encoding in [UTF_16LE, UTF_16BE] {
                walk.reading(&mut Converted::new(body, encoding), depth)?;
            }
        }
        label => {
            // Labels of browsers have hyphens or underscores, each as it has been.
            let spellings = [written.as_str(), label, &label.replace('-', "_")];
            let marked = || (label == "utf-8-sig").then_some(encoding_rs::UTF_8);
            let known =
                spellings.iter().find_map(|label| Encoding::for_label(label.as_bytes())).or_else(marked);
            if let Some(encoding) = known {
                walk.reading(&mut Converted::new(body, encoding), depth)?;
            }
            for rare in rare_charset::decoders(label) {
                walk.reading(&mut in_pieces(body, rare), depth)?;
            }
        }
    }
    Ok(())
}

/// The labels of character sets in a Content-Type, as they are compared. Those of ASCII and its extensions by
/// single bytes say nothing.
pub(super) fn labels(content_type: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let values = parameters(content_type, b"charset").into_iter().flatten();
    let values = values.flat_map(|value| [encoded_word(&value), Some(value)]).flatten();
    let labels = values.map(|value| normalized(&String::from_utf8_lossy(&value).to_ascii_lowercase()));
    labels.filter(|label| is_known(label)).map(String::into_bytes)
}

/// Returns whether anything converts a text in this set: only so many labels of a header count.
fn is_known(label: &str) -> bool {
    let is_of_browsers = |label: &str| Encoding::for_label(label.as_bytes()).is_some();
    is_of_browsers(label)
        || is_of_browsers(&label.replace('-', "_"))
        || label.starts_with("utf")
        || label.starts_with("ucs")
        || matches!(label, "u16" | "unicode" | "csunicode" | "iso-10646-ucs-2")
        || !rare_charset::decoders(label).is_empty()
}

/// The ways to decode a text in a set that browsers do not know.
pub(super) fn rare_decoders(label: &[u8]) -> Vec<Rare> {
    rare_charset::decoders(&normalized(&String::from_utf8_lossy(label).to_ascii_lowercase()))
}

/// What an encoded word says (RFC 2047): Python takes one for a label.
fn encoded_word(value: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = value.strip_prefix(b"=?")?.split(|byte| *byte == b'?').skip(1);
    let (encoding, text) = (pieces.next()?, pieces.next()?);
    Some(match encoding {
        b"B" | b"b" => decode_base64(text),
        _ => percent_decoded(
            &text.iter().map(|byte| if *byte == b'=' { b'%' } else { *byte }).collect::<Vec<_>>(),
        ),
    })
}

/// A label as Python compares it: whatever is neither a letter nor a digit is one hyphen.
fn normalized(label: &str) -> String {
    let words = label.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Reads a text converted to UTF-8; what is no character becomes U+FFFD.
pub(super) struct Converted {
    source: BlobReader,
    decoder: Decoder,
    input: Vec<u8>,
    output: io::Cursor<Vec<u8>>,
    is_done: bool,
}

impl Converted {
    pub(super) fn new(body: &Blob, encoding: &'static Encoding) -> Self {
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

/// What a text that cannot be cut is at most: it is converted in memory.
const MOST_IN_MEMORY: usize = 16 * 1024 * 1024;

/// Reads a text that is converted a piece after another. Fails where none is short enough.
fn in_pieces(body: &Blob, rare: Rare) -> impl Read + use<> {
    const STEP: usize = 64 * 1024;
    let (body, mut at) = (body.clone(), 0);
    decoder(move || {
        let mut n_wanted = if rare.cut() == Cut::Nowhere { MOST_IN_MEMORY } else { STEP };
        loop {
            let piece = body.bytes_at(at, n_wanted)?;
            let is_last = at + to_u64(piece.len()) >= body.size_bytes();
            let end = match rare.cut() {
                _ if is_last => Some(piece.len()),
                Cut::Words => Some(piece.len() / WORD * WORD),
                Cut::Lines => memchr::memrchr(b'\n', &piece).map(|line_end| line_end + 1),
                Cut::Nowhere => None,
            };
            if let Some(end) = end {
                at += to_u64(end);
                return Ok((end > 0).then(|| rare.decode(&piece[..end])));
            }
            if n_wanted >= MOST_IN_MEMORY {
                return Err(io::Error::other("a text of long lines in a rare character set"));
            }
            n_wanted *= 2;
        }
    })
}

/// The bytes of a character of UTF-32.
const WORD: usize = 4;

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
    }

    #[test]
    fn long_texts_are_converted_in_pieces() {
        let content = |text: &str, rare| {
            let mut converted = Vec::new();
            let body = Blob::from_bytes(text.as_bytes().to_vec());
            in_pieces(&body, rare).read_to_end(&mut converted).map(|_| String::from_utf8(converted).unwrap())
        };
        let lines = format!("{}+AOQ-\n", "a".repeat(1000)).repeat(20_000);
        assert_eq!(content(&lines, Rare::Utf7(b'+')).unwrap(), lines.replace("+AOQ-", "\u{e4}"));
        let one = lines.replace('\n', "");
        assert!(content(&one, Rare::Utf7(b'+')).is_err());
        assert_eq!(content(&one[..9_000_000], Rare::Shifts).unwrap(), one[..9_000_000]);
        assert!(content(&lines, Rare::Hz(false)).is_err());
        let four = "a\0\0\0".repeat(70_000);
        assert_eq!(content(&four, Rare::Utf32Le).unwrap(), "a".repeat(70_000));
    }

    #[test]
    fn a_label_is_compared_by_its_letters() {
        for label in ["utf-16", "utf_16", "utf--16", "utf 16", "utf/16", "utf+16"] {
            assert_eq!(normalized(label), "utf-16", "{label}");
        }
    }
}
