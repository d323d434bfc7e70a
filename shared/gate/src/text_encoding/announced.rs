//! Finds base64 of which a word in front says that it is some: there readers skip what is no digit, as RFC
//! 2045, 6.8 has it, so that the digits are no run.
//!
//! Properties of address cards and calendars (vobject 0.9), values of directories (RFC 2849), `!!binary` of
//! YAML (PyYAML 6), and pictures in notebooks (nbconvert).

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Encoding, base64_digit};
use crate::mail::{Breaks, Line, Spans, holds};
use crate::walk::Walked;

/// What is shorter holds nothing. The EICAR test file has 91 digits.
const LEAST: u64 = 64;
/// How long a property's name and parameters may be.
const LONGEST_NAME: usize = 1024;

/// Where a value goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Until {
    /// In lines that begin with white space.
    Folded,
    /// Behind a line that ends with `=`.
    SoftBreaks,
    /// In lines that are indented further than this, and in empty ones.
    Indented(usize),
    Quote(u8),
}

#[derive(Debug)]
struct Value {
    start: u64,
    end: u64,
    until: Until,
    n_digits: u64,
    /// Whether it is anything but lines of one length and a last one.
    is_odd: bool,
    width: Option<u64>,
    is_last: bool,
    /// What the last line ends with.
    last: u8,
}

/// Finds such values, line by line.
#[derive(Debug, Default)]
pub(super) struct Announced {
    open: Option<Value>,
    /// Whether a line has begun an entry of a directory.
    has_entry: bool,
}

impl Announced {
    pub(super) fn take(&mut self, line: &Line<'_>, may_be_tagged: bool, spans: &mut Spans) -> Walked {
        if let Some(mut value) = self.open.take() {
            if let Some(rest) = value.continues_in(line) {
                if !value.take(rest, line.text_at) {
                    self.open = Some(value);
                    return Ok(());
                }
                return value.end(spans);
            }
            value.end(spans)?;
        }
        self.has_entry |= line.begins && line.text.starts_with(b"dn:");
        let begun = if line.begins { self.property(line.text) } else { None };
        let tagged = || if may_be_tagged { tagged(line.text) } else { None };
        if let Some((from, until)) = begun.or_else(tagged) {
            let start = line.text_at + crate::blob::to_u64(from);
            let mut value = Value::new(start, until);
            if value.take(&line.text[from..], start) {
                return value.end(spans);
            }
            self.open = Some(value);
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.open.take().map_or(Ok(()), |value| value.end(spans))
    }

    /// Where the value of a property begins, if its name says that it is encoded.
    fn property(&self, text: &[u8]) -> Option<(usize, Until)> {
        text.first().filter(|byte| byte.is_ascii_alphabetic())?;
        let head = &text[..text.len().min(LONGEST_NAME)];
        let colon = memchr::memchr(b':', head)?;
        if self.has_entry && head[colon..].starts_with(b"::") {
            return Some((colon + 2, Until::Folded));
        }
        let semicolon = memchr::memchr(b';', &head[..colon])?;
        let parameters = &head[semicolon..];
        // A quoted parameter may hold a colon.
        let colons = memchr::memchr_iter(b':', parameters);
        let until = |end: usize| {
            let name = &parameters[..end];
            if holds(name, b"quoted-printable") {
                Some(Until::SoftBreaks)
            } else {
                (holds(name, b"encoding=b") || holds(name, b"base64")).then_some(Until::Folded)
            }
        };
        colons.take(4).find_map(|end| Some((semicolon + end + 1, until(end)?)))
    }
}

const PICTURE: &[u8] = b"\"image/";
const BINARY: &[u8] = b"binary";
// Made once: every line of a file comes here.
static PICTURE_FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(PICTURE));
static BINARY_FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(BINARY));

/// Where a value begins that has a tag of YAML, or the key of a picture in a notebook.
fn tagged(text: &[u8]) -> Option<(usize, Until)> {
    if let Some(at) = PICTURE_FINDER.find(text) {
        let key = at + 1;
        let end = key + memchr::memchr(b'"', &text[key..])? + 1;
        let behind = text[end..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let value = behind.strip_prefix(b"\"")?;
        return Some((text.len() - value.len(), Until::Quote(b'"')));
    }
    let at = BINARY_FINDER
        .find_iter(text)
        .find(|at| text[..*at].ends_with(b"!!") || text[..*at].ends_with(b"tag:yaml.org,2002:"))?;
    let rest = &text[at + BINARY.len()..];
    let value = rest.strip_prefix(b">").unwrap_or(rest).trim_ascii_start();
    let from = text.len() - value.len();
    let n_indent = text.iter().take_while(|byte| matches!(byte, b' ' | b'-')).count();
    Some(match value.first() {
        Some(quote @ (b'"' | b'\'')) => (from + 1, Until::Quote(*quote)),
        Some(b'|' | b'>') => (text.len(), Until::Indented(n_indent)),
        _ => (from, Until::Indented(n_indent)),
    })
}

impl Value {
    fn new(start: u64, until: Until) -> Self {
        let (n_digits, is_odd, width, is_last, last) = (0, false, None, false, 0);
        Self { start, end: start, until, n_digits, is_odd, width, is_last, last }
    }

    /// What of a line belongs to it, if anything does.
    fn continues_in<'a>(&self, line: &Line<'a>) -> Option<&'a [u8]> {
        let n_indent = line.text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let continues = !line.begins
            || match self.until {
                Until::Folded => n_indent > 0,
                Until::SoftBreaks => self.last == b'=',
                Until::Indented(least) => n_indent > least || n_indent == line.text.len(),
                Until::Quote(_) => true,
            };
        continues.then_some(line.text)
    }

    /// Takes a part of a value that stands at `at`. Returns whether it ends there.
    fn take(&mut self, text: &[u8], at: u64) -> bool {
        let closing = match self.until {
            Until::Quote(quote) => memchr::memchr(quote, text),
            _ => None,
        };
        let text = &text[..closing.unwrap_or(text.len())];
        let n_digits = text.iter().filter(|byte| base64_digit(**byte).is_some()).count();
        let is_other = |byte: &u8| base64_digit(*byte).is_none() && *byte != b'=';
        self.is_odd |= text.trim_ascii().iter().any(is_other);
        let n_digits = crate::blob::to_u64(n_digits);
        if n_digits > 0 {
            let width = *self.width.get_or_insert(n_digits);
            // Lines that a word or a quote stands in front of are no run.
            self.is_odd |= self.n_digits > 0 && self.until != Until::Folded;
            self.is_odd |= self.is_last || n_digits > width;
            self.is_last = n_digits < width;
        }
        self.n_digits += n_digits;
        self.end = at + crate::blob::to_u64(text.len());
        self.last = text.trim_ascii_end().last().copied().unwrap_or(0);
        closing.is_some()
    }

    /// What is made of lines of one length is found as a run.
    fn end(self, spans: &mut Spans) -> Walked {
        match self.until {
            Until::SoftBreaks => spans.add_plain(self.start, self.end, Encoding::Quoted(Breaks::Any)),
            _ if self.is_odd && self.n_digits >= LEAST => {
                spans.add_plain(self.start, self.end, Encoding::Base64)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
