//! Unpacks OpenPGP messages that are signed or compressed and not encrypted (RFC 9580): what gpg and other
//! programs write out of them.
//!
//! The crates `pgp` and `sequoia-openpgp` bring ciphers and keys, which do not matter here, and refuse what
//! gpg opens all the same: damaged streams, wrong lengths, odd armor. A packet is a header of some bytes and
//! a body, so they are read here.

mod armor;
mod cleartext;
mod compressed;
mod encryption;
mod packet;

use std::io::{self, Read};

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, refuse};

pub(crate) use armor::walk as walk_armor;

use encryption::Encryption;
use packet::{Packet, Packets};

const COMPRESSED: u8 = 8;
const LITERAL: u8 = 11;

/// Hands over what the packets hold that `blob` begins with, if it does. Random bytes are packets too:
/// nothing is refused but what is certainly encrypted.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    match Packets::new(blob).next_packet()? {
        Some(first) if may_begin(first.tag) => walk_packets(walk, blob, depth),
        _ => Ok(()),
    }
}

/// Returns whether these bytes begin with the header of a packet that may be the first one.
fn begins(bytes: &[u8]) -> bool {
    let tag = match bytes.u8_at(0) {
        0..=0x7f => return false,
        first @ 0x80..=0xbf => (first & 0x3f) >> 2,
        first => first & 0x3f,
    };
    may_begin(tag)
}

/// What gpg takes for OpenPGP at the start of a file, and padding, which RFC 9580 adds. Inside of compressed
/// data, everything may be first.
fn may_begin(tag: u8) -> bool {
    matches!(tag, 1..=14 | 16..=18 | 20 | 21 | 61)
}

fn walk_packets(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let (mut packets, mut encryption) = (Packets::new(blob), Encryption::default());
    while let Some(packet) = packets.next_packet()? {
        match packet.tag {
            LITERAL => hand_literal(walk, &packet, depth)?,
            COMPRESSED => compressed::hand(walk, &packet, depth)?,
            _ => encryption.take(&packet)?,
        }
    }
    if encryption.is_found {
        return refuse(Unscannable::Encrypted, "an encrypted OpenPGP message");
    }
    Ok(())
}

/// The header of literal data: a mode, the length of a name, the name, a date.
struct LiteralHeader {
    mode: u8,
    n_bytes: u64,
}

impl LiteralHeader {
    /// `None` if the body is too short.
    fn of(packet: &Packet) -> io::Result<Option<Self>> {
        const MOST: u64 = 2 + 255 + 4;
        let start = packet.start(MOST)?;
        let n_bytes = 6 + usize::from(start.u8_at(1));
        Ok((start.len() >= n_bytes).then_some(Self { mode: start.u8_at(0), n_bytes: to_u64(n_bytes) }))
    }

    /// Returns whether the mode is one that has a meaning: binary, text, UTF-8, MIME, local.
    fn is_usual(&self) -> bool {
        matches!(self.mode, b'b' | b't' | b'u' | b'm' | b'l' | b'1')
    }
}

fn hand_literal(walk: &mut Walk<'_>, packet: &Packet, depth: u32) -> Walked {
    let Some(header) = LiteralHeader::of(packet)? else { return Ok(()) };
    let content = match packet.in_one_piece() {
        Some(body) if header.is_usual() => walk.reading_of(body.tail(header.n_bytes), depth)?,
        Some(body) => match innermost(body.tail(header.n_bytes))? {
            Some(content) => walk.reading_of(content, depth)?,
            None => return Ok(()),
        },
        None => {
            let mut body = packet.body();
            io::copy(&mut (&mut body).take(header.n_bytes), &mut io::sink())?;
            walk.reading(&mut body, depth)?
        }
    };
    if matches!(header.mode, b't' | b'u') {
        // gpg writes text with the line breaks of Unix, wherever a CR stands.
        walk.reading(&mut WithoutCr(content.reader()), depth)?;
    }
    Ok(())
}

/// gpg opens literal data in modes without a meaning too. To it, a file of equal bytes may be thousands of
/// them within each other: what lies deeper than any reader unpacks does not count.
fn innermost(mut content: Blob) -> io::Result<Option<Blob>> {
    const MAX_LEVELS: u32 = 64;
    for _ in 0..MAX_LEVELS {
        let Some(packet) = Packets::new(&content).next_packet()? else { return Ok(Some(content)) };
        let is_alone = packet.tag == LITERAL && packet.is_last();
        match (LiteralHeader::of(&packet)?, packet.in_one_piece()) {
            (Some(header), Some(body)) if is_alone && !header.is_usual() => {
                content = body.tail(header.n_bytes);
            }
            _ => return Ok(Some(content)),
        }
    }
    Ok(None)
}

struct WithoutCr<R>(R);

impl<R: Read> Read for WithoutCr<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_read = self.0.read(buffer)?;
            let mut n_kept = 0;
            for at in 0..n_read {
                if buffer[at] != b'\r' {
                    buffer[n_kept] = buffer[at];
                    n_kept += 1;
                }
            }
            if n_kept > 0 || n_read == 0 {
                return Ok(n_kept);
            }
        }
    }
}
