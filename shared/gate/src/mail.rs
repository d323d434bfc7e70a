//! Finds what readers decode in a text: parts of mails, mailbox files, and all other data that is written in
//! letters.
//!
//! Readers of MIME differ in a hundred small ways (RFC 2045 to 2049), and so do those of uuencode. Where two
//! of them read something differently, both readings are handed over, equal ones once. Nothing is too damaged
//! for that: what decodes is what a reader saves.

mod boundary;
mod charset;
mod code_pages;
mod declared;
mod flat;
mod header;
mod lines;
mod partial;
mod plain;
mod rare_charset;
mod starts;
mod tree;
mod words;

use std::collections::{BTreeSet, HashSet};

use crate::blob::{Blob, to_u64, to_usize};
use crate::format::has_no_controls;
use crate::survey::Survey;
use crate::text_encoding::{self, Encoding, Marks, Patches, Runs};
use crate::walk::{Walk, Walked};

pub(crate) use charset::hand_converted;
pub(crate) use declared::holds_shift;
use flat::Flat;
pub(crate) use header::holds;
pub(crate) use lines::{Breaks, Line, Lines};
pub(crate) use partial::Partial;
use plain::Plain;
use tree::{Mailbox, Pick, Tree};

/// How a body may be written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Body {
    as_is: bool,
    base64: bool,
    quoted: bool,
    charsets: BTreeSet<Vec<u8>>,
}

/// Where something encoded stands in a text.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) encoding: Encoding,
    /// Of what it decodes to.
    charsets: BTreeSet<Vec<u8>>,
}

/// What was found, each once.
#[derive(Debug)]
pub(crate) struct Spans {
    blob: Blob,
    known: HashSet<Span>,
    ordered: Vec<Span>,
    /// Where bodies stand that are not encoded, to readers that ignore MIME.
    plain: BTreeSet<(u64, u64)>,
    takes_plain: bool,
    /// Pieces of messages that are sent in several (RFC 2046, 5.2.2), and where each stands.
    partials: BTreeSet<(Partial, u64, u64)>,
    n_most: u64,
    /// How the lines are being read.
    breaks: Breaks,
}

impl Spans {
    pub(crate) fn new(blob: &Blob, n_most: u64) -> Self {
        let (known, ordered, plain) = (HashSet::new(), Vec::new(), BTreeSet::new());
        let partials = BTreeSet::new();
        let blob = blob.clone();
        Self { blob, known, ordered, plain, takes_plain: true, partials, n_most, breaks: Breaks::Any }
    }

    /// Returns where each is.
    #[cfg(test)]
    pub(crate) fn places(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ordered.iter().map(|span| (span.start, span.end))
    }

    fn add(&mut self, start: u64, end: u64, body: &Body) -> Walked {
        let quoted = Encoding::Quoted(self.breaks);
        for (is_it, encoding) in
            [(body.as_is, Encoding::AsIs), (body.base64, Encoding::Base64), (body.quoted, quoted)]
        {
            if is_it {
                self.add_encoded(start, end, encoding, body.charsets.clone())?;
            }
        }
        Ok(())
    }

    pub(crate) fn add_plain(&mut self, start: u64, end: u64, encoding: Encoding) -> Walked {
        self.add_encoded(start, end, encoding, BTreeSet::new())
    }

    /// Returns whether a range begins as text.
    pub(crate) fn is_text(&self, start: u64, end: u64) -> Walked<bool> {
        Ok(has_no_controls(&self.blob.slice(start, end - start))?)
    }

    fn add_encoded(
        &mut self,
        mut start: u64,
        mut end: u64,
        encoding: Encoding,
        charsets: BTreeSet<Vec<u8>>,
    ) -> Walked {
        if encoding == Encoding::Base64 {
            (start, end) = self.trimmed(start, end)?;
        }
        if start >= end {
            return Ok(());
        }
        let span = Span { start, end, encoding, charsets };
        if self.known.insert(span.clone()) {
            self.ordered.push(span);
        }
        self.expect_few()
    }

    fn add_plain_body(&mut self, start: u64, end: u64) -> Walked {
        if start < end && self.takes_plain {
            self.plain.insert((start, end));
        }
        self.expect_few()
    }

    /// Returns an empty collection for another reading of the same text.
    fn emptied(&self) -> Self {
        Self { takes_plain: self.takes_plain, breaks: self.breaks, ..Self::new(&self.blob, self.n_most) }
    }

