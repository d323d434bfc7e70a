//! Reads values in BER (X.690), as lenient readers do: sizes may be wrong, and need not be written in the
//! shortest way.

use std::io::{self, BufRead as _, Read, Seek as _, SeekFrom};

use crate::blob::{Blob, BlobReader, to_u64};

pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const OCTETS: u8 = 0x04;
/// A string of octets that is made of others.
pub(super) const OCTETS_IN_PIECES: u8 = 0x24;
pub(super) const EXPLICIT_0: u8 = 0xa0;
const END: u8 = 0x00;
const IS_CONSTRUCTED: u8 = 0x20;

/// The head of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) tag: u8,
    pub(super) at: u64,
    pub(super) content_at: u64,
    /// `None` if its end is marked.
    pub(super) size: Option<u64>,
}

impl Head {
    pub(super) fn end(&self) -> Option<u64> {
        self.size.map(|size| self.content_at.saturating_add(size))
    }
}

/// Reads head after head: into values that are made of others, over all else.
#[derive(Debug)]
pub(super) struct Heads {
    reader: BlobReader,
}

impl Heads {
    pub(super) fn new(blob: &Blob) -> Self {
        Self { reader: blob.reader() }
    }

    /// The next head; `None` where the blob ends.
    pub(super) fn next_head(&mut self) -> io::Result<Option<Head>> {
        let at = self.reader.position();
        let Some(tag) = self.byte()? else { return Ok(None) };
        if tag & 0x1f == 0x1f {
            while self.byte()?.is_some_and(|byte| byte & 0x80 != 0) {}
        }
        let Some(first) = self.byte()? else { return Ok(None) };
        let mut size = u64::from(first);
        if first & 0x80 != 0 {
            size = 0;
            for _ in 0..first & 0x7f {
                let Some(byte) = self.byte()? else { return Ok(None) };
                size = size.saturating_mul(256).saturating_add(u64::from(byte));
            }
        }
        let content_at = self.reader.position();
        let is_constructed = tag & IS_CONSTRUCTED != 0;
        let size = (first != 0x80 || !is_constructed).then_some(size);
        if !is_constructed {
            self.go_to(content_at.saturating_add(size.unwrap_or(0)))?;
        }
        Ok(Some(Head { tag, at, content_at, size }))
    }

    fn go_to(&mut self, at: u64) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(at)).map(|_| ())
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.reader.fill_buf()?.first().copied();
        self.reader.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

/// Reads a string of octets that comes in pieces, which may come in pieces themselves.
pub(super) struct Pieces {
    heads: Heads,
    /// Where each value that is open ends, unless that is marked.
    ends: Vec<Option<u64>>,
    /// Of the piece.
    n_left: u64,
}

impl Pieces {
    pub(super) fn of(blob: &Blob, string: &Head) -> io::Result<Self> {
        Self::up_to(blob, string, string.end())
    }

    /// The same for a string that ends elsewhere than it says.
    pub(super) fn up_to(blob: &Blob, string: &Head, end: Option<u64>) -> io::Result<Self> {
        let mut heads = Heads::new(blob);
        heads.go_to(string.content_at)?;
        Ok(Self { heads, ends: vec![end], n_left: 0 })
    }

    /// Begins the next piece that is not empty. Returns whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        /// openssl gives up sooner.
        const MAX_LEVELS: usize = 64;
        while self.n_left == 0 {
            let at = self.heads.reader.position();
            while self.ends.pop_if(|end| end.is_some_and(|end| at >= end)).is_some() {}
            if self.ends.is_empty() || self.ends.len() > MAX_LEVELS {
                return Ok(false);
            }
            let Some(head) = self.heads.next_head()? else { return Ok(false) };
            // openssl does not care what the pieces are tagged as.
            match head.size {
                Some(0) if head.tag == END => drop(self.ends.pop()),
                Some(size) if head.tag & IS_CONSTRUCTED == 0 => {
                    self.n_left = size;
                    self.heads.go_to(head.content_at)?;
                }
                _ => self.ends.push(head.end()),
            }
        }
        Ok(true)
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Pieces may be of one byte each: as many as there is room for.
        let mut n_read = 0;
        while n_read < buffer.len() && self.begin()? {
            let n_bytes = (&mut self.heads.reader).take(self.n_left).read(&mut buffer[n_read..])?;
            if n_bytes == 0 {
                break;
            }
            self.n_left -= to_u64(n_bytes);
            n_read += n_bytes;
        }
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(bytes: &[u8]) -> String {
        let blob = Blob::from_bytes(bytes.to_vec());
        let head = Heads::new(&blob).next_head().unwrap().unwrap();
        let mut joined = String::new();
        Pieces::of(&blob, &head).unwrap().read_to_string(&mut joined).unwrap();
        joined
    }

    #[test]
    fn sizes_are_read_in_every_form() {
        for (bytes, content_at, size) in [
            (&b"\x04\x05"[..], 2, Some(5)),
            (b"\x04\x81\x85", 3, Some(0x85)),
            (b"\x04\x82\x01\x02", 4, Some(0x102)),
            (b"\x04\x84\0\0\0\x05", 6, Some(5)),
            (b"\x04\x8a\0\0\0\0\0\0\0\0\0\x05", 12, Some(5)),
            (b"\x04\x89\x01\0\0\0\0\0\0\0\0", 11, Some(u64::MAX)),
            (b"\x30\x80", 2, None),
            (b"\x04\x80", 2, Some(0)),
            (b"\x1f\x81\x01\x05", 4, Some(5)),
        ] {
            let head = Heads::new(&Blob::from_bytes(bytes.to_vec())).next_head().unwrap().unwrap();
            assert_eq!((head.at, head.content_at, head.size), (0, content_at, size), "{bytes:x?}");
        }
        for cut in [&b""[..], b"\x04", b"\x04\x82\x01", b"\x1f\x81"] {
            assert_eq!(Heads::new(&Blob::from_bytes(cut.to_vec())).next_head().unwrap(), None, "{cut:x?}");
        }
    }

    #[test]
    fn pieces_are_joined_to_the_end_of_their_string() {
        for (bytes, text) in [
            (&b"\x24\x05\x04\x01a\x04\0\x04\x01x"[..], "a"),
            (b"\x24\x80\x04\x01a\x04\x01b\0\0\x04\x01x", "ab"),
            (b"\x24\x80\x24\x80\x04\x01a\0\0\x24\x03\x04\x01b\x04\x01c\0\0\x04\x01x", "abc"),
            (b"\x24\x80\x04\x01a\x0c\x01b\x30\x03\x80\x01c\0\0\x04\x01x", "abc"),
            (b"\x24\x80\x04\x01a", "a"),
            (b"\x24\x80\x04\x05ab", "ab"),
        ] {
            assert_eq!(joined(bytes), text, "{bytes:x?}");
        }
        assert_eq!(joined(&[&b"\x24\x80".repeat(100)[..], b"\x04\x01a"].concat()), "");
    }
}
