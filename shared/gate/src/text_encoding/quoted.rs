//! Decodes quoted-printable (RFC 2045, 6.7) as lenient readers do: what is no escape stands for itself.

use std::io::Read;

use super::decoder;
use crate::blob::Blob;
use crate::mail::{Breaks, Lines};

/// What readers do with white space at the end of a line, and with line breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// All of it stays.
    ToTheLetter,
    /// All of it stays, but a `=` with white space behind it is a soft break too.
    Lenient,
    /// White space is dropped, every break is LF, and a soft break has nothing behind it.
    Tidied,
    /// Both.
    LenientTidied,
}

impl Style {
    fn is_lenient(self) -> bool {
        matches!(self, Self::Lenient | Self::LenientTidied)
    }

    fn is_tidied(self) -> bool {
        matches!(self, Self::Tidied | Self::LenientTidied)
    }

    /// One whole line.
    fn decode(self, text: &[u8], line_break: &[u8]) -> Vec<u8> {
        let trimmed = text.trim_ascii_end();
        let soft = if self.is_lenient() { trimmed } else { text }.strip_suffix(b"=");
        match soft {
            Some(soft) => unescaped(soft),
            None if self.is_tidied() => [&unescaped(trimmed), b"\n".as_slice()].concat(),
            None => [&unescaped(text), line_break].concat(),
        }
    }
}

/// Reads a blob decoded.
pub(super) fn decoded(body: &Blob, breaks: Breaks, style: Style) -> impl Read + use<> {
    let mut lines = Lines::new(body, breaks);
    let mut cut = Vec::new();
    decoder(move || {
        let Some(line) = lines.next_line()? else {
            let rest = std::mem::take(&mut cut);
            return Ok((!rest.is_empty()).then_some(rest));
        };
        let mut text = std::mem::take(&mut cut);
        text.extend_from_slice(line.text);
        if !line.ended_by.is_empty() {
            return Ok(Some(style.decode(&text, line.ended_by)));
        }
        // The next piece may complete an escape.
        let n_whole = text.iter().rposition(|byte| *byte == b'=').filter(|at| at + 3 > text.len());
        cut = text.split_off(n_whole.unwrap_or(text.len()));
        Ok(Some(unescaped(&text)))
    })
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = memchr::memchr(b'=', rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let (Some(high), Some(low)) = (digit(rest.first()), digit(rest.get(1))) {
            plain.extend(u8::try_from(high * 16 + low));
            rest = &rest[2..];
        } else {
            plain.push(b'=');
        }
    }
    plain.extend_from_slice(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, style: Style) -> String {
        let mut bytes = Vec::new();
        decoded(&Blob::from_bytes(text.as_bytes().to_vec()), Breaks::Any, style)
            .read_to_end(&mut bytes)
            .unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        for (text, letter, lenient, tidied, lenient_tidied) in [
            ("=43=61t", "Cat", "Cat", "Cat", "Cat"),
            ("C=\r\na=\nt\r\n", "Cat\r\n", "Cat\r\n", "Cat\n", "Cat\n"),
            ("=3d= \r\nx \r\n", "== \r\nx \r\n", "=x \r\n", "==\nx\n", "=x\n"),
            ("a==b=zz", "a==b=zz", "a==b=zz", "a==b=zz", "a==b=zz"),
        ] {
            assert_eq!(read(text, Style::ToTheLetter), letter);
            assert_eq!(read(text, Style::Lenient), lenient);
            assert_eq!(read(text, Style::Tidied), tidied);
            assert_eq!(read(text, Style::LenientTidied), lenient_tidied);
        }
        let long = format!("{}=43{}", "x".repeat(64 * 1024 - 2), "y".repeat(100));
        assert_eq!(read(&long, Style::ToTheLetter), long.replace("=43", "C"));
    }
}
