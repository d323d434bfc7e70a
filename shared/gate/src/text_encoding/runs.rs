//! Finds runs of base64 in any text: calendars, address cards, flat office documents, `data:` URLs, armor,
//! and mails whose header says nothing.
//!
//! Letters, digits and two signs are what ordinary text is made of too. What tells data is where they stand
//! and how long they are: hashes, tokens, words and names are shorter, or are not of upper case, lower case
//! and figures alike.

mod digits;

use std::io;

use super::Encoding;
use super::escapes::{self, Escapes, Quote};
use super::literals::{Found, Literal, Text};
use crate::blob::{Blob, to_u64};
use crate::format::has_no_controls;
use crate::mail::{Line, Spans, holds};
use crate::walk::Walked;

pub(crate) use digits::{ALL, class_of, is_of_literal};
pub(super) use digits::{SIGN, URL};

use digits::{BEYOND_HEX, SHORTEST, digits, is_digit, next_run};

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

    /// Of other runs, the last word of a line and the first one of the next would be one.
    fn takes_lines(self) -> bool {
        matches!(self, Self::Announced | Self::Value | Self::Lines)
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
    size_bytes: u64,
    /// The last bytes of a line that continues, where they end, and the last quote in it.
    tail: Vec<u8>,
    tail_end: u64,
    quote: Option<Quote>,
    /// What the line before says about a run that begins this line.
    before: Option<Reason>,
    /// Runs so far that have no more than their place to tell them from others: short ones and long ones.
    n_short: u64,
    n_long: u64,
}

impl Runs {
    pub(crate) fn of(blob: &Blob) -> io::Result<Self> {
        Ok(Self { is_text: has_no_controls(blob)?, size_bytes: blob.size_bytes(), ..Self::default() })
    }

