//! Converts text in encodings that no browser knows, and that Python's email and iconv decode: what of it is
//! ASCII. Everything else becomes U+FFFD.

use super::code_pages::{EBCDIC, OTHERS, PAGE_37, Page};
use crate::text_encoding::decode_base64;

/// A way to decode a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rare {
    Shifts,
    /// Whether the end of a line ends what is Chinese (RFC 1843); to Python it does not.
    Hz(bool),
    Escapes,
    ShiftJisOf2004,
    /// The first byte of a character takes the next one with it.
    Pairs,
    /// What begins UTF-16 in base64: `+`, or `&` in names of mailboxes (RFC 3501), where `,` is a digit.
    Utf7(u8),
    Utf32Le,
    Utf32Be,
    Ebcdic(&'static [u8]),
    Besides(&'static [u8]),
}

/// Where a text may be cut in two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    Words,
    Lines,
    Nowhere,
}

/// Returns the ways to decode a text in this encoding. `label` is in lower case, with hyphens.
pub(super) fn decoders(label: &str) -> Vec<Rare> {
    let label = label.replace(['-', '.'], "");
    let label = label.as_str();
    let is_utf32 = ["utf32", "u32", "ucs4", "csucs4", "iso10646", "10646"];
    if label.starts_with("iso2022") || label.starts_with("csiso2022") {
        return vec![Rare::Shifts];
    }
    if is_utf32.iter().any(|start| label.starts_with(start)) {
        return vec![Rare::Utf32Le, Rare::Utf32Be];
    }
    match label {
        "hz" | "hzgb" | "hzgb2312" => vec![Rare::Hz(false), Rare::Hz(true)],
        "unicodeescape" | "rawunicodeescape" => vec![Rare::Escapes],
        "shiftjis2004" | "sjis2004" | "shiftjisx0213" | "sjisx0213" => vec![Rare::ShiftJisOf2004],
        "johab" | "cp1361" | "ms1361" | "mscp1361" | "euctw" | "big5hkscs" => vec![Rare::Pairs],
        "utf7" | "u7" | "unicode11utf7" | "csunicode11utf7" | "csutf7" => vec![Rare::Utf7(b'+')],
        "utf7imap" | "csutf7imap" => vec![Rare::Utf7(b'&')],
        label => {
            let pages = pages(EBCDIC, label).map(Rare::Ebcdic);
            pages.chain(self::pages(OTHERS, label).map(Rare::Besides)).collect()
        }
    }
}

/// What differs in the pages of a label: by its name, or by the number, which is in most names.
fn pages(pages: &'static [Page], label: &str) -> impl Iterator<Item = &'static [u8]> {
    let number = label.trim_start_matches(|character: char| !character.is_ascii_digit());
    let before = &label[..label.len() - number.len()];
    let is_number = ["cp", "ibm", "csibm", "ccsid", "ebcdic", "ebcdiccp"].contains(&before);
    let (label, number) = (label.to_owned(), if is_number { number.to_owned() } else { String::new() });
    let is_it = move |name: &str| name == label || name == number || name.trim_start_matches('0') == number;
    pages.iter().filter(move |(names, _)| names.split(' ').any(&is_it)).map(|(_, page)| *page)
}

impl Rare {
    pub(super) const PAGE_37: Self = Self::Ebcdic(&[]);

    /// Returns whether a text of ASCII alone may begin one.
    pub(super) fn has_ascii(self) -> bool {
        !matches!(self, Self::Utf32Le | Self::Utf32Be | Self::Ebcdic(_))
    }

    pub(super) fn cut(self) -> Cut {
        match self {
            Self::Shifts | Self::Escapes | Self::ShiftJisOf2004 | Self::Pairs | Self::Utf7(_) => Cut::Lines,
            Self::Hz(ends_with_line) => {
                if ends_with_line {
                    Cut::Lines
                } else {
                    Cut::Nowhere
                }
            }
            Self::Utf32Le | Self::Utf32Be | Self::Ebcdic(_) | Self::Besides(_) => Cut::Words,
        }
    }

    pub(super) fn decode(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Shifts => without_shifts(text),
            Self::Hz(ends_with_line) => hz(text, ends_with_line),
            Self::Escapes => escapes(text),
            Self::ShiftJisOf2004 => shift_jis_of_2004(text),
            Self::Pairs => pairs(text),
            Self::Utf7(start) => utf7(text, start),
            Self::Utf32Le => utf32(text, u32::from_le_bytes),
            Self::Utf32Be => utf32(text, u32::from_be_bytes),
            Self::Ebcdic(differences) => {
                let mut characters = table(differences);
                // Python's page of Hebrew and others have the same controls.
                for (character, byte) in
                    [(b'\n', 0x25_u8), (b'\n', 0x15), (b'\r', 0x0d), (b'\t', 0x05), (0, 0)]
                {
                    characters[usize::from(byte)] = Some(character);
                }
                for (character, byte) in (b' '..).zip(PAGE_37) {
                    characters[usize::from(*byte)].get_or_insert(character);
                }
                by_table(text, &characters)
            }
            Self::Besides(differences) => {
                let mut characters = table(differences);
                for (character, place) in (0..0x80).zip(&mut characters) {
                    place.get_or_insert(character);
                }
                by_table(text, &characters)
            }
        }
    }
}

