//! Reads OpenPGP packets: headers of the old and the new form, bodies in one piece or in parts (RFC 9580,
//! 4.2).

use std::io::{self, BufRead as _, Read, Seek as _, SeekFrom};

use crate::blob::{Blob, BlobReader, to_u64};

/// A packet whose body may be cut by the end of the blob.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) tag: u8,
    /// From the body to the end of the blob; of a body in parts, from the length of the first part on.
    pub(super) rest: Blob,
    pub(super) size: Size,
    /// Whether the body ends exactly where the blob does, by lengths that could say something else.
    pub(super) ends_with_blob: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Size {
    Bytes(u64),
    /// To the end of the blob.
    Indeterminate,
    /// Each part says how long it is.
    Parts,
}

impl Packet {
    /// The body, if it stands in one piece.
    pub(super) fn in_one_piece(&self) -> Option<Blob> {
        match self.size {
            Size::Bytes(n_bytes) => Some(self.rest.slice(0, n_bytes)),
            Size::Indeterminate => Some(self.rest.clone()),
            Size::Parts => None,
        }
    }

    pub(super) fn body(&self) -> Box<dyn Read> {
        match self.in_one_piece() {
            Some(body) => Box::new(body.reader()),
            None => Box::new(Parts { source: self.rest.reader(), n_left: 0, is_last: false }),
        }
    }

    /// The first bytes of the body.
    pub(super) fn start(&self, n_bytes: u64) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        self.body().take(n_bytes).read_to_end(&mut start)?;
        Ok(start)
    }

    /// Returns whether nothing follows it.
    pub(super) fn is_last(&self) -> bool {
        match self.size {
            Size::Bytes(n_bytes) => n_bytes >= self.rest.size_bytes(),
            Size::Indeterminate => true,
            Size::Parts => self.ends_with_blob,
        }
    }
}

/// Reads packet after packet, to the first byte that does not begin one.
#[derive(Debug)]
pub(super) struct Packets {
    blob: Blob,
    reader: BlobReader,
}

impl Packets {
    pub(super) fn new(blob: &Blob) -> Self {
        Self { blob: blob.clone(), reader: blob.reader() }
    }

    pub(super) fn next_packet(&mut self) -> io::Result<Option<Packet>> {
        let Some(first) = byte(&mut self.reader)? else { return Ok(None) };
        let tag = match first {
            0..=0x7f => return Ok(None),
            0x80..=0xbf => (first & 0x3f) >> 2,
            0xc0..=0xff => first & 0x3f,
        };
        let length_at = self.reader.position();
        let length =
            if first < 0xc0 { old_length(&mut self.reader, first)? } else { length(&mut self.reader)? };
        let body_at = self.reader.position();
        let (at, size, is_closed) = match length {
            None => return Ok(None),
            Some(Length::Whole(n_bytes)) => {
                self.skip(n_bytes)?;
                (body_at, Size::Bytes(n_bytes), to_u64(usize::from(u8::MAX)) < n_bytes)
            }
            Some(Length::ToEnd) => {
                self.reader.seek(SeekFrom::Start(self.blob.size_bytes()))?;
                (body_at, Size::Indeterminate, false)
            }
            Some(Length::Part(n_bytes)) => {
                let is_closed = self.skip_parts(n_bytes)?;
                (length_at, Size::Parts, is_closed)
            }
        };
        let ends_with_blob = is_closed && self.reader.position() == self.blob.size_bytes();
        Ok(Some(Packet { tag, rest: self.blob.tail(at), size, ends_with_blob }))
    }

    fn skip(&mut self, n_bytes: u64) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(self.reader.position() + n_bytes)).map(|_| ())
    }

    /// Returns whether there was a last part.
    fn skip_parts(&mut self, n_first: u64) -> io::Result<bool> {
        self.skip(n_first)?;
        loop {
            match length(&mut self.reader)? {
                Some(Length::Part(n_bytes)) => self.skip(n_bytes)?,
                Some(Length::Whole(n_bytes)) => return self.skip(n_bytes).map(|()| true),
                Some(Length::ToEnd) | None => return Ok(false),
            }
        }
    }
}

enum Length {
    Whole(u64),
    Part(u64),
    ToEnd,
}

/// `None` where the blob ends.
fn old_length(reader: &mut BlobReader, first: u8) -> io::Result<Option<Length>> {
    let n_bytes = match first & 3 {
        3 => return Ok(Some(Length::ToEnd)),
        kind => 1 << kind,
    };
    number(reader, n_bytes).map(|number| number.map(Length::Whole))
}

