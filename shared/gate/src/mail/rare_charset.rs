//! Converts text in encodings that no browser knows, and that Python's email and iconv decode: what of it is
//! ASCII. Everything else becomes U+FFFD.

/// Decodes a text.
pub(super) type Decode = fn(&[u8]) -> Vec<u8>;

/// Returns what decodes a text in this encoding. `label` is in lower case, with hyphens.
pub(super) fn decoder(label: &str) -> Option<Decode> {
    if label.starts_with("iso-2022-") || label.starts_with("iso2022-") {
        return Some(without_shifts);
    }
    Some(match label {
        "hz" | "hz-gb" | "hz-gb-2312" => hz,
        "unicode-escape" | "raw-unicode-escape" => escapes,
        "shift-jis-2004" | "shiftjis2004" | "sjis-2004" | "s-jis-2004" | "shift-jisx0213"
        | "shiftjisx0213" | "sjisx0213" | "s-jisx0213" => shift_jis_of_2004,
        label => ebcdic(label)?,
    })
}

/// The printable characters of ASCII, from the space on, in code page 37.
const EBCDIC: &[u8; 95] = b"\x40\x5a\x7f\x7b\x5b\x6c\x50\x7d\x4d\x5d\x5c\x4e\x6b\x60\x4b\x61\
    \xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\x7a\x5e\x4c\x7e\x6e\x6f\
    \x7c\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xd1\xd2\xd3\xd4\xd5\xd6\
    \xd7\xd8\xd9\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xba\xe0\xbb\xb0\x6d\
    \x79\x81\x82\x83\x84\x85\x86\x87\x88\x89\x91\x92\x93\x94\x95\x96\
    \x97\x98\x99\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xc0\x4f\xd0\xa1";

/// By the number of the code page, which is in all of its names but those of countries.
fn ebcdic(label: &str) -> Option<Decode> {
    let number = label.trim_start_matches(|character: char| !character.is_ascii_digit());
    let is_page = ["cp", "ibm", "ibm-", "csibm", "ccsid-", "", "ebcdic-", "ebcdic-cp-"]
        .contains(&&label[..label.len() - number.len()]);
    Some(match (label, number) {
        ("ebcdic-cp-us" | "ebcdic-cp-ca" | "ebcdic-cp-wt" | "ebcdic-cp-nl" | "ebcdic-us", _) => {
            |text| from_ebcdic(text, &[])
        }
        ("ebcdic-cp-he", _) => |text| from_ebcdic(text, &[]),
        ("ebcdic-cp-be" | "ebcdic-cp-ch", _) => |text| from_ebcdic(text, PAGE_500),
        (_, "037" | "37" | "1140" | "424") if is_page => |text| from_ebcdic(text, &[]),
        (_, "273" | "1141") if is_page => |text| from_ebcdic(text, PAGE_273),
        (_, "500" | "1148") if is_page => |text| from_ebcdic(text, PAGE_500),
        (_, "875") if is_page => |text| from_ebcdic(text, PAGE_875),
        (_, "1026") if is_page => |text| from_ebcdic(text, PAGE_1026),
        _ => return None,
    })
}

/// What differs from code page 37.
const PAGE_273: &[(u8, u8)] = &[
    (b'!', 0x4f),
    (b'@', 0xb5),
    (b'[', 0x63),
    (b'\\', 0xec),
    (b']', 0xfc),
    (b'^', 0x5f),
    (b'{', 0x43),
    (b'|', 0xbb),
    (b'}', 0xdc),
    (b'~', 0x59),
];
const PAGE_500: &[(u8, u8)] = &[(b'!', 0x4f), (b'[', 0x4a), (b']', 0x5a), (b'^', 0x5f), (b'|', 0xbb)];
const PAGE_875: &[(u8, u8)] = &[(b'!', 0x4f), (b'[', 0x4a), (b']', 0x5a), (b'^', 0x5f), (b'|', 0x6a)];
const PAGE_1026: &[(u8, u8)] = &[
    (b'!', 0x4f),
    (b'"', 0xfc),
    (b'#', 0xec),
    (b'$', 0xad),
    (b'@', 0xae),
    (b'[', 0x68),
    (b'\\', 0xdc),
    (b']', 0xac),
    (b'^', 0x5f),
    (b'`', 0x8d),
    (b'{', 0x48),
    (b'|', 0xbb),
    (b'}', 0x8c),
    (b'~', 0xcc),
];
/// A character that is not ASCII.
const OTHER: &[u8] = "\u{fffd}".as_bytes();

fn from_ebcdic(text: &[u8], differences: &[(u8, u8)]) -> Vec<u8> {
    let mut characters = [None; 256];
    for (character, byte) in (b' '..).zip(EBCDIC) {
        characters[usize::from(*byte)] = Some(character);
    }
    for (character, byte) in differences {
        characters[usize::from(*byte)] = Some(*character);
    }
    for (character, byte) in [(b'\n', 0x25_u8), (b'\n', 0x15), (b'\r', 0x0d), (b'\t', 0x05), (0, 0)] {
        characters[usize::from(byte)] = Some(character);
    }
    let mut ascii = Vec::with_capacity(text.len());
    for byte in text {
        match characters[usize::from(*byte)] {
            Some(character) => ascii.push(character),
            None => ascii.extend_from_slice(OTHER),
        }
    }
    ascii
}

/// RFC 1843: `~` begins an escape, also at the end of a line.
fn hz(text: &[u8]) -> Vec<u8> {
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
        ] {
            let converted = decoder(label).unwrap_or_else(|| panic!("{label}"))(text);
            assert_eq!(String::from_utf8_lossy(&converted), expected, "{label}");
        }
        for label in ["cp1252", "utf-8", "x-unknown", "x037", ""] {
            assert!(decoder(label).is_none(), "{label}");
        }
    }
}
