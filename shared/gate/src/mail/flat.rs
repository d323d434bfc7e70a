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
    open: Option<(Vec<u64>, Body)>,
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
        let is_boundary = line.begins && line.text.starts_with(b"--");
        if is_from_line || is_boundary {
            self.finish(spans)?;
        } else if is_field {
            self.end_body(spans)?;
        }
        if is_field {
            self.header.get_or_insert_default();
        }
        if let Some(pending) = &mut self.header {
            if line.is_blank() {
                self.begin_body(Some(line.next_at));
            } else {
                let is_of_header = pending.header.take(line);
                pending.starts.take(line, is_of_header);
            }
        }
        self.text_end = line.text_end;
        Ok(())
    }

    fn begin_body(&mut self, blank_at: Option<u64>) {
        let Some(Pending { header, starts }) = self.header.take() else { return };
        let encodings = header.entity().encodings;
        if encodings.base64 || encodings.quoted {
            let body =
                Body { as_is: false, base64: encodings.base64, quoted: encodings.quoted, charset: None };
            self.open = Some((starts.with(blank_at).collect(), body));
        }
    }

    /// Ends whatever is open, at the end of the last line.
    pub(super) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.end_body(spans)?;
        self.begin_body(None);
        self.end_body(spans)
    }

    fn end_body(&mut self, spans: &mut Spans) -> Walked {
        let Some((starts, body)) = self.open.take() else { return Ok(()) };
        starts.into_iter().try_for_each(|start| spans.add(start, self.text_end, &body))
    }
}
