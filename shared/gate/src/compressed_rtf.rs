//! Decodes compressed RTF, in which Outlook keeps bodies of messages ([MS-OXRTFCP]): LZ77 with a window of 4
//! KiB that begins with usual RTF.
//!
//! Readers differ where a reference points to a place in the window that nothing was written to, on the line
//! break in it, and on whether the end mark or the size ends the text: each reading is handed over where
//! there is a difference.

use std::io::{self, BufRead, Read};

use crate::blob::{Blob, BlobReader, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

/// A size, the size of the text, the kind, a checksum.
const HEADER_BYTES: usize = 16;
const KIND_AT: usize = 8;
const COMPRESSED: &[u8] = b"LZFu";
const STORED: &[u8] = b"MELA";

const WINDOW_BYTES: usize = 4096;
const WINDOW_START: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}\
    {\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier\
    {\\colortbl\\red0\\green0\\blue0\r\n\\par \
    \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

const WINDOW_CR_AT: usize = 168;

/// Hands over the text of a blob that is compressed RTF.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let header = blob.bytes_at(0, HEADER_BYTES)?;
    let (size_bytes, n_text) = (header.u32_le(0), u64::from(header.u32_le(4)));
    let body = blob.tail(to_u64(HEADER_BYTES));
    match header.at(KIND_AT, 4) {
        STORED => {
            walk.reading_of(body.clone(), depth)?;
            walk.reading_of(body.slice(0, n_text), depth).map(|_| ())
        }
        COMPRESSED => {
            // The size counts from behind itself.
            let n_body = size_bytes.checked_sub(12).map_or(u64::MAX, u64::from);
            hand_text(walk, &body, n_body, n_text, depth)
        }
        _ => Ok(()),
    }
}

fn hand_text(walk: &mut Walk<'_>, body: &Blob, n_body: u64, n_text: u64, depth: u32) -> Walked {
    let mut text = Text::new(body, Unset::Is(0), AtMark::Ends);
    let read = walk.reading(&mut text, depth)?;
    walk.reading_of(read.slice(0, n_text), depth)?;
    walk.reading(&mut Text::new(body, Unset::Skipped, AtMark::GoesOn).take(n_text), depth)?;
    if text.has_unset || read.size_bytes() < n_text || n_body < body.size_bytes() {
        let by_size = body.slice(0, n_body);
        walk.reading(&mut Text::new(&by_size, Unset::Is(b' '), AtMark::Ends), depth)?;
        for fill in [0, b' '] {
            walk.reading(&mut Text::new(body, Unset::Is(fill), AtMark::GoesOn).take(n_text), depth)?;
        }
    }
    Ok(())
}

/// What a reader makes of a place in the window that nothing was written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unset {
    Is(u8),
    /// It copies nothing from there. This is ytnef, whose window has LF and CR for CR and LF besides.
    Skipped,
}

/// What a reader does at a reference to the place that is to be written next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AtMark {
    Ends,
    GoesOn,
}

/// Decompresses, to the end of the data if there is no end mark.
struct Text {
    source: BlobReader,
    unset: Unset,
    at_mark: AtMark,
    window: Vec<u8>,
    /// How many bytes the window has taken, with those that it begins with.
    n_written: usize,
    /// Which of the next eight items are references, the next one in the lowest bit; how many of them there
    /// are.
    flags: u8,
    n_flags: u8,
    /// What is still to be copied: from where, how much.
    copy_from: usize,
    n_copy: usize,
    /// Whether readers differ on what a reference points to.
    has_unset: bool,
    is_done: bool,
}

impl Text {
    fn new(body: &Blob, unset: Unset, at_mark: AtMark) -> Self {
        let fill = if let Unset::Is(fill) = unset { fill } else { 0 };
        let mut window = vec![fill; WINDOW_BYTES];
        window[..WINDOW_START.len()].copy_from_slice(WINDOW_START);
        if unset == Unset::Skipped {
            window.swap(WINDOW_CR_AT, WINDOW_CR_AT + 1);
        }
        Self {
            source: body.reader(),
            unset,
            at_mark,
            window,
            n_written: WINDOW_START.len(),
            flags: 0,
            n_flags: 0,
            copy_from: 0,
            n_copy: 0,
            has_unset: false,
            is_done: false,
        }
    }