/// A character that is not ASCII.
const OTHER: &[u8] = "\u{fffd}".as_bytes();

/// Which byte is which character, by a page.
fn table(page: &[u8]) -> [Option<u8>; 256] {
    let mut characters = [None; 256];
    for pair in page.chunks_exact(2) {
        characters[usize::from(pair[1])] = Some(pair[0]);
    }
    characters
}

fn by_table(text: &[u8], characters: &[Option<u8>; 256]) -> Vec<u8> {
    let mut ascii = Vec::with_capacity(text.len());
    for byte in text {
        match characters[usize::from(*byte)] {
            Some(character) => ascii.push(character),
            None => ascii.extend_from_slice(OTHER),
        }
    }
    ascii
}

/// RFC 2152: UTF-16 in base64 between `+` and `-`.
fn utf7(bytes: &[u8], start: u8) -> Vec<u8> {
    let (mut text, mut rest) = (Vec::new(), bytes);
    let sign = if start == b'&' { b',' } else { b'/' };
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'+' || **byte == sign;
    while let Some(at) = memchr::memchr(start, rest) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let (digits, behind) = rest.split_at(rest.iter().take_while(is_digit).count());
        rest = behind.strip_prefix(b"-").unwrap_or(behind);
        if digits.is_empty() {
            text.push(start);
        }
        let digits = digits.iter().map(|byte| if *byte == sign { b'/' } else { *byte }).collect::<Vec<_>>();
        let units = decode_base64(&digits);
        let units = units.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
        let characters = char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}'));
        text.extend(characters.collect::<String>().into_bytes());
    }
    text.extend_from_slice(rest);
    text
}

fn utf32(bytes: &[u8], from_bytes: fn([u8; 4]) -> u32) -> Vec<u8> {
    let units = bytes.chunks_exact(4).map(|unit| from_bytes([unit[0], unit[1], unit[2], unit[3]]));
    let characters =
        units.filter(|unit| *unit != 0xfeff).map(|unit| char::from_u32(unit).unwrap_or('\u{fffd}'));
    characters.collect::<String>().into_bytes()
}

/// Sets of two bytes a character, the second of which may look like ASCII.
fn pairs(text: &[u8]) -> Vec<u8> {
    let (mut ascii, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if byte.is_ascii() {
            ascii.push(*byte);
        } else {
            ascii.extend_from_slice(OTHER);
            rest = behind.get(1..).unwrap_or_default();
        }
    }
    ascii
}

/// RFC 1843: `~` begins an escape, also at the end of a line.
fn hz(text: &[u8], ends_with_line: bool) -> Vec<u8> {
    let (mut ascii, mut rest, mut is_chinese) = (Vec::with_capacity(text.len()), text, false);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind.first()) {
            (b'~', Some(b'~')) if !is_chinese => ascii.push(b'~'),
            (b'~', Some(b'{' | b'}')) => is_chinese = behind.starts_with(b"{"),
            (b'~', Some(b'\n')) => {}
            (b'~', Some(b'\r')) if behind.starts_with(b"\r\n") => rest = &rest[1..],
            (_, _) if is_chinese && *byte != b'\n' => {
                ascii.extend_from_slice(OTHER);
            }
            (_, _) => {
                is_chinese &= *byte != b'\n' || !ends_with_line;
                ascii.push(*byte);
                continue;
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    ascii
}

/// ISO 2022: without escape sequences and shifts. What they announce stays as it is, since much of that is
/// ASCII.
fn without_shifts(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            0x1b => {
                let n_between = rest.iter().take_while(|byte| (0x20..0x30).contains(*byte)).count();
                rest = rest.get(n_between + 1..).unwrap_or_default();
            }
            0x0e | 0x0f => {}
            byte => plain.push(*byte),
        }
    }
    plain
}

