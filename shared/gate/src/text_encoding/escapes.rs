//! Finds bytes that stand in string literals as escapes, `\x58` or `%58` each, in one literal or in several
//! that are joined.

use memchr::memrchr3;

use super::Encoding;
use super::hexadecimal::digit;
use super::literals::{Found, GLUE, MAX_ESCAPE, QUOTES, unit};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64};
use crate::mail::Line;
use crate::walk::{Walk, Walked};

/// The EICAR test file has as many.
const LEAST: u64 = 68;

/// A string literal, or several that are joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escapes {
    /// The quote that the first one begins with, and the byte behind the last one.
    start: u64,
    end: u64,
    /// What ends the literal that is being read; `None` between two.
    quote: Option<u8>,
    n_bytes: u64,
    n_escaped: u64,
}

/// Reads literals with escapes in a line, and continues `open`. Returns what is unfinished at the end of the
/// line.
pub(super) fn find(line: &Line<'_>, open: Option<Escapes>, found: &mut Vec<Found>) -> Option<Escapes> {
    let (text, mut from) = (line.text, 0);
    if let Some(mut escapes) = open {
        match escapes.take(line, 0) {
            Some(end) => from = end,
            None => return Some(escapes),
        }
        found.extend(escapes.found());
    }
    let mut at = from;
    while let Some(hit) = next_escapes(text, at) {
        at = hit;
        let Some(quote_at) = memrchr3(QUOTES[0], QUOTES[1], QUOTES[2], &text[from..hit]) else {
            from = hit;
            continue;
        };
        let start = from + quote_at;
        let mut escapes = Escapes {
            start: line.at + to_u64(start),
            end: line.at + to_u64(start),
            quote: Some(text[start]),
            n_bytes: 0,
            n_escaped: 0,
        };
        match escapes.take(line, start + 1) {
            Some(end) => (at, from) = (end, end),
            None => return Some(escapes),
        }
        found.extend(escapes.found());
    }
    None
}

/// Returns whether some begin in a line.
pub(super) fn are_in(text: &[u8]) -> bool {
    next_escapes(text, 0).is_some()
}

/// The fewest bytes that escapes take in a row. Lines of C have some more.
const FEWEST_BYTES: usize = 60;

/// Where two escapes follow each other, from `from` on. Looks where one of many stands: all data of all files
/// come through here.
fn next_escapes(text: &[u8], from: usize) -> Option<usize> {
    const SHORT_ESCAPE: usize = 4;
    let mut probe = from + FEWEST_BYTES - 2 * SHORT_ESCAPE;
    loop {
        let window = text.get(probe..)?.first_chunk::<SHORT_ESCAPE>()?;
        let word = u32::from_le_bytes(*window);
        if has_byte(word, b'\\') || has_byte(word, b'%') {
            let place = window.iter().position(|byte| matches!(byte, b'\\' | b'%'));
            let at = probe + place.unwrap_or(0);
            if escape(&text[at..]).is_some_and(|n_bytes| escape(&text[at + n_bytes..]).is_some()) {
                return Some(at);
            }
        }
        probe += FEWEST_BYTES - 2 * SHORT_ESCAPE;
    }
}

/// Returns whether one of its four bytes is `byte`.
fn has_byte(word: u32, byte: u8) -> bool {
    let zero_there = word ^ u32::from_le_bytes([byte; 4]);
    zero_there.wrapping_sub(0x0101_0101) & !zero_there & 0x8080_8080 != 0
}

impl Escapes {
    /// Continues at `line.text[from..]`. Returns where it ends, if that is in this line.
    fn take(&mut self, line: &Line<'_>, mut from: usize) -> Option<usize> {
        while let Some(byte) = line.text.get(from).copied() {
            match self.quote {
                Some(quote) if quote == byte => {
                    self.quote = None;
                    self.end = line.at + to_u64(from);
                    from += 1;
                }
                Some(_) => {
                    let (byte, n_bytes) = unit(&line.text[from..]);
                    self.n_bytes += u64::from(byte.is_some());
                    self.n_escaped += u64::from(n_bytes > 2);
                    from += n_bytes;
                }
                None if QUOTES.contains(&byte) => {
                    self.quote = Some(byte);
                    from += 1;
                }
                None if GLUE.contains(&byte) => from += 1,
                None => return Some(from),
            }
        }
        let goes_on = self.quote.is_none() || line.ended_by.is_empty() || line.text.ends_with(b"\\");
        (!goes_on).then_some(line.text.len())
    }

    pub(super) fn found(&self) -> Option<Found> {
        let is_data = self.n_bytes >= LEAST && self.n_escaped >= self.n_bytes / 2;
        is_data.then_some((self.start, self.end, self.n_bytes, Encoding::Escaped))
    }
}

/// How long an escape is.
fn escape(text: &[u8]) -> Option<usize> {
    let (high, low, n_bytes) = match text {
        [b'\\', b'x', high, low, ..] => (high, low, 4),
        [b'\\', b'u', b'0', b'0', high, low, ..] => (high, low, 6),
        [b'%', high, low, ..] => (high, low, 3),
        _ => return None,
    };
    (digit(*high).is_some() && digit(*low).is_some()).then_some(n_bytes)
}

/// What the literals stand for.
pub(super) fn bytes(walk: &Walk<'_>, body: &Blob) -> Walked<Blob> {
    let (mut writer, mut at, mut quote) = (walk.writer(), 0, None);
    while at < body.size_bytes() {
        let window = body.bytes_at(at, SEARCH_WINDOW + MAX_ESCAPE)?;
        let (mut from, mut bytes) = (0, Vec::with_capacity(window.len()));
        while from < window.len().min(SEARCH_WINDOW) {
            let text = &window[from..];
            let (byte, n_bytes) = match quote {
                Some(_) if quote != Some(text[0]) => unit(text),
                Some(_) => {
                    quote = None;
                    (None, 1)
                }
                None => {
                    quote = Some(text[0]).filter(|byte| QUOTES.contains(byte));
                    (None, 1)
                }
            };
            bytes.extend(byte);
            from += n_bytes;
        }
        writer.write(&bytes)?;
        at += to_u64(from);
    }
    Ok(writer.finish())
}
