//! Walks HTTP messages as programs save them and web archives hold them (RFC 9112): a header in lines, and a
//! body that may be in chunks or packed.
//!
//! Programs write the body as it was sent, without its chunks, or unpacked.

use std::io::{self, BufRead, Read};

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::survey::Survey;
use crate::walk::{Walk, Walked, malformed, refuse};
use crate::{mail, markup};

/// Returns whether a response begins here.
pub(crate) fn begins(blob: &Blob) -> io::Result<bool> {
    let start = blob.bytes_at(0, 6)?;
    Ok(start.starts_with(b"HTTP/") && start.u8_at(5).is_ascii_digit())
}

/// Hands the body of a message in all of its forms. What gzip packs is looked into like any other file.
pub(crate) fn walk(walk: &mut Walk<'_>, message: &Blob, depth: u32) -> Walked {
    let bytes = header_at(message, 0)?;
    let Some(header) = Lines::read(&bytes) else {
        // One that ends before it has ended has no body.
        let is_cut = to_u64(bytes.len()) == message.size_bytes();
        return if is_cut { Ok(()) } else { malformed("HTTP: a longer header than the limit") };
    };
    let says = |name, coding: &[u8]| header.values(name).any(|value| mail::holds(value, coding));
    walk_header(walk, message, to_u64(header.n_bytes), depth)?;
    let sent = message.tail(to_u64(header.n_bytes));
    let mut body = sent.clone();
    let mut has_whole_chunks = false;
    if says("Transfer-Encoding", b"chunked") {
        let mut chunks = Chunks::new(sent.reader());
        body = walk.reading(&mut chunks, depth)?;
        has_whole_chunks = chunks.is_whole;
        if chunks.has_odd_size {
            walk.reading(&mut Chunks { takes_odd_sizes: false, ..Chunks::new(sent.reader()) }, depth)?;
        }
    }
    if has_whole_chunks {
        walk.reading_of_chunks(sent, depth)?;
    } else {
        walk.reading_of(sent, depth)?;
    }
    if says("Content-Encoding", b"deflate") {
        // Some servers take it for the bare format.
        walk.reading_cut_off(|| Ok(flate2::bufread::ZlibDecoder::new(body.reader())), depth)?;
        walk.reading_cut_off(|| Ok(flate2::bufread::DeflateDecoder::new(body.reader())), depth)?;
    }
    if header.values("Content-Encoding").any(names_brotli) && may_be_brotli(&body)? {
        return refuse(Unscannable::UnsupportedContainer, "HTTP: a body packed by Brotli");
    }
    Ok(())
}

/// Searches a header as the text that it is to readers that do not know the format: a browser shows a page in
/// a field of it.
pub(crate) fn walk_header(walk: &mut Walk<'_>, blob: &Blob, n_bytes: u64, depth: u32) -> Walked {
    let header = Blob::from_bytes(blob.bytes_at(0, to_usize(n_bytes))?);
    let survey = Survey::of_container(&header)?;
    mail::walk(walk, &header, &survey, depth)?;
    markup::walk(walk, &header, &survey, depth)
}

/// Brotli (RFC 7932) and its form with a dictionary (RFC 9842). What gzip, zstd and compress pack is looked
/// into like any other file.
fn names_brotli(value: &[u8]) -> bool {
    let mut names = value.split(|byte| !byte.is_ascii_alphanumeric());
    names.any(|name| [&b"br"[..], b"dcb", b"brotli"].iter().any(|coding| name.eq_ignore_ascii_case(coding)))
}

/// Returns whether there may be anything in it. Programs keep the field when they have unpacked the body.
/// No stream begins with `<`, which has a reserved bit, and one that begins with `{` is empty (RFC 7932, 9.1
/// and 9.2).
fn may_be_brotli(body: &Blob) -> io::Result<bool> {
    Ok(!matches!(body.bytes_at(0, 1)?.as_slice(), [] | [b'<' | b'{']))
}

