//! Decodes LZWDecode (ISO 32000-2, 7.4.4), with either time at which codes grow. Lenient, as readers are: a
//! missing clear code, a full table.

use std::io::{self, BufRead};

use super::steps::{Step, next_byte};

const CLEAR: usize = 256;
const END: usize = 257;
const MAX_CODES: usize = 4096;

#[derive(Debug)]
pub(super) struct Lzw {
    /// 1 if codes grow one code early, else 0.
    early: usize,
    /// Each sequence as the code of what is before its last byte, and that byte.
    table: Vec<(usize, u8)>,
    previous: Option<usize>,
    bits: u32,
    n_bits: u32,
}

impl Lzw {
    pub(super) fn new(is_early: bool) -> Self {
        let table = (0..=END).map(|code| (CLEAR, code.to_le_bytes()[0])).collect();
        Self { early: usize::from(is_early), table, previous: None, bits: 0, n_bits: 0 }
    }

    fn code(&mut self, source: &mut dyn BufRead) -> io::Result<Option<usize>> {
        let n_codes = self.table.len() + self.early;
        let width = (9..12).find(|width| n_codes < 1 << width).unwrap_or(12);
        while self.n_bits < width {
            let Some(byte) = next_byte(source)? else { return Ok(None) };
            self.bits = self.bits << 8 | u32::from(byte);
            self.n_bits += 8;
        }
        self.n_bits -= width;
        let code = self.bits >> self.n_bits & ((1 << width) - 1);
        Ok(usize::try_from(code).ok())
    }

    /// Adds a code's bytes to `out`, and returns the first.
    fn unfold(&self, code: usize, out: &mut Vec<u8>) -> u8 {
        let (start, mut at) = (out.len(), code);
        loop {
            let (before, last) = self.table[at];
            out.push(last);
            if before == CLEAR {
                break;
            }
            at = before;
        }
        out[start..].reverse();
        out[start]
    }
}

impl Step for Lzw {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let Some(code) = self.code(source)? else { return Ok(false) };
        match (code, self.previous) {
            (CLEAR, _) => {
                self.table.truncate(END + 1);
                self.previous = None;
                return Ok(true);
            }
            (END, _) => return Ok(false),
            (code, Some(previous)) if code == self.table.len() && code < MAX_CODES => {
                let first = self.unfold(previous, out);
                out.push(first);
                self.table.push((previous, first));
            }
            (code, _) if code >= self.table.len() => return Ok(false),
            (code, previous) => {
                let first = self.unfold(code, out);
                if let Some(previous) = previous.filter(|_| self.table.len() < MAX_CODES) {
                    self.table.push((previous, first));
                }
            }
        }
        self.previous = Some(code);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::pdf::steps::decoding;

    /// Codes of growing width, from a writer that clears its table only at the start.
    fn packed(data: &[u8], early: usize) -> Vec<u8> {
        let (mut bits, mut n_codes) = (String::new(), END + 1);
        let mut put = |code: usize, n_codes: usize| {
            let width = (9..12).find(|width| n_codes + early < 1 << width).unwrap_or(12);
            bits.extend((0..width).rev().map(|bit| if code >> bit & 1 == 1 { '1' } else { '0' }));
        };
        let mut table = std::collections::HashMap::<Vec<u8>, usize>::new();
        let code_of = |table: &std::collections::HashMap<Vec<u8>, usize>, word: &[u8]| match word {
            [byte] => Some(usize::from(*byte)),
            _ => table.get(word).copied(),
        };
        put(CLEAR, n_codes);
        let (mut word, mut is_first) = (vec![], true);
        for byte in data {
            let longer = [word.as_slice(), &[*byte]].concat();
            if code_of(&table, &longer).is_some() {
                word = longer;
                continue;
            }
            // The reader is one code behind.
            put(code_of(&table, &word).unwrap(), if is_first { n_codes } else { n_codes - 1 });
            is_first = false;
            if n_codes < MAX_CODES {
                table.insert(longer, n_codes);
                n_codes += 1;
            }
            word = vec![*byte];
        }
        put(code_of(&table, &word).unwrap(), n_codes - 1);
        put(END, n_codes);
        while bits.len() % 8 != 0 {
            bits.push('0');
        }
        bits.as_bytes()
            .chunks(8)
            .map(|bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap())
            .collect()
    }

    fn unpacked(data: Vec<u8>, is_early: bool) -> Vec<u8> {
        let mut out = Vec::new();
        decoding(Box::new(io::Cursor::new(data)), Lzw::new(is_early)).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn codes_grow_early_or_late() {
        // From ISO 32000-2, 7.4.4.2.
        let example = vec![0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
        assert_eq!(unpacked(example, true), [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]);
        let data = (0..9000u32).map(|n| (n * n / 7 % 251).to_le_bytes()[0]).collect::<Vec<_>>();
        for (is_early, early) in [(true, 1), (false, 0)] {
            assert_eq!(unpacked(packed(&data, early), is_early), data, "{early}");
            assert_ne!(unpacked(packed(&data, early), !is_early), data, "{early}");
        }
    }
}
