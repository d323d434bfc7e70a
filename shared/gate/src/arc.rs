//! Unpacks ARC, Spark and squeezed files of CP/M. Neither the engine nor an opener does; arc(1), nomarch and
//! unar do.
//!
//! A header has no magic but one byte, and its readers ask for little more. So members are unpacked and
//! handed wherever one may be, and almost nothing is refused: what is none unpacks to nothing, or to a few
//! bytes.

mod growing;
mod hashed;
mod squeezed;

use std::io::{self, Read};

use self::growing::Growing;
use self::hashed::Hashed;
use self::squeezed::{Runs, Squeezed};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Damage, Reach, Stop, Walk, Walked};

const MARK: u8 = 0x1a;
const NAME_BYTES: usize = 13;
const LONGEST_HEADER: usize = 41;
/// nomarch finds an archive behind as many bytes.
const MOST_IN_FRONT: u64 = 3;
/// unar looks for an archive in the first half mebibyte of a program for DOS or Windows.
const PROGRAM_BYTES: usize = 1024 * 1024;
/// unar takes no larger member for one.
const LARGEST_IN_PROGRAM: u64 = 1 << 24;
/// No disk of the time held more.
const LARGEST_SOUND: u64 = 1 << 28;
/// As much as is unpacked and handed of one in other data that has no name or is cut: most files have such a
/// place, and it is next to certain that it is none.
const MOST_OF_UNLIKELY: u64 = 16 * 1024;
/// As much as is unpacked of a member that may be none.
const MOST_OF_DOUBTFUL: u64 = 32 * 1024 * 1024;

/// Bytes on their way through decoders, with the storage's errors and those of damaged data.
type Bytes = Box<dyn Iterator<Item = io::Result<u8>>>;

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Hands the members of an archive at the start. One that looks like a member and cannot be unpacked is
/// refused.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    for start in 0..=MOST_IN_FRONT {
        let mut at = start;
        while let Some(member) = Member::read(blob, at)? {
            hand(walk, &member, depth, if member.is_sound() { Damage::Refused } else { Damage::CutOff })?;
            at = member.end;
        }
    }
    walk_squeezed(walk, blob, depth)
}

/// Hands the members of archives that begin in other data.
pub(crate) fn search(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    search_program(walk, blob, depth)?;
    // Each of these reaches to the end if its size is accidental, and would have the next one in it.
    if std::mem::replace(&mut walk.is_in_doubtful_member, true) {
        return Ok(());
    }
    let searched = search_anywhere(walk, blob, depth);
    walk.is_in_doubtful_member = false;
    searched
}

/// As arc(1) does: it takes the first mark with a method behind it for a header, and looks for the next one
/// behind its data.
fn search_anywhere(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = 0;
    while let Some((found_at, method)) = next_mark(blob, at)? {
        let Some(member) = Member::read(blob, found_at)?.filter(|_| method > 0) else { return Ok(()) };
        // In random data the first one is the last one as well.
        if at == 0 || !member.is_whole() {
            hand_uncounted(walk, &member, depth)?;
        } else {
            hand(walk, &member, depth, Damage::CutOff)?;
        }
        at = member.end;
    }
    Ok(())
}

/// The next mark and its method, where that is one of arc's; 0 is the end of an archive.
fn next_mark(blob: &Blob, mut at: u64) -> io::Result<Option<(u64, u8)>> {
    while at < blob.size_bytes() {
        let window = blob.bytes_at(at, SEARCH_WINDOW + 1)?;
        let is_header = |mark: &usize| window.get(mark + 1).is_some_and(|method| *method <= 9);
        if let Some(mark) = memchr::memchr_iter(MARK, &window).find(is_header) {
            return Ok(Some((at + to_u64(mark), window.u8_at(mark + 1))));
        }
        at += to_u64(SEARCH_WINDOW);
    }
    Ok(None)
}

/// As unar does.
fn search_program(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if blob.bytes_at(0, 2)? != b"MZ" {
        return Ok(());
    }
    let program = blob.bytes_at(0, PROGRAM_BYTES)?;
    for mark in memchr::memchr_iter(MARK, &program) {
        let Some(member) = Member::read(blob, to_u64(mark))? else { continue };
        if member.is_likely(blob)? {
            hand(walk, &member, depth, Damage::CutOff)?;
        }
    }
    Ok(())
}

fn hand(walk: &mut Walk<'_>, member: &Member, depth: u32, damage: Damage) -> Walked {
    if member.is_stored() {
        return walk.reading_of(member.data.clone(), depth).map(|_| ());
    }
    walk.count_member()?;
    hand_decoded(walk, member.unpacked(), depth, damage)
}

/// For what is most likely none, and must not bring an ordinary file closer to a limit.
///
/// One that is cut, or has no name, may be a piece of a sound zip, which is malformed without the rest. What
/// is stored in it was seen as part of the blob as well, so it is refused for nothing but what it costs.
fn hand_uncounted(walk: &mut Walk<'_>, member: &Member, depth: u32) -> Walked {
    let is_unlikely = !member.has_name || !member.is_whole();
    let most = if is_unlikely { MOST_OF_UNLIKELY } else { MOST_OF_DOUBTFUL };
    let data = if member.is_stored() {
        member.data.slice(0, if is_unlikely { most } else { u64::MAX })
    } else {
        decoded(walk, member.unpacked(), most, Damage::CutOff)?
    };
    match walk.visit(data.clone(), depth, Reach::Handed) {
        Err(Stop::Refused(refusal)) if is_unlikely && walk.leaves_to_engine(&refusal) => walk.give(data),
        visited => visited,
    }
}