/// Returns whether the header at the start says how its body is encoded in the way that mails do, or has
/// other ends of lines than readers agree on.
pub(crate) fn has_fields_of_mail(blob: &Blob) -> io::Result<bool> {
    let bytes = header_at(blob, 0)?.to_ascii_lowercase();
    let Some(header) = Lines::read(&bytes).map(|header| header.bytes) else { return Ok(true) };
    let says = |field: &[u8]| memchr::memmem::find(header, field).is_some();
    let has_other_ends = header.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    Ok(has_other_ends || says(b"content-transfer-encoding") || says(b"multipart") || says(b"message/"))
}

/// As many bytes as a header may have.
pub(crate) fn header_at(blob: &Blob, at: u64) -> io::Result<Vec<u8>> {
    const USUAL: usize = 16 * 1024;
    const LONGEST: usize = 1024 * 1024;
    let bytes = blob.bytes_at(at, USUAL)?;
    let is_whole = bytes.len() < USUAL || Lines::read(&bytes).is_some();
    if is_whole { Ok(bytes) } else { blob.bytes_at(at, LONGEST) }
}

/// A header: lines up to an empty one.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    pub(crate) n_bytes: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let ends = [&b"\n\r\n"[..], b"\n\n"]
            .map(|empty| memchr::memmem::find(bytes, empty).map(|at| at + empty.len()));
        let n_bytes = ends.into_iter().flatten().min()?;
        Some(Self { bytes: &bytes[..n_bytes], n_bytes })
    }

    /// Returns whether all lines end in the same way. If not, readers find different ends of the header.
    pub(crate) fn are_uniform(&self) -> bool {
        let n_returns = memchr::memmem::find_iter(self.bytes, b"\r\n").count();
        n_returns == 0 || n_returns == memchr::memchr_iter(b'\n', self.bytes).count()
    }

    /// The values of all fields of this name. White space in front of the colon counts for nothing: warcio
    /// 1.8.1 and `http.client` strip it.
    pub(crate) fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter_map(move |line| {
            let colon = memchr::memchr(b':', line)?;
            line[..colon]
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| line[colon + 1..].trim_ascii())
        })
    }
}

/// Digits and nothing else.
pub(crate) fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(|digit| char::from(*digit).is_digit(radix));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u64::from_str_radix(digits, radix).ok()
}

/// A number as Python has it, and as C has it: with a sign, `0x` and underscores, up to what is no digit.
fn odd_size(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let text = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit() || **byte == b'_');
    let digits = digits.copied().filter(|byte| *byte != b'_').collect::<Vec<_>>();
    number(&digits, 16)
}

/// Joins chunks (RFC 9112, section 7.1), up to the last one or to what is none.
struct Chunks<R> {
    reader: R,
    n_left: u64,
    /// Whether the last chunk came.
    is_whole: bool,
    /// Whether sizes count that only some readers read: warcio goes by Python's `int(size, 16)`.
    takes_odd_sizes: bool,
    has_odd_size: bool,
}

impl<R: BufRead> Chunks<R> {
    fn new(reader: R) -> Self {
        Self { reader, n_left: 0, is_whole: false, takes_odd_sizes: true, has_odd_size: false }
    }

    /// A line with the size of the next chunk, behind the end of the line that ends the one before.
    fn next_size(&mut self) -> io::Result<Option<u64>> {
        const LONGEST_LINE: u64 = 1024;
        for _ in 0..2 {
            let mut line = vec![];
            self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            if !size.is_empty() {
                let size_bytes = number(size, 16);
                if size_bytes.is_some() || !self.takes_odd_sizes {
                    return Ok(size_bytes);
                }
                self.has_odd_size = true;
                return Ok(odd_size(size));
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_left == 0 {
            let size = self.next_size()?;
            self.is_whole = size == Some(0);
            self.n_left = size.unwrap_or(0);
        }
        let n_wanted = buffer.len().min(to_usize(self.n_left));
        let n_bytes = self.reader.read(&mut buffer[..n_wanted])?;
        self.n_left -= to_u64(n_bytes);
        Ok(n_bytes)
    }
}

#[cfg(test)]
mod tests;
