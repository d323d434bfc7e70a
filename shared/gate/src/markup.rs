//! Decodes base64 in XML and HTML where only a parser sees it: in the text of an element and in the value of
//! an attribute, once references are resolved and comments, instructions and marks of CDATA are gone.
//!
//! LibreOffice and Word read objects so from documents of one XML file, and browsers the data of `data:`
//! addresses. Base64 that stands in the file as it is, in one piece or in lines, is found as a run of text.

mod references;
mod scanner;
mod tag;

use std::io::{self, Read as _};

use crate::blob::{Blob, BlobWriter, to_u64, to_usize};
use crate::text_encoding::{self, ALL, Base64, Encoding, Padding, address, base64_digit, class_of};
use crate::walk::{Walk, Walked};

use scanner::{Dialect, Part, Scanner};

/// The fewest digits. The EICAR test file has 91.
const LEAST: u64 = 64;
/// Lines of fewer digits are no run of text.
const SHORT_LINE: u64 = 40;

/// Hands over what a parser sees in a blob that begins as markup does.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !begins_as_markup(blob)? {
        return Ok(());
    }
    if walk_as(walk, blob, Dialect::Xml, depth)? {
        walk_as(walk, blob, Dialect::Html, depth)?;
    }
    Ok(())
}

/// Returns whether `<` is the first character that is neither white space nor a mark of UTF-8, or stands in a
/// text that begins with something else: browsers read that, too.
fn begins_as_markup(blob: &Blob) -> io::Result<bool> {
    const HEAD: usize = 1024;
    let head = blob.bytes_at(0, HEAD)?;
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let is_text = head.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
    Ok(is_text && head.contains(&b'<'))
}

/// Returns whether the other dialect may see something else.
fn walk_as(walk: &mut Walk<'_>, blob: &Blob, dialect: Dialect, depth: u32) -> Walked<bool> {
    let mut scanner = Scanner::new(blob, dialect);
    let (mut holds_data, mut values) = (false, Vec::new());
    loop {
        let start = scanner.position();
        if holds_data || !scanner.skip_short_text()? {
            let mut text = Measure { holds_data, ..Measure::default() };
            scanner.read_text(holds_data, &mut |part| text.take(&part))?;
            if text.is_data() {
                let body = blob.slice(start, scanner.position() - start);
                hand_text(walk, &body, dialect, holds_data, depth)?;
            }
        }
        let Some(tag) = scanner.read_tag(&mut values)? else { break };
        for (start, end) in values.drain(..) {
            hand_value(walk, &blob.slice(start, end - start), depth)?;
        }
        holds_data = tag.opens_data();
    }
    Ok(scanner.sees_differences())
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

/// Decodes the value of an attribute in which there are references, white space or `%`: an address with data,
/// base64 by itself, or a page.
fn hand_value(walk: &mut Walk<'_>, raw: &Blob, depth: u32) -> Walked {
    const HEAD: usize = 4 * 1024;
    const BASE64: &[u8] = b";base64,";
    let head = references::resolved(&Blob::from_bytes(raw.bytes_at(0, HEAD)?))?;
    let is_address = begins_with_scheme(&head);
    let is_page = head.contains(&b'<');
    let is_digit = |byte: &u8| base64_digit(*byte).is_some() || byte.is_ascii_whitespace();
    if !is_address && !is_page && !head.iter().take(to_usize(LEAST)).all(is_digit) {
        return Ok(());
    }
    let (mut value, mut closed_up) = (walk.writer(), walk.writer());
    let mut reader = raw.reader();
    references::resolve(&mut reader, &mut |bytes| {
        value.write(bytes)?;
        write_part(&mut closed_up, &Part::Text(bytes))
    })?;
    if is_page {
        walk.reading_of_guess(&mut value.finish().reader(), depth)?;
        return Ok(());
    }
    let closed_up = closed_up.finish();
    if !is_address {
        return hand_guess(walk, &closed_up, depth);
    }
    let head = closed_up.bytes_at(0, HEAD)?;
    let comma = memchr::memchr(b',', &head).map_or(0, |comma| comma + 1);
    if head[..comma].to_ascii_lowercase().ends_with(BASE64) {
        let mut digits = walk.writer();
        let mut unescaped = address::decoded(&closed_up.tail(to_u64(comma)));
        let mut buffer = vec![0; HEAD];
        loop {
            match unescaped.read(&mut buffer)? {
                0 => break,
                n_bytes => digits.write(&buffer[..n_bytes])?,
            }
        }
        text_encoding::hand(walk, &digits.finish(), Encoding::Base64, depth)?;
    } else if let Some(data_at) = address::data_at(&head) {
        walk.reading_of_guess(&mut address::decoded(&closed_up.tail(to_u64(data_at))), depth)?;
    }
    Ok(())
}

fn begins_with_scheme(value: &[u8]) -> bool {
    let mut letters = value.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase);
    address::SCHEME.iter().all(|byte| letters.next() == Some(*byte))
}

#[cfg(test)]
mod tests;
