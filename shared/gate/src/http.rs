//! Walks HTTP messages as programs save them and web archives hold them (RFC 9112): a header in lines, and a
//! body that may be in chunks or packed.
//!
//! Programs write the body as it was sent, without its chunks, or unpacked.

use std::io::{self, BufRead, Read};

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, malformed};

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
    let says = |name, coding: &str| {
        header.values(name).any(|value| value.to_ascii_lowercase().ends_with(coding.as_bytes()))
    };
    let sent = message.tail(to_u64(header.n_bytes));
    let mut body = sent.clone();
    let mut has_whole_chunks = false;
    if says("Transfer-Encoding", "chunked") {
        let mut chunks = Chunks::new(sent.reader());
        body = walk.reading(&mut chunks, depth)?;
        has_whole_chunks = chunks.is_whole;
    }
    if has_whole_chunks {
        walk.reading_of_chunks(sent, depth)?;
    } else {
        walk.reading_of(sent, depth)?;
    }
    if says("Content-Encoding", "deflate") {
        // Some servers take it for the bare format.
        walk.reading_cut_off(|| Ok(flate2::bufread::ZlibDecoder::new(body.reader())), depth)?;
        walk.reading_cut_off(|| Ok(flate2::bufread::DeflateDecoder::new(body.reader())), depth)?;
    }
    Ok(())
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

    /// The values of all fields of this name.
    pub(crate) fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter_map(move |line| {
            let colon = memchr::memchr(b':', line)?;
            line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
        })
    }
}

/// Digits and nothing else.
pub(crate) fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(|digit| char::from(*digit).is_digit(radix));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u64::from_str_radix(digits, radix).ok()
}

/// Joins chunks (RFC 9112, section 7.1), up to the last one or to what is none.
struct Chunks<R> {
    reader: R,
    n_left: u64,
    /// Whether the last chunk came.
    is_whole: bool,
}

impl<R: BufRead> Chunks<R> {
    fn new(reader: R) -> Self {
        Self { reader, n_left: 0, is_whole: false }
    }

    /// A line with the size of the next chunk, behind the end of the line that ends the one before.
    fn next_size(&mut self) -> io::Result<Option<u64>> {
        const LONGEST_LINE: u64 = 1024;
        for _ in 0..2 {
            let mut line = vec![];
            self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            if !size.is_empty() {
                return Ok(number(size, 16));
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