    /// Adds what was found in another reading.
    fn extend(&mut self, other: Self) -> Walked {
        for span in other.ordered {
            if self.known.insert(span.clone()) {
                self.ordered.push(span);
            }
        }
        self.plain.extend(other.plain);
        self.partials.extend(other.partials);
        self.expect_few()
    }

    fn expect_few(&self) -> Walked {
        if to_u64(self.ordered.len() + self.plain.len()) > self.n_most {
            return crate::walk::refuse(
                domain::verdict::Unscannable::TooManyFiles,
                "mail: more parts than the limit",
            );
        }
        Ok(())
    }

    /// Returns a range without white space around it, so that what is found in several ways is decoded once.
    fn trimmed(&self, start: u64, end: u64) -> Walked<(u64, u64)> {
        const MOST: usize = 64;
        let n_bytes = end.saturating_sub(start);
        let head = self.blob.slice(start, n_bytes).bytes_at(0, MOST)?;
        let tail_at = n_bytes.saturating_sub(to_u64(MOST));
        let tail = self.blob.slice(start, n_bytes).bytes_at(tail_at, MOST)?;
        let n_before = to_u64(head.len() - head.trim_ascii_start().len());
        let n_behind = to_u64(tail.len() - tail.trim_ascii_end().len());
        Ok((start + n_before, end - n_behind))
    }
}

/// Returns whether a blob begins with header fields that make a reader decode what follows.
pub(crate) fn is_header(head: &[u8]) -> bool {
    const FIELDS: [&[u8]; 2] = [b"content-type", b"content-transfer-encoding"];
    let mut has_field = false;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let goes_on = line.starts_with(b" ") || line.starts_with(b"\t");
        // The line that begins a message in a mailbox file: no field, though it has colons.
        if goes_on || line.starts_with(b"From ") || line.starts_with(b">From ") {
            continue;
        }
        let name = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len());
        let Some(name) = name else { return false };
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return false;
        }
        has_field |= FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
    }
    has_field
}

/// Hands over everything that some reader decodes in a blob that is no container, or also something else.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    declared::walk(walk, blob, survey, depth)?;
    let mut spans = Spans::new(blob, walk.gate.limits.max_members);
    spans.takes_plain = walk.plain_body_depth != Some(depth);
    let spans = find(blob, survey, spans)?;
    let of_others = walk.pieces.clone();
    walk.pieces.extend(spans.partials.iter().map(|(partial, ..)| partial.clone()));
    // One piece of a mail in pieces is looked into by itself as well.
    let all_are_known = walk.pieces == of_others;
    let handed = hand(walk, blob, &spans, depth)
        .and_then(|()| partial::hand(walk, blob, &spans.partials, all_are_known, depth));
    walk.pieces = of_others;
    handed
}

fn hand(walk: &mut Walk<'_>, blob: &Blob, spans: &Spans, depth: u32) -> Walked {
    for span in &spans.ordered {
        let body = blob.slice(span.start, span.end - span.start);
        for decoded in text_encoding::hand(walk, &body, span.encoding, depth)? {
            for label in &span.charsets {
                charset::hand_converted(walk, &decoded, label, depth)?;
            }
        }
    }
    spans
        .plain
        .iter()
        .try_for_each(|(start, end)| hand_plain_body(walk, &blob.slice(*start, end - start), depth))
}

/// Hands over a body that stands in a text as it is. Nothing is refused for that: what text holds is found
/// where it stands, so only the engine needs it by itself, and bodies in bodies are found already. Many
/// records look like one message within another.
fn hand_plain_body(walk: &mut Walk<'_>, body: &Blob, depth: u32) -> Walked {
    // Of a line that ends in LF and CR, the CR is the body's to some readers.
    let n_cr = u64::from(body.bytes_at(0, 1)? == b"\r");
    for start in 0..=n_cr {
        let body = body.tail(start);
        if has_no_controls(&body)? || depth >= walk.gate.limits.max_depth {
            walk.give_once(body)?;
        } else {
            let around = walk.plain_body_depth.replace(depth + 1);
            walk.reading_of(body, depth)?;
            walk.plain_body_depth = around;
        }
    }
    Ok(())
}

/// How much of a text is read in one way before it is read in the other: it stays in the processor's cache.
const STEP: u64 = 256 * 1024;

