//! Decodes ARC's methods 5 to 7: LZW with codes of 12 bits, each the place of its string in a hash table.

use std::io;

use super::{Bytes, damaged};

const N_CODES: usize = 4096;
/// What stands in the hash for the string before a single byte.
const NO_STRING: usize = 0xffff;

/// A string: another one, and a byte more.
#[derive(Clone, Copy, Debug)]
struct Entry {
    before: usize,
    last: u8,
    /// Where the next string with the same hash is; 0 at the end of the chain.
    next: usize,
}

pub(super) struct Hashed {
    bytes: Bytes,
    /// The second half of a byte that two codes share.
    half: Option<u8>,
    has_new_hash: bool,
    entries: Vec<Option<Entry>>,
    n_entries: usize,
    before: Option<usize>,
    first: u8,
    /// The bytes of a string, last one first.
    pending: Vec<u8>,
}

impl Hashed {
    /// Methods 5 and 6 have the old hash, the middle of a square; 7 has the new one, a product.
    pub(super) fn new(bytes: Bytes, has_new_hash: bool) -> Self {
        let (entries, pending) = (vec![None; N_CODES], vec![]);
        let mut hashed =
            Self { bytes, half: None, has_new_hash, entries, n_entries: 0, before: None, first: 0, pending };
        for byte in 0..=u8::MAX {
            hashed.add(NO_STRING, byte);
        }
        hashed
    }

    fn hash(&self, before: usize, last: u8) -> usize {
        // In sixteen bits, as the first programs had them.
        let sum = (before + usize::from(last)) & 0xffff;
        let hash = if self.has_new_hash { sum * 15_073 } else { (sum | 0x0800).pow(2) >> 6 };
        hash % N_CODES
    }

    /// The last place of the chain that a string belongs to, and the free one that it would get.
    fn place(&self, before: usize, last: u8) -> (Option<usize>, usize) {
        let mut place = self.hash(before, last);
        let Some(mut entry) = self.entries[place] else { return (None, place) };
        while entry.next != 0 {
            place = entry.next;
            let Some(following) = self.entries[place] else { break };
            entry = following;
        }
        let mut free = (place + 101) % N_CODES;
        while self.entries[free].is_some() {
            free = (free + 1) % N_CODES;
        }
        (Some(place), free)
    }

    fn add(&mut self, before: usize, last: u8) {
        if self.n_entries == N_CODES {
            return;
        }
        let (end_of_chain, place) = self.place(before, last);
        if let Some(entry) = end_of_chain.and_then(|end| self.entries[end].as_mut()) {
            entry.next = place;
        }
        self.entries[place] = Some(Entry { before, last, next: 0 });
        self.n_entries += 1;
    }

    /// Twelve bits, the highest first.
    fn next_code(&mut self) -> io::Result<Option<usize>> {
        let Some(first) = self.bytes.next().transpose()? else { return Ok(None) };
        if let Some(half) = self.half.take() {
            return Ok(Some((usize::from(half) << 8) | usize::from(first)));
        }
        let Some(second) = self.bytes.next().transpose()? else { return Ok(None) };
        self.half = Some(second & 0x0f);
        Ok(Some((usize::from(first) << 4) | usize::from(second >> 4)))
    }

    fn decode(&mut self, code: usize) -> io::Result<()> {
        let mut string = code;
        if self.entries[code].is_none() {
            // The only string that is not there yet and may be meant is the one before with its first byte
            // once more.
            let before = self.before.filter(|before| self.place(*before, self.first).1 == code);
            string = before.ok_or_else(damaged)?;
            self.pending.push(self.first);
        }
        while let Some(entry) = self.entries.get(string).copied().flatten() {
            self.pending.push(entry.last);
            string = entry.before;
        }
        self.first = self.pending.last().copied().unwrap_or(self.first);
        if let Some(before) = self.before {
            self.add(before, self.first);
        }
        self.before = Some(code);
        Ok(())
    }
}

impl Iterator for Hashed {
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
