//! Decodes ASCII armor (RFC 9580, 6.2) and PEM (RFC 7468) anywhere in a file, as each reader does.
//!
//! gpg reads to the first `=`, over any number of lines that end the block, and joins all blocks of a file
//! ([`dearmored`]). Others end a block where it says so, and let it be quoted, indented or without dashes.

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

/// Enough for the header of a packet.
const START: u64 = 8;

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
    /// Whether a line says that it ends.
    is_closed: bool,
}

/// Hands over what every block of armor holds, and all of them joined. The first one begins in the line in
/// which `first_at` is.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, first_at: u64, depth: u32) -> Walked {
    let text = blob.tail(line_start(blob, first_at)?);
    let seen = walk_blocks(walk, &text, Breaks::Any, depth)?;
    if seen.has_lonely_cr {
        walk_blocks(walk, &text, Breaks::LfOnly, depth)?;
    }
    // Where gpg finds a block, a line begins with the mark whatever breaks lines.
    if seen.has_gpg_mark { hand_dearmored(walk, &text, depth) } else { Ok(()) }
}

/// What the lines of a text have.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Whether there are other line breaks than LF.
    has_lonely_cr: bool,
    /// Whether one begins a block for gpg.
    has_gpg_mark: bool,
}

fn walk_blocks(walk: &mut Walk<'_>, text: &Blob, breaks: Breaks, depth: u32) -> Walked<Seen> {
    let mut lines = Lines::new(text, breaks);
    let (mut open, mut has_gpg_mark) = (None::<Open>, false);
    while let Some(line) = lines.next_line()? {
        has_gpg_mark |= line.begins && begun_for_gpg(line.text).is_some();
        let mark = if line.begins { mark_of(line.text) } else { None };
        let ends_text = line.begins && line.text.starts_with(b"-----");
        match &mut open {
            Some(block) if mark.is_some() || (block.mark == Mark::Cleartext && ends_text) => {
                let block = Open { is_closed: mark == Some(Mark::End), ..*block };
                hand_block(walk, text, block, line.at, depth)?;
                open = None;
            }
            Some(block) if line.begins && line.text.trim_ascii_start().starts_with(b"=") => {
                block.checksum_at = block.checksum_at.or(Some(line.at));
            }
            _ => {}
        }
        if let Some(mark) = mark.filter(|mark| *mark != Mark::End) {
            open = Some(Open { mark, start: line.next_at, checksum_at: None, is_closed: false });
        }
    }
    let seen = Seen { has_lonely_cr: lines.has_lonely_cr(), has_gpg_mark };
    if let Some(block) = open {
        hand_block(walk, text, block, text.size_bytes(), depth)?;
    }
    Ok(seen)
}