/// In the new form. `None` where the blob ends.
fn length(reader: &mut BlobReader) -> io::Result<Option<Length>> {
    let Some(first) = byte(reader)? else { return Ok(None) };
    Ok(match first {
        0..=191 => Some(Length::Whole(u64::from(first))),
        192..=223 => {
            let high = (u64::from(first) - 192) << 8;
            byte(reader)?.map(|low| Length::Whole(high + u64::from(low) + 192))
        }
        224..=254 => Some(Length::Part(1 << (first & 31))),
        255 => number(reader, 4)?.map(Length::Whole),
    })
}

fn number(reader: &mut BlobReader, n_bytes: u32) -> io::Result<Option<u64>> {
    let mut number = 0;
    for _ in 0..n_bytes {
        let Some(byte) = byte(reader)? else { return Ok(None) };
        number = number << 8 | u64::from(byte);
    }
    Ok(Some(number))
}

fn byte(reader: &mut BlobReader) -> io::Result<Option<u8>> {
    let byte = reader.fill_buf()?.first().copied();
    reader.consume(usize::from(byte.is_some()));
    Ok(byte)
}

/// Reads a body in parts as one.
struct Parts {
    source: BlobReader,
    n_left: u64,
    is_last: bool,
}

impl Parts {
    /// Begins the next part that is not empty. Returns whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while self.n_left == 0 {
            if self.is_last {
                return Ok(false);
            }
            (self.n_left, self.is_last) = match length(&mut self.source)? {
                Some(Length::Part(n_bytes)) => (n_bytes, false),
                Some(Length::Whole(n_bytes)) => (n_bytes, true),
                Some(Length::ToEnd) | None => (0, true),
            };
        }
        Ok(true)
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Parts may be of one byte each: as many as there is room for.
        let mut n_read = 0;
        while n_read < buffer.len() && self.begin()? {
            let n_bytes = (&mut self.source).take(self.n_left).read(&mut buffer[n_read..])?;
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

    fn packets(bytes: &[u8]) -> Vec<(u8, Vec<u8>, bool)> {
        let mut packets = Packets::new(&Blob::from_bytes(bytes.to_vec()));
        let mut found = vec![];
        while let Some(packet) = packets.next_packet().unwrap() {
            found.push((packet.tag, packet.start(u64::MAX).unwrap(), packet.is_last()));
        }
        found
    }

    #[test]
    fn lengths_come_in_every_form() {
        let body = |n_bytes| vec![b'x'; n_bytes];
        for (header, n_bytes) in [
            (&b"\xac\x03"[..], 3),
            (b"\xad\x01\x00", 256),
            (b"\xae\0\0\0\x05", 5),
            (b"\xcb\x00", 0),
            (b"\xcb\xbf", 191),
            (b"\xcb\xc0\x00", 192),
            (b"\xcb\xdf\xff", 8383),
            (b"\xcb\xff\0\0\0\x02", 2),
        ] {
            let packet = [header, &body(n_bytes)].concat();
            assert_eq!(packets(&packet), [(11, body(n_bytes), true)], "{header:x?}");
            let two = [&packet[..], b"\xd5\x01y"].concat();
            let expected = [(11, body(n_bytes), false), (21, b"y".to_vec(), true)];
            assert_eq!(packets(&two), expected, "{header:x?}");
        }
        assert_eq!(packets(b"\xa3abc\xac\x01d"), [(8, b"abc\xac\x01d".to_vec(), true)]);
    }

    #[test]
    fn parts_are_joined() {
        let parts = b"\xcb\xe1ab\xe0c\xe2defg\x03hij\xd5\x00";
        let expected = [(11, b"abcdefghij".to_vec(), false), (21, vec![], true)];
        assert_eq!(packets(parts), expected);
        for (cut, text) in
            [(&b"\xcb\xe1ab\xe0c"[..], "abc"), (b"\xcb\xe1ab\xe2d", "abd"), (b"\xcb\xe1ab\x07d", "abd")]
        {
            assert_eq!(packets(cut), [(11, text.as_bytes().to_vec(), false)], "{cut:x?}");
        }
        assert_eq!(packets(b"\xcb\xe1ab\x00"), [(11, b"ab".to_vec(), true)]);
    }

    #[test]
    fn what_is_cut_or_no_header_ends_the_packets() {
        for bytes in [&b""[..], b"text", b"\xcb", b"\xcb\xc0", b"\xcb\xff\0\0\0", b"\xad\0", b"\0\xcb\x01x"] {
            assert_eq!(packets(bytes), [], "{bytes:x?}");
        }
        assert_eq!(packets(b"\xcb\x05ab"), [(11, b"ab".to_vec(), true)], "a cut body");
        assert_eq!(packets(b"\xcb\x01a\0\xcb\x01b").len(), 1);
    }
}
