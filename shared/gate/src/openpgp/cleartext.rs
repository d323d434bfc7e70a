//! The cleartext signature framework (RFC 9580, 7): text with dashes escaped, and what readers write as the text that is signed.

use std::io::Read;

use super::armor::GPG_LINES;
use crate::blob::{Blob, to_usize};
use crate::mail::{Breaks, Lines};
use crate::text_encoding::decoder;
use crate::walk::{Walk, Walked};

/// Hands over the text behind the header of `block`, which ends in front of the signature.
pub(super) fn hand(walk: &mut Walk<'_>, block: &Blob, depth: u32) -> Walked {
    let header = header(block)?;
    for start in header.text_starts {
        let text = block.tail(start);
        if header.is_verbatim {
            walk.reading_of(text.clone(), depth)?;
        }
        walk.reading(&mut unescaped(&text, usize::MAX, Blanks::Kept), depth)?;
        for longest in GPG_LINES {
            walk.reading(&mut unescaped(&text, longest, Blanks::Trimmed), depth)?;
        }
    }
    Ok(())
}

struct Header {
    /// Behind the first blank line, and behind a field that gpg does not know.
    text_starts: Vec<u64>,
    /// Whether it says that no dashes are escaped.
    is_verbatim: bool,
}

fn header(block: &Blob) -> Walked<Header> {
    const MAX_LINES: usize = 1_000;
    let mut lines = Lines::new(block, Breaks::Any);
    let mut header = Header { text_starts: Vec::new(), is_verbatim: false };
    for _ in 0..MAX_LINES {
        let Some(line) = lines.next_line()? else { break };
        let text = line.text.trim_ascii();
        if text.is_empty() {
            header.text_starts.push(line.next_at);
            break;
        }
        let is_verbatim = text.starts_with(b"NotDashEscaped:");
        header.is_verbatim |= is_verbatim;
        if header.text_starts.is_empty() && !is_verbatim && !text.starts_with(b"Hash:") {
            header.text_starts.push(line.next_at);
        }
    }
    Ok(header)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blanks {
    Kept,
    /// At the end of lines, as gpg does.
    Trimmed,
}

fn unescaped(text: &Blob, longest: usize, blanks: Blanks) -> impl Read + use<> {
    let (mut lines, mut line_at) = (Lines::new(text, Breaks::Any), 0);
    decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        if line.begins {
            line_at = line.at;
        }
        let n_left = longest.saturating_sub(to_usize(line.at - line_at));
        let mut written = &line.text[..line.text.len().min(n_left)];
        if line.begins {
            written = written.strip_prefix(b"- ").unwrap_or(written);
        }
        if blanks == Blanks::Trimmed && !line.ended_by.is_empty() {
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | 0);
            let n_kept = written.iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
            written = &written[..n_kept];
        }
        Ok(Some([written, line.ended_by].concat()))
    })
}
