//! Splits a blob into lines, in pieces of bounded length.

use std::io::{self, BufRead as _};

use crate::blob::{Blob, BlobReader};

/// Longer lines come in pieces.
const MAX_PIECE: usize = 64 * 1024;

/// What ends a line. Readers differ on a CR without LF.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Breaks {
    /// CR, LF, or both in this order.
    Any,
    /// LF alone; CRs around it are no part of the line.
    Lf,
    /// LF alone; CRs are part of the line.
    LfOnly,
}

impl Breaks {
    /// Where the first byte of the next break stands.
    fn find(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Any => memchr::memchr2(b'\r', b'\n', text),
            Self::Lf | Self::LfOnly => memchr::memchr(b'\n', text),
        }
    }
}

/// A line, or a piece of one that is too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a [u8],
    /// Where it starts, and where its text does: CRs in front may be no part of that.
    pub(crate) at: u64,
    pub(crate) text_at: u64,
    /// Where its text ends, and where the next line starts.
    pub(crate) text_end: u64,
    pub(crate) next_at: u64,
    /// Whether a line begins here, and not the next piece of one.
    pub(crate) begins: bool,
    /// What ended it: empty for a piece, and at the end of the blob.
    pub(crate) ended_by: &'static [u8],
}

impl Line<'_> {
    pub(crate) fn is_blank(&self) -> bool {
        self.begins && self.text.is_empty()
    }
}

/// Reads line after line. Memory: one piece.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: BlobReader,
    breaks: Breaks,
    /// A line that does not stand in the reader's buffer as a whole.
    piece: Vec<u8>,
    /// Bytes of the last line that the reader has not passed.
    n_taken: usize,
    begins: bool,
    has_lonely_cr: bool,
}

impl Lines {
    pub(crate) fn new(blob: &Blob, breaks: Breaks) -> Self {
        Self {
            reader: blob.reader(),
            breaks,
            piece: Vec::new(),
            n_taken: 0,
            begins: true,
            has_lonely_cr: false,
        }
    }

    /// Returns whether a CR without LF has ended a line so far.
    pub(crate) fn has_lonely_cr(&self) -> bool {
        self.has_lonely_cr
    }

    /// Where the next line begins.
    pub(crate) fn position(&self) -> u64 {
        self.reader.position() + crate::blob::to_u64(self.n_taken)
    }

    /// The next line; `None` at the end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.reader.consume(std::mem::take(&mut self.n_taken));
        self.piece.clear();
        let (at, begins) = (self.reader.position(), self.begins);
        // Most lines stand in the reader's buffer as a whole, with the byte behind them.
        let whole = self.whole_line()?;
        let ended_by = match whole {
            Some((_, ended_by)) => ended_by,
            None => self.read_piece()?,
        };
        let n_text = whole.map_or(self.piece.len(), |(n_text, _)| n_text);
        self.n_taken = whole.map_or(0, |(n_text, ended_by)| n_text + ended_by.len());
        let next_at = self.reader.position() + crate::blob::to_u64(self.n_taken);
        if next_at == at {
            return Ok(None);
        }
        self.begins = !ended_by.is_empty();
        let text = if whole.is_some() { &self.reader.fill_buf()?[..n_text] } else { self.piece.as_slice() };
        let (text, n_cr) = match self.breaks {
            Breaks::Any | Breaks::LfOnly => (text, 0),
            Breaks::Lf => trim_cr(text),
        };
        let text_at = at + n_cr;
        let text_end = next_at - crate::blob::to_u64(ended_by.len());
        Ok(Some(Line { text, at, text_at, text_end, next_at, begins, ended_by }))
    }

    /// The bytes of a line that is not too long, and what ends it, if all of that is in the buffer.
    fn whole_line(&mut self) -> io::Result<Option<(usize, &'static [u8])>> {
        let available = self.reader.fill_buf()?;
        let Some(end) = self.breaks.find(&available[..available.len().min(MAX_PIECE)]) else {
            return Ok(None);
        };
        let ended_by = match (available[end], available.get(end + 1)) {
            (b'\n', _) => b"\n".as_slice(),
            (_, Some(b'\n')) => b"\r\n",
            (_, Some(_)) => b"\r",
            (_, None) => return Ok(None),
        };
        self.has_lonely_cr |= ended_by == b"\r";
        Ok(Some((end, ended_by)))
    }

    fn read_piece(&mut self) -> io::Result<&'static [u8]> {
        loop {
            let available = self.reader.fill_buf()?;
            let window = &available[..available.len().min(MAX_PIECE - self.piece.len())];
            if window.is_empty() {
                return Ok(b"");
            }
            let Some(end) = self.breaks.find(window) else {
                let n_bytes = window.len();
                self.piece.extend_from_slice(window);
                self.reader.consume(n_bytes);
                continue;
            };
            let is_cr = window[end] == b'\r';
            self.piece.extend_from_slice(&window[..end]);
            self.reader.consume(end + 1);
            if !is_cr {
                return Ok(b"\n");
            }
            if self.reader.fill_buf()?.first() == Some(&b'\n') {
                self.reader.consume(1);
                return Ok(b"\r\n");
            }
            self.has_lonely_cr = true;
            return Ok(b"\r");
        }
    }
}

/// A text without CRs around it, and how many stood in front.
fn trim_cr(mut text: &[u8]) -> (&[u8], u64) {
    let mut n_before = 0;
    while let Some(rest) = text.strip_prefix(b"\r") {
        text = rest;
        n_before += 1;
    }
    while let Some(rest) = text.strip_suffix(b"\r") {
        text = rest;
    }
    (text, n_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], breaks: Breaks) -> Vec<(String, u64, u64)> {
        let mut lines = Lines::new(&Blob::from_bytes(text.to_vec()), breaks);
        let mut found = vec![];
        while let Some(line) = lines.next_line().unwrap() {
            found.push((String::from_utf8_lossy(line.text).into_owned(), line.at, line.next_at));
        }
        found
    }

    #[test]
    fn lines_end_in_every_way() {
        let found = lines(b"a\r\nb\nc\rd\n\re", Breaks::Any);
        let expected = [("a", 0, 3), ("b", 3, 5), ("c", 5, 7), ("d", 7, 9), ("", 9, 10), ("e", 10, 11)];
        assert_eq!(found, expected.map(|(text, at, next_at)| (text.to_owned(), at, next_at)));
        let found = lines(b"a\r\nb\n\rc\rd", Breaks::Lf);
        assert_eq!(found, [("a", 0, 3), ("b", 3, 5), ("c\rd", 5, 9)].map(|(t, a, n)| (t.to_owned(), a, n)));
        let found = lines(b"a\r\nb\n\rc", Breaks::LfOnly);
        assert_eq!(found, [("a\r", 0, 3), ("b", 3, 5), ("\rc", 5, 7)].map(|(t, a, n)| (t.to_owned(), a, n)));
    }

    #[test]
    fn long_lines_come_in_pieces() {
        let text = [vec![b'x'; MAX_PIECE + 1], b"\r\ny".to_vec()].concat();
        let mut lines = Lines::new(&Blob::from_bytes(text), Breaks::Any);
        let mut found = vec![];
        while let Some(line) = lines.next_line().unwrap() {
            found.push((line.text.len(), line.begins, line.ended_by));
        }
        let expected: [(usize, bool, &[u8]); 3] =
            [(MAX_PIECE, true, b""), (1, false, b"\r\n"), (1, true, b"")];
        assert_eq!(found, expected);
    }
}
