//! Splits markup into texts and tags, as parsers of XML or of HTML do. Nothing is malformed: everything is
//! some text or some tag.

mod attributes;

use std::io::{self, BufRead as _};

use super::tag::{LONGEST_NAME, SHORTEST_VALUE, Tag, begins_tag, short_tag};
use super::{CDATA, Part, Sink, references};
use crate::blob::{Blob, BlobReader};

/// Where the two differ: what ends a comment, what an instruction, CDATA and a declaration is, and which
/// elements hold text alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    Xml,
    Html,
}

pub(super) struct Scanner {
    blob: Blob,
    source: BlobReader,
    dialect: Dialect,
    sees_differences: bool,
}

impl Scanner {
    pub(super) fn new(blob: &Blob, dialect: Dialect) -> Self {
        Self { blob: blob.clone(), source: blob.reader(), dialect, sees_differences: false }
    }

    pub(super) fn position(&self) -> u64 {
        self.source.position()
    }

    /// Returns whether there was something that another dialect may take for something else.
    pub(super) fn sees_differences(&self) -> bool {
        self.sees_differences
    }

    /// Skips tags and texts that are too short to hold anything, up to a tag. Tables are made of such.
    pub(super) fn skip_short(&mut self) -> io::Result<()> {
        let buffer = self.source.fill_buf()?;
        let mut at = 0;
        while begins_tag(&buffer[at..]) {
            let Some(n_bytes) = short_tag(&buffer[at..]) else { break };
            let behind = at + n_bytes;
            let near = &buffer[behind..buffer.len().min(behind + SHORTEST_VALUE)];
            let Some(n_text) = memchr::memchr(b'<', near) else { break };
            if Tag::may_matter(&buffer[at + 1..behind]) || !begins_tag(&buffer[behind + n_text..]) {
                break;
            }
            at = behind + n_text;
        }
        self.source.consume(at);
        Ok(())
    }

    /// Skips a text that is too short to hold anything. Returns whether there was one.
    pub(super) fn skip_short_text(&mut self) -> io::Result<bool> {
        let buffer = self.source.fill_buf()?;
        let near = &buffer[..buffer.len().min(SHORTEST_VALUE)];
        let Some(n_bytes) = memchr::memchr(b'<', near) else { return Ok(false) };
        let is_short = begins_tag(&buffer[n_bytes..]);
        if is_short {
            self.source.consume(n_bytes);
        }
        Ok(is_short)
    }

    /// Reads text up to the next tag, or, within an element that holds data, up to the one that closes it:
    /// what stands in elements within it is no part of it.
    pub(super) fn read_text(&mut self, holds_data: bool, sink: &mut dyn Sink) -> io::Result<()> {
        let mut level = 0u64;
        loop {
            if sink.is_full() && level == 0 {
                self.skip_text()?;
            }
            let buffer = self.source.fill_buf()?;
            let n_bytes = memchr::memchr2(b'<', b'&', buffer).unwrap_or(buffer.len());
            if n_bytes > 0 {
                if level == 0 {
                    sink.take(&Part::Text(&buffer[..n_bytes]));
                }
                self.source.consume(n_bytes);
                continue;
            }
            let Some(first) = buffer.first() else { return Ok(()) };
            if *first == b'&' {
                let byte = self.read_reference()?;
                if level == 0 {
                    sink.take(&byte.map_or(Part::Text(b"&"), Part::Character));
                }
                continue;
            }
            let (head, n_bytes) = self.peek::<9>()?;
            let head = &head[..n_bytes];
            match (head.get(1), self.dialect) {
                (Some(b'!' | b'?'), _) => self.skip_declaration(head, level, sink)?,
                (Some(letter), _) if letter.is_ascii_alphabetic() || *letter == b'_' => {
                    if !holds_data {
                        return Ok(());
                    }
                    let tag = self.read_tag(&mut Vec::new())?;
                    level += u64::from(tag.is_some_and(|tag| !tag.is_empty));
                    sink.take(&Part::Joint);
                }
                (Some(b'/'), _) => {
                    if !holds_data || level == 0 {
                        return Ok(());
                    }
                    self.read_tag(&mut Vec::new())?;
                    level -= 1;
                }
                // Names of XML have letters of any alphabet.
                (Some(128..), Dialect::Xml) if !holds_data => return Ok(()),
                _ => {
                    self.source.consume(1);
                    sink.take(&Part::Text(b"<"));
                }
            }
        }
    }

