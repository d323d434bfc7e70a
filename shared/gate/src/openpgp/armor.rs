//! ASCII armor (RFC 9580, 6.2) and PEM (RFC 7468), anywhere in a file: what each reader decodes.
//!
//! gpg goes on to the first `=`, over any number of lines that end the block, and joins all blocks of a file ([`dearmored`]). Others end a
//! block where it says so, and let it be quoted, indented or without dashes.

use std::io::Read;

use super::cleartext;
use crate::blob::{Blob, to_u64};
use crate::mail::{Breaks, Line, Lines};
use crate::text_encoding::{Base64, Padding, base64_digit, decoder};
use crate::walk::{Walk, Walked};

/// gpg cuts off what stands behind this many characters of a line: version 2, version 1.
pub(super) const GPG_LINES: [usize; 2] = [19_998, 20_477];

/// Behind `-----BEGIN PGP `.
const GPG_LABELS: [&[u8]; 6] = [
    b"MESSAGE-----",
    b"PUBLIC KEY BLOCK-----",
    b"SIGNATURE-----",
    b"PRIVATE KEY BLOCK-----",
    b"SECRET KEY BLOCK-----",
    b"ARMORED FILE-----",
];

/// What a line begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    /// A block whose lines are base64.
    Block,
    /// Text that is signed as it stands.
    Cleartext,
    End,
}

/// A block that has begun.
#[derive(Clone, Copy, Debug)]
struct Open {
    mark: Mark,
    start: u64,
    /// Where the line with the checksum begins.
    checksum_at: Option<u64>,
}

/// Hands over what every block of armor holds, and all of them joined. The first one begins in the line in which `first_at` is.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, first_at: u64, depth: u32) -> Walked {
    let text = blob.tail(line_start(blob, first_at)?);
    let mut lines = Lines::new(&text, Breaks::Any);
    let mut open: Option<Open> = None;
    while let Some(line) = lines.next_line()? {
        let mark = if line.begins { mark_of(line.text) } else { None };
        let ends_text = line.begins && line.text.starts_with(b"-----");
        match &mut open {
            Some(block) if mark.is_some() || (block.mark == Mark::Cleartext && ends_text) => {
                let block = *block;
                hand_block(walk, &text, block, line.at, depth)?;
                open = None;
            }
            Some(block) if line.begins && line.text.trim_ascii_start().starts_with(b"=") => {
                block.checksum_at = block.checksum_at.or(Some(line.at));
            }
            _ => {}
        }
        if let Some(mark) = mark.filter(|mark| *mark != Mark::End) {
            open = Some(Open { mark, start: line.next_at, checksum_at: None });
        }
    }
    if let Some(block) = open {
        hand_block(walk, &text, block, text.size_bytes(), depth)?;
    }
    for longest in GPG_LINES {
        walk.reading(&mut dearmored(&text, longest), depth)?;
    }
    Ok(())
}

fn line_start(blob: &Blob, at: u64) -> Walked<u64> {
    /// Nothing reads more in front of armor.
    const MOST: u64 = 256;
    let from = at.saturating_sub(MOST);
    let before = blob.slice(from, at - from).bytes_at(0, crate::blob::to_usize(MOST))?;
    let line_break = memchr::memrchr2(b'\r', b'\n', &before);
    Ok(from + line_break.map_or(0, |line_break| to_u64(line_break) + 1))
}

/// What a line begins or ends: `-----BEGIN LABEL-----`. Of OpenPGP, some readers want no dashes; quotes may stand in front.
fn mark_of(line: &[u8]) -> Option<Mark> {
    let n_before = line.iter().position(u8::is_ascii_alphanumeric)?;
    let (before, text) = line.split_at(n_before);
    let is_begin = text.starts_with(b"BEGIN ");
    let label = text.strip_prefix(b"BEGIN ").or_else(|| text.strip_prefix(b"END "))?;
    let n_label = label.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1);
    let label = &label[..n_label];
    let is_in_label =
        |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" ,/#".contains(byte);
    let is_pgp = label.starts_with(b"PGP ");
    if !label.iter().all(is_in_label) || !(is_pgp || before.ends_with(b"-----")) {
        return None;
    }
    Some(match is_begin {
        true if label == b"PGP SIGNED MESSAGE" => Mark::Cleartext,
        true => Mark::Block,
        false => Mark::End,
    })
}

