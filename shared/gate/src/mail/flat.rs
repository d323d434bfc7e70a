//! Finds every body that a header says is encoded, wherever it stands: neither a boundary nor the start of a
//! message is needed.

use super::header::{Header, is_field};
use super::lines::Line;
use super::starts::Starts;
use super::tree::{has_time, is_from_line};
use super::{Body, Spans};
use crate::walk::Walked;

/// One encoded body after another: each ends where something else may begin.
#[derive(Debug, Default)]
pub(super) struct Flat {
    header: Option<Pending>,
    open: Option<Open>,
    /// What stands behind the dashes of the last line that may be a boundary.
    delimiter: Option<Vec<u8>>,
    text_end: u64,
    /// Whether there was any header.
    pub(super) has_header: bool,
    /// Whether there was any line that begins a message in a mailbox file: one with a time, and one without.
    pub(super) has_from_line: bool,
    pub(super) has_timeless_from_line: bool,
}

#[derive(Debug, Default)]
struct Pending {
    header: Header,
    starts: Starts,
}

/// A body whose end is still to come.
#[derive(Debug)]
struct Open {
    starts: Vec<u64>,
    body: Body,
    /// Of the part that it is the body of, if that may be one.
    delimiter: Option<Vec<u8>>,
    /// Whether a line has passed that ends it to some readers. To others, that is one of the body.
    may_have_ended: bool,
}

impl Flat {
    pub(super) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        let is_field = is_field(line);
        let is_from_line = is_from_line(line);
        if is_from_line {
            let has_time = has_time(line);
            self.has_from_line |= has_time;
            self.has_timeless_from_line |= !has_time;
        }
        self.has_header |= is_field;
        let delimiter = line.text.strip_prefix(b"--").filter(|_| line.begins).map(without_dashes);
        if let Some(delimiter) = delimiter {
            self.take_boundary(delimiter, spans)?;
        } else if is_from_line {
            self.finish(spans)?;
        } else if is_field {
            self.end_body(spans)?;
        }
        if is_field {
            self.header.get_or_insert_default();
        }
        if let Some(pending) = &mut self.header {
            if line.is_blank() {
                self.begin_body(Some(line.next_at))?;
            } else {
                let is_of_header = pending.header.take(line);
                pending.starts.take(line, is_of_header);
            }
        }
        self.text_end = line.text_end;
        Ok(())
    }

    fn begin_body(&mut self, blank_at: Option<u64>) -> Walked {
        let Some(Pending { header, starts }) = self.header.take() else { return Ok(()) };
        let encodings = header.entity()?.encodings;
        if encodings.base64 || encodings.quoted {
            let body = Body { base64: encodings.base64, quoted: encodings.quoted, ..Body::default() };
            let (starts, delimiter) = (starts.with(blank_at).collect(), self.delimiter.clone());
            self.open = Some(Open { starts, body, delimiter, may_have_ended: false });
        }
        Ok(())
    }

    fn take_boundary(&mut self, delimiter: &[u8], spans: &mut Spans) -> Walked {
        let is_of_part = |open: &Open| open.delimiter.as_deref() == Some(delimiter);
        if self.header.is_some() || self.open.as_ref().is_some_and(is_of_part) {
            self.finish(spans)?;
        } else if let Some(open) = &mut self.open
            && !std::mem::replace(&mut open.may_have_ended, true)
        {
            add(open, self.text_end, spans)?;
        }
        self.delimiter = Some(delimiter.to_vec());
        Ok(())
    }

    /// Ends whatever is open, at the end of the last line.
    pub(super) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.end_body(spans)?;
        self.begin_body(None)?;
        self.end_body(spans)
    }

    fn end_body(&mut self, spans: &mut Spans) -> Walked {
        self.open.take().map_or(Ok(()), |open| add(&open, self.text_end, spans))
    }
}

fn add(open: &Open, end: u64, spans: &mut Spans) -> Walked {
    open.starts.iter().try_for_each(|start| spans.add(*start, end, &open.body))
}

/// What is the same in the line between two parts and in the one behind the last.
fn without_dashes(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    text.strip_suffix(b"--").unwrap_or(text)
}