    /// Skips text up to what may be something else.
    fn skip_text(&mut self) -> io::Result<()> {
        let is_xml = self.dialect == Dialect::Xml;
        loop {
            let buffer = self.source.fill_buf()?;
            let may_end_text = |at: &usize| match buffer.get(at + 1) {
                Some(b'!' | b'?' | b'/' | b'_') | None => true,
                Some(128..) => is_xml,
                Some(byte) => byte.is_ascii_alphabetic(),
            };
            let found = memchr::memchr_iter(b'<', buffer).find(may_end_text);
            let n_bytes = found.unwrap_or(buffer.len());
            if n_bytes == 0 {
                return Ok(());
            }
            self.source.consume(n_bytes);
        }
    }

    fn read_reference(&mut self) -> io::Result<Option<u8>> {
        let (head, n_bytes) = self.peek::<{ references::LONGEST + 1 }>()?;
        let found = references::character(&head[1..n_bytes]);
        self.skip(1 + found.map_or(0, |(_, n_bytes)| n_bytes))?;
        Ok(found.map(|(byte, _)| byte))
    }

    /// Skips a comment, an instruction or a declaration; takes the text of CDATA.
    fn skip_declaration(&mut self, head: &[u8], level: u64, sink: &mut dyn Sink) -> io::Result<()> {
        sink.take(&Part::Joint);
        if let Some(behind) = head.strip_prefix(b"<!--") {
            self.sees_differences |= behind.starts_with(b">") || behind.starts_with(b"->");
            self.skip(4)?;
            let n_seen = if self.dialect == Dialect::Html { 2 } else { 0 };
            return self.take_until(b'-', 2, n_seen, &mut |_| ());
        }
        match self.dialect {
            Dialect::Xml if head.starts_with(CDATA) => {
                self.skip(CDATA.len())?;
                let mut holds_end = false;
                self.take_until(b']', 2, 0, &mut |text| {
                    holds_end |= text.contains(&b'>');
                    if level == 0 {
                        sink.take(&Part::Text(text));
                    }
                })?;
                self.sees_differences |= holds_end;
                Ok(())
            }
            Dialect::Xml if head.starts_with(b"<?") => {
                self.skip(2)?;
                let mut holds_end = false;
                self.take_until(b'?', 1, 0, &mut |text| holds_end |= text.contains(&b'>'))?;
                self.sees_differences |= holds_end;
                Ok(())
            }
            Dialect::Xml => self.skip_type(),
            Dialect::Html => self.take_until(b'>', 0, 0, &mut |_| ()),
        }
    }

