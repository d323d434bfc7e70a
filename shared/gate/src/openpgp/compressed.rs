//! Compressed data (RFC 9580, 5.6): packets within a packet, unpacked as far as that goes.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::BzDecoder;

use super::packet::{Packet, Packets, Size};
use super::{may_begin, walk_packets};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::walk::{Walk, Walked};

/// Hands over what is unpacked. Returns whether that was all of the body.
pub(super) fn hand(walk: &mut Walk<'_>, packet: &Packet, depth: u32) -> Walked<bool> {
    let start = packet.start(2)?;
    // No compression, deflate (RFC 1951), zlib (RFC 1950), bzip2.
    match start.u8_at(0) {
        0 if !start.is_empty() => hand_stored(walk, packet, depth).map(|()| true),
        1 => hand_deflated(walk, packet, 1, 0, depth),
        2 if start.u8_at(1) & 0x0f == 8 => hand_deflated(walk, packet, 3, 4, depth),
        3 => {
            hand_packets(walk, || source(packet, 1).map(BzDecoder::new), depth)?;
            // It shows nothing of what it packs.
            Ok(false)
        }
        _ => Ok(false),
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
    hand_packets(walk, || source(packet, 1), depth).map(|_| ())
}

fn hand_deflated(
    walk: &mut Walk<'_>,
    packet: &Packet,
    n_before: u64,
    n_behind: u64,
    depth: u32,
) -> Walked<bool> {
    /// gpg goes on with these where the stream is cut.
    const BEHIND_THE_END: &[u8] = &[0xff; 4];
    let n_read = Cell::new(0);
    let counted = || {
        n_read.set(n_before);
        Ok(Counted { source: source(packet, n_before)?, n_read: &n_read })
    };
    if hand_packets(walk, || counted().map(Inflate::new), depth)? {
        let n_bytes = io::copy(&mut packet.body(), &mut io::sink())?;
        return Ok(n_read.get() + n_behind == n_bytes);
    }
    let padded = || Ok(Inflate::new(source(packet, n_before)?.chain(BEHIND_THE_END)));
    hand_packets(walk, padded, depth)?;
    Ok(false)
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

/// Counts what a decompressor really uses.
struct Counted<'a, R> {
    source: R,
    n_read: &'a Cell<u64>,
}

impl<R: BufRead> BufRead for Counted<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, n_bytes: usize) {
        self.n_read.set(self.n_read.get() + crate::blob::to_u64(n_bytes));
        self.source.consume(n_bytes);
    }
}

impl<R: BufRead> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.fill_buf()?.read(buffer)?;
        self.consume(n_bytes);
        Ok(n_bytes)
    }
}
