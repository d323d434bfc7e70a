//! Undoes predictors (ISO 32000-2, 7.4.4.4): those of PNG, and that of TIFF.

use std::io::{self, BufRead};

use super::steps::{Step, fill};

/// How samples were written down before they were compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub(super) predictor: u64,
    pub(super) n_colors: u64,
    pub(super) n_bits: u64,
    pub(super) n_columns: u64,
}

impl Default for Layout {
    fn default() -> Self {
        Self { predictor: 1, n_colors: 1, n_bits: 8, n_columns: 1 }
    }
}

#[derive(Debug)]
pub(super) struct Predictor {
    is_png: bool,
    n_row_bytes: usize,
    n_colors: usize,
    n_bits: usize,
    above: Vec<u8>,
}

impl Predictor {
    /// `None` for rows that nothing has, or that fill the memory.
    pub(super) fn new(layout: Layout) -> Option<Self> {
        const MAX_ROW_BYTES: u64 = 16 * 1024 * 1024;
        let n_bits = layout.n_columns.checked_mul(layout.n_colors)?.checked_mul(layout.n_bits)?;
        let n_row_bytes = n_bits.div_ceil(8);
        let is_usual = matches!(layout.n_bits, 1 | 2 | 4 | 8 | 16) && n_row_bytes > 0;
        (is_usual && n_row_bytes <= MAX_ROW_BYTES).then_some(Self {
            is_png: layout.predictor >= 10,
            n_row_bytes: usize::try_from(n_row_bytes).ok()?,
            n_colors: usize::try_from(layout.n_colors).ok()?,
            n_bits: usize::try_from(layout.n_bits).ok()?,
            above: Vec::new(),
        })
    }

    fn undo_png(&self, row: &mut [u8], kind: u8) {
        let n_pixel = (self.n_colors * self.n_bits).div_ceil(8);
        for at in 0..row.len() {
            let left = if at < n_pixel { 0 } else { row[at - n_pixel] };
            let above = self.above.get(at).copied().unwrap_or(0);
            let diagonal = if at < n_pixel { 0 } else { self.above.get(at - n_pixel).copied().unwrap_or(0) };
            let predicted = match kind {
                1 => left,
                2 => above,
                3 => u8::midpoint(left, above),
                4 => paeth(left, above, diagonal),
                _ => 0,
            };
            row[at] = row[at].wrapping_add(predicted);
        }
    }

    fn undo_tiff(&self, row: &mut [u8]) {
        match self.n_bits {
            8 => (self.n_colors..row.len())
                .for_each(|at| row[at] = row[at].wrapping_add(row[at - self.n_colors])),
            16 => {
                for at in (self.n_colors * 2..row.len().saturating_sub(1)).step_by(2) {
                    let before = at - self.n_colors * 2;
                    let left = u16::from_be_bytes([row[before], row[before + 1]]);
                    let sum = u16::from_be_bytes([row[at], row[at + 1]]).wrapping_add(left);
                    row[at..at + 2].copy_from_slice(&sum.to_be_bytes());
                }
            }
            _ => self.undo_tiff_bits(row),
        }
    }

    fn undo_tiff_bits(&self, row: &mut [u8]) {
        let (n_in_byte, mask) = (8 / self.n_bits, u8::MAX >> (8 - self.n_bits));
        let place = |index: usize| (index / n_in_byte, 8 - self.n_bits * (index % n_in_byte + 1));
        for index in self.n_colors..row.len() * n_in_byte {
            let ((byte, shift), (left_byte, left_shift)) = (place(index), place(index - self.n_colors));
            let sum = (row[byte] >> shift).wrapping_add(row[left_byte] >> left_shift) & mask;
            row[byte] = row[byte] & !(mask << shift) | sum << shift;
        }
    }
}

impl Step for Predictor {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut kind = [0];
        if self.is_png && fill(source, &mut kind)? == 0 {
            return Ok(false);
        }
        let mut row = vec![0; self.n_row_bytes];
        let n_bytes = fill(source, &mut row)?;
        row.truncate(n_bytes);
        if self.is_png {
            self.undo_png(&mut row, kind[0]);
        } else {
            self.undo_tiff(&mut row);
        }
        out.extend_from_slice(&row);
        self.above = row;
        Ok(n_bytes == self.n_row_bytes)
    }
}

fn paeth(left: u8, above: u8, diagonal: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(diagonal));
    let (to_a, to_b, to_c) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_a <= to_b && to_a <= to_c {
        left
    } else if to_b <= to_c {
        above
    } else {
        diagonal
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::pdf::steps::decoding;

    fn undone(predictor: u64, n_colors: u64, n_bits: u64, n_columns: u64, data: &'static [u8]) -> Vec<u8> {
        let predictor = Predictor::new(Layout { predictor, n_colors, n_bits, n_columns }).unwrap();
        let mut out = Vec::new();
        decoding(Box::new(data), predictor).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn rows_are_what_they_were() {
        let png = &[0, 1, 2, 3, 1, 1, 1, 1, 2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1, 9, 7];
        assert_eq!(undone(12, 1, 8, 3, png), [1, 2, 3, 1, 2, 3, 2, 3, 4, 2, 3, 4, 3, 4, 5, 7]);
        assert_eq!(undone(2, 1, 8, 3, &[1, 1, 1, 5, 1]), [1, 2, 3, 5, 6]);
        assert_eq!(undone(2, 2, 8, 2, &[1, 2, 3, 4]), [1, 2, 4, 6]);
        assert_eq!(undone(2, 1, 16, 2, &[0, 255, 0, 1]), [0, 255, 1, 0]);
        assert_eq!(undone(2, 1, 4, 4, &[0x12, 0xf1]), [0x13, 0x23]);
        assert_eq!(undone(2, 1, 1, 8, &[0b1100_0000]), [0b1000_0000]);
    }

    #[test]
    fn impossible_rows_are_none() {
        for (n_colors, n_bits, n_columns) in [(1, 8, u64::MAX), (0, 8, 1), (1, 7, 1), (4, 16, 1 << 24)] {
            assert!(Predictor::new(Layout { predictor: 12, n_colors, n_bits, n_columns }).is_none());
        }
    }
}
