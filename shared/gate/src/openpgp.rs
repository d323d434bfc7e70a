//! OpenPGP messages that are signed or compressed and not encrypted (RFC 9580): what gpg and other programs write out of them.
//!
//! Crates that read OpenPGP refuse what gpg opens all the same (damaged streams, lengths that are wrong, unknown packets), and build keys and
//! signatures, which do not matter here. The packets themselves are a header of some bytes and a body, so they are read here.

mod armor;
mod cleartext;
mod encryption;
mod packet;

use std::io::{self, BufReader, Read};

use bzip2::bufread::BzDecoder;
use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::walk::{Walk, Walked, refuse};

pub(crate) use armor::walk as walk_armor;

use encryption::Encryption;
use packet::{Packet, Packets, Size};

const COMPRESSED: u8 = 8;
const LITERAL: u8 = 11;

/// Hands over what the packets hold that `blob` begins with, if it does. Random bytes are packets too: nothing is refused but what is
/// certainly encrypted.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    match Packets::new(blob).next_packet()? {
        Some(first) if may_begin(first.tag) => walk_packets(walk, blob, depth),
        _ => Ok(()),
    }
}

/// What gpg takes for OpenPGP at the start of a file, and padding, which RFC 9580 adds. Inside of compressed data, everything may be first.
fn may_begin(tag: u8) -> bool {
    matches!(tag, 1..=14 | 16..=18 | 20 | 21 | 61)
}

fn walk_packets(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let (mut packets, mut encryption) = (Packets::new(blob), Encryption::default());
    while let Some(packet) = packets.next_packet()? {
        match packet.tag {
            LITERAL => hand_literal(walk, &packet, depth)?,
            COMPRESSED => hand_compressed(walk, &packet, depth)?,
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

    /// Whether the mode is one that has a meaning: binary, text, UTF-8, MIME, local.
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

/// gpg opens literal data in modes without a meaning too. To it, a file of equal bytes may be thousands of them within each other: what lies
/// deeper than anybody would unpack does not count.
fn innermost(mut content: Blob) -> io::Result<Option<Blob>> {
    const MAX_LEVELS: u32 = 64;
    for _ in 0..MAX_LEVELS {
        let Some(packet) = Packets::new(&content).next_packet()? else { return Ok(Some(content)) };
        let is_alone = packet.tag == LITERAL && packet.is_last();
        match (LiteralHeader::of(&packet)?, packet.in_one_piece()) {
            (Some(header), Some(body)) if is_alone && !header.is_usual() => {
                content = body.tail(header.n_bytes)
            }
            _ => return Ok(Some(content)),
        }
    }
    Ok(None)
}

/// Unpacks a body as far as it goes. gpg does not care how long the packet says that it is.
fn hand_compressed(walk: &mut Walk<'_>, packet: &Packet, depth: u32) -> Walked {
    let start = packet.start(3)?;
    let source = || -> Box<dyn Read> {
        match packet.size {
            Size::Parts => packet.body(),
            Size::Bytes(_) | Size::Indeterminate => Box::new(packet.rest.reader()),
        }
    };
    let behind = |n_bytes: u64| {
        let mut source = source();
        io::copy(&mut (&mut source).take(n_bytes), &mut io::sink()).map(|_| BufReader::new(source))
    };
    // No compression, deflate (RFC 1951), zlib (RFC 1950), bzip2.
    match start.u8_at(0) {
        0 if !start.is_empty() => {
            let body =
                |mut body: Box<dyn Read>| io::copy(&mut (&mut body).take(1), &mut io::sink()).map(|_| body);
            hand_packets(walk, || body(packet.body()), depth)?;
            hand_packets(walk, || body(source()), depth)
        }
        1 => hand_packets(walk, || behind(1).map(Inflate::new), depth),
        2 if start.u8_at(1) & 0x0f == 8 => hand_packets(walk, || behind(3).map(Inflate::new), depth),
        3 => hand_packets(walk, || behind(1).map(BzDecoder::new), depth),
        _ => Ok(()),
    }
}

/// Hands over what is unpacked: packets again.
fn hand_packets<R: Read>(walk: &mut Walk<'_>, unpacked: impl Fn() -> io::Result<R>, depth: u32) -> Walked {
    let inner = walk.reading_cut_off(unpacked, depth)?;
    match Packets::new(&inner).next_packet()? {
        Some(first) if !may_begin(first.tag) => walk_packets(walk, &inner, depth + 1),
        _ => Ok(()),
    }
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
