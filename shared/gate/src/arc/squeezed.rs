//! Decodes Huffman codes as CP/M's SQ writes them, and runs of bytes: ARC's methods 3 and 4, and squeezed
//! files.

use std::io;

use super::{Bytes, damaged};

const MAX_NODES: usize = 256;
/// The symbol behind the last byte.
const END: i16 = 256;
/// Stands in front of how often the byte before it is meant; in front of 0, it is itself meant.
const RUN: u8 = 0x90;

pub(super) struct Squeezed {
    bytes: Bytes,
    /// Of each node, its two children: another node, or a symbol, which is written as its complement.
    nodes: Vec<[i16; 2]>,
    byte: u8,
    n_bits: u32,
    has_ended: bool,
}

impl Squeezed {
    /// Reads the tree, which stands in front of the codes.
    pub(super) fn new(mut bytes: Bytes) -> io::Result<Self> {
        let mut number = || -> io::Result<i16> {
            let mut byte = || bytes.next().transpose()?.ok_or_else(damaged);
            Ok(i16::from_le_bytes([byte()?, byte()?]))
        };
        let n_nodes = usize::try_from(number()?).map_err(|_| damaged())?;
        if n_nodes > MAX_NODES {
            return Err(damaged());
        }
        let nodes = (0..n_nodes).map(|_| Ok([number()?, number()?])).collect::<io::Result<_>>()?;
        Ok(Self { bytes, nodes, byte: 0, n_bits: 0, has_ended: false })
    }

    fn next_symbol(&mut self) -> io::Result<Option<i16>> {
        let mut node = 0i16;
        // A tree that has circles in it never comes to a symbol.
        for _ in 0..=MAX_NODES {
            if self.n_bits == 0 {
                let Some(byte) = self.bytes.next().transpose()? else { return Ok(None) };
                (self.byte, self.n_bits) = (byte, 8);
            }
            let bit = usize::from(self.byte & 1);
            (self.byte, self.n_bits) = (self.byte >> 1, self.n_bits - 1);
            let children = usize::try_from(node).ok().and_then(|node| self.nodes.get(node));
            node = children.ok_or_else(damaged)?[bit];
            if node < 0 {
                return Ok(Some(!node));
            }
        }
        Err(damaged())
    }
}

impl Iterator for Squeezed {
    type Item = io::Result<u8>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        match self.next_symbol() {
            Ok(Some(symbol)) if symbol != END => Some(u8::try_from(symbol).map_err(|_| damaged())),
            Ok(_) => {
                self.has_ended = true;
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Undoes runs of equal bytes.
pub(super) struct Runs {
    bytes: Bytes,
    last: u8,
    n_more: u8,
}

impl Runs {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, last: 0, n_more: 0 }
    }
}

impl Iterator for Runs {
    type Item = io::Result<u8>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(n_more) = self.n_more.checked_sub(1) {
                self.n_more = n_more;
                return Some(Ok(self.last));
            }
            match self.bytes.next()? {
                Ok(RUN) => match self.bytes.next()? {
                    Ok(0) => return Some(Ok(RUN)),
                    Ok(n_times) => self.n_more = n_times - 1,
                    Err(error) => return Some(Err(error)),
                },
                Ok(byte) => {
                    self.last = byte;
                    return Some(Ok(byte));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