fn hand_block(walk: &mut Walk<'_>, text: &Blob, block: Open, end: u64, depth: u32) -> Walked {
    if block.mark == Mark::Cleartext {
        return cleartext::hand(walk, &text.slice(block.start, end - block.start), depth);
    }
    let end = block.checksum_at.unwrap_or(end);
    let body = text.slice(block.start, end - block.start);
    for start in data_starts(&body)? {
        let data = body.tail(start);
        let mut first = Base64::new(&data, Padding::EndsData);
        walk.reading(&mut first, depth)?;
        if first.has_inner_padding()? {
            for padding in [Padding::EndsGroup, Padding::IsJunk] {
                walk.reading(&mut Base64::new(&data, padding), depth)?;
            }
        }
    }
    Ok(())
}

/// Where the data may begin: behind the first blank line of the header, or at the first line that is no header field.
fn data_starts(body: &Blob) -> Walked<Vec<u64>> {
    const MAX_LINES: usize = 1_000;
    let (mut lines, mut starts) = (Lines::new(body, Breaks::Any), Vec::new());
    for _ in 0..MAX_LINES {
        let Some(line) = lines.next_line()? else { break };
        if line.begins && is_blank(&line) {
            starts.push(line.next_at);
            break;
        }
        if starts.is_empty() && !(line.begins && memchr::memchr(b':', line.text).is_some()) {
            starts.push(line.at);
        }
    }
    Ok(starts)
}

/// Of quoted armor, a blank line has the quotes.
fn is_blank(line: &Line<'_>) -> bool {
    !line.text.iter().any(u8::is_ascii_alphanumeric)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Outside,
    Header,
    Data,
    Cleartext,
}

/// What gpg makes of all blocks of a file: their data, joined.
fn dearmored(text: &Blob, longest: usize) -> impl Read + use<> {
    let (mut lines, mut place, mut group) = (Lines::new(text, Breaks::Lf), Place::Outside, Group::default());
    let mut line_at = 0;
    decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        if line.begins {
            line_at = line.at;
            place = place.at_line(line.text);
        }
        let n_left = longest.saturating_sub(crate::blob::to_usize(line.at - line_at));
        let mut bytes = Vec::new();
        if place == Place::Data && !group.take(&line.text[..line.text.len().min(n_left)], &mut bytes) {
            place = Place::Outside;
        }
        Ok(Some(bytes))
    })
}

impl Place {
    /// Where this line is, if the one before was here.
    fn at_line(self, line: &[u8]) -> Self {
        let begun = || match line.strip_prefix(b"-----BEGIN PGP ").map(<[u8]>::trim_ascii_end) {
            Some(b"SIGNED MESSAGE-----") => Some(Self::Cleartext),
            Some(label) if GPG_LABELS.contains(&label) => Some(Self::Header),
            _ => None,
        };
        match self {
            Self::Outside | Self::Cleartext => begun().unwrap_or(self),
            Self::Header if line.trim_ascii().is_empty() || !is_gpg_field(line) => Self::Data,
            Self::Header | Self::Data => self,
        }
    }
}

/// Whether a colon and a space stand in it, or a colon at its end: all else is data.
fn is_gpg_field(line: &[u8]) -> bool {
    let colon = memchr::memchr(b':', line).map(|colon| &line[colon + 1..]);
    colon.is_some_and(|behind| behind.first().is_none_or(u8::is_ascii_whitespace))
}

/// Digits of which fewer than four are there.
#[derive(Debug, Default)]
struct Group {
    digits: u32,
    n_digits: u32,
}

impl Group {
    /// Decodes a line; what is no digit is skipped. Returns whether the data go on, which they do to the first `=`.
    fn take(&mut self, line: &[u8], bytes: &mut Vec<u8>) -> bool {
        for byte in line {
            if *byte == b'=' {
                let n_bytes = (self.n_digits * 6 / 8) as usize;
                let digits = self.digits << (6 * (4 - self.n_digits));
                bytes.extend_from_slice(&digits.to_be_bytes()[1..=n_bytes]);
                *self = Self::default();
                return false;
            }
            let Some(digit) = base64_digit(*byte) else { continue };
            (self.digits, self.n_digits) = (self.digits << 6 | digit, self.n_digits + 1);
            if self.n_digits == 4 {
                bytes.extend_from_slice(&self.digits.to_be_bytes()[1..]);
                *self = Self::default();
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
