//! Decodes binary data that is written in letters, in every way that readers of each encoding have.
//!
//! Every decoder continues as far as anything decodes. Where readers differ, there is one reading for each
//! way.

pub(crate) mod address;
mod announced;
mod base64;
mod binhex;
mod escapes;
mod hexadecimal;
mod literals;
mod marks;
mod patches;
mod quoted;
mod runs;
mod strings;
mod uu;
mod yenc;

use std::io::{self, Read};

use crate::blob::Blob;
use crate::format::is_text;
use crate::mail::{Breaks, Lines};
use crate::walk::{Walk, Walked};

pub(crate) use base64::{Base64, Padding};
pub(crate) use base64::{decode as decode_base64, digit as base64_digit};
pub(crate) use hexadecimal::digit as hexadecimal_digit;
pub(crate) use marks::Marks;
pub(crate) use patches::Patches;
pub(crate) use runs::{ALL, Runs, class_of, is_of_literal};

use quoted::Style;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Encoding {
    /// Not at all: the bytes as they stand.
    AsIs,
    /// Base64, whatever stands in between (RFC 2045, 6.8).
    Base64,
    /// Base64 in string literals.
    Literal,
    /// Escapes in string literals.
    Escaped,
    Hexadecimal,
    /// Quoted-printable (RFC 2045, 6.7).
    Quoted(Breaks),
    /// The lines behind a `begin` line, and whether that may not be prose.
    Uu(Breaks, bool),
    /// yEnc, from `=ybegin` on.
    YEnc,
    /// BinHex 4.0, from the colon on (RFC 1741).
    BinHex,
    /// The lines of a file that a patch adds, each behind this mark.
    Added(&'static [u8]),
    /// A file, or what is new in one, in a patch of git's.
    GitBinary {
        is_delta: bool,
    },
}

/// Hands over what each reader decodes from `body`. Returns all of it.
pub(crate) fn hand(walk: &mut Walk<'_>, body: &Blob, encoding: Encoding, depth: u32) -> Walked<Vec<Blob>> {
    let mut decoded = Vec::new();
    match encoding {
        Encoding::AsIs => {
            decoded.push(hand_as_is(walk, body, depth)?);
        }
        Encoding::Base64 => hand_base64(walk, body, depth, &mut decoded)?,
        Encoding::Literal => {
            let digits = literals::digits(walk, body)?;
            hand_base64(walk, &digits, depth, &mut decoded)?;
        }
        Encoding::Escaped => {
            let bytes = escapes::bytes(walk, body)?;
            decoded.push(walk.reading_of_guess(&mut bytes.reader(), depth)?);
        }
        Encoding::Hexadecimal => {
            decoded.push(walk.reading_of_guess(&mut hexadecimal::decoded(body), depth)?);
        }
        Encoding::Quoted(breaks) => {
            for style in [Style::ToTheLetter, Style::Lenient, Style::Tidied, Style::LenientTidied] {
                // Line breaks and white space make no difference to text.
                let is_other_text = matches!(style, Style::Tidied | Style::LenientTidied);
                if !(is_other_text && is_text(&decoded[0])?) {
                    decoded.push(walk.reading(&mut quoted::decoded(body, breaks, style), depth)?);
                }
            }
        }
        Encoding::Uu(breaks, is_sure) => {
            for mut reading in uu::readings(body, breaks, is_sure)? {
                decoded.push(walk.reading(&mut reading, depth)?);
            }
        }
        Encoding::YEnc => {
            decoded.push(walk.reading(&mut yenc::decoded(body), depth)?);
            for mut joined in yenc::sorted(body)? {
                decoded.push(walk.reading(&mut joined, depth)?);
            }
        }
        Encoding::Added(mark) => {
            // patch drops the CRs of a patch whose lines end in CRLF.
            for breaks in [Breaks::LfOnly, Breaks::Lf] {
                decoded.push(walk.reading(&mut patches::added(body, mark, breaks), depth)?);
            }
        }
        Encoding::GitBinary { is_delta } => decoded.push(patches::hand_binary(walk, body, is_delta, depth)?),
        Encoding::BinHex => {
            for fork in binhex::forks(walk, body)? {
                decoded.push(walk.reading_of(fork, depth)?);
            }
        }
    }
    Ok(decoded)
}

/// Text stands as it is; of something else, uudeview converts the line breaks. It loses what stands behind a
/// zero, so nothing that begins with many is worth it.
fn hand_as_is(walk: &mut Walk<'_>, body: &Blob, depth: u32) -> Walked<Blob> {
    const NEAR: usize = 4 * 1024;
    if !is_text(body)? && !body.bytes_at(0, NEAR)?.contains(&0) {
        walk.reading(&mut with_breaks_of_unix(body), depth)?;
    }
    walk.reading_of(body.clone(), depth)
}

fn hand_base64(walk: &mut Walk<'_>, body: &Blob, depth: u32, decoded: &mut Vec<Blob>) -> Walked {
    let mut first = Base64::new(body, Padding::Ends);
    let blob = walk.reading(&mut first, depth)?;
    let n_decoded = blob.size_bytes();
    decoded.push(blob);
    if first.has_inner_padding()? {
        for padding in [Padding::EndsGroup, Padding::IsJunk] {
            decoded.push(walk.reading(&mut Base64::new(body, padding), depth)?);
        }
    }
    if let Some(start) = message_start(body)? {
        decoded.push(walk.reading(&mut Base64::new(&body.tail(start), Padding::Ends), depth)?);
    }
    // Most of it is something else, so some readers may not take it for base64.
    if n_decoded < body.size_bytes() / 2 {
        decoded.push(walk.reading_of(body.clone(), depth)?);
    }
    Ok(())
}

/// Where a CMS message begins, if lines of something else stand in front of it: openssl skips what is no
/// base64.
fn message_start(body: &Blob) -> Walked<Option<u64>> {
    let is_digit = |byte: &u8| base64_digit(*byte).is_some() || *byte == b'=' || byte.is_ascii_whitespace();
    let mut lines = Lines::new(body, Breaks::Lf);
    while let Some(line) = lines.next_line()? {
        let text = line.text.trim_ascii_start();
        if line.begins && !text.is_empty() && text.iter().all(is_digit) {
            // The first byte of a message in BER.
            let is_sequence = text.starts_with(b"M");
            return Ok((is_sequence && line.at > 0).then_some(line.at));
        }
    }
    Ok(None)
}

fn with_breaks_of_unix(body: &Blob) -> impl Read + use<> {
    let mut lines = Lines::new(body, Breaks::Any);
    decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        let line_break: &[u8] = if line.ended_by == b"\r\n" { b"\n" } else { line.ended_by };
        Ok(Some([line.text, line_break].concat()))
    })
}

/// Reads one after another.
pub(crate) fn joined<R: Read>(mut parts: impl Iterator<Item = R>) -> impl Read {
    const MOST: u64 = 64 * 1024;
    let mut open = None::<R>;
    decoder(move || {
        loop {
            let mut piece = Vec::new();
            if let Some(part) = &mut open {
                part.take(MOST).read_to_end(&mut piece)?;
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            open = parts.next();
            if open.is_none() {
                return Ok(None);
            }
        }
    })
}

/// Reads what `next` gives, piece after piece, until that is `None`.
struct Pieces<F> {
    next: F,
    ready: io::Cursor<Vec<u8>>,
    is_done: bool,
}

pub(crate) fn decoder(next: impl FnMut() -> io::Result<Option<Vec<u8>>>) -> impl Read {
    Pieces { next, ready: io::Cursor::default(), is_done: false }
}

impl<F: FnMut() -> io::Result<Option<Vec<u8>>>> Read for Pieces<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_bytes = self.ready.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() || self.is_done {
                return Ok(n_bytes);
            }
            match (self.next)()? {
                Some(piece) => self.ready = io::Cursor::new(piece),
                None => self.is_done = true,
            }
        }
    }
}

#[cfg(test)]
mod tests;