fn hand_dearmored(walk: &mut Walk<'_>, text: &Blob, depth: u32) -> Walked {
    for longest in GPG_LINES {
        let mut start = Vec::new();
        dearmored(text, longest).take(START).read_to_end(&mut start)?;
        if super::begins(&start) {
            walk.reading(&mut dearmored(text, longest), depth)?;
        }
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

/// What a line begins or ends: `-----BEGIN LABEL-----`. gpgsm does not care about the label. Of OpenPGP, some
/// readers want no dashes; quotes may stand in front.
fn mark_of(line: &[u8]) -> Option<Mark> {
    let n_before = line.iter().position(u8::is_ascii_alphanumeric)?;
    let (before, text) = line.split_at(n_before);
    let is_begin = text.starts_with(b"BEGIN ");
    let label = text.strip_prefix(b"BEGIN ").or_else(|| text.strip_prefix(b"END "))?;
    if !before.ends_with(b"-----") && !is_pgp_label(label) {
        return None;
    }
    Some(match is_begin {
        true if label.starts_with(b"PGP SIGNED MESSAGE") => Mark::Cleartext,
        true => Mark::Block,
        false => Mark::End,
    })
}

/// Returns whether nothing but dashes or the like stands behind it.
fn is_pgp_label(label: &[u8]) -> bool {
    let n_label = label.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |last| last + 1);
    let is_in_label =
        |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" ,/#".contains(byte);
    label.starts_with(b"PGP ") && label[..n_label].iter().all(is_in_label)
}

fn hand_block(walk: &mut Walk<'_>, text: &Blob, block: Open, end: u64, depth: u32) -> Walked {
    if block.mark == Mark::Cleartext {
        return cleartext::hand(walk, &text.slice(block.start, end - block.start), depth);
    }
    let end = block.checksum_at.unwrap_or(end);
    let body = text.slice(block.start, end - block.start);
    for start in data_starts(&body)? {
        let data = body.tail(start);
        // Programs hold the line that begins a block. What ends nowhere must at least begin like a message.
        if !block.is_closed && !is_message(&data)? {
            continue;
        }
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

fn is_message(data: &Blob) -> Walked<bool> {
    const SEQUENCE: u8 = 0x30;
    let mut start = Vec::new();
    Base64::new(data, Padding::EndsData).take(START).read_to_end(&mut start)?;
    Ok(start.first() == Some(&SEQUENCE) || super::begins(&start))
}

/// Where the data may begin: behind the first blank line of the header, or at the first line that is no
/// header field.
fn data_starts(body: &Blob) -> Walked<Vec<u64>> {
    let (mut lines, mut starts) = (Lines::new(body, Breaks::Any), Vec::new());
    while let Some(line) = lines.next_line()? {
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
        let Some(line) = lines.next_line()? else { return Ok(group.end()) };
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

fn begun_for_gpg(line: &[u8]) -> Option<Place> {
    match line.strip_prefix(b"-----BEGIN PGP ")?.trim_ascii_end() {
        b"SIGNED MESSAGE-----" => Some(Place::Cleartext),
        label if GPG_LABELS.contains(&label) => Some(Place::Header),
        _ => None,
    }
}

impl Place {
    /// Where this line is, if the one before was here.
    fn at_line(self, line: &[u8]) -> Self {
        match self {
            Self::Outside | Self::Cleartext => begun_for_gpg(line).unwrap_or(self),
            Self::Header if line.trim_ascii().is_empty() || !is_gpg_field(line) => Self::Data,
            Self::Header | Self::Data => self,
        }
    }
}

/// Returns whether a colon and a space stand in it, or a colon at its end: all else is data.
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
    /// Decodes a line; what is no digit is skipped. Returns whether the data continue, which they do up to
    /// the first `=`.
    fn take(&mut self, line: &[u8], bytes: &mut Vec<u8>) -> bool {
        for byte in line {
            if *byte == b'=' {
                // Even one digit is a byte, but not at the end of the file.
                if self.n_digits == 1 {
                    (self.digits, self.n_digits) = (self.digits << 6, 2);
                }
                bytes.extend(self.end().unwrap_or_default());
                return false;
            }
            let Some(digit) = base64_digit(*byte) else { continue };
            (self.digits, self.n_digits) = (self.digits << 6 | digit, self.n_digits + 1);
            if self.n_digits == 4 {
                bytes.extend(self.end().unwrap_or_default());
            }
        }
        true
    }

    /// The bytes that are there; `None` if there are none.
    fn end(&mut self) -> Option<Vec<u8>> {
        let Self { digits, n_digits } = std::mem::take(self);
        let n_bytes = (n_digits * 6 / 8) as usize;
        let digits = digits << (6 * (4 - n_digits));
        (n_bytes > 0).then(|| digits.to_be_bytes()[1..=n_bytes].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_or_ends_a_block_however_it_is_decorated() {
        for (line, mark) in [
            ("-----BEGIN PGP MESSAGE-----", Some(Mark::Block)),
            ("-----BEGIN PGP MESSAGE-----  ", Some(Mark::Block)),
            ("----BEGIN PGP MESSAGE", Some(Mark::Block)),
            ("> | \u{2014}BEGIN PGP SIGNATURE\u{2014}", Some(Mark::Block)),
            ("-----BEGIN PGP MESSAGE, PART 1/2-----", Some(Mark::Block)),
            ("-----BEGIN PKCS #7 SIGNED DATA-----", Some(Mark::Block)),
            ("- -----BEGIN CMS----", Some(Mark::Block)),
            ("-----BEGIN PGP SIGNED MESSAGE-----", Some(Mark::Cleartext)),
            ("-----END PGP MESSAGE-----", Some(Mark::End)),
            ("END PGP MESSAGE", Some(Mark::End)),
            ("BEGIN CMS", None),
            ("x -----BEGIN PGP MESSAGE-----", None),
            ("-----BEGIN what\u{e9}ver you like", Some(Mark::Block)),
            ("BEGIN PGP MESSAGE, said the file", None),
            ("BEGIN PGP Message", None),
            ("-----BEGIN", None),
            ("-----", None),
            ("", None),
        ] {
            assert_eq!(mark_of(line.as_bytes()), mark, "{line}");
        }
    }

    fn dearmored_as_text(text: &str, longest: usize) -> String {
        let mut joined = vec![];
        let blob = Blob::from_bytes(text.as_bytes().to_vec());
        dearmored(&blob, longest).read_to_end(&mut joined).unwrap();
        String::from_utf8_lossy(&joined).into_owned()
    }

    #[test]
    fn gpg_reads_to_the_first_equals_sign_and_joins_the_blocks() {
        const BEGIN: &str = "-----BEGIN PGP MESSAGE-----\n";
        const END: &str = "-----END PGP MESSAGE-----\n";
        for (text, joined) in [
            (format!("text\n{BEGIN}\nQ2F0\n=abcd\n{END}text\n"), "Cat"),
            (format!("{BEGIN}Version: 1\nComment:\n\nQ2F0\n=abcd\n"), "Cat"),
            (format!("{BEGIN}Version: 1\nQ2F0\n=abcd\n"), "Cat"),
            (format!("{BEGIN} \t\r\nQ2F0=\r\nRG9n\r\n"), "Cat"),
            (format!("{BEGIN}\nQ!2:F-0\n=\n"), "Cat"),
            (format!("{BEGIN}\nQ2F0Q=\n"), "Cat@"),
            (format!("{BEGIN}\nQ2F0Q\n"), "Cat"),
            (format!("{BEGIN}Q2:F0\n=\n"), "Cat"),
            (format!("{BEGIN}\nQ2F0Q2E=\n{BEGIN}\nRG9n\n=\n"), "CatCaDog"),
            (format!("{BEGIN}\nQ2F0\n----\nRG9n\n=\n"), "CatDog"),
            (format!("-----BEGIN PGP SIGNED MESSAGE-----\n\nRG9n\n{BEGIN}\nQ2F0\n=\n"), "Cat"),
            ("-----BEGIN PGP SIGNATURE-----\n\nQ2F0\n=\n-----BEGIN FOO-----\n\nRG9n\n".to_owned(), "Cat"),
            (format!(" {BEGIN}\nQ2F0\n"), ""),
            ("-----BEGIN CMS-----\n\nQ2F0\n".to_owned(), ""),
        ] {
            assert_eq!(dearmored_as_text(&text, 1_000), joined, "{text}");
        }
        let not_closed = dearmored_as_text(&format!("{BEGIN}\nQ2F0\n{END}RG9n=\n"), 1_000);
        assert!(not_closed.starts_with("Cat") && not_closed.len() > 6, "{not_closed:?}");
    }

    #[test]
    fn gpg_cuts_long_lines() {
        let text = format!("-----BEGIN PGP MESSAGE-----\n\n{}\n{}\n", "Q2F0".repeat(10), "RG9n".repeat(10));
        for (longest, joined) in [(8, "CatCatDogDog"), (4, "CatDog")] {
            assert_eq!(dearmored_as_text(&text, longest), joined);
        }
        let long = format!("-----BEGIN PGP MESSAGE-----\n\n{}\n", "Q2F0".repeat(50_000));
        assert_eq!(dearmored_as_text(&long, 400), "Cat".repeat(100), "a line in pieces");
    }
}
