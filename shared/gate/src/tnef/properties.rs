//! Reads lists of MAPI properties as each reader of TNEF does ([MS-OXTNEF] 2.1.3.4).

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Read as _};

use crate::blob::{Blob, BlobReader, to_u64, to_usize};
use crate::walk::{Walk, Walked};

/// Readers that disagree on how long values are, and on how many of them there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reader {
    Tnef,
    Ytnef,
    Tnefparse,
    RipMime,
}

impl Reader {
    pub(super) const ALL: [Self; 4] = [Self::Tnef, Self::Ytnef, Self::Tnefparse, Self::RipMime];
}

/// Where a value stands that some reader saves. It may end behind the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Value {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) what: What,
}

impl Value {
    pub(super) fn of(self, list: &Blob) -> Blob {
        list.slice(self.start, self.end - self.start)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum What {
    Bytes,
    Object,
    WideText,
}

/// The high bit of a property's name: one that is named by a GUID and a number or a string.
const NAMED: u16 = 0x8000;
const GUID_BYTES: u64 = 16;

const ATTACH_DATA: u16 = 0x3701;
/// PR_BODY, PR_BODY_HTML, and what tnefparse takes for a body besides.
const BODIES: [u16; 3] = [0x1000, 0x1013, 0x3fd9];

const SEVERAL: u16 = 0x1000;
const UNSPECIFIED: u16 = 0;
const OBJECT: u16 = 0x0d;
const STRING: u16 = 0x1e;
const WIDE_STRING: u16 = 0x1f;
const BINARY: u16 = 0x102;

/// Adds the values in `list` that `reader` finds. Stops where it does.
pub(super) fn find(walk: &Walk<'_>, list: &Blob, reader: Reader, values: &mut BTreeSet<Value>) -> Walked {
    let mut cursor = Cursor { source: list.reader() };
    let Some(n_properties) = cursor.u32()? else { return Ok(()) };
    for n_found in 0..n_properties {
        walk.expect(u64::from(n_found).max(to_u64(values.len())), 0)?;
        let Some((kind, name)) = read_tag(&mut cursor, reader)? else { break };
        let is_read = if is_variable(kind, reader) {
            read_values(walk, &mut cursor, reader, (kind, name), values)?
        } else {
            skip_numbers(&mut cursor, reader, kind)?
        };
        if !is_read {
            break;
        }
    }
    Ok(())
}

/// The type and the name of the next property.
fn read_tag(cursor: &mut Cursor, reader: Reader) -> io::Result<Option<(u16, u16)>> {
    let Some(kind) = cursor.u16()? else { return Ok(None) };
    let Some(name) = cursor.u16()? else { return Ok(None) };
    if name & NAMED == 0 || reader == Reader::RipMime {
        return Ok(Some((kind, name)));
    }
    cursor.skip(GUID_BYTES);
    let n_names = match cursor.u32()? {
        None => return Ok(None),
        Some(0) => {
            // Readers take its lower half for a name of the other sort.
            let number = cursor.u16()?;
            cursor.skip(2);
            return Ok(number.map(|number| (kind, number)));
        }
        Some(_) if reader == Reader::Tnefparse => 1,
        Some(n_names) => n_names,
    };
    for _ in 0..n_names {
        let Some(n_bytes) = cursor.u32()? else { return Ok(None) };
        cursor.skip(padded(n_bytes));
    }
    Ok(Some((kind, name)))
}

fn is_variable(kind: u16, reader: Reader) -> bool {
    match reader {
        Reader::RipMime => matches!(kind, STRING | BINARY),
        Reader::Tnefparse if kind & !SEVERAL == UNSPECIFIED => true,
        _ => matches!(kind & !SEVERAL, OBJECT | STRING | WIDE_STRING | BINARY),
    }
}

/// Returns whether the list continues.
fn read_values(
    walk: &Walk<'_>,
    cursor: &mut Cursor,
    reader: Reader,
    (kind, name): (u16, u16),
    values: &mut BTreeSet<Value>,
) -> Walked<bool> {
    let Some(n_said) = cursor.u32()? else { return Ok(false) };
    let takes_one = reader == Reader::RipMime || reader == Reader::Ytnef && kind & SEVERAL == 0;
    let what = what(kind & !SEVERAL, name);
    for _ in 0..if takes_one { 1 } else { n_said } {
        let Some(n_bytes) = cursor.u32()? else { return Ok(false) };
        let start = cursor.source.position();
        cursor.skip(padded(n_bytes));
        let n_bytes = if reader == Reader::Tnefparse { padded(n_bytes) } else { u64::from(n_bytes) };
        values.extend(what.map(|what| Value { start, end: start + n_bytes, what }));
        walk.expect(to_u64(values.len()), 0)?;
    }
    Ok(true)
}

/// What a value is to readers that save it.
fn what(kind: u16, name: u16) -> Option<What> {
    match kind {
        _ if name == ATTACH_DATA => Some(What::Object),
        OBJECT => Some(What::Object),
        STRING if BODIES.contains(&name) => Some(What::Bytes),
        WIDE_STRING if BODIES.contains(&name) => Some(What::WideText),
        STRING | WIDE_STRING => None,
        _ => Some(What::Bytes),
    }
}

/// Returns whether the list continues: readers give up at a type that they do not know.
fn skip_numbers(cursor: &mut Cursor, reader: Reader, kind: u16) -> io::Result<bool> {
    let has_several = kind & SEVERAL != 0 && reader != Reader::RipMime;
    let kind = if has_several { kind & !SEVERAL } else { kind };
    let n_values = if has_several { cursor.u32()? } else { Some(1) };
    let (Some(n_values), Some(n_bytes)) = (n_values, number_bytes(kind, reader)) else {
        return Ok(false);
    };
    let n_bytes = u64::from(n_values) * n_bytes;
    cursor.skip(if reader == Reader::Tnefparse { n_bytes.next_multiple_of(4) } else { n_bytes });
    Ok(true)
}

fn number_bytes(kind: u16, reader: Reader) -> Option<u64> {
    let is_short = matches!(reader, Reader::Tnefparse | Reader::RipMime);
    let has_short_dates = matches!(reader, Reader::Ytnef | Reader::RipMime);
    Some(match kind {
        0x02 if is_short => 2,
        0x0b if reader == Reader::Tnefparse => 2,
        0x06 | 0x07 if has_short_dates => 4,
        0x02 | 0x03 | 0x04 | 0x0b => 4,
        0x0a if reader != Reader::Tnef => 4,
        0x14 if reader == Reader::RipMime => 16,
        0x05 | 0x06 | 0x07 | 0x14 | 0x40 => 8,
        0x48 if reader != Reader::RipMime => 16,
        _ if reader == Reader::RipMime => 0,
        _ => return None,
    })
}

fn padded(n_bytes: u32) -> u64 {
    u64::from(n_bytes).next_multiple_of(4)
}

struct Cursor {
    source: BlobReader,
}

impl Cursor {
    /// `None` at the end.
    fn u16(&mut self) -> io::Result<Option<u16>> {
        self.bytes().map(|bytes| bytes.map(u16::from_le_bytes))
    }

    fn u32(&mut self) -> io::Result<Option<u32>> {
        self.bytes().map(|bytes| bytes.map(u32::from_le_bytes))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        match self.source.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn skip(&mut self, n_bytes: u64) {
        self.source.consume(to_usize(n_bytes));
    }
}
