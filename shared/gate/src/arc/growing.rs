//! Decodes ARC's methods 8 and 9, and Spark's 127: LZW with codes of 9 bits and more, as compress(1) has it.

use std::io;

use super::{Bytes, damaged};

const FIRST_BITS: u32 = 9;
const MAX_BITS: u32 = 16;
/// This code empties the table.
const CLEAR: usize = 256;

pub(super) struct Growing {
    bytes: Bytes,
    /// Codes stand in groups of eight; a change of their size leaves the rest of a group unused.
    group: Vec<u8>,
    bit: usize,
    n_bits: u32,
    max_bits: u32,
    /// Of each string, the one before and its last byte. Those below 256 are the bytes.
    strings: Vec<(usize, u8)>,
    before: Option<usize>,
    first: u8,
    /// The bytes of a string, last one first.
    pending: Vec<u8>,
}

impl Growing {
    /// Codes of up to `max_bits`.
    pub(super) fn new(bytes: Bytes, max_bits: u32) -> io::Result<Self> {
        if !(FIRST_BITS..=MAX_BITS).contains(&max_bits) {
            return Err(damaged());
        }
        let mut strings: Vec<(usize, u8)> = (0..=u8::MAX).map(|byte| (CLEAR, byte)).collect();
        strings.push((CLEAR, 0));
        let (group, pending) = (vec![], vec![]);
        let n_bits = FIRST_BITS;
        Ok(Self { bytes, group, bit: 0, n_bits, max_bits, strings, before: None, first: 0, pending })
    }

    fn next_code(&mut self) -> io::Result<Option<usize>> {
        let bits_of_code = usize::try_from(self.n_bits).unwrap_or(0);
        if self.bit + bits_of_code > self.group.len() * 8 {
            self.group.clear();
            self.bit = 0;
            while self.group.len() < bits_of_code {
                let Some(byte) = self.bytes.next().transpose()? else { break };
                self.group.push(byte);
            }
            if self.group.len() * 8 < bits_of_code {
                return Ok(None);
            }
        }
        let is_set = |bit: usize| self.group[bit / 8] >> (bit % 8) & 1 == 1;
        let code = (0..bits_of_code).filter(|n| is_set(self.bit + n)).map(|n| 1 << n).sum();
        self.bit += bits_of_code;
        Ok(Some(code))
    }

    fn set_bits(&mut self, n_bits: u32) {
        (self.n_bits, self.bit) = (n_bits, 0);
        self.group.clear();
    }

    fn decode(&mut self, code: usize) -> io::Result<()> {
        if code == CLEAR && self.before.is_some() {
            // The next code adds a string in the place of this one, which nothing refers to.
            self.strings.truncate(CLEAR);
            self.set_bits(FIRST_BITS);
            return Ok(());
        }
        let mut string = code;
        if code >= self.strings.len() {
            // The only string that is not there yet and may be meant is the one before with its first byte
            // once more.
            let before = self.before.filter(|_| code == self.strings.len());
            string = before.ok_or_else(damaged)?;
            self.pending.push(self.first);
        }
        loop {
            let (before, last) = *self.strings.get(string).ok_or_else(damaged)?;
            self.pending.push(last);
            if string < CLEAR || self.pending.len() > self.strings.len() {
                break;
            }
            string = before;
        }
        self.first = self.pending.last().copied().unwrap_or(self.first);
        if let Some(before) = self.before.filter(|_| self.strings.len() < 1 << self.max_bits) {
            self.strings.push((before, self.first));
            if self.strings.len() >= 1 << self.n_bits && self.n_bits < self.max_bits {
                self.set_bits(self.n_bits + 1);
            }
        }
        self.before = Some(code);
        Ok(())
    }
}

impl Iterator for Growing {
    type Item = io::Result<u8>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.is_empty() {
            let decoded = self.next_code().transpose()?.and_then(|code| self.decode(code));
            if let Err(error) = decoded {
                return Some(Err(error));
            }
        }
        self.pending.pop().map(Ok)
    }
}