    /// A line that comes in pieces is read as if each began with the last bytes of the one before.
    pub(crate) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        let continues = line.ended_by.is_empty() && line.next_at < self.size_bytes;
        let mut tail = std::mem::take(&mut self.tail);
        let follows = !line.begins && line.text_at == self.tail_end;
        tail.drain(..if follows { 0 } else { tail.len() });
        let n_before = tail.len();
        if n_before == 0 {
            let text = Text { bytes: line.text, at: line.at, continues };
            self.take_text(line, text, 0, spans)?;
            self.keep_tail(text);
            return Ok(());
        }
        tail.extend_from_slice(line.text);
        let text = Text { bytes: &tail, at: line.text_at - to_u64(n_before), continues };
        self.take_text(line, text, n_before, spans)?;
        self.keep_tail(text);
        Ok(())
    }

    fn keep_tail(&mut self, text: Text<'_>) {
        if text.continues {
            let n_bytes = text.bytes.len();
            self.tail = text.bytes[n_bytes.saturating_sub(NEAR)..].to_vec();
            self.tail_end = text.at + to_u64(n_bytes);
            self.quote = escapes::last_quote(text, 0, n_bytes).or(self.quote);
        } else {
            self.quote = None;
        }
    }

    /// Takes `text`, of which `n_before` bytes have been taken before.
    fn take_text(&mut self, line: &Line<'_>, text: Text<'_>, n_before: usize, spans: &mut Spans) -> Walked {
        let visible = text.bytes.trim_ascii_end();
        let n_indent = if line.begins { visible.len() - visible.trim_ascii_start().len() } else { 0 };
        let mut literals_end = 0;
        if let Some(mut literal) = self.literal.take() {
            if line.begins {
                literal.begin_line();
            }
            literals_end = self.read_literal(literal, text, spans)?;
        }
        if self.is_text && (self.escapes.is_some() || escapes::are_in(text.bytes, n_before)) {
            self.read_escapes(line, text, n_before, spans)?;
        }
        let mut from = n_indent.max(n_before.min(visible.len()));
        if let Some(mut run) = self.open.take() {
            let (n_digits, classes) = digits(&visible[from..], is_digit);
            if !line.begins || run.takes_line(n_digits) && ends_run(&visible[from + n_digits..]) {
                run.extend(line.begins, text.at + to_u64(from + n_digits), n_digits, classes);
                from += n_digits;
                if line.begins && run.is_last_line(n_digits) || from < visible.len() {
                    self.end(run, spans)?;
                } else {
                    self.open = Some(run);
                    return Ok(());
                }
            } else {
                self.end(run, spans)?;
            }
        }
        let text = Text { bytes: visible, ..text };
        self.find(line.begins.then_some(n_indent), text, from, literals_end, spans)?;
        let ends_with_sign = matches!(visible.last(), Some(b':' | b'>' | b',' | b';'));
        let reason = ends_with_sign.then(|| reason(visible, visible.len(), visible.len()));
        self.before = reason.filter(|it| it.takes_lines());
        Ok(())
    }

    /// Looks at runs of what literals are made of, of which those that are data by themselves are a part.
    fn find(
        &mut self,
        line_begins_at: Option<usize>,
        text: Text<'_>,
        mut from: usize,
        mut literals_end: usize,
        spans: &mut Spans,
    ) -> Walked {
        while let Some(at) = next_run(text.bytes, from, is_of_literal) {
            from = at + digits(&text.bytes[at..], is_of_literal).0;
            let may_continue = text.continues || text.bytes.ends_with(b"\\");
            let is_long = from - at >= SHORTEST || from == text.bytes.len() && may_continue;
            if is_long
                && self.literal.is_none()
                && let Some(literal) = Literal::begin(text, at, literals_end)
            {
                literals_end = self.read_literal(literal, text, spans)?;
            }
            let mut digits_at = at;
            while let Some(start) = next_run(&text.bytes[..from], digits_at, is_digit) {
                digits_at = start + self.take_run(line_begins_at, text, start, spans)?;
            }
        }
        Ok(())
    }

    /// Returns how many digits it has.
    fn take_run(
        &mut self,
        line_begins_at: Option<usize>,
        text: Text<'_>,
        at: usize,
        spans: &mut Spans,
    ) -> Walked<usize> {
        let (n_digits, _) = digits(&text.bytes[at..], is_digit);
        let end = at + n_digits;
        let start = at + hexadecimal_prefix(&text.bytes[at..end]);
        let reason = match self.before {
            Some(reason) if line_begins_at == Some(at) => reason,
            _ if line_begins_at == Some(at) => Reason::Lines,
            _ => reason(text.bytes, at, end),
        };
        if n_digits < SHORTEST && !text.continues && !reason.takes_lines() {
            return Ok(n_digits);
        }
        let place = text.at + to_u64(start);
        let mut run = Run { reason, start: place, end: 0, n_digits: 0, classes: 0, width: 0 };
        let classes = digits(&text.bytes[start..end], is_digit).1;
        run.extend(line_begins_at.is_some(), text.at + to_u64(end), end - start, classes);
        if end == text.bytes.len() {
            self.open = Some(run);
        } else {
            self.end(run, spans)?;
        }
        Ok(n_digits)
    }

    /// Continues literals. Returns where in `text` they end.
    #[cold]
    fn read_literal(&mut self, mut literal: Literal, text: Text<'_>, spans: &mut Spans) -> Walked<usize> {
        let mut found = Vec::new();
        let end = literal.take(text, &mut found);
        if end.is_some() {
            found.extend(literal.joined());
        } else {
            self.literal = Some(literal);
        }
        found.into_iter().try_for_each(|found| self.add_literal(found, spans))?;
        Ok(end.unwrap_or(text.bytes.len()))
    }

    #[cold]
    fn read_escapes(
        &mut self,
        line: &Line<'_>,
        text: Text<'_>,
        n_before: usize,
        spans: &mut Spans,
    ) -> Walked {
        let (mut open, mut found) = (self.escapes.take(), Vec::new());
        if line.begins
            && let Some(escapes) = &mut open
        {
            escapes.begin_line();
        }
        self.escapes = escapes::find(text, n_before, self.quote, open, &mut found);
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
    fn extend(&mut self, line_begins: bool, end: u64, n_digits: usize, classes: u8) {
        if line_begins && self.n_digits == 0 {
            self.width = to_u64(n_digits);
        } else if !line_begins {
            self.width = u64::MAX;
        }
        self.end = end;
        self.n_digits += to_u64(n_digits);
        self.classes |= classes;
    }

    /// Lines of data are as long as the first one, except for the last; names that stand below each other are
    /// not.
    fn takes_line(&self, n_digits: usize) -> bool {
        match self.reason {
            Reason::Announced | Reason::Value => n_digits > 0,
            Reason::Lines => n_digits > 0 && to_u64(n_digits) <= self.width,
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

/// How far something in front of a run says what it is.
const NEAR: usize = 512;

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

/// Returns whether digits that a line begins with may be the last ones of a run, by what follows them: not
/// the name of the next field.
fn ends_run(behind: &[u8]) -> bool {
    behind.first().is_none_or(|byte| b"=<\"'`)]}\\".contains(byte))
}

/// Why the run from `at` to `end` may be data.
fn reason(text: &[u8], at: usize, end: usize) -> Reason {
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
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b")]}>/;,|&<\"'`".contains(byte);
    before.is_some_and(|byte| byte.is_ascii_whitespace() || b"=[(,".contains(byte))
        && behind.get(n_pads).is_none_or(ends)
}

#[cfg(test)]
mod tests;
