//! Finds data in the string literals of scripts and in attributes of markup: base64 of either alphabet
//! between quotes, in one piece or in several that are joined, with the escapes that these languages have.
//!
//! No reader of files decodes these, but the script that they stand in does so by itself. What a script
//! computes in any other way is not undone.

use super::hexadecimal::digit;
use super::runs::{ALL, SIGN, URL, class_of};
use super::{Encoding, base64_digit};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64};
use crate::walk::{Walk, Walked};

/// The EICAR test file has 91 digits; a SHA-512 digest has 86, and scripts hold many of those.
pub(super) const LEAST: u64 = 90;
/// The longest escape.
pub(super) const MAX_ESCAPE: usize = 6;

/// What stands between two pieces that are joined: `+` and `.`, a comma in a list, `&` and `_` of Basic, or
/// nothing.
pub(super) const GLUE: &[u8] = b" \t\r\n+.,&_\\";
pub(super) const QUOTES: &[u8; 3] = b"\"'`";

/// A string literal, or several that are joined, of which nothing but digits has been seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal {
    /// The quote that the first one begins with, and the byte behind the last digit.
    start: u64,
    end: u64,
    /// What ends the literal that is being read; `None` between two.
    quote: Option<u8>,
    /// Of those that have ended.
    n_digits: u64,
    classes: u8,
    n_pieces: u64,
    piece: Piece,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u64,
    end: u64,
    n_digits: u64,
    classes: u8,
    /// Whether no escape and no other alphabet is in it.
    is_plain: bool,
}

impl Piece {
    fn new(start: u64) -> Self {
        Self { start, end: start, n_digits: 0, classes: 0, is_plain: true }
    }
}

/// Where something starts and ends, from a quote on if it is a literal; its digits.
pub(super) type Found = (u64, u64, u64, Encoding);

impl Literal {
    /// Begins with the quote in front of `text[at]`, if nothing but digits and escapes stands in between, and
    /// nothing of it before `text[least]`. Returns where its digits begin.
    pub(super) fn begin(text: &[u8], text_at: u64, at: usize, least: usize) -> Option<(Self, usize)> {
        let n_before = text[least..at].iter().rev().take_while(|byte| is_literal(**byte)).count();
        let from = at - n_before;
        let quote_at = from.checked_sub(1).filter(|quote_at| *quote_at >= least)?;
        let quote = Some(text[quote_at]).filter(|quote| QUOTES.contains(quote))?;
        let start = text_at + to_u64(quote_at);
        let piece = Piece::new(start + 1);
        Some((
            Self { start, end: start, quote: Some(quote), n_digits: 0, classes: 0, n_pieces: 0, piece },
            from,
        ))
    }

    /// Continues at `text[from..]`, a line or the rest of one. Returns where it ends, if that is in this
    /// line.
    pub(super) fn take(
        &mut self,
        text: &[u8],
        text_at: u64,
        mut from: usize,
        found: &mut Vec<Found>,
    ) -> Option<usize> {
        while let Some(byte) = text.get(from).copied() {
            match self.quote {
                Some(quote) if quote == byte => {
                    self.end_piece(found);
                    from += 1;
                }
                Some(_) => {
                    let (byte, n_bytes) = unit(&text[from..]);
                    if !self.piece.take(byte, n_bytes, text_at + to_u64(from + n_bytes)) {
                        return Some(from);
                    }
                    from += n_bytes;
                }
                None if QUOTES.contains(&byte) => {
                    self.quote = Some(byte);
                    self.piece = Piece::new(text_at + to_u64(from + 1));
                    from += 1;
                }
                None if GLUE.contains(&byte) => from += 1,
                None => return Some(from),
            }
        }
        None
    }

    fn end_piece(&mut self, found: &mut Vec<Found>) {
        let Piece { start, end, n_digits, classes, is_plain } = self.piece;
        self.quote = None;
        self.end = end;
        self.n_digits += n_digits;
        self.classes |= classes;
        self.n_pieces += 1;
        if is_data(n_digits, classes) {
            found.push(if is_plain {
                (start, end, n_digits, Encoding::Base64)
            } else {
                (start - 1, end, n_digits, Encoding::Literal)
            });
        }
    }

    /// All pieces together, but for one that has no end.
    pub(super) fn joined(&self) -> Option<Found> {
        let is_data = self.n_pieces > 1 && is_data(self.n_digits, self.classes);
        is_data.then_some((self.start, self.end, self.n_digits, Encoding::Literal))
    }
}

