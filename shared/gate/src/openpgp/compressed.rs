//! Unpacks compressed data (RFC 9580, 5.6): packets within a packet, as far as they decode.

use std::io::{self, BufReader, Read};

use bzip2::bufread::BzDecoder;

use super::packet::{Packet, Packets, Size};
use super::{may_begin, walk_packets};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::walk::{Walk, Walked};

/// Hands over what is unpacked.
pub(super) fn hand(walk: &mut Walk<'_>, packet: &Packet, depth: u32) -> Walked {
    let start = packet.start(2)?;
    // No compression, deflate (RFC 1951), zlib (RFC 1950), bzip2.
    match start.u8_at(0) {
        0 if !start.is_empty() => hand_stored(walk, packet, depth),
        1 => hand_deflated(walk, packet, 1, depth),
        2 if start.u8_at(1) & 0x0f == 8 => hand_deflated(walk, packet, 3, depth),
        3 => hand_packets(walk, || source(packet, 1).map(BzDecoder::new), depth).map(drop),
        _ => Ok(()),
    }
}

/// From behind so many bytes of the body on. gpg does not care how long the packet says that it is.
fn source(packet: &Packet, n_before: u64) -> io::Result<BufReader<Box<dyn Read>>> {
    let source: Box<dyn Read> = match packet.size {
        Size::Parts => packet.body(),
        Size::Bytes(_) | Size::Indeterminate => Box::new(packet.rest.reader()),
    };
    behind(source, n_before).map(BufReader::new)
}

fn behind(mut source: Box<dyn Read>, n_before: u64) -> io::Result<Box<dyn Read>> {
    io::copy(&mut (&mut source).take(n_before), &mut io::sink())?;
    Ok(source)
}

fn hand_stored(walk: &mut Walk<'_>, packet: &Packet, depth: u32) -> Walked {
    hand_packets(walk, || behind(packet.body(), 1), depth)?;
    hand_packets(walk, || source(packet, 1), depth).map(drop)
}

fn hand_deflated(walk: &mut Walk<'_>, packet: &Packet, n_before: u64, depth: u32) -> Walked {
    /// gpg continues with these where the stream is cut.
    const BEHIND_THE_END: &[u8] = &[0xff; 4];
    if hand_packets(walk, || source(packet, n_before).map(Inflate::new), depth)? {
        return Ok(());
    }
    let padded = || Ok(Inflate::new(source(packet, n_before)?.chain(BEHIND_THE_END)));
    hand_packets(walk, padded, depth).map(drop)
}

/// Hands over what is unpacked: packets again. Returns whether there was no damage.
fn hand_packets<R: Read>(
    walk: &mut Walk<'_>,
    unpacked: impl Fn() -> io::Result<R>,
    depth: u32,
) -> Walked<bool> {
    let (inner, is_whole) = walk.reading_cut_off(unpacked, depth)?;
    if let Some(first) = Packets::new(&inner).next_packet()?
        && !may_begin(first.tag)
    {
        walk_packets(walk, &inner, depth + 1)?;
    }
    Ok(is_whole)
}
