//! Reads a text as a tree of MIME parts (RFC 2046), by the boundaries that its headers announce.
//!
//! The tree is never built: parts that are open end where a line matches the boundary of something around
//! them. A message within a message is one part, which is looked into by itself.

use std::collections::HashMap;

use super::header::{Entity, Header, is_field};
use super::lines::Line;
use super::starts::Starts;
use super::{Body, Spans};
use crate::walk::{Walked, refuse};

/// Readers recurse, and give up sooner.
const MAX_LEVELS: usize = 1_000;

/// Which boundaries count where a header names several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pick {
    All,
    First,
    Last,
}

/// Whether a line `From ` begins another message (RFC 4155), or is one of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mailbox {
    Split,
    /// Only where it has a time, as it should.
    SplitAtTimes,
    OneMessage,
}

impl Mailbox {
    fn splits_at(self, line: &Line<'_>) -> bool {
        match self {
            Self::Split => is_from_line(line),
            Self::SplitAtTimes => is_from_line(line) && has_time(line),
            Self::OneMessage => false,
        }
    }
}

pub(super) fn is_from_line(line: &Line<'_>) -> bool {
    line.begins && line.text.starts_with(b"From ")
}

/// Returns whether hours and minutes stand in it.
pub(super) fn has_time(line: &Line<'_>) -> bool {
    let is_time = |text: &[u8]| matches!(text, [b'0'..=b'9', b':', b'0'..=b'9', ..]);
    line.text.windows(3).any(is_time)
}

#[derive(Debug)]
pub(super) struct Tree {
    pick: Pick,
    mailbox: Mailbox,
    levels: Vec<Level>,
    /// For each boundary, the levels that have it, innermost last.
    by_boundary: HashMap<Vec<u8>, Vec<usize>>,
    place: Place,
    open: Vec<Open>,
    /// Where the text of the line before ended: the break in front of a boundary belongs to the boundary.
    text_end: u64,
    /// Where the last line `From ` stands that is one of the text.
    from_line_at: Option<u64>,
    /// Whether some header named several boundaries, so that another [`Pick`] gives something else.
    pub(super) is_ambiguous: bool,
}

/// A multipart whose parts are being read.
#[derive(Debug)]
struct Level {
    /// Empty as long as it is to be guessed.
    boundaries: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Place {
    /// In front of the first field that matters.
    Before,
    Header {
        header: Header,
        starts: Starts,
    },
    Body,
}

/// A body whose end is still to come.
#[derive(Debug)]
struct Open {
    n_levels: usize,
    starts: Vec<u64>,
    entity: Entity,
}

impl Tree {
    pub(super) fn new(pick: Pick, mailbox: Mailbox) -> Self {
        let (levels, open, by_boundary) = (Vec::new(), Vec::new(), HashMap::new());
        Self {
            pick,
            mailbox,
            levels,
            by_boundary,
            place: Place::Before,
            open,
            text_end: 0,
            from_line_at: None,
            is_ambiguous: false,
        }
    }

    pub(super) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        self.take_line(line, spans)?;
        self.text_end = line.text_end;
        Ok(())
    }

    fn take_line(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        if self.mailbox.splits_at(line) {
            self.finish(spans)?;
            self.place = Place::header();
            return Ok(());
        }
        if is_from_line(line) {
            self.from_line_at = Some(line.at);
        }
        if line.begins
            && line.text.starts_with(b"--")
            && let Some(level) = self.level_of(line.text[2..].trim_ascii_end())
        {
            self.close(level, spans)?;
            self.place = Place::header();
            return Ok(());
        }
        match &mut self.place {
            Place::Before if is_field(line) => self.place = Place::header(),
            Place::Before | Place::Body => return Ok(()),
            Place::Header { .. } => {}
        }
        let Place::Header { header, starts } = &mut self.place else { return Ok(()) };
        if !line.is_blank() {
            let is_of_header = header.take(line);
            starts.take(line, is_of_header);
            return Ok(());
        }
        self.end_header(Some(line.next_at))
    }

