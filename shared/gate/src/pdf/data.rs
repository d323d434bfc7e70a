//! Finds where the data of a stream may begin and end.

use std::io;

use crate::blob::to_usize;
use crate::walk::Walked;

use super::cursor::Cursor;
use super::index::{Index, Stream};
use super::tokens::is_white;
use super::values::Value;

/// Where a stream's data may begin and end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Data {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether only readers that repair a file see it end here, an end of line off.
    pub(super) is_repaired: bool,
}

/// Every way to read where a stream's data begins and ends. If `ends_count`, what the length says is not the
/// only end even where it is right: readers that repair a file go by `endstream`, with or without the end of
/// the line before it.
pub(super) fn data_of(
    index: &mut Index,
    stream: &Stream,
    dictionary: &Value,
    ends_count: bool,
) -> Walked<Vec<Data>> {
    let mut lengths = Vec::new();
    for value in dictionary.all(b"Length") {
        lengths.extend(index.integers(value)?);
    }
    let mut data = Vec::new();
    for start in data_starts(index, stream)? {
        let ends = data_ends(index, start)?;
        let (nearest, farthest) = (ends.iter().min(), ends.iter().max());
        let announced = lengths.iter().map(|length| start.saturating_add(*length));
        let announced = announced.filter(|end| *end <= index.file().size_bytes()).collect::<Vec<_>>();
        let is_right = |end: &u64| {
            nearest.is_some_and(|nearest| end >= nearest) && farthest.is_some_and(|farthest| end <= farthest)
        };
        let is_exact = announced.iter().any(is_right);
        if !is_exact || ends_count {
            let other = ends.into_iter().filter(|end| !announced.contains(end));
            data.extend(other.map(|end| Data { start, end, is_repaired: is_exact }));
        }
        data.extend(announced.into_iter().map(|end| Data { start, end, is_repaired: false }));
    }
    data.sort_unstable();
    data.dedup();
    Ok(data)
}

/// Where the stream's data may begin: readers skip an end of line, or the rest of the line, however long.
fn data_starts(index: &mut Index, stream: &Stream) -> Walked<Vec<u64>> {
    let behind = stream.dictionary.1 + 6;
    let file = index.file().clone();
    let behind_end_of_line = |at: u64| -> io::Result<u64> {
        Ok(match file.bytes_at(at, 2)?.as_slice() {
            [b'\r', b'\n'] => at + 2,
            [b'\r' | b'\n', ..] => at + 1,
            _ => at,
        })
    };
    let is_end_of_line = |byte| matches!(byte, b'\r' | b'\n');
    let mut starts = vec![behind_end_of_line(behind)?];
    if starts[0] == behind {
        let mut cursor = Cursor::new(&file, behind);
        cursor.skip_while(|byte| is_white(byte) && !is_end_of_line(byte))?;
        starts.push(behind_end_of_line(cursor.position())?);
        cursor.skip_while(|byte| !is_end_of_line(byte))?;
        let end = cursor.position();
        index.count_read(end - behind)?;
        if end < file.size_bytes() {
            starts.push(behind_end_of_line(end)?);
        }
    }
    starts.sort_unstable();
    starts.dedup();
    Ok(starts)
}

/// Where data that begins at `start` ends if its length is not known: with the end of the line before
/// `endstream`, and without it.
fn data_ends(index: &Index, start: u64) -> io::Result<Vec<u64>> {
    let first = |ends: &[u64]| ends.get(ends.partition_point(|end| *end < start)).copied();
    let end = first(&index.stream_ends).or(first(&index.object_ends)).unwrap_or(index.file().size_bytes());
    let tail_at = end.saturating_sub(2).max(start);
    let tail = index.file().bytes_at(tail_at, to_usize(end - tail_at))?;
    let n_line_end = match tail.as_slice() {
        [b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    };
    Ok(if n_line_end == 0 { vec![end] } else { vec![end - n_line_end, end] })
}
