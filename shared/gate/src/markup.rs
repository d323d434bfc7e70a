//! Decodes base64 in XML and HTML where only a parser sees it: in the text of an element and in the value of
//! an attribute, once references are resolved and comments, instructions and marks of CDATA are gone.
//!
//! LibreOffice and Word read objects so from documents of one XML file, and browsers the data of `data:`
//! addresses. Base64 that stands in the file as it is, in one piece or in lines, is found as a run of text.

mod loose;
mod references;
mod run;
mod scanner;
mod script;
mod tag;
mod values;

use std::collections::HashSet;
use std::io::{self, BufRead as _};

use crate::blob::{Blob, BlobWriter, to_u64};
use crate::survey::{Survey, Word};
use crate::text_encoding::{self, ALL, Base64, Encoding, Padding, base64_digit, class_of};
use crate::walk::{Walk, Walked};

use run::Run;
use scanner::{Dialect, Scanner};
use script::{Resolved, Script};

/// The fewest digits. The EICAR test file has 91.
const LEAST: u64 = 64;
/// Lines of fewer digits are no run of text.
const SHORT_LINE: u64 = 40;
/// What may stand in front of markup.
const NEAR: usize = 64 * 1024;
pub(crate) const CDATA: &[u8] = b"<![CDATA[";
/// How drawings and formulas in HTML begin.
pub(crate) const FOREIGN: [&[u8]; 2] = [b"<svg", b"<math"];

/// Hands over what a parser sees in a blob that may be markup. Parsers of XML read what begins as such, but
/// HTML reads drawings and formulas almost as they do: with CDATA, and with tags in every element.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    let is_marked = begins_as_markup(&blob.bytes_at(0, NEAR)?);
    if !is_marked && !may_be_html(blob)? {
        return Ok(());
    }
    let is_xml = is_marked || survey.has(Word::ForeignMarkup);
    let mut seen = HashSet::new();
    if !is_xml || walk_as(walk, blob, Dialect::Xml, &mut seen, depth)? {
        walk_as(walk, blob, Dialect::Html, &mut seen, depth)?;
    }
    loose::hand_values(walk, blob, &mut seen, depth)
}

fn begins_as_markup(head: &[u8]) -> bool {
    let visible = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    values::behind_spaces(visible).first() == Some(&b'<')
}

/// Returns whether a blob holds a part that is long enough for a value and made of what one may be made of.
/// Browsers show pages with any other bytes around it.
fn may_be_html(blob: &Blob) -> io::Result<bool> {
    if blob.size_bytes() <= to_u64(NEAR) && memchr::memchr(b'<', &blob.bytes_at(0, NEAR)?).is_none() {
        return Ok(false);
    }
    holds_text(blob)
}

fn holds_text(blob: &Blob) -> io::Result<bool> {
    let (mut run, mut reader) = (Run::default(), blob.reader());
    loop {
        let piece = reader.fill_buf()?;
        run.take(piece);
        let n_bytes = piece.len();
        if n_bytes == 0 || run.is_long() {
            return Ok(run.is_long());
        }
        reader.consume(n_bytes);
    }
}

/// Hands over texts, and the values that are not in `seen`. Returns whether the other dialect may see
/// something else.
fn walk_as(
    walk: &mut Walk<'_>,
    blob: &Blob,
    dialect: Dialect,
    seen: &mut HashSet<(u64, u64)>,
    depth: u32,
) -> Walked<bool> {
    let mut scanner = Scanner::new(blob, dialect);
    let (mut holds_data, mut is_within, mut values) = (false, false, Vec::new());
    let (mut holds_script, mut is_sure) = (false, false);
    loop {
        if !holds_data {
            scanner.skip_short()?;
        }
        let start = scanner.position();
        if holds_script && dialect == Dialect::Xml {
            let mut script = Script::default();
            scanner.read_text(false, &mut script)?;
            if script.is_changed && script.may_hold_data() {
                hand_script(walk, &blob.slice(start, scanner.position() - start), depth)?;
            }
        } else if holds_data || !scanner.skip_short_text()? {
            let mut text = Measure { holds_data, ..Measure::default() };
            scanner.read_text(holds_data, &mut text)?;
            if text.is_data() && is_within {
                let body = blob.slice(start, scanner.position() - start);
                hand_text(walk, &body, dialect, (holds_data, is_sure), depth)?;
            }
        }
        let Some(tag) = scanner.read_tag(&mut values)? else { break };
        for (start, end) in values.drain(..).filter(|value| seen.insert(*value)) {
            values::hand(walk, &blob.slice(start, end - start), depth)?;
        }
        (holds_data, is_within, holds_script) = (tag.opens_data(), true, tag.holds_script());
        is_sure = holds_data && !tag.may_open_data();
    }
    Ok(scanner.sees_differences())
}

