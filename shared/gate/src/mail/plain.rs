//! Finds the bodies of messages that have no MIME: what readers save of a text that begins with any field, or
//! that they take for parts.
//!
//! Readers take very little for a message. Python's mail module goes by one colon in the first line; ripMIME
//! skips paragraphs until one has a field that it knows; munpack takes two dashes with a field below for a
//! boundary. Each body is one more stream for the engine, from its start.

use super::Spans;
use super::header::{Header, holds, is_field};
use super::lines::Line;
use super::starts::Starts;
use crate::walk::Walked;

/// Messages in messages, as readers save one from the other: as many as this, as long as their bodies have no
/// more bytes than that in sum.
const MAX_NESTED: u32 = 16;
const MAX_NESTED_BYTES: u64 = 8 * 1024 * 1024;
/// As much of a body is handed that ripMIME alone takes for one, in what does not begin as a message: many
/// texts and programs have such places. What matches anywhere is found in the whole as well.
const MOST_OF_UNLIKELY: u64 = 64 * 1024;
/// Boundaries between which munpack's readings may overlap.
const MAX_BOUNDARIES: usize = 4;

/// Which reader is followed, each through the whole text.
#[derive(Debug)]
pub(super) struct Plain {
    size_bytes: u64,
    message: Message,
    paragraph: Paragraph,
    guess: Guess,
    text_end: u64,
}

impl Plain {
    pub(super) fn new(size_bytes: u64) -> Self {
        let (message, paragraph, guess) = (Message::default(), Paragraph::default(), Guess::default());
        Self { size_bytes, message, paragraph, guess, text_end: 0 }
    }

    pub(super) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        if line.begins {
            let whole = Whole { text_end: self.text_end, size_bytes: self.size_bytes };
            self.message.take(line, whole, spans)?;
            self.paragraph.most = if self.message.has_header { u64::MAX } else { MOST_OF_UNLIKELY };
            self.paragraph.take(line, whole, spans)?;
            self.guess.take(line, whole, spans)?;
        }
        self.text_end = line.text_end;
        Ok(())
    }

    pub(super) fn finish(&mut self, spans: &mut Spans) -> Walked {
        let whole = Whole { text_end: self.text_end, size_bytes: self.size_bytes };
        self.message.end_header(None, whole, spans)?;
        self.message.end_bodies(whole.size_bytes, spans)?;
        self.paragraph.end_body(whole.size_bytes, spans)?;
        self.guess.finish(whole.size_bytes, spans)
    }
}

/// Where the text of the line before ended, and the whole.
#[derive(Clone, Copy, Debug)]
struct Whole {
    text_end: u64,
    size_bytes: u64,
}

/// How many messages within messages are still looked for.
#[derive(Debug, Default)]
struct Nested {
    n_found: u32,
    n_bytes: u64,
}

impl Nested {
    /// Returns whether a body that begins here is one. The first always is.
    fn allows(&mut self, start: u64, whole: Whole) -> bool {
        let n_bytes = self.n_bytes.saturating_add(whole.size_bytes.saturating_sub(start));
        if self.n_found > 0 && (self.n_found >= MAX_NESTED || n_bytes > MAX_NESTED_BYTES) {
            return false;
        }
        (self.n_found, self.n_bytes) = (self.n_found + 1, n_bytes);
        true
    }
}

/// A header at the start of the text, of a body, or behind a line `From ` of a mailbox file.
#[derive(Debug, Default)]
struct Message {
    place: Place,
    /// Whether any header has begun.
    has_header: bool,
    is_mailbox: bool,
    has_begun: bool,
    nested: Nested,
    /// Where bodies of a mailbox file begin that end with the message.
    open: Vec<u64>,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Before,
    Header {
        starts: Starts,
        has_mime: bool,
    },
    Body,
}

impl Message {
    fn take(&mut self, line: &Line<'_>, whole: Whole, spans: &mut Spans) -> Walked {
        let is_from_line = line.text.starts_with(b"From ");
        if !line.is_blank() && !std::mem::replace(&mut self.has_begun, true) {
            self.is_mailbox = is_from_line;
        }
        if is_from_line && self.is_mailbox {
            self.end_header(None, whole, spans)?;
            self.end_bodies(whole.text_end, spans)?;
            self.place = Place::header(false);
            self.has_header = true;
            return Ok(());
        }
        match &mut self.place {
            Place::Before if line.is_blank() => {}
            Place::Before if is_header_line(without_mark(line.text)) => {
                self.place = Place::header(is_field(line));
                self.has_header = true;
            }
            Place::Before => self.place = Place::Body,
            Place::Header { .. } if line.is_blank() => {
                return self.end_header(Some(line.next_at), whole, spans);
            }
            Place::Header { starts, has_mime } => {
                *has_mime |= is_field(line);
                starts.take(line, is_header_line(line.text));
            }
            Place::Body => {}
        }
        Ok(())
    }

    fn end_header(&mut self, blank_at: Option<u64>, whole: Whole, spans: &mut Spans) -> Walked {
        let Place::Header { starts, has_mime } = std::mem::replace(&mut self.place, Place::Before) else {
            return Ok(());
        };
        // What follows a header with MIME is read as that.
        let blank_at = blank_at.filter(|_| !has_mime);
        for start in starts.with(blank_at) {
            if self.nested.allows(start, whole) {
                spans.add_plain_body(start, whole.size_bytes)?;
            }
            if self.is_mailbox {
                self.open.push(start);
            }
        }
        Ok(())
    }

    fn end_bodies(&mut self, end: u64, spans: &mut Spans) -> Walked {
        self.open.drain(..).try_for_each(|start| spans.add_plain_body(start, end))
    }
}