    /// Begins the body behind a header, wherever some reader thinks that this ends. If no line is blank, only
    /// where that is odd.
    fn end_header(&mut self, blank_at: Option<u64>) -> Walked {
        let Place::Header { header, starts } = std::mem::replace(&mut self.place, Place::Body) else {
            return Ok(());
        };
        let starts = starts.with(blank_at).collect::<Vec<_>>();
        if starts.is_empty() { Ok(()) } else { self.begin_body(starts, header.entity()?) }
    }

    fn begin_body(&mut self, starts: Vec<u64>, entity: Entity) -> Walked {
        let n_levels = self.levels.len();
        if entity.is_multipart {
            self.is_ambiguous |= entity.boundaries.len() > 1;
            let boundaries = match self.pick {
                Pick::All => entity.boundaries.concat(),
                Pick::First => entity.boundaries.first().cloned().unwrap_or_default(),
                Pick::Last => entity.boundaries.last().cloned().unwrap_or_default(),
            };
            self.push_level(boundaries)?;
        }
        self.open.push(Open { n_levels, starts, entity });
        Ok(())
    }

    fn push_level(&mut self, boundaries: Vec<Vec<u8>>) -> Walked {
        if self.levels.len() >= MAX_LEVELS {
            return refuse(domain::verdict::Unscannable::TooDeep, "mail: too many parts within parts");
        }
        let level = self.levels.len();
        for boundary in &boundaries {
            self.by_boundary.entry(boundary.clone()).or_default().push(level);
        }
        self.levels.push(Level { boundaries });
        Ok(())
    }

    /// The innermost level to which a line `--` with this behind it is a boundary. Whether it is the last one
    /// does not matter: some readers continue.
    fn level_of(&mut self, rest: &[u8]) -> Option<usize> {
        let delimiter = rest.strip_suffix(b"--").unwrap_or(rest);
        let innermost = |boundary: &[u8]| self.by_boundary.get(boundary)?.last().copied();
        let known = innermost(rest).max(innermost(delimiter.trim_ascii_end()));
        let last = self.levels.len().checked_sub(1)?;
        if known.is_some() || !self.levels[last].boundaries.is_empty() || rest.is_empty() {
            return known;
        }
        self.levels[last].boundaries = vec![rest.to_vec()];
        self.by_boundary.entry(rest.to_vec()).or_default().push(last);
        Some(last)
    }

    /// Ends every body in this level, and every level in it.
    fn close(&mut self, level: usize, spans: &mut Spans) -> Walked {
        self.end_header(None)?;
        for inner in self.levels.drain(level + 1..) {
            for boundary in inner.boundaries {
                if let Some(levels) = self.by_boundary.get_mut(&boundary) {
                    levels.pop();
                }
            }
        }
        while let Some(body) = self.open.pop_if(|body| body.n_levels > level) {
            self.end_body(&body, spans)?;
        }
        Ok(())
    }

    /// Ends everything, at the end of the last line.
    pub(super) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.end_header(None)?;
        while let Some(body) = self.open.pop() {
            self.end_body(&body, spans)?;
        }
        self.levels.clear();
        self.by_boundary.clear();
        self.place = Place::Before;
        Ok(())
    }

    fn end_body(&self, body: &Open, spans: &mut Spans) -> Walked {
        let Entity { encodings, is_multipart, is_message, charsets, partial, .. } = &body.entity;
        // Of a multipart, the parts are what counts; but some readers decode the whole, if it is encoded. A
        // message that is encoded is still one as it stands to readers that know that it must not be (RFC
        // 2046, 5.2.1).
        let as_is = (encodings.as_is && !is_multipart) || *is_message;
        for start in &body.starts {
            // Each message would be one within the message before: a mailbox file of twenty would be too
            // deep.
            let has_messages = self.mailbox == Mailbox::OneMessage && self.from_line_at > Some(*start);
            if as_is && has_messages {
                spans.add_plain_body(*start, self.text_end)?;
            }
            if let Some(partial) = partial {
                spans.partials.insert((partial.clone(), *start, self.text_end));
            }
            let (as_is, charsets) = (as_is && !has_messages, charsets.clone());
            let body = Body { as_is, base64: encodings.base64, quoted: encodings.quoted, charsets };
            spans.add(*start, self.text_end, &body)?;
        }
        Ok(())
    }
}

impl Place {
    fn header() -> Self {
        Self::Header { header: Header::default(), starts: Starts::default() }
    }
}
