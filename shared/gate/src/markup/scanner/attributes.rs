//! Finds the attributes of a tag whose values a parser may take for something else than what stands there.

use std::io::{self, BufRead as _};

use super::Scanner;
use crate::blob::{to_u64, to_usize};
use crate::markup::run::Run;
use crate::markup::tag::{SHORTEST_VALUE, Tag};
use crate::markup::values::{begins_as_data, holds_odd, holds_page, holds_space, last_visible};

impl Scanner {
    pub(super) fn read_attributes(&mut self, tag: &mut Tag, values: &mut Vec<(u64, u64)>) -> io::Result<()> {
        let mut last = 0u8;
        let mut start = self.position();
        let (mut is_odd, mut run) = (false, Run::default());
        loop {
            let at = self.position();
            let buffer = self.source.fill_buf()?;
            let Some(n_bytes) = memchr::memchr3(b'>', b'"', b'\'', buffer) else {
                if buffer.is_empty() {
                    return Ok(());
                }
                is_odd |= holds_odd(buffer);
                run.take(buffer);
                last = last_visible(buffer).unwrap_or(last);
                let n_bytes = buffer.len();
                self.source.consume(n_bytes);
                continue;
            };
            is_odd |= holds_odd(&buffer[..n_bytes]);
            run.take(&buffer[..=n_bytes]);
            last = last_visible(&buffer[..n_bytes]).unwrap_or(last);
            let mark = buffer[n_bytes];
            let end = at + to_u64(n_bytes);
            self.source.consume(n_bytes + 1);
            if mark == b'>' {
                tag.is_empty = last == b'/';
                self.add_bare_values(start, end, is_odd && run.is_long(), values)?;
                return Ok(());
            }
            // Elsewhere, a quote is part of a name or of a value.
            if last == b'=' {
                self.add_bare_values(start, end, is_odd && run.is_long(), values)?;
                self.read_value(mark, values)?;
                (start, is_odd, run) = (self.position(), false, Run::default());
            }
            last = mark;
        }
    }

    fn read_value(&mut self, mark: u8, values: &mut Vec<(u64, u64)>) -> io::Result<()> {
        let start = self.position();
        let (mut is_odd, mut may_hold, mut run) = (false, false, Run::default());
        loop {
            let at = self.position();
            let buffer = self.source.fill_buf()?;
            let end = memchr::memchr(mark, buffer);
            let text = &buffer[..end.unwrap_or(buffer.len())];
            run.take(text);
            // What begins in another piece may be anything.
            may_hold |= at == start && (end.is_none() || begins_as_data(text)) || holds_page(text);
            is_odd |= may_hold && (holds_odd(text) || holds_space(text));
            let n_bytes = text.len() + usize::from(end.is_some());
            let is_over = end.is_some() || n_bytes == 0;
            self.source.consume(n_bytes);
            if is_over {
                let end = self.position() - u64::from(end.is_some());
                if may_hold && is_odd && run.is_long() {
                    values.push((start, end));
                }
                return Ok(());
            }
        }
    }

    /// Adds the values without quotes, of all in between, that may be addresses of data or pages.
    fn add_bare_values(
        &self,
        start: u64,
        end: u64,
        may_hold: bool,
        values: &mut Vec<(u64, u64)>,
    ) -> io::Result<()> {
        const PIECE: usize = 64 * 1024;
        if !may_hold {
            return Ok(());
        }
        let mut piece_at = start;
        while piece_at < end {
            let piece = self.blob.bytes_at(piece_at, PIECE.min(to_usize(end - piece_at)))?;
            if piece.is_empty() {
                break;
            }
            let is_last = piece_at + to_u64(piece.len()) == end;
            let mut at = 0;
            for word in piece.split(u8::is_ascii_whitespace) {
                let is_cut = at + word.len() == piece.len() && !is_last;
                if is_cut && at > 0 {
                    // It is read again, with what follows.
                    break;
                }
                let word_at = piece_at + to_u64(at);
                for (from, to) in bare_values(word) {
                    values.push((word_at + to_u64(from), if is_cut { end } else { word_at + to_u64(to) }));
                }
                at += word.len() + 1;
            }
            piece_at += to_u64(at.min(piece.len()));
        }
        Ok(())
    }
}

/// Where in a word those values are: behind its name, or all of it, if white space stands in front.
fn bare_values(word: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let behind_name = memchr::memchr(b'=', word).map(|equals| equals + 1);
    [Some(0), behind_name].into_iter().flatten().map(|from| (from, word.len())).filter(|(from, to)| {
        let value = &word[*from..*to];
        value.len() >= SHORTEST_VALUE && (begins_as_data(value) || holds_page(value))
    })
}
