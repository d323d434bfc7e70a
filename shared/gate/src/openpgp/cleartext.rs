//! Reads the cleartext signature framework (RFC 9580, 7): text with dashes escaped, and what readers write as
//! the text that is signed.

use std::io::Read;

use super::WithoutCr;
use super::armor::GPG_LINES;
use crate::blob::{Blob, to_u64, to_usize};
use crate::mail::{Breaks, Lines};
use crate::text_encoding::decoder;
use crate::walk::{Walk, Walked};

/// Hands over the text behind the header of `block`, which ends in front of the signature.
pub(super) fn hand(walk: &mut Walk<'_>, block: &Blob, depth: u32) -> Walked {
    let mut starts = text_starts(block, Breaks::Any)?;
    starts.extend(text_starts(block, Breaks::LfOnly)?);
    starts.sort_unstable();
    starts.dedup();
    let has_verbatim = memchr::memmem::find(&block.bytes_at(0, NEAR)?, VERBATIM).is_some();
    for start in starts {
        let text = block.tail(start);
        if has_verbatim {
            walk.reading(&mut WithoutCr(text.reader()), depth)?;
        }
        walk.reading(&mut unescaped(&text, usize::MAX, Blanks::Kept), depth)?;
        for longest in GPG_LINES {
            walk.reading(&mut unescaped(&text, longest, Blanks::Trimmed), depth)?;
        }
    }
    Ok(())
}

/// Behind this field, which only gpg knows, no dashes are escaped, and CRs do not count.
const VERBATIM: &[u8] = b"NotDashEscaped:";
/// How far a header is looked for.
const NEAR: usize = 64 * 1024;

/// Where the text may begin: behind the first blank line, or behind a line that is no field to gpg.
fn text_starts(block: &Blob, breaks: Breaks) -> Walked<Vec<u64>> {
    let mut starts = Vec::new();
    let mut lines = Lines::new(block, breaks);
    while let Some(line) = lines.next_line()?.filter(|line| line.at < to_u64(NEAR)) {
        if line.text.trim_ascii().is_empty() {
            starts.push(line.next_at);
            break;
        }
        if starts.is_empty() && !is_field(line.text) {
            starts.push(line.next_at);
        }
    }
    Ok(starts)
}

fn is_field(line: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [b"SHA1", b"SHA224", b"SHA256", b"SHA384", b"SHA512", b"MD5", b"RIPEMD160"];
    let Some(names) = line.strip_prefix(b"Hash:") else { return line.starts_with(VERBATIM) };
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    let mut names = names.split(is_between).filter(|name| !name.is_empty()).peekable();
    names.peek().is_some() && names.all(|name| NAMES.contains(&name))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blanks {
    Kept,
    /// At the end of lines, which only LF ends, as gpg does.
    Trimmed,
}

fn unescaped(text: &Blob, longest: usize, blanks: Blanks) -> impl Read + use<> {
    let breaks = if blanks == Blanks::Kept { Breaks::Any } else { Breaks::LfOnly };
    let (mut lines, mut line_at) = (Lines::new(text, breaks), 0);
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
        // Of a break in two bytes, the first may be a part of the line.
        let ended_by =
            if line.text.ends_with(b"\r") && line.ended_by == b"\n" { b"\r\n" } else { line.ended_by };
        Ok(Some([written, ended_by].concat()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, longest: usize, blanks: Blanks) -> String {
        let mut written = String::new();
        let blob = Blob::from_bytes(text.as_bytes().to_vec());
        unescaped(&blob, longest, blanks).read_to_string(&mut written).unwrap();
        written
    }

    #[test]
    fn dashes_are_unescaped_once() {
        for (text, expected) in
            [("- a\n- - b\n-c\n--d\n", "a\n- b\n-c\n--d\n"), ("- a", "a"), ("a- b\r\n- \r\n", "a- b\r\n\r\n")]
        {
            for blanks in [Blanks::Kept, Blanks::Trimmed] {
                assert_eq!(written(text, 100, blanks), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn gpg_trims_lines_and_cuts_them() {
        let text = "a \t\r\n b\0 \n- cdef \n";
        assert_eq!(written(text, 100, Blanks::Trimmed), "a\r\n b\ncdef\n");
        assert_eq!(written(text, 100, Blanks::Kept), "a \t\r\n b\0 \ncdef \n");
        assert_eq!(written(text, 4, Blanks::Trimmed), "a\r\n b\ncd\n");
        let with_cr = "- a\r- b\r\r\n";
        assert_eq!(written(with_cr, 100, Blanks::Trimmed), "a\r- b\r\n");
        assert_eq!(written(with_cr, 100, Blanks::Kept), "a\rb\r\r\n");
    }

    #[test]
    fn the_text_begins_behind_the_header() {
        for (block, starts) in [
            ("\ntext", vec![1]),
            ("Hash: SHA512, SHA1\nHash:MD5\n\ntext", vec![29]),
            ("NotDashEscaped: x\n \t\ntext", vec![21]),
            ("Odd: x\n\ntext", vec![7, 8]),
            ("Hash: SHA0 \n- text\n", vec![12]),
            ("Hash:\t\n- text\n", vec![7]),
            ("Hash: SHA1\r\n\r?\ntext", vec![15]),
            ("", vec![]),
        ] {
            let found = text_starts(&Blob::from_bytes(block.as_bytes().to_vec()), Breaks::LfOnly).unwrap();
            assert_eq!(found, starts, "{block:?}");
        }
    }
}
