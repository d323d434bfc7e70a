//! Resolves references to characters (XML 1.0, 4.1; HTML, "Named character references").

use std::io::{self, Read};

/// The longest reference that is one.
pub(super) const LONGEST: usize = 32;
/// Stands for every character that is not in ASCII.
const OTHER: u8 = 0xff;
/// Those of characters that base64 and the addresses of data are made of, and of white space and markup.
const NAMED: [(&[u8], u8); 20] = [
    (b"AMP", b'&'),
    (b"LT", b'<'),
    (b"GT", b'>'),
    (b"QUOT", b'"'),
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"plus", b'+'),
    (b"sol", b'/'),
    (b"equals", b'='),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"comma", b','),
    (b"period", b'.'),
    (b"percnt", b'%'),
    (b"lowbar", b'_'),
    (b"Tab", b'\t'),
    (b"NewLine", b'\n'),
];

/// The names that do without a semicolon in HTML: the first ones of [`NAMED`].
const N_OLD: usize = 8;

/// Returns the character that `text`, which stands behind a `&`, refers to, and how long the reference is
/// with its semicolon. Browsers do without one behind a number, and behind an old name in an attribute unless
/// a letter, a digit or `=` follows.
pub(super) fn character(text: &[u8]) -> Option<(u8, usize)> {
    if let Some(number) = text.strip_prefix(b"#") {
        let (radix, digits) = match number.first() {
            Some(b'x' | b'X') => (16, &number[1..]),
            _ => (10, number),
        };
        let n_digits = digits.iter().take_while(|byte| (**byte as char).is_digit(radix)).count();
        if n_digits == 0 {
            return None;
        }
        let value = digits[..n_digits].iter().fold(0u32, |value, byte| {
            let digit = (*byte as char).to_digit(radix).unwrap_or(0);
            value.saturating_mul(radix).saturating_add(digit)
        });
        let n_before = text.len() - digits.len();
        let n_behind = usize::from(digits.get(n_digits) == Some(&b';'));
        let byte = u8::try_from(value).ok().filter(u8::is_ascii).unwrap_or(OTHER);
        return Some((byte, n_before + n_digits + n_behind));
    }
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    let n_behind = usize::from(text.get(end) == Some(&b';'));
    let known = if n_behind == 0 { &NAMED[..N_OLD] } else { &NAMED };
    let (_, byte) = known.iter().find(|(name, _)| *name == &text[..end])?;
    (n_behind > 0 || text.get(end) != Some(&b'=')).then_some((*byte, end + n_behind))
}

/// Gives `emit` the text that `source` reads, resolved.
pub(super) fn resolve(
    source: &mut dyn Read,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    const PIECE: usize = 16 * 1024;
    let (mut text, mut buffer) = (Vec::new(), vec![0; PIECE]);
    loop {
        let n_bytes = source.read(&mut buffer)?;
        text.extend_from_slice(&buffer[..n_bytes]);
        let is_over = n_bytes == 0;
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'&', &text[at..]) {
            let ampersand = at + found;
            let behind = &text[ampersand + 1..];
            if behind.len() < LONGEST && !is_over {
                break;
            }
            emit(&text[at..ampersand])?;
            at = ampersand + 1;
            match character(&behind[..behind.len().min(LONGEST)]) {
                Some((byte, n_bytes)) => {
                    emit(&[byte])?;
                    at += n_bytes;
                }
                None => emit(b"&")?,
            }
        }
        // What may be the beginning of a reference waits for the rest of it.
        let end = memchr::memchr(b'&', &text[at..]).map_or(text.len(), |found| at + found);
        emit(&text[at..end])?;
        text.drain(..end);
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(mut text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        resolve(&mut text, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        bytes
    }

    #[test]
    fn references_are_resolved() {
        let text = |text: &str| String::from_utf8_lossy(&resolved(text.as_bytes())).into_owned();
        assert_eq!(text("a&#66;c&#x44;&#X65;f"), "aBcDef");
        assert_eq!(text("&#0066;&#x00044;&#66c&#x44;"), "BDBcD");
        assert_eq!(text("&plus;&sol;&equals;&amp;#65;"), "+/=&#65;");
        assert_eq!(text("&copy;&#;&#x;&&"), "&copy;&#;&#x;&&");
        assert_eq!(text("&LT;&amp#66;&lt &quot"), "<&#66;< \"");
        assert_eq!(text("&lta;&lt=&plus&plus"), "&lta;&lt=&plus&plus");
        assert_eq!(text("&#8206;&#99999999999999;"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_reference_may_stand_anywhere() {
        for n_before in (16 * 1024 - 8)..(16 * 1024 + 2) {
            let text = [vec![b'a'; n_before], b"&#66;c".to_vec()].concat();
            let resolved = resolved(&text);
            assert_eq!(&resolved[n_before..], b"Bc", "{n_before}");
        }
    }
}
