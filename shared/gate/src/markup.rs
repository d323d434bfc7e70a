//! Decodes base64 in XML and HTML where only a parser sees it: in the text of an element and in the value of
//! an attribute, once references are resolved and comments, instructions and marks of CDATA are gone.
//!
//! LibreOffice and Word read objects so from documents of one XML file, and browsers the data of `data:`
//! addresses. Base64 that stands in the file as it is, in one piece or in lines, is found as a run of text.

mod references;
mod scanner;
mod tag;
mod values;

use std::io;

use crate::blob::{Blob, BlobWriter, to_u64};
use crate::text_encoding::{self, ALL, Base64, Encoding, Padding, base64_digit, class_of};
use crate::walk::{Walk, Walked};

use scanner::{Dialect, Scanner};

/// The fewest digits. The EICAR test file has 91.
const LEAST: u64 = 64;
/// Lines of fewer digits are no run of text.
const SHORT_LINE: u64 = 40;

/// Hands over what a parser sees in a blob that may be markup.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !may_be_markup(blob)? {
        return Ok(());
    }
    if walk_as(walk, blob, Dialect::Xml, depth)? {
        walk_as(walk, blob, Dialect::Html, depth)?;
    }
    Ok(())
}

/// Returns whether a blob begins with `<`, or holds a part that is long enough for an address of data and is
/// made of what such an address may be made of. Browsers show pages with any other bytes around it.
fn may_be_markup(blob: &Blob) -> io::Result<bool> {
    const SMALL: usize = 64 * 1024;
    let head = blob.bytes_at(0, SMALL)?;
    let visible = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    if values::behind_spaces(visible).first() == Some(&b'<') {
        return Ok(true);
    }
    if blob.size_bytes() <= to_u64(SMALL) && memchr::memchr(b'<', &head).is_none() {
        return Ok(false);
    }
    holds_text(blob)
}

/// Returns whether there is a long part of visible characters and white space. Of other bytes it looks at
/// few: from the end of each part to the last one in it that is neither.
fn holds_text(blob: &Blob) -> io::Result<bool> {
    const PART: usize = 100;
    const PIECE: usize = 256 * 1024;
    let is_other = |byte: &u8| !byte.is_ascii_graphic() && !byte.is_ascii_whitespace();
    let mut piece_at = 0;
    loop {
        let piece = blob.bytes_at(piece_at, PIECE)?;
        let mut at = 0;
        while let Some(part) = piece.get(at..at + PART) {
            match part.iter().rposition(is_other) {
                Some(last) => at += last + 1,
                None => return Ok(true),
            }
        }
        if at == 0 {
            return Ok(false);
        }
        piece_at += to_u64(at);
    }
}

/// Returns whether the other dialect may see something else.
fn walk_as(walk: &mut Walk<'_>, blob: &Blob, dialect: Dialect, depth: u32) -> Walked<bool> {
    let mut scanner = Scanner::new(blob, dialect);
    let (mut holds_data, mut is_within, mut values) = (false, false, Vec::new());
    loop {
        if !holds_data {
            scanner.skip_short()?;
        }
        let start = scanner.position();
        if holds_data || !scanner.skip_short_text()? {
            let mut text = Measure { holds_data, ..Measure::default() };
            scanner.read_text(holds_data, &mut |part| text.take(&part))?;
            if text.is_data() && is_within {
                let body = blob.slice(start, scanner.position() - start);
                hand_text(walk, &body, dialect, holds_data, depth)?;
            }
        }
        let Some(tag) = scanner.read_tag(&mut values)? else { break };
        for (start, end) in values.drain(..) {
            values::hand(walk, &blob.slice(start, end - start), depth)?;
        }
        (holds_data, is_within) = (tag.opens_data(), true);
    }
    Ok(scanner.sees_differences())
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

impl Measure {
    fn take(&mut self, part: &Part<'_>) {
        match part {
            Part::Text(text) => {
                if !self.has_other || self.holds_data {
                    for byte in *text {
                        self.take_byte(*byte);
                    }
                }
            }
            Part::Character(byte) => {
                self.is_broken = true;
                self.take_byte(*byte);
            }
            Part::Joint => self.gap = Some(Gap::Other),
        }
    }

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
fn hand_text(walk: &mut Walk<'_>, body: &Blob, dialect: Dialect, holds_data: bool, depth: u32) -> Walked {
    let mut digits = walk.writer();
    let mut written = Ok(());
    Scanner::new(body, dialect).read_text(holds_data, &mut |part| {
        if written.is_ok() {
            written = write_part(&mut digits, &part);
        }
    })?;
    written?;
    let digits = digits.finish();
    if holds_data {
        text_encoding::hand(walk, &digits, Encoding::Base64, depth)?;
        return Ok(());
    }
    hand_guess(walk, &digits, depth)
}

fn write_part(writer: &mut BlobWriter, part: &Part<'_>) -> io::Result<()> {
    match part {
        Part::Text(text) => text
            .split(u8::is_ascii_whitespace)
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
