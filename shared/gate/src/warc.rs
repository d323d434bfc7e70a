//! Walks WARC, the format of web archives (ISO 28500): records of a header in lines, a block of as many bytes
//! as it says, and two ends of lines.
//!
//! libarchive reads some versions and loses its place behind large records; unar writes what stands behind
//! the header of an HTTP response, and tools for web archives decode that as well. All of it is handed.

use std::io;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::http::{self, Lines, header_at, number};
use crate::walk::{Walk, Walked, malformed};

/// Returns whether `blob` begins with a version on a line of its own, and a field.
pub(crate) fn begins(blob: &Blob) -> io::Result<bool> {
    const LONGEST_LINES: usize = 1024;
    let bytes = blob.bytes_at(0, LONGEST_LINES)?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let version = lines.next().and_then(|line| line.trim_ascii_end().strip_prefix(b"WARC/"));
    let is_version = |version: &[u8]| version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    Ok(version.is_some_and(is_version) && lines.next().is_some_and(|line| line.contains(&b':')))
}

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let (mut at, mut n_records) = (0, 0);
    while at < blob.size_bytes() {
        n_records += 1;
        // Equal and empty blocks count for nothing, but their headers are read.
        walk.expect(n_records, 0)?;
        let Some(record) = Record::read(blob, at)? else {
            return malformed("WARC: a record without a header");
        };
        http::walk_header(walk, &blob.slice(at, record.block_at - at), record.block_at - at, depth)?;
        let block = blob.slice(record.block_at, record.block_bytes);
        walk.reading_of(block.clone(), depth)?;
        // A response that begins like one has been looked into.
        if record.is_http && !http::begins(&block)? {
            http::walk(walk, &block, depth)?;
        }
        if block.size_bytes() < record.block_bytes {
            return malformed("WARC: a record behind the end");
        }
        at = end_of_blank_lines(blob, record.block_at + record.block_bytes)?;
    }
    Ok(())
}

/// Tools skip as many as there are; none are missed at the end of a file.
fn end_of_blank_lines(blob: &Blob, at: u64) -> io::Result<u64> {
    const MOST: usize = 64;
    let bytes = blob.bytes_at(at, MOST)?;
    Ok(at + to_u64(bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Record {
    /// A response, or a request: warcio 1.8.1 reads these three kinds as such.
    is_http: bool,
    block_at: u64,
    block_bytes: u64,
}

impl Record {
    /// `None` if there is no header, or one that readers understand differently.
    fn read(blob: &Blob, at: u64) -> io::Result<Option<Self>> {
        let bytes = header_at(blob, at)?;
        let version = bytes.at(5, 3);
        let is_version =
            matches!(version, [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit());
        if !bytes.starts_with(b"WARC/") || !is_version {
            return Ok(None);
        }
        let Some(header) = Lines::read(&bytes).filter(Lines::are_uniform) else { return Ok(None) };
        let mut lengths = header.values("Content-Length");
        let (Some(length), None) = (lengths.next(), lengths.next()) else { return Ok(None) };
        let Some(block_bytes) = number(length, 10) else { return Ok(None) };
        let is_http =
            header.values("WARC-Type").any(|kind| matches!(kind, b"request" | b"response" | b"revisit"));
        Ok(Some(Self { is_http, block_at: at + to_u64(header.n_bytes), block_bytes }))
    }
}

#[cfg(test)]
mod tests;
