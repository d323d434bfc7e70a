//! Finds bytes that stand in string literals as escapes, `\x58` or `%58` each, in one literal or in several
//! that are joined.

use memchr::{memchr3_iter, memrchr3};

use super::Encoding;
use super::literals::{self, Found, Text};
use super::strings::{QUOTES, Step, Strings, numeric_escape};
use crate::blob::{Blob, to_u64, to_usize};
use crate::walk::{Walk, Walked};

/// The EICAR test file has as many.
const LEAST: u64 = 68;

/// A string literal, or several that are joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escapes {
    /// The quote that the first one begins with, and the byte behind the last one.
    start: u64,
    end: u64,
    /// Where to continue.
    next_at: u64,
    strings: Strings,
    n_bytes: u64,
    n_escaped: u64,
}

/// Where a quote stands, and which.
pub(super) type Quote = (u64, u8);

/// The last quote in `text[from..end]`.
pub(super) fn last_quote(text: Text<'_>, from: usize, end: usize) -> Option<Quote> {
    let place = memrchr3(QUOTES[0], QUOTES[1], QUOTES[2], &text.bytes[from..end])?;
    Some((text.at + to_u64(from + place), text.bytes[from + place]))
}

/// Reads literals with escapes in a line, from `from` on, and continues `open`. Without a quote in the line,
/// one begins with `before`. Returns what is unfinished at the end of the line.
pub(super) fn find(
    text: Text<'_>,
    mut from: usize,
    before: Option<Quote>,
    open: Option<Escapes>,
    found: &mut Vec<Found>,
) -> Option<Escapes> {
    let mut least = 0;
    if let Some(mut escapes) = open {
        match escapes.take(text) {
            Some(end) => (from, least) = (end.max(from), end),
            None => return Some(escapes),
        }
        found.extend(escapes.found());
    }
    while let Some(hit) = next_escapes(text.bytes, from) {
        let before = before.filter(|_| least == 0);
        let Some((quote_at, quote)) = last_quote(text, least, hit).or(before) else {
            (from, least) = (hit + 1, hit);
            continue;
        };
        let mut escapes = Escapes::begin(quote_at, quote, text.at + to_u64(least));
        match escapes.take(text) {
            Some(end) => (from, least) = (end.max(hit + 1), end),
            None => return Some(escapes),
        }
        found.extend(escapes.found());
    }
    None
}

/// Returns whether some begin in a line, from `from` on.
pub(super) fn are_in(text: &[u8], from: usize) -> bool {
    next_escapes(text, from).is_some()
}

/// Where an escape stands, from `from` on, with another one directly behind it or behind one character. Where
/// half of the characters are escapes, there is such a place.
fn next_escapes(text: &[u8], from: usize) -> Option<usize> {
    memchr3_iter(b'\\', b'%', b'`', text.get(from..)?).map(|at| from + at).find(|at| {
        let Some((_, n_bytes)) = numeric_escape(&text[*at..]) else { return false };
        let behind = &text[at + n_bytes..];
        let (_, n_next) = Strings::within(0).step(behind.get(..1).map_or(b" ", |_| behind));
        numeric_escape(behind).is_some() || numeric_escape(behind.get(n_next..).unwrap_or_default()).is_some()
    })
}

impl Escapes {
    /// Begins with a quote. What stands in front of `known_at` is not looked at, but counts as characters.
    fn begin(quote_at: u64, quote: u8, known_at: u64) -> Self {
        let next_at = known_at.max(quote_at + 1);
        let n_bytes = next_at - (quote_at + 1);
        let strings = Strings::within(quote);
        Self { start: quote_at, end: quote_at, next_at, strings, n_bytes, n_escaped: 0 }
    }

    /// Continues in a line. Returns where it ends, if that is in this line.
    fn take(&mut self, text: Text<'_>) -> Option<usize> {
        let mut from = to_usize(self.next_at.saturating_sub(text.at));
        while let Some(rest) = text.bytes.get(from..).filter(|rest| rest.len() >= text.n_needed()) {
            let (step, n_bytes) = self.strings.step(rest);
            match step {
                Step::Character(byte) => {
                    self.n_bytes += u64::from(byte.is_some());
                    self.n_escaped += u64::from(n_bytes > 1 && numeric_escape(rest).is_some());
                }
                Step::Ends => self.end = text.at + to_u64(from),
                Step::Other => return Some(from),
                Step::Opens | Step::Between => {}
            }
            from += n_bytes;
        }
        self.next_at = text.at + to_u64(from);
        let continues = self.strings.is_between() || self.strings.is_template();
        (!(continues || text.continues || text.bytes.ends_with(b"\\"))).then_some(text.bytes.len())
    }

    /// Tells that another line begins.
    pub(super) fn begin_line(&mut self) {
        self.strings.begin_line();
    }

    pub(super) fn found(&self) -> Option<Found> {
        let is_data = self.n_bytes >= LEAST && self.n_escaped >= self.n_bytes / 2;
        is_data.then_some((self.start, self.end, self.n_bytes, Encoding::Escaped))
    }
}

/// What the literals stand for.
pub(super) fn bytes(walk: &Walk<'_>, body: &Blob) -> Walked<Blob> {
    literals::characters(walk, body, Some)
}