/// Finds everything, with each way to split lines that makes a difference: to some readers, a CR alone breaks
/// a line.
fn find(blob: &Blob, survey: &Survey, spans: Spans) -> Walked<Spans> {
    let none = spans.emptied();
    let mut any = Finder::new(blob, survey, Breaks::Any, spans)?;
    let mut lf = None;
    for end in (STEP..).step_by(to_usize(STEP)) {
        let is_at_end = any.take_lines_before(end)?;
        if any.lines.has_lonely_cr() {
            let lf = match &mut lf {
                Some(lf) => lf,
                lf => lf.insert(Finder::new(blob, survey, Breaks::Lf, none.emptied())?),
            };
            lf.take_lines_before(end)?;
        }
        if is_at_end {
            break;
        }
    }
    let mut spans = any.finish(blob)?;
    if let Some(lf) = lf {
        spans.extend(lf.finish(blob)?)?;
    }
    Ok(spans)
}

/// Finds whatever stands in lines, and then the parts of mails, by one way to read the lines.
#[derive(Debug)]
struct Finder {
    lines: Lines,
    flat: Flat,
    plain: Plain,
    runs: Runs,
    marks: Marks,
    patches: Patches,
    spans: Spans,
}

impl Finder {
    fn new(blob: &Blob, survey: &Survey, breaks: Breaks, spans: Spans) -> Walked<Self> {
        Ok(Self {
            lines: Lines::new(blob, breaks),
            flat: Flat::default(),
            plain: Plain::new(blob.size_bytes()),
            runs: Runs::of(blob)?,
            marks: Marks::new(blob, breaks, survey),
            patches: Patches::default(),
            spans: Spans { breaks, ..spans },
        })
    }

    /// Returns whether there are no more lines.
    fn take_lines_before(&mut self, end: u64) -> Walked<bool> {
        while self.lines.position() < end {
            let Some(line) = self.lines.next_line()? else { return Ok(true) };
            self.flat.take(&line, &mut self.spans)?;
            self.plain.take(&line, &mut self.spans)?;
            self.runs.take(&line, &mut self.spans)?;
            self.marks.take(&line, &mut self.spans)?;
            self.patches.take(&line, &mut self.spans)?;
        }
        Ok(false)
    }

    fn finish(mut self, blob: &Blob) -> Walked<Spans> {
        let spans = &mut self.spans;
        self.flat.finish(spans)?;
        self.plain.finish(spans)?;
        self.runs.finish(spans)?;
        self.marks.finish(spans)?;
        self.patches.finish(spans)?;
        if !self.flat.has_header {
            return Ok(self.spans);
        }
        let ways: &[Mailbox] = match (self.flat.has_from_line, self.flat.has_timeless_from_line) {
            (false, false) => &[Mailbox::OneMessage],
            (true, true) => &[Mailbox::OneMessage, Mailbox::Split, Mailbox::SplitAtTimes],
            (_, _) => &[Mailbox::OneMessage, Mailbox::Split],
        };
        let reading = |pick, mailbox| (Tree::new(pick, mailbox), self.spans.emptied());
        let all = ways.iter().map(|mailbox| reading(Pick::All, *mailbox)).collect();
        let all = find_parts(blob, self.spans.breaks, all)?;
        let ambiguous = ways.iter().zip(&all).filter(|(_, (tree, _))| tree.is_ambiguous);
        let picks = ambiguous.flat_map(|(mailbox, _)| [Pick::First, Pick::Last].map(|pick| (pick, *mailbox)));
        let picked = picks.map(|(pick, mailbox)| reading(pick, mailbox)).collect();
        let mut picked = find_parts(blob, self.spans.breaks, picked)?.into_iter();
        for (tree, found) in all {
            self.spans.extend(found)?;
            let n_picked = if tree.is_ambiguous { 2 } else { 0 };
            picked.by_ref().take(n_picked).try_for_each(|(_, found)| self.spans.extend(found))?;
        }
        Ok(self.spans)
    }
}

/// Reads the lines once for all trees.
fn find_parts(blob: &Blob, breaks: Breaks, mut trees: Vec<(Tree, Spans)>) -> Walked<Vec<(Tree, Spans)>> {
    if trees.is_empty() {
        return Ok(trees);
    }
    let mut lines = Lines::new(blob, breaks);
    while let Some(line) = lines.next_line()? {
        trees.iter_mut().try_for_each(|(tree, spans)| tree.take(&line, spans))?;
    }
    trees.iter_mut().try_for_each(|(tree, spans)| tree.finish(spans))?;
    Ok(trees)
}

#[cfg(test)]
mod tests;