/// Takes a text, part by part.
trait Sink {
    fn take(&mut self, part: &Part<'_>);

    /// Returns whether it does not matter what else the text holds.
    fn is_full(&self) -> bool;
}

/// A part of a text.
enum Part<'a> {
    Text(&'a [u8]),
    /// What was a reference. It is [`u8::MAX`] if it is not in ASCII.
    Character(u8),
    /// Something that is no text stood here.
    Joint,
}

/// What a text is, part by part.
#[derive(Debug, Default)]
struct Measure {
    /// Whether the element's name says that it holds base64: readers skip what is no digit.
    holds_data: bool,
    n_digits: u64,
    classes: u8,
    n_in_line: u64,
    has_other: bool,
    /// Whether white space, or a part that is no text, stands behind the last digit.
    gap: Option<Gap>,
    is_broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gap {
    Line,
    Other,
}

impl Sink for Measure {
    fn take(&mut self, part: &Part<'_>) {
        match part {
            Part::Text(text) => {
                let mut left = text.iter();
                while let Some(byte) = left.next().filter(|_| !self.is_full()) {
                    self.take_byte(*byte);
                }
            }
            Part::Character(byte) => {
                self.is_broken = true;
                self.take_byte(*byte);
            }
            Part::Joint => self.gap = Some(Gap::Other),
        }
    }

    fn is_full(&self) -> bool {
        self.has_other && !self.holds_data
    }
}

impl Measure {
    fn take_byte(&mut self, byte: u8) {
        if base64_digit(byte).is_some() {
            let gap = self.gap.take();
            let is_short = self.n_in_line < SHORT_LINE;
            self.is_broken |= self.n_digits > 0 && (gap == Some(Gap::Other) || gap.is_some() && is_short);
            self.n_in_line = if gap.is_some() { 1 } else { self.n_in_line + 1 };
            self.n_digits += 1;
            self.classes |= class_of(byte);
        } else if matches!(byte, b'\r' | b'\n') {
            self.gap = Some(Gap::Line);
        } else if byte.is_ascii_whitespace() {
            self.gap = self.gap.or(Some(Gap::Other));
        } else if byte == 0 {
            // Browsers leave it out.
            self.is_broken = true;
        } else if byte != b'=' {
            self.has_other = true;
            self.is_broken = true;
        }
    }

    /// Prose without punctuation is all digits, but not of upper case, lower case and figures alike.
    fn is_data(&self) -> bool {
        let is_likely = !self.has_other && self.classes & ALL == ALL;
        self.n_digits >= LEAST && self.is_broken && (self.holds_data || is_likely)
    }
}

/// Decodes a text as parsers see it.
fn hand_text(
    walk: &mut Walk<'_>,
    body: &Blob,
    dialect: Dialect,
    (holds_data, is_sure): (bool, bool),
    depth: u32,
) -> Walked {
    let mut digits = Digits { writer: walk.writer(), written: Ok(()) };
    Scanner::new(body, dialect).read_text(holds_data, &mut digits)?;
    digits.written?;
    let digits = digits.writer.finish();
    if is_sure {
        text_encoding::hand(walk, &digits, Encoding::Base64, depth)?;
        return Ok(());
    }
    hand_guess(walk, &digits, depth)
}

/// Hands over a script as parsers of XML see it.
fn hand_script(walk: &mut Walk<'_>, body: &Blob, depth: u32) -> Walked {
    let mut resolved = Resolved { writer: walk.writer(), written: Ok(()) };
    Scanner::new(body, Dialect::Xml).read_text(false, &mut resolved)?;
    resolved.written?;
    walk.reading_of_guess(&mut resolved.writer.finish().reader(), depth)?;
    Ok(())
}

/// Writes a text without its white space, and without what browsers leave out.
struct Digits {
    writer: BlobWriter,
    written: io::Result<()>,
}

impl Sink for Digits {
    fn take(&mut self, part: &Part<'_>) {
        if self.written.is_ok() {
            self.written = write_part(&mut self.writer, part);
        }
    }

    fn is_full(&self) -> bool {
        self.written.is_err()
    }
}

fn write_part(writer: &mut BlobWriter, part: &Part<'_>) -> io::Result<()> {
    match part {
        Part::Text(text) => text
            .split(|byte| byte.is_ascii_whitespace() || *byte == 0)
            .filter(|word| !word.is_empty())
            .try_for_each(|word| writer.write(word)),
        Part::Character(byte) if byte.is_ascii_whitespace() => Ok(()),
        Part::Character(byte) => writer.write(&[*byte]),
        Part::Joint => Ok(()),
    }
}

fn hand_guess(walk: &mut Walk<'_>, digits: &Blob, depth: u32) -> Walked {
    let mut first = Base64::new(digits, Padding::Ends);
    walk.reading_of_guess(&mut first, depth)?;
    if first.has_inner_padding()? {
        walk.reading_of_guess(&mut Base64::new(digits, Padding::EndsGroup), depth)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