    /// Takes what stands before N bytes of a kind and `>`, which it skips. Comments of HTML also end with
    /// `--!>`.
    fn take_until(
        &mut self,
        before: u8,
        n_before: usize,
        n_seen: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> io::Result<()> {
        let is_comment = before == b'-';
        let (mut n_seen, mut n_open, mut is_marked) = (n_seen, 0usize, false);
        loop {
            let buffer = self.source.fill_buf()?;
            let Some(byte) = buffer.first().copied() else { return Ok(()) };
            if n_seen == 0 && byte != before && byte != b'>' {
                let n_bytes = memchr::memchr2(before, b'>', buffer).unwrap_or(buffer.len());
                take(&buffer[..n_bytes]);
                self.source.consume(n_bytes);
                continue;
            }
            self.source.consume(1);
            if byte == b'>' && n_seen >= n_before {
                return Ok(());
            } else if byte == before {
                (n_seen, n_open, is_marked) = (n_seen + 1, n_open + 1, false);
                // All but the last ones are text.
                if n_open > n_before {
                    (n_seen, n_open) = (n_before, n_before);
                    take(&[before]);
                }
            } else if byte == b'!' && is_comment && n_seen >= n_before && !is_marked {
                self.sees_differences = true;
                is_marked = self.dialect == Dialect::Html;
                if !is_marked {
                    (n_seen, n_open) = (0, 0);
                }
            } else {
                (0..n_open).for_each(|_| take(&[before]));
                take(&[byte]);
                (n_seen, n_open, is_marked) = (0, 0, false);
            }
        }
    }

    /// Skips a declaration of XML, with the declarations in brackets in it.
    fn skip_type(&mut self) -> io::Result<()> {
        let (mut quote, mut is_within) = (None, false);
        loop {
            let buffer = self.source.fill_buf()?;
            let Some(byte) = buffer.first().copied() else { return Ok(()) };
            if byte == b'<' && is_within && quote.is_none() {
                let (head, n_bytes) = self.peek::<4>()?;
                let (n_start, end, n_end) =
                    if head[..n_bytes] == *b"<!--" { (4, b'-', 2) } else { (2, b'?', 1) };
                if end == b'-' || head.starts_with(b"<?") {
                    self.skip(n_start)?;
                    self.take_until(end, n_end, 0, &mut |_| ())?;
                    continue;
                }
            }
            self.source.consume(1);
            match (byte, quote) {
                (_, Some(mark)) if byte == mark => quote = None,
                (_, Some(_)) => self.sees_differences |= byte == b'>',
                (b'"' | b'\'', None) => quote = Some(byte),
                (b'[', None) => (is_within, self.sees_differences) = (true, true),
                (b']', None) => is_within = false,
                (b'>', None) if !is_within => return Ok(()),
                _ => {}
            }
        }
    }

    /// Reads a tag. Returns `None` at the end. Adds where the values are of attributes that a parser may take
    /// for something else than what stands there.
    pub(super) fn read_tag(&mut self, values: &mut Vec<(u64, u64)>) -> io::Result<Option<Tag>> {
        let buffer = self.source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        if let Some(n_bytes) = short_tag(buffer) {
            let tag = Tag::named(&buffer[1..n_bytes]);
            if !tag.is_raw() {
                self.source.consume(n_bytes);
                return Ok(Some(tag));
            }
        }
        self.source.consume(1);
        let (head, n_bytes) = self.peek::<64>()?;
        let mut tag = Tag::named(&head[..n_bytes]);
        self.read_attributes(&mut tag, values)?;
        if tag.is_raw() {
            self.sees_differences = true;
            if self.dialect == Dialect::Html {
                self.skip_raw(tag.name())?;
            }
        }
        Ok(Some(tag))
    }

    /// Skips to the tag that closes an element of text.
    fn skip_raw(&mut self, name: &[u8]) -> io::Result<()> {
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let n_bytes = memchr::memchr(b'<', buffer).unwrap_or(buffer.len());
            if n_bytes > 0 {
                self.source.consume(n_bytes);
                continue;
            }
            let (head, n_bytes) = self.peek::<{ LONGEST_NAME + 2 }>()?;
            let found = head[..n_bytes].get(1..name.len() + 2).and_then(|found| found.strip_prefix(b"/"));
            if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                return Ok(());
            }
            self.source.consume(1);
        }
    }

    /// The next N bytes, and how many there are. They are not read from the file again for every tag.
    fn peek<const N: usize>(&mut self) -> io::Result<([u8; N], usize)> {
        let mut head = [0; N];
        let buffer = self.source.fill_buf()?;
        if let Some(bytes) = buffer.get(..N) {
            head.copy_from_slice(bytes);
            return Ok((head, N));
        }
        let bytes = self.blob.bytes_at(self.position(), N)?;
        head[..bytes.len()].copy_from_slice(&bytes);
        Ok((head, bytes.len()))
    }

    fn skip(&mut self, n_bytes: usize) -> io::Result<()> {
        let mut n_left = n_bytes;
        while n_left > 0 {
            let n_buffered = self.source.fill_buf()?.len();
            if n_buffered == 0 {
                break;
            }
            self.source.consume(n_buffered.min(n_left));
            n_left -= n_buffered.min(n_left);
        }
        Ok(())
    }
}