    /// The next byte of the text; `None` at its end.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        while self.n_copy == 0 {
            if self.is_done {
                return Ok(None);
            }
            if self.n_flags == 0 {
                let Some(flags) = self.input()? else { return Ok(None) };
                (self.flags, self.n_flags) = (flags, 8);
            }
            let is_reference = self.flags & 1 == 1;
            (self.flags, self.n_flags) = (self.flags >> 1, self.n_flags - 1);
            let Some(first) = self.input()? else { return Ok(None) };
            if !is_reference {
                self.write(first);
                return Ok(Some(first));
            }
            let Some(second) = self.input()? else { return Ok(None) };
            self.begin_copy(u16::from_be_bytes([first, second]));
        }
        let byte = self.window[self.copy_from % WINDOW_BYTES];
        (self.copy_from, self.n_copy) = (self.copy_from + 1, self.n_copy - 1);
        self.write(byte);
        Ok(Some(byte))
    }

    /// A reference: a place in the window in 12 bits, a length in 4.
    fn begin_copy(&mut self, reference: u16) {
        let place = usize::from(reference >> 4);
        if place == self.n_written % WINDOW_BYTES && self.at_mark == AtMark::Ends {
            self.is_done = true;
            return;
        }
        let is_unset = place >= self.n_written;
        self.has_unset |= is_unset;
        if is_unset && self.unset == Unset::Skipped {
            return;
        }
        (self.copy_from, self.n_copy) = (place, usize::from(reference & 0xf) + 2);
    }

    fn write(&mut self, byte: u8) {
        self.window[self.n_written % WINDOW_BYTES] = byte;
        self.n_written += 1;
    }

    fn input(&mut self) -> io::Result<Option<u8>> {
        let byte = self.source.fill_buf()?.first().copied();
        self.source.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_bytes = 0;
        for place in buffer {
            let Some(byte) = self.next_byte()? else { break };
            *place = byte;
            n_bytes += 1;
        }
        Ok(n_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::{Gate, Limits};

    fn handed(kind: &[u8], n_text: u8, body: &[u8]) -> Vec<String> {
        let limits =
            Limits { max_member_bytes: 1000, max_total_bytes: 100_000, max_members: 100, max_depth: 3 };
        let gate = Gate { limits, capabilities: [].into_iter().collect() };
        let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        let size = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        let bytes = [&size, &[n_text, 0, 0, 0], kind, &[0; 4], body].concat();
        walk(&mut through, &Blob::from_bytes(bytes), 0).unwrap();
        let blobs = through.into_handed();
        blobs
            .iter()
            .map(|blob| blob.bytes_at(0, 100).unwrap().into_iter().map(char::from).collect())
            .collect()
    }

    #[test]
    fn text_is_decompressed() {
        // The length of the window's initial content is given in [MS-OXRTFCP] 2.1.2.1.
        assert_eq!(WINDOW_START.len(), 207);
        assert_eq!(&WINDOW_START[WINDOW_CR_AT..][..2], b"\r\n");
        // The example of [MS-OXRTFCP] 4.1.1.
        let body = b"\x03\0\x0a\0rcpg125B2\x0a\xf3 hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
        let text = "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n";
        let by_ytnef = text.replace("\r\n", "\n\r");
        assert_eq!(handed(COMPRESSED, 0x2b, body), [text, &by_ytnef]);
        assert_eq!(handed(COMPRESSED, 0x2b, &body[..body.len() - 2]), [text, &by_ytnef], "no end mark");
        assert_eq!(handed(COMPRESSED, 5, body), [text, "{\\rtf"]);
        assert_eq!(handed(STORED, 3, b"Cat"), ["Cat"]);
        assert_eq!(handed(STORED, 2, b"Cat"), ["Cat", "Ca"]);
        assert_eq!(handed(b"LZFv", 3, b"Cat"), Vec::<String>::new());
        assert_eq!(handed(COMPRESSED, 3, b""), Vec::<String>::new());
    }

    #[test]
    fn copies_overlap_and_wrap() {
        // A letter and 17 copies of it, each of which overlaps its source. After 300 such tokens the window
        // has wrapped around.
        let run = [&b"\x06x"[..], &[0x0c, 0xff], &[0x0d, 0x0f]].concat();
        assert_eq!(handed(COMPRESSED, 35, &run), ["x".repeat(35)]);
        let around = [b"\0abcdefgh".repeat(512), vec![1, 0x0c, 0xf6]].concat();
        let blob = Blob::from_bytes(around);
        let mut text = Vec::new();
        Text::new(&blob, Unset::Skipped, AtMark::GoesOn).read_to_end(&mut text).unwrap();
        assert_eq!(text.len(), 4096 + 8);
        assert_eq!(text[4096..], text[..8]);
    }

    #[test]
    fn readers_differ_about_what_nothing_was_written_to() {
        let line_break = [&b"\x01"[..], &[0x0a, 0x80], b"Cat"].concat();
        assert_eq!(handed(COMPRESSED, 5, &line_break), ["\r\nCat", "\n\rCat"]);
        let unset = [&b"\x01"[..], &[0xf0, 0x00], b"Cat"].concat();
        let found = handed(COMPRESSED, 5, &unset);
        for text in ["\0\0Cat", "  Cat", "Cat"] {
            assert!(found.contains(&text.to_owned()), "{text:?} {found:?}");
        }
        let past_mark = [&b"\x01"[..], &[0x0c, 0xf0], b"Cat"].concat();
        assert!(handed(COMPRESSED, 3, &past_mark).contains(&"Cat".to_owned()));
    }
}