fn hand_decoded(walk: &mut Walk<'_>, unpacked: io::Result<Unpacked>, depth: u32, damage: Damage) -> Walked {
    let most = if damage == Damage::CutOff { MOST_OF_DOUBTFUL } else { u64::MAX };
    let member = decoded(walk, unpacked, most, damage)?;
    walk.visit(member, depth, Reach::Handed)
}

fn decoded(walk: &mut Walk<'_>, unpacked: io::Result<Unpacked>, most: u64, damage: Damage) -> Walked<Blob> {
    let unpacked =
        unpacked.unwrap_or_else(|error| Unpacked { bytes: Box::new(std::iter::empty()), error: Some(error) });
    let mut writer = walk.writer();
    walk.fill(&mut writer, &mut unpacked.take(most), damage)?;
    Ok(writer.finish())
}

/// A squeezed file: its mark, a checksum, a name, and what method 4 has.
fn walk_squeezed(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const NAME_AT: usize = 4;
    const LONGEST_NAME: usize = 255;
    let head = blob.bytes_at(0, NAME_AT + LONGEST_NAME)?;
    if !head.starts_with(b"\x76\xff") {
        return Ok(());
    }
    let Some(name_end) = memchr::memchr(0, &head[NAME_AT.min(head.len())..]) else { return Ok(()) };
    let bytes: Bytes = Box::new(blob.tail(to_u64(NAME_AT + name_end + 1)).reader().bytes());
    let unpacked = Squeezed::new(bytes);
    let unpacked =
        unpacked.map(|bytes| Unpacked { bytes: Box::new(Runs::new(Box::new(bytes))), error: None });
    hand_decoded(walk, unpacked, depth, Damage::CutOff)
}

#[derive(Debug)]
struct Member {
    method: u8,
    /// One without a control character, as DOS has them.
    has_name: bool,
    unpacked_bytes: u64,
    packed_bytes: u64,
    data: Blob,
    /// Where the next header stands.
    end: u64,
}

impl Member {
    fn read(blob: &Blob, at: u64) -> io::Result<Option<Self>> {
        let header = blob.bytes_at(at, LONGEST_HEADER)?;
        let (method, is_spark) = (header.u8_at(1) & 0x7f, header.u8_at(1) & 0x80 != 0);
        if header.u8_at(0) != MARK || !matches!(method, 1..=9 | 127) {
            return Ok(None);
        }
        let name = header.at(2, NAME_BYTES).split(|byte| *byte == 0).next().unwrap_or_default();
        let packed_bytes = u64::from(header.u32_le(15));
        // The first method has no size of the unpacked file, Spark's have twelve bytes more.
        let is_first = method == 1 && !is_spark;
        let n_header = if is_first { 25 } else { 29 } + if is_spark { 12 } else { 0 };
        let data = blob.slice(at + n_header, packed_bytes);
        Ok(Some(Self {
            method,
            has_name: !name.is_empty() && !name.iter().any(|byte| byte.is_ascii_control() && *byte != 0x7f),
            unpacked_bytes: if is_first { packed_bytes } else { header.u32_le(25).into() },
            packed_bytes,
            data,
            end: at + n_header + packed_bytes,
        }))
    }

    /// What unar asks for: sizes that go together, and another header or the end behind the data.
    fn is_likely(&self, blob: &Blob) -> io::Result<bool> {
        let goes_on = self.end >= blob.size_bytes() || blob.bytes_at(self.end, 1)? == [MARK];
        let do_sizes_fit = match self.method {
            1 | 2 => self.unpacked_bytes == self.packed_bytes,
            _ => self.unpacked_bytes >= self.packed_bytes,
        };
        Ok(self.has_name && do_sizes_fit && self.unpacked_bytes <= LARGEST_IN_PROGRAM && goes_on)
    }

    /// Returns whether it is too much like a member to be none.
    fn is_sound(&self) -> bool {
        self.has_name && self.is_whole() && (self.packed_bytes..LARGEST_SOUND).contains(&self.unpacked_bytes)
    }

    fn is_whole(&self) -> bool {
        self.data.size_bytes() == self.packed_bytes
    }

    fn is_stored(&self) -> bool {
        matches!(self.method, 1 | 2)
    }

    fn unpacked(&self) -> io::Result<Unpacked> {
        let mut bytes: Bytes = Box::new(self.data.reader().bytes());
        let bytes: Bytes = match self.method {
            3 => Box::new(Runs::new(bytes)),
            4 => Box::new(Runs::new(Box::new(Squeezed::new(bytes)?))),
            5 => Box::new(Hashed::new(bytes, false)),
            6 => Box::new(Runs::new(Box::new(Hashed::new(bytes, false)))),
            7 => Box::new(Runs::new(Box::new(Hashed::new(bytes, true)))),
            8 | 127 => {
                let max_bits = bytes.next().transpose()?.unwrap_or(0);
                let codes = Box::new(Growing::new(bytes, max_bits.into())?);
                if self.method == 8 { Box::new(Runs::new(codes)) } else { codes }
            }
            9 => Box::new(Growing::new(bytes, 13)?),
            _ => bytes,
        };
        Ok(Unpacked { bytes, error: None })
    }
}

/// Decoded bytes as a stream.
struct Unpacked {
    bytes: Bytes,
    /// Told after the bytes in front of it.
    error: Option<io::Error>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        for (n_bytes, place) in buffer.iter_mut().enumerate() {
            match self.bytes.next() {
                Some(Ok(byte)) => *place = byte,
                Some(Err(error)) if n_bytes == 0 => return Err(error),
                Some(Err(error)) => {
                    self.error = Some(error);
                    return Ok(n_bytes);
                }
                None => return Ok(n_bytes),
            }
        }
        Ok(buffer.len())
    }
}

#[cfg(test)]
mod tests;