impl Piece {
    /// Returns whether a character may stand in it.
    fn take(&mut self, byte: Option<u8>, n_bytes: usize, end: u64) -> bool {
        let Some(digit) = byte.filter(|byte| as_digit(*byte).is_some()) else {
            self.is_plain &= byte == Some(b'=');
            return byte.is_none_or(|byte| byte == b'=' || byte.is_ascii_whitespace());
        };
        let class = class_of(digit);
        self.is_plain &= n_bytes == 1 && class & URL == 0;
        (self.n_digits, self.classes, self.end) = (self.n_digits + 1, self.classes | class, end);
        true
    }
}

/// What has the signs of both alphabets is a digest with its name.
fn is_data(n_digits: u64, classes: u8) -> bool {
    let has_both_signs = classes & URL != 0 && classes & SIGN != 0;
    n_digits >= LEAST && classes & ALL == ALL && !has_both_signs
}

/// Digits and what escapes are made of.
fn is_literal(byte: u8) -> bool {
    as_digit(byte).is_some() || matches!(byte, b'\\' | b'%' | b'&' | b'#' | b';' | b'=')
}

/// A digit of either alphabet, as one of the first (RFC 4648, 5).
fn as_digit(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        _ => base64_digit(byte).map(|_| byte),
    }
}

/// The character that stands first in a literal, if it is one of the text, and how many bytes it takes.
pub(super) fn unit(text: &[u8]) -> (Option<u8>, usize) {
    match text {
        [b'\\', b'n', ..] => (Some(b'\n'), 2),
        [b'\\', b'r', ..] => (Some(b'\r'), 2),
        [b'\\', b't', ..] => (Some(b'\t'), 2),
        [b'\\', b'0', ..] => (Some(0), 2),
        [b'\\', b'\r', b'\n', ..] => (None, 3),
        [b'\\', b'\r' | b'\n', ..] => (None, 2),
        [b'\\', b'x', high, low, ..] | [b'%', high, low, ..] if hex(*high, *low).is_some() => {
            (hex(*high, *low), if text[0] == b'%' { 3 } else { 4 })
        }
        [b'\\', b'u', b'0', b'0', high, low, ..] if hex(*high, *low).is_some() => (hex(*high, *low), 6),
        [b'\\', byte, ..] if !byte.is_ascii_alphanumeric() => (Some(*byte), 2),
        [b'&', b'#', rest @ ..] => reference(rest),
        // At the end of a line, it continues there.
        [b'\\'] | [] => (None, 1),
        [byte, ..] => (Some(*byte), 1),
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// The number in `&#43;` or `&#x2b;`, behind the `#`.
fn reference(rest: &[u8]) -> (Option<u8>, usize) {
    let end = rest.iter().take(MAX_ESCAPE - 2).position(|byte| *byte == b';');
    let number = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
    let value = number.and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    });
    match (value, end) {
        (Some(byte), Some(end)) => (Some(byte), end + 3),
        _ => (Some(b'&'), 1),
    }
}

/// The digits of literals alone, of the first alphabet.
pub(super) fn digits(walk: &Walk<'_>, body: &Blob) -> Walked<Blob> {
    let (mut writer, mut at, mut quote) = (walk.writer(), 0, None);
    while at < body.size_bytes() {
        let window = body.bytes_at(at, SEARCH_WINDOW + MAX_ESCAPE)?;
        let (mut from, mut digits) = (0, Vec::with_capacity(window.len()));
        while from < window.len().min(SEARCH_WINDOW) {
            from += take_digit(&window[from..], &mut quote, &mut digits);
        }
        writer.write(&digits)?;
        at += to_u64(from);
    }
    Ok(writer.finish())
}

/// Takes one character, in a literal that ends with `quote` or between two. Returns how many bytes it takes.
fn take_digit(text: &[u8], quote: &mut Option<u8>, digits: &mut Vec<u8>) -> usize {
    match *quote {
        Some(end) if end == text[0] => *quote = None,
        Some(_) => {
            let (byte, n_bytes) = unit(text);
            digits.extend(byte.and_then(|byte| as_digit(byte).or((byte == b'=').then_some(byte))));
            return n_bytes;
        }
        None => *quote = Some(text[0]).filter(|byte| QUOTES.contains(byte)),
    }
    1
}
