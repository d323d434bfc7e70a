//! Hands the files in archives of SQLite ("SQLite Archive Files"): values of a table `sqlar`, stored or in
//! zlib.
//!
//! Every leaf of every table is read, also those that no tree leads to ("Database File Format", 1.6). In a
//! database without that table, values are no files: only queries give them.

use super::{SHORTEST, hand_inflated};
use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
const TABLES: [&[u8]; 2] = [b"sqlar", b"SQLAR"];

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut has_table = false;
    for table in TABLES {
        has_table |= blob.find(0, table)?.is_some();
    }
    let header = blob.bytes_at(0, 100)?;
    let page_bytes = match header.u16_be(16) {
        1 => 65536,
        n_bytes => u64::from(n_bytes),
    };
    let usable_bytes = page_bytes.saturating_sub(header.u8_at(20).into());
    if !has_table || usable_bytes < 480 {
        return Ok(());
    }
    let file = Pages { blob, page_bytes, usable_bytes };
    for page in 0..blob.size_bytes().div_ceil(page_bytes) {
        for value in file.values(page)? {
            let content = file.content(walk, &value)?;
            if content.size_bytes() < SHORTEST {
                continue;
            }
            walk.count_member()?;
            walk.visit_reading(content.clone(), depth)?;
            hand_inflated(walk, &content, depth)?;
        }
    }
    Ok(())
}

struct Pages<'a> {
    blob: &'a Blob,
    page_bytes: u64,
    usable_bytes: u64,
}

/// Bytes of a row, which begin on its page and go on in a chain of others.
struct Value {
    row_at: u64,
    /// Of the whole row.
    row_bytes: u64,
    start: u64,
    n_bytes: u64,
}

impl Pages<'_> {
    /// The values that may be files in the rows of a page, if it is a leaf of a table.
    fn values(&self, page: u64) -> Walked<Vec<Value>> {
        const LEAF: u8 = 0x0d;
        const FILE_HEADER: u64 = 100;
        let page_at = page * self.page_bytes;
        let header_at = page_at + if page == 0 { FILE_HEADER } else { 0 };
        let header = self.blob.bytes_at(header_at, 8)?;
        let mut values = Vec::new();
        if header.u8_at(0) != LEAF {
            return Ok(values);
        }
        let cells = self.blob.bytes_at(header_at + 8, 2 * usize::from(header.u16_be(3)))?;
        for cell in cells.chunks_exact(2) {
            self.add_values(page_at + u64::from(cell.u16_be(0)), &mut values)?;
        }
        Ok(values)
    }

    /// A row: its size, its number, a header with the kind of each value, the values.
    fn add_values(&self, cell_at: u64, values: &mut Vec<Value>) -> Walked {
        const LONGEST: usize = 4096;
        let bytes = self.blob.bytes_at(cell_at, LONGEST)?;
        let (row_bytes, n_size) = varint(&bytes);
        let (_, n_number) = varint(&bytes[n_size.min(bytes.len())..]);
        let row = bytes.get(n_size + n_number..).unwrap_or_default();
        let row_at = cell_at + to_u64(n_size + n_number);
        let (header_bytes, n_length) = varint(row);
        let mut kinds = row.get(n_length..to_usize(header_bytes)).unwrap_or_default();
        let mut start = header_bytes;
        while !kinds.is_empty() {
            let (kind, n_kind) = varint(kinds);
            kinds = &kinds[n_kind.min(kinds.len())..];
            let n_bytes = match kind {
                0..=4 => kind,
                5 => 6,
                6 | 7 => 8,
                8..=11 => 0,
                kind => (kind - 12) / 2,
            };
            if kind >= 12 && n_bytes >= 8 {
                values.push(Value { row_at, row_bytes, start, n_bytes });
            }
            start = start.saturating_add(n_bytes);
        }
        Ok(())
    }

    /// How many bytes of a row stand on its own page.
    fn local_bytes(&self, row_bytes: u64) -> u64 {
        let most = self.usable_bytes - 35;
        if row_bytes <= most {
            return row_bytes;
        }
        let least = (self.usable_bytes - 12) * 32 / 255 - 23;
        let fitting = least + (row_bytes - least) % (self.usable_bytes - 4);
        if fitting <= most { fitting } else { least }
    }

    /// Reads a value, up to where its chain breaks.
    fn content(&self, walk: &mut Walk<'_>, value: &Value) -> Walked<Blob> {
        let mut writer = walk.writer();
        let local_bytes = self.local_bytes(value.row_bytes);
        let mut piece = self.blob.slice(value.row_at, local_bytes);
        let mut next = u64::from(self.blob.bytes_at(value.row_at + local_bytes, 4)?.u32_be(0));
        let (mut skipped, mut left) = (value.start, value.n_bytes.min(self.blob.size_bytes()));
        let mut row_left = value.row_bytes.saturating_sub(local_bytes);
        loop {
            let part = piece.tail(skipped).slice(0, left);
            skipped = skipped.saturating_sub(piece.size_bytes());
            left -= part.size_bytes();
            writer.write(&part.bytes_at(0, to_usize(part.size_bytes()))?)?;
            if left == 0 || row_left == 0 || next == 0 {
                break;
            }
            let page_at = (next - 1).saturating_mul(self.page_bytes);
            piece = self.blob.slice(page_at.saturating_add(4), (self.usable_bytes - 4).min(row_left));
            row_left -= piece.size_bytes().min(row_left);
            next = u64::from(self.blob.bytes_at(page_at, 4)?.u32_be(0));
            if piece.size_bytes() == 0 {
                break;
            }
        }
        let content = writer.finish();
        walk.count_pointed(content.size_bytes())?;
        walk.count_bytes(content.size_bytes(), content.size_bytes())?;
        Ok(content)
    }
}

/// Seven bits of each byte, and all eight of a ninth.
fn varint(bytes: &[u8]) -> (u64, usize) {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return (value << 8 | u64::from(*byte), 9);
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (value, index + 1);
        }
    }
    (value, bytes.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_up_to_nine_bytes() {
        assert_eq!(varint(b"\x7f"), (127, 1));
        assert_eq!(varint(b"\x81\x00x"), (128, 2));
        assert_eq!(varint(&[0xff; 12]), (u64::MAX, 9));
        assert_eq!(varint(b""), (0, 1));
    }
}