impl Place {
    fn header(has_mime: bool) -> Self {
        Self::Header { starts: Starts::default(), has_mime }
    }
}

/// Lines up to a blank one, of which ripMIME wants one to begin with the name of a field that it knows.
#[derive(Debug, Default)]
struct Paragraph {
    has: Has,
    nested: Nested,
    /// Bytes of a body that are handed.
    most: u64,
    /// Where the preamble of the first multipart begins that the next line that looks like a boundary ends.
    open: Option<u64>,
}

/// What the lines of a paragraph have.
#[derive(Debug, Default)]
struct Has {
    known: bool,
    mime: bool,
    multipart: bool,
}

impl Paragraph {
    fn take(&mut self, line: &Line<'_>, whole: Whole, spans: &mut Spans) -> Walked {
        if line.text.starts_with(b"--") {
            self.end_body(whole.text_end, spans)?;
        }
        if !line.is_blank() {
            self.has.known |= begins_with_known_name(line.text);
            self.has.mime |= is_field(line);
            // Nothing comes of it without a field.
            self.has.multipart |= (self.has.known || self.has.mime) && holds(line.text, b"multipart");
            return Ok(());
        }
        let (has, is_first) = (std::mem::take(&mut self.has), self.nested.n_found == 0);
        if !has.known || !self.nested.allows(line.next_at, whole) {
            return Ok(());
        }
        if has.mime {
            // Other bodies with MIME are read as such.
            self.open = Some(line.next_at).filter(|_| is_first && has.multipart);
            return Ok(());
        }
        spans.add_plain_body(line.next_at, whole.size_bytes.min(line.next_at.saturating_add(self.most)))
    }

    fn end_body(&mut self, end: u64, spans: &mut Spans) -> Walked {
        self.open.take().map_or(Ok(()), |start| spans.add_plain_body(start, end))
    }
}

/// Parts behind lines of two dashes that have a field below, up to the next line that begins in the same way.
#[derive(Debug, Default)]
struct Guess {
    /// The last line, if it may be a boundary.
    boundary: Option<Vec<u8>>,
    header: Option<(Vec<u8>, Header)>,
    open: Vec<(Vec<u8>, u64)>,
}

impl Guess {
    fn take(&mut self, line: &Line<'_>, whole: Whole, spans: &mut Spans) -> Walked {
        let before = self.boundary.take();
        let dashes = line.text.strip_prefix(b"--").map(<[u8]>::trim_ascii_end);
        if let Some(rest) = dashes {
            self.header = None;
            for (boundary, start) in self.open.extract_if(.., |(boundary, _)| rest.starts_with(boundary)) {
                spans.add_plain_body(start, whole.text_end)?;
                // A part of what is known to have parts needs no field.
                self.header = Some((boundary, Header::default()));
            }
            self.boundary = dashes.filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec);
            return Ok(());
        }
        if let Some(boundary) = before.filter(|_| is_named(line.text) && self.header.is_none()) {
            self.header = Some((boundary, Header::default()));
        }
        let Some((boundary, mut header)) = self.header.take() else { return Ok(()) };
        if is_named(line.text) || matches!(line.text.first(), Some(b' ' | b'\t')) {
            header.take(line);
            self.header = Some((boundary, header));
            return Ok(());
        }
        let entity = header.entity()?;
        if entity.encodings.as_is && !entity.is_multipart {
            let start = if line.is_blank() { line.next_at } else { line.at };
            if self.open.len() >= MAX_BOUNDARIES {
                let (_, oldest) = self.open.remove(0);
                spans.add_plain_body(oldest, whole.text_end)?;
            }
            self.open.push((boundary, start));
        }
        Ok(())
    }

    fn finish(&mut self, end: u64, spans: &mut Spans) -> Walked {
        self.open.drain(..).try_for_each(|(_, start)| spans.add_plain_body(start, end))
    }
}

/// Returns whether a line may stand in a header, as Python has it.
fn is_header_line(text: &[u8]) -> bool {
    let n_name = n_name_bytes(text);
    text.get(n_name) == Some(&b':')
        || matches!(text.first(), Some(b' ' | b'\t'))
        || text.starts_with(b"From ")
}

fn is_named(text: &[u8]) -> bool {
    let n_name = n_name_bytes(text);
    n_name > 0 && text.get(n_name) == Some(&b':')
}

fn n_name_bytes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count()
}

/// A byte order mark in front of the first field counts for nothing.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn begins_with_known_name(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"from",
        b"to",
        b"subject",
        b"date",
        b"message-id",
        b"received",
        b"content-type",
        b"content-disposition",
        b"content-transfer-encoding",
        b"content-location",
    ];
    let is_known = |name: &&[u8]| {
        let begins = text.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        begins && matches!(text.get(name.len()), Some(b':' | b' ' | b'\t'))
    };
    // All lines of all files come through here.
    match text.first().map(u8::to_ascii_lowercase) {
        Some(b'=') => is_encoded_word(text),
        Some(b'c' | b'd' | b'f' | b'm' | b'r' | b's' | b't') => NAMES.iter().any(is_known),
        _ => false,
    }
}

/// Returns whether a line begins with `=?charset?Q?text?=`, or B (RFC 2047). ripMIME decodes it before it
/// looks for names.
fn is_encoded_word(text: &[u8]) -> bool {
    let mut pieces = text.strip_prefix(b"=?").unwrap_or_default().split(|byte| *byte == b'?');
    pieces.next().is_some_and(|charset| !charset.is_empty() && charset.iter().all(u8::is_ascii_graphic))
        && pieces.next().is_some_and(|encoding| matches!(encoding, b"Q" | b"q" | b"B" | b"b"))
        && pieces.nth(1).is_some_and(|rest| rest.starts_with(b"="))
}