/// JIS X 0213 has the backslash of ASCII where JIS X 0208 has a wide one.
fn shift_jis_of_2004(text: &[u8]) -> Vec<u8> {
    let (converted, _) = encoding_rs::SHIFT_JIS.decode_without_bom_handling(text);
    converted.replace('\u{ff3c}', "\\").into_bytes()
}

/// The escapes of Python's string literals, names of characters excepted.
fn escapes(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let Some((kind, digits)) = behind.split_first().filter(|_| *byte == b'\\') else {
            plain.push(*byte);
            continue;
        };
        rest = digits;
        let (n_most, radix) = match kind {
            b'x' => (2, 16),
            b'u' => (4, 16),
            b'U' => (8, 16),
            b'0'..=b'7' => (3, 8),
            _ => {
                plain.extend(simple(*kind));
                continue;
            }
        };
        let digits = if radix == 8 { behind } else { digits };
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let n_digits = digits.iter().take(n_most).take_while(is_digit).count();
        let value = std::str::from_utf8(&digits[..n_digits]).ok();
        let value = value.and_then(|digits| u32::from_str_radix(digits, radix).ok());
        let character = value.and_then(char::from_u32).unwrap_or('\u{fffd}');
        plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &digits[n_digits..];
    }
    plain
}

fn simple(kind: u8) -> Vec<u8> {
    match kind {
        b'\n' => vec![],
        b'n' => vec![b'\n'],
        b'r' => vec![b'\r'],
        b't' => vec![b'\t'],
        b'\\' | b'\'' | b'"' => vec![kind],
        kind => vec![b'\\', kind],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ascii_is_converted() {
        for (label, text, expected) in [
            ("hz", b"a~\nb~~c~{<:Ky~}d~\r\ne".as_slice(), "ab~c\u{fffd}\u{fffd}de"),
            ("iso-2022-kr", b"\x1b$)Ca\x0fb", "ab"),
            ("iso2022-jp-3", b"a\x1b(Bb\x1b$(Q", "ab"),
            ("unicode-escape", b"\\x41\\102\\u0043\\U00000044\\\ne\\n\\\\\\q\\", "ABCDe\n\\\\q\\"),
            ("shift-jisx0213", b"a\x81\x5fb", "a\\b"),
            ("cp037", b"\xc1\x81\x5a\x25\xff", "Aa!\n\u{fffd}"),
            ("ibm500", b"\xc1\x4f\x4a", "A!["),
            ("ebcdic-cp-be", b"\x4f", "!"),
            ("csibm273", b"\xec\xdc", "\\}"),
            ("cp875", b"\x6a", "|"),
            ("1026", b"\xad\xae", "$@"),
            ("cp1140", b"\x5b", "$"),
            ("ibm-1047", b"\xad\xbd", "[]"),
            ("ebcdic-uk", b"\x4a", "$"),
            ("mac-farsi", b"a\xa1", "a!"),
            ("johab", b"a\x88bc", "a\u{fffd}c"),
            ("hz", b"~{ab\ncd", "\u{fffd}\ncd"),
            ("utf-7", b"a+AOQ-b+-c", "a\u{e4}b+c"),
            ("utf-7-imap", b"a&AOQ-b&-c+", "a\u{e4}b&c+"),
            ("ucs-4be", b"\0\0\0a\0\0\0\xe4", "a\u{e4}"),
        ] {
            let decoders = decoders(label);
            let converted = decoders.last().unwrap_or_else(|| panic!("{label}")).decode(text);
            assert_eq!(String::from_utf8_lossy(&converted), expected, "{label}");
        }
        for label in ["cp1252", "utf-8", "x-unknown", "x037", ""] {
            assert_eq!(decoders(label), [], "{label}");
        }
    }
}
