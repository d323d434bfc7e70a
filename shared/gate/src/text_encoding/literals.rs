//! Finds data in the string literals of scripts and in attributes of markup: base64 of either alphabet
//! between quotes, in one piece or in several that are joined, with the escapes that these languages have.
//!
//! No reader of files decodes these, but the script that they stand in does so by itself. What a script
//! computes in any other way is not undone.

use super::runs::{ALL, SIGN, URL, class_of};
use super::strings::{MAX_ESCAPE, QUOTES, Step, Strings};
use super::{Encoding, base64_digit};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64, to_usize};
use crate::walk::{Walk, Walked};

/// The EICAR test file has 91 digits; a SHA-512 digest has 86, and scripts hold many of those.
pub(super) const LEAST: u64 = 90;

/// A string literal, or several that are joined, of which nothing but digits has been seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal {
    /// The quote that the first one begins with, and the byte behind the last digit.
    start: u64,
    end: u64,
    /// Where to continue.
    next_at: u64,
    strings: Strings,
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

/// A line, or what of one is read in one piece, from its first byte's place on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: u64,
    /// Whether the line continues in the next piece, which begins with the last bytes of this one.
    pub(super) continues: bool,
}

impl Text<'_> {
    /// How many bytes must be left to take a character: it is not cut in two.
    pub(super) fn n_needed(&self) -> usize {
        if self.continues { MAX_ESCAPE } else { 1 }
    }
}

impl Literal {
    /// Begins with the quote that stands in front of `text[at]`, if one does.
    pub(super) fn begin(text: Text<'_>, at: usize, least: usize) -> Option<Self> {
        let quote_at = at.checked_sub(1).filter(|quote_at| *quote_at >= least)?;
        let quote = Some(text.bytes[quote_at]).filter(|quote| QUOTES.contains(quote))?;
        let start = text.at + to_u64(quote_at);
        let (strings, piece) = (Strings::within(quote), Piece::new(start + 1));
        Some(Self {
            start,
            end: start,
            next_at: start + 1,
            strings,
            n_digits: 0,
            classes: 0,
            n_pieces: 0,
            piece,
        })
    }

    /// Continues in a line or a piece of one. Returns where it ends, if that is in there.
    pub(super) fn take(&mut self, text: Text<'_>, found: &mut Vec<Found>) -> Option<usize> {
        let mut from = to_usize(self.next_at.saturating_sub(text.at));
        while let Some(rest) = text.bytes.get(from..).filter(|rest| rest.len() >= text.n_needed()) {
            let (step, n_bytes) = self.strings.step(rest);
            let behind = text.at + to_u64(from + n_bytes);
            match step {
                Step::Opens => self.piece = Piece::new(behind),
                Step::Character(byte) if !self.piece.take(byte, n_bytes, behind) => return Some(from),
                Step::Ends => self.end_piece(found),
                Step::Other => return Some(from),
                Step::Character(_) | Step::Between => {}
            }
            from += n_bytes;
        }
        self.next_at = text.at + to_u64(from);
        None
    }

    /// Tells that another line begins.
    pub(super) fn begin_line(&mut self) {
        self.strings.begin_line();
    }

    fn end_piece(&mut self, found: &mut Vec<Found>) {
        let Piece { start, end, n_digits, classes, is_plain } = self.piece;
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

/// A digit of either alphabet, as one of the first (RFC 4648, 5).
fn as_digit(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        _ => base64_digit(byte).map(|_| byte),
    }
}

/// The digits of literals alone, of the first alphabet.
pub(super) fn digits(walk: &Walk<'_>, body: &Blob) -> Walked<Blob> {
    characters(walk, body, |byte| as_digit(byte).or((byte == b'=').then_some(byte)))
}

/// What the characters of literals stand for to `of`.
pub(super) fn characters(walk: &Walk<'_>, body: &Blob, of: impl Fn(u8) -> Option<u8>) -> Walked<Blob> {
    let (mut writer, mut at, mut strings) = (walk.writer(), 0, Strings::default());
    while at < body.size_bytes() {
        let window = body.bytes_at(at, SEARCH_WINDOW + MAX_ESCAPE)?;
        let (mut from, mut bytes) = (0, Vec::with_capacity(window.len()));
        while from < window.len().min(SEARCH_WINDOW) {
            let (step, n_bytes) = strings.step(&window[from..]);
            if let Step::Character(Some(byte)) = step {
                bytes.extend(of(byte));
            }
            from += n_bytes;
        }
        writer.write(&bytes)?;
        at += to_u64(from);
    }
    Ok(writer.finish())
}
