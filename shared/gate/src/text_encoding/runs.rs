//! Finds runs of base64 in any text: calendars, address cards, flat office documents, `data:` URLs, armor,
//! and mails whose header says nothing.
//!
//! Letters, digits and two signs are what ordinary text is made of too. What tells data is where they stand
//! and how long they are: hashes, tokens, words and names are shorter, or are not of upper case, lower case
//! and figures alike.

use std::io;

use super::Encoding;
use super::escapes::{self, Escapes};
use super::literals::{Found, Literal};
use crate::blob::{Blob, to_u64};
use crate::format::has_no_controls;
use crate::mail::{Line, Spans, holds};
use crate::walk::Walked;

/// Why a run may be data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// `;base64,` or `ENCODING=BASE64:` stands in front of it.
    Announced,
    /// A colon or the end of a tag does.
    Value,
    /// It begins a line.
    Lines,
    /// It is a word by itself: an argument of a command.
    Word,
    Length,
}

impl Reason {
    /// The fewest digits. The EICAR test file has 91; a SHA-512 digest has 86.
    fn least(self) -> u64 {
        match self {
            Self::Announced => to_u64(SHORTEST),
            Self::Value | Self::Lines | Self::Word => 90,
            Self::Length => 1024,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Run {
    reason: Reason,
    start: u64,
    end: u64,
    n_digits: u64,
    classes: u8,
    /// Digits of its first line.
    width: u64,
}

const UPPER: u8 = 1;
const LOWER: u8 = 2;
const FIGURE: u8 = 4;
pub(super) const SIGN: u8 = 8;
/// Of the alphabet for URLs alone (RFC 4648, 5).
pub(super) const URL: u8 = 16;
/// No digit of hexadecimal.
const BEYOND_HEX: u8 = 32;
pub(crate) const ALL: u8 = UPPER | LOWER | FIGURE;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'A'..=b'F' => UPPER,
            b'G'..=b'Z' => UPPER | BEYOND_HEX,
            b'a'..=b'f' => LOWER,
            b'g'..=b'z' => LOWER | BEYOND_HEX,
            b'0'..=b'9' => FIGURE,
            b'+' | b'/' => SIGN | BEYOND_HEX,
            b'-' | b'_' => URL,
            _ => 0,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

pub(crate) fn class_of(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// Finds runs, line by line.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// A run that goes to the end of the line before.
    open: Option<Run>,
    /// String literals that do.
    literal: Option<Literal>,
    escapes: Option<Escapes>,
    /// Whether it is text that is read: in nothing else is it worth the time to look for escapes.
    is_text: bool,
    /// What the line before says about a run that begins this line.
    before: Option<Reason>,
    /// Runs so far that have no more than their place to tell them from others: short ones and long ones.
    n_short: u64,
    n_long: u64,
}

impl Runs {
    pub(crate) fn of(blob: &Blob) -> io::Result<Self> {
        Ok(Self { is_text: has_no_controls(blob)?, ..Self::default() })
    }

    pub(crate) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        let text = line.text.trim_ascii_end();
        let n_indent = if line.begins { text.len() - text.trim_ascii_start().len() } else { 0 };
        if let Some(literal) = self.literal.take() {
            self.read_literal(literal, line, 0, spans)?;
        }
        if self.is_text && (self.escapes.is_some() || escapes::are_in(text)) {
            self.read_escapes(line, spans)?;
        }
        let mut from = n_indent;
        if let Some(mut run) = self.open.take() {
            let (n_digits, classes) = digits(&text[from..], is_digit);
            if !line.begins || run.takes_line(n_digits) && ends_run(&text[from + n_digits..]) {
                run.extend(line, from, n_digits, classes);
                from += n_digits;
                if line.begins && run.is_last_line(n_digits) || from < text.len() {
                    self.end(run, spans)?;
                } else {
                    self.open = Some(run);
                    return Ok(());
                }
            } else {
                self.end(run, spans)?;
            }
        }
        self.find(line, text, n_indent, from, spans)?;
        let ends_with_sign = matches!(text.last(), Some(b':' | b'>' | b',' | b';'));
        let reason = ends_with_sign.then(|| reason(text, text.len(), text.len()));
        self.before = reason.filter(|it| !matches!(it, Reason::Word | Reason::Length));
        Ok(())
    }

    /// Looks at runs of either alphabet, of which those that are data by themselves are a part.
    fn find(
        &mut self,
        line: &Line<'_>,
        text: &[u8],
        n_indent: usize,
        from: usize,
        spans: &mut Spans,
    ) -> Walked {
        let (mut from, mut literals_end) = (from, 0);
        while let Some(at) = next_run(text, from, is_any_digit) {
            let (n_digits, classes) = digits(&text[at..], is_any_digit);
            if n_digits >= SHORTEST && at >= literals_end && self.literal.is_none() {
                literals_end = match Literal::begin(text, line.at, at, literals_end) {
                    Some((literal, start)) => self.read_literal(literal, line, start, spans)?,
                    None => at + n_digits,
                };
            }
            from = at + n_digits;
            if classes & URL == 0 {
                self.take_run(line, text, n_indent, at, spans)?;
            } else {
                let mut at = at;
                while let Some(start) = next_run(&text[..from], at, is_digit) {
                    at = start + self.take_run(line, text, n_indent, start, spans)?;
                }
            }
        }
        Ok(())
    }

    /// Returns how many digits it has.
    fn take_run(
        &mut self,
        line: &Line<'_>,
        text: &[u8],
        n_indent: usize,
        at: usize,
        spans: &mut Spans,
    ) -> Walked<usize> {
        let (n_digits, _) = digits(&text[at..], is_digit);
        let end = at + n_digits;
        let start = at + hexadecimal_prefix(&text[at..end]);
        let reason = match self.before {
            Some(reason) if at == n_indent && line.begins => reason,
            _ if at == n_indent && line.begins => Reason::Lines,
            _ => reason(text, at, end),
        };
        let place = line.at + to_u64(start);
        let mut run = Run { reason, start: place, end: 0, n_digits: 0, classes: 0, width: 0 };
        run.extend(line, start, end - start, digits(&text[start..end], is_digit).1);
        if end == text.len() {
            self.open = Some(run);
        } else {
            self.end(run, spans)?;
        }
        Ok(n_digits)
    }

    /// Continues literals at `line.text[from..]`. Returns where they end.
    #[cold]
    fn read_literal(
        &mut self,
        mut literal: Literal,
        line: &Line<'_>,
        from: usize,
        spans: &mut Spans,
    ) -> Walked<usize> {
        let mut found = Vec::new();
        let end = literal.take(line.text, line.at, from, &mut found);
        if end.is_some() {
            found.extend(literal.joined());
        } else {
            self.literal = Some(literal);
        }
        found.into_iter().try_for_each(|found| self.add_literal(found, spans))?;
        Ok(end.unwrap_or(line.text.len()))
    }

    #[cold]
    fn read_escapes(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        let mut found = Vec::new();
        self.escapes = escapes::find(line, self.escapes.take(), &mut found);
        found.into_iter().try_for_each(|found| self.add_literal(found, spans))
    }

    fn add_literal(&mut self, (start, end, n_digits, encoding): Found, spans: &mut Spans) -> Walked {
        if self.is_taken(n_digits) { spans.add_plain(start, end, encoding) } else { Ok(()) }
    }

    /// Returns whether a run is taken that may well be a token or a key: as many as are worth the time.
    fn is_taken(&mut self, n_digits: u64) -> bool {
        let (n_before, most) = if n_digits < Reason::Length.least() {
            (&mut self.n_short, MAX_SHORT)
        } else {
            (&mut self.n_long, MAX_LONG)
        };
        *n_before += 1;
        *n_before <= most
    }

    fn end(&mut self, run: Run, spans: &mut Spans) -> Walked {
        let is_likely = run.reason != Reason::Word || self.is_taken(run.n_digits);
        if run.is_base64() && is_likely {
            spans.add_plain(run.start, run.end, Encoding::Base64)?;
        }
        if run.is_hexadecimal() && self.is_taken(run.n_digits) {
            spans.add_plain(run.start, run.end, Encoding::Hexadecimal)?;
        }
        Ok(())
    }

    /// Ends the run that goes to the end of the last line.
    pub(crate) fn finish(&mut self, spans: &mut Spans) -> Walked {
        let literal = self.literal.take().and_then(|literal| literal.joined());
        let escapes = self.escapes.take().and_then(|escapes| escapes.found());
        literal.into_iter().chain(escapes).try_for_each(|found| self.add_literal(found, spans))?;
        self.open.take().map_or(Ok(()), |run| self.end(run, spans))
    }
}

impl Run {
    fn extend(&mut self, line: &Line<'_>, at: usize, n_digits: usize, classes: u8) {
        if line.begins && self.n_digits == 0 {
            self.width = to_u64(n_digits);
        } else if !line.begins {
            self.width = u64::MAX;
        }
        self.end = line.at + to_u64(at + n_digits);
        self.n_digits += to_u64(n_digits);
        self.classes |= classes;
    }

    /// Lines of data are as long as the first one, except for the last; names that stand below each other are
    /// not.
    fn takes_line(&self, n_digits: usize) -> bool {
        match self.reason {
            Reason::Announced | Reason::Value => n_digits > 0,
            Reason::Lines => n_digits > 0 && to_u64(n_digits) <= self.width,
            // It would be the last word of one line and the first of the next.
            Reason::Word | Reason::Length => false,
        }
    }

    fn is_last_line(&self, n_digits: usize) -> bool {
        self.reason == Reason::Lines && to_u64(n_digits) < self.width
    }

    fn is_base64(&self) -> bool {
        let is_mixed = self.classes & ALL == ALL || self.reason == Reason::Announced;
        is_mixed && self.n_digits >= self.reason.least()
    }

    /// Not a digest, nor a list of digests.
    fn is_hexadecimal(&self) -> bool {
        const DIGESTS: [u64; 6] = [32, 40, 56, 64, 96, 128];
        let is_list = self.n_digits > self.width && DIGESTS.contains(&self.width);
        self.classes & BEYOND_HEX == 0 && self.n_digits >= LEAST_HEXADECIMAL && !is_list
    }
}

/// The EICAR test file has as many.
const LEAST_HEXADECIMAL: u64 = 136;
/// Runs of one text that nothing announces: a file may hold a million tokens, and none is refused for that.
const MAX_SHORT: u64 = 1_000;
const MAX_LONG: u64 = 10_000;

/// How long the `0x` or `x` in front of digits of hexadecimal is.
fn hexadecimal_prefix(run: &[u8]) -> usize {
    let n_prefix = match run {
        [b'0', b'x' | b'X', ..] => 2,
        [b'x' | b'X', ..] => 1,
        _ => return 0,
    };
    let is_hexadecimal = digits(&run[n_prefix..], is_digit).1 & BEYOND_HEX == 0;
    if is_hexadecimal { n_prefix } else { 0 }
}

/// What is shorter, and does not go to the end of its line, is no data for any reason.
const SHORTEST: usize = 64;

/// Where the next run begins from `from` on that is long enough, or goes to the end. Looks at one byte of
/// each so many: all data of all files come through here.
fn next_run(text: &[u8], mut from: usize, is_digit: impl Fn(u8) -> bool + Copy) -> Option<usize> {
    loop {
        // A long run that begins from here on has a digit there.
        let probe = (from + SHORTEST - 1).min(text.len().checked_sub(1)?);
        if probe < from {
            return None;
        }
        let start = (from..=probe).rev().take_while(|at| is_digit(text[*at])).last();
        let end = start.map_or(probe + 1, |start| start + digits(&text[start..], is_digit).0);
        match start {
            Some(start) if end == text.len() || end - start >= SHORTEST => return Some(start),
            _ => from = end,
        }
    }
}

fn digits(text: &[u8], is_digit: impl Fn(u8) -> bool) -> (usize, u8) {
    let (mut n_digits, mut classes) = (0, 0);
    for byte in text.iter().take_while(|byte| is_digit(**byte)) {
        classes |= class_of(*byte);
        n_digits += 1;
    }
    (n_digits, classes)
}

fn is_digit(byte: u8) -> bool {
    class_of(byte) & !URL != 0
}

fn is_any_digit(byte: u8) -> bool {
    class_of(byte) != 0
}

/// Returns whether digits that a line begins with may be the last ones of a run, by what follows them: not
/// the name of the next field.
fn ends_run(behind: &[u8]) -> bool {
    behind.first().is_none_or(|byte| b"=<\"'`)]}\\".contains(byte))
}

/// Why the run from `at` to `end` may be data.
fn reason(text: &[u8], at: usize, end: usize) -> Reason {
    const NEAR: usize = 512;
    let around = &text[at.saturating_sub(NEAR)..at];
    let before = around.trim_ascii_end();
    let is_announced = || holds(before, b"base64") || holds(before, b"encoding=b");
    match before.last() {
        Some(b',' | b';' | b':') if is_announced() => Reason::Announced,
        Some(b':' | b'>') => Reason::Value,
        _ if is_word(around.last(), &text[end..]) => Reason::Word,
        _ => Reason::Length,
    }
}

/// Returns whether digits are an argument or a value without quotes, by what stands before and behind them.
fn is_word(before: Option<&u8>, behind: &[u8]) -> bool {
    let n_pads = behind.iter().take_while(|byte| **byte == b'=').count();
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b")];|&<".contains(byte);
    before.is_some_and(|byte| byte.is_ascii_whitespace() || b"=[(,".contains(byte))
        && behind.get(n_pads).is_none_or(ends)
}

#[cfg(test)]
mod tests;
