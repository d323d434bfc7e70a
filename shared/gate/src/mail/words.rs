//! Decodes words that are encoded in a header (RFC 2047), wherever they stand.

use crate::text_encoding::decode_base64;

/// A text with all such words decoded; `None` if it has none. White space between two of them is dropped.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut all, mut rest, mut is_behind_word, mut has_word) = (Vec::new(), text, false, false);
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, from_mark) = rest.split_at(at);
        if !(is_behind_word && before.trim_ascii().is_empty()) {
            all.extend_from_slice(before);
        }
        let word = word(&from_mark[2..]);
        is_behind_word = word.is_some();
        if let Some((word, behind)) = word {
            all.extend(word);
            has_word = true;
            rest = behind;
        } else {
            all.extend_from_slice(b"=?");
            rest = &from_mark[2..];
        }
    }
    all.extend_from_slice(rest);
    has_word.then_some(all)
}

/// What a word says, behind its first `=?`, and what follows it. Its end may be missing.
fn word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (charset, rest) = split_at_mark(text)?;
    let (encoding, rest) = split_at_mark(rest)?;
    if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let end = memchr::memmem::find(rest, b"?=").unwrap_or(rest.len());
    let behind = rest.get(end + 2..).unwrap_or_default();
    match encoding {
        b"Q" | b"q" => Some((quoted(&rest[..end]), behind)),
        b"B" | b"b" => Some((decode_base64(&rest[..end]), behind)),
        _ => None,
    }
}

fn split_at_mark(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'?', text)?;
    Some((&text[..at], &text[at + 1..]))
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, behind)) = rest.split_first() {
        let hexadecimal = |byte: u8| char::from(byte).to_digit(16).and_then(|bits| u8::try_from(bits).ok());
        let pair =
            behind.first().copied().and_then(hexadecimal).zip(behind.get(1).copied().and_then(hexadecimal));
        let (byte, behind) = match (byte, pair) {
            (b'=', Some((high, low))) => (high << 4 | low, &behind[2..]),
            (b'_', _) => (b' ', behind),
            (byte, _) => (*byte, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_wherever_they_stand() {
        for (text, expected) in [
            ("=?x?Q?a=3A_b?=", "a: b"),
            ("a =?x?q?b?=\t =?x?B?Y2F0?= d", "a bcat d"),
            ("=?x?Q?a=3", "a=3"),
            ("=?=?x?Q?a?=", "=?a"),
        ] {
            assert_eq!(decoded(text.as_bytes()).as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for text in ["", "a: b", "=?x?Z?a?=", "=??Q?a?=", "=?x?Q", "=? x?Q?a?="] {
            assert_eq!(decoded(text.as_bytes()), None, "{text}");
        }
    }
}
