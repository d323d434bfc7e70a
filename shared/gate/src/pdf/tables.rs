//! Takes cross references (ISO 32000-2, 7.5.4 and 7.5.8) for what they are to readers that believe them:
//! other numbers for objects.
//!
//! Most readers go by the number in front of `obj` where the two differ. pypdf takes the cross reference's.

use std::io::{self, BufRead};

use crate::blob::Blob;
use crate::walk::{Walk, Walked};

use super::cursor::Cursor;
use super::index::Index;
use super::readings::{Keys, readings};
use super::steps::fill;
use super::tokens::{self, Token};
use super::values::Value;

/// Adds the numbers that cross references give to objects that have others.
pub(super) fn add_numbers(walk: &mut Walk<'_>, index: &mut Index) -> Walked {
    for at in index.tables.clone() {
        let file = index.file().clone();
        let mut cursor = Cursor::new(&file, at);
        add_table(&mut cursor, index)?;
        index.count_read(cursor.position() - at)?;
    }
    // They are never encrypted.
    let no_keys = Keys { keys: Vec::new(), is_partly_plain: false };
    for stream in index.streams.clone() {
        let dictionary = index.dictionary(&stream)?;
        if dictionary.all(b"W").is_empty() {
            continue;
        }
        let widths = numbers(index, &dictionary, b"W")?;
        let ranges = match numbers(index, &dictionary, b"Index")? {
            ranges if ranges.is_empty() => vec![0, u64::MAX],
            ranges => ranges,
        };
        if let &[kind, offset, generation] = widths.as_slice() {
            for reading in readings(index, &no_keys, &stream, &dictionary)? {
                for rows in reading.unpacked(walk, index.file())? {
                    add_rows(&rows, [kind, offset, generation], &ranges, index)?;
                }
            }
        }
    }
    Ok(())
}

fn numbers(index: &mut Index, dictionary: &Value, key: &[u8]) -> Walked<Vec<u64>> {
    let mut numbers = Vec::new();
    for value in dictionary.all(key) {
        for value in index.resolved(value)? {
            if let Value::Array(items) = value {
                for item in items {
                    numbers.extend(index.integers(&item)?);
                }
            }
        }
    }
    Ok(numbers)
}

/// Sections of a first number and a count, and for each object an offset, a generation and a letter.
fn add_table(cursor: &mut Cursor<'_>, index: &mut Index) -> Walked {
    let mut numbers = Vec::new();
    let mut next_number = 0;
    while let Some((_, token)) = tokens::next(cursor)? {
        match token {
            Token::Integer(number) | Token::Real(number) => {
                numbers.push(u64::try_from(number).unwrap_or(u64::MAX));
            }
            Token::Word(word) if matches!(word.as_slice(), b"n" | b"f") => {
                if let &[.., first, _, _, _] = numbers.as_slice() {
                    next_number = first;
                }
                if let &[.., offset, generation] = numbers.as_slice()
                    && word == b"n"
                {
                    index.add_number(next_number, generation, offset)?;
                }
                next_number = next_number.saturating_add(1);
                numbers.clear();
            }
            _ => return Ok(()),
        }
        // An empty section before another one.
        if numbers.len() > 4 {
            numbers.drain(..2);
        }
    }
    Ok(())
}

fn add_rows(rows: &Blob, widths: [u64; 3], ranges: &[u64], index: &mut Index) -> Walked {
    const MAX_WIDTH: u64 = 8;
    if widths.iter().any(|width| *width > MAX_WIDTH) || widths == [0; 3] {
        return Ok(());
    }
    let mut source = rows.reader();
    for range in ranges.chunks_exact(2) {
        for number in range[0]..range[0].saturating_add(range[1]) {
            if source.fill_buf()?.is_empty() {
                return Ok(());
            }
            let [kind, offset, generation] = widths.map(|width| field(&mut source, width));
            let kind = if widths[0] == 0 { 1 } else { kind? };
            if kind == 1 {
                index.add_number(number, generation?, offset?)?;
            }
        }
    }
    Ok(())
}

fn field(source: &mut dyn BufRead, width: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    let start = bytes.len().saturating_sub(usize::try_from(width).unwrap_or(0));
    fill(source, &mut bytes[start..])?;
    Ok(u64::from_be_bytes(bytes))
}
