//! Reads the number and the generation that stand before `obj`, by every reading.

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_usize};
use crate::walk::{Walked, refuse};

use super::cursor::Cursor;
use super::tokens::{self, Token, is_regular, is_white};

/// What stands before an `obj`.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Header {
    /// Number and generation, if all readers read them alike.
    pub(super) id: Option<(u64, u64)>,
    /// Numbers that a reader may read otherwise.
    pub(super) others: Vec<u64>,
}

/// Reads what stands before the `obj` at `at`. Readers allow white space and comments of any length in a
/// header; one that is longer than any of ordinary documents is refused.
pub(super) fn header(file: &Blob, at: u64) -> Walked<Header> {
    // In a longer word, no reader looks far.
    let behind = file.bytes_at(at + 3, 1)?;
    let is_word = behind.first().is_some_and(|byte| is_regular(*byte) && !byte.is_ascii_digit());
    for longest in [64, 4096, 65_536] {
        let start = at.saturating_sub(longest);
        let before = file.bytes_at(start, to_usize(at - start))?;
        let text = Before { text: &before, is_whole: start == 0 };
        match text.plain() {
            Some(header) => return Ok(header),
            None if is_word => return Ok(Header::default()),
            None => {}
        }
        if let Some(header) = text.odd() {
            return Ok(header);
        }
    }
    refuse(Unscannable::Malformed, "a PDF with an object whose number stands too far away")
}

/// Where the object begins, behind `obj`, whose header stands at `offset`.
pub(super) fn begins_at(cursor: &mut Cursor<'_>) -> Walked<Option<u64>> {
    for _ in 0..2 {
        match tokens::next(cursor)? {
            Some((_, token)) if !token.integers().is_empty() => {}
            _ => return Ok(None),
        }
    }
    Ok(match tokens::next(cursor)? {
        Some((start, Token::Word(word))) if word.starts_with(b"obj") => Some(start + 3),
        _ => None,
    })
}

/// What was read of the text before an `obj`.
struct Before<'a> {
    text: &'a [u8],
    /// Whether nothing stands before it.
    is_whole: bool,
}

impl Before<'_> {
    /// Two numbers with white space behind each, in a line without a comment. `None` for everything else, and
    /// if more must be read.
    fn plain(&self) -> Option<Header> {
        let (rest, generation) = number_at_end(trim_white(self.text))?;
        let trimmed = trim_white(rest);
        let (rest_of_line, number) = number_at_end(trimmed)?;
        let line_start = rest_of_line.iter().rposition(|byte| is_end_of_line(*byte));
        let is_read = line_start.is_some() || self.is_whole;
        let line = &rest_of_line[line_start.unwrap_or(0)..];
        let goes_on = matches!(line.last(), Some(b'.' | b'+' | b'-' | b'e' | b'E'));
        let is_plain = trimmed.len() < rest.len() && is_read && !goes_on && !line.contains(&b'%');
        is_plain.then(|| Header { id: Some((number, generation)), others: Vec::new() })
    }

    /// Every number in the lines that a header may reach over; `None` if more must be read.
    fn odd(&self) -> Option<Header> {
        const MAX_NUMBERS: usize = 256;
        let (mut end, mut n_numbers, mut has_oddity) = (self.text.len(), 0, false);
        let mut others = Vec::new();
        loop {
            let start =
                self.text[..end].iter().rposition(|byte| is_end_of_line(*byte)).map_or(0, |at| at + 1);
            let line = &self.text[start..end];
            let n_content = line.iter().position(|byte| *byte == b'%').unwrap_or(line.len());
            let mut words = line[..n_content].rsplit(|byte| is_white(*byte)).filter(|word| !word.is_empty());
            let other_word = words.find(|word| {
                n_numbers += 1;
                has_oddity |= !word.iter().all(u8::is_ascii_digit);
                n_numbers > 2 || !word.iter().all(|byte| is_of_number(*byte))
            });
            has_oddity |= n_content < line.len();
            others.extend(numbers(line));
            let is_cut = start == 0 && !self.is_whole;
            // The line of `obj` itself: what stands in its comments is no object.
            let is_first = end == self.text.len();
            if is_cut && !(is_first && other_word.is_some() && n_numbers == 1) {
                return None;
            }
            if start == 0 || other_word.is_some() || n_numbers >= 2 || others.len() > MAX_NUMBERS {
                break;
            }
            end = start - 1;
        }
        if !has_oddity {
            others.clear();
        }
        (others.len() <= MAX_NUMBERS).then_some(Header { id: None, others })
    }
}

fn is_end_of_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E')
}

fn trim_white(text: &[u8]) -> &[u8] {
    let n_white = text.iter().rev().take_while(|byte| is_white(**byte)).count();
    &text[..text.len() - n_white]
}

fn number_at_end(text: &[u8]) -> Option<(&[u8], u64)> {
    let n_digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, digits) = text.split_at(text.len() - n_digits);
    Some((rest, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

/// Every number in a line, in comments as well.
fn numbers(line: &[u8]) -> Vec<u64> {
    let text = line.iter().map(|byte| if is_of_number(*byte) { *byte } else { b' ' }).collect();
    let blob = Blob::from_bytes(text);
    let mut cursor = Cursor::new(&blob, 0);
    let mut numbers = Vec::new();
    while let Ok(Some((_, token))) = tokens::next(&mut cursor) {
        numbers.extend(token.integers().iter().filter_map(|number| u64::try_from(*number).ok()));
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::to_u64;

    #[test]
    fn a_number_counts_if_all_readers_read_it() {
        let (spaces, comment) = (" ".repeat(70), "c".repeat(5000));
        let plain = |number, generation| Header { id: Some((number, generation)), others: Vec::new() };
        for (before, expected) in [
            ("10 0 ".to_owned(), plain(10, 0)),
            ("endobj\n10 2".to_owned(), plain(10, 2)),
            ("% 9\n10\r0 ".to_owned(), plain(10, 0)),
            (format!("10{spaces}0 "), plain(10, 0)),
            (format!("x\n{}10 0{spaces}", "0".repeat(99)), plain(10, 0)),
            ("the ".to_owned(), Header::default()),
            (" ".repeat(4000), Header::default()),
        ] {
            let blob = Blob::from_bytes(format!("{before}obj").into_bytes());
            assert_eq!(header(&blob, to_u64(before.len())).unwrap(), expected, "{before}");
        }
        for before in [
            "10 % 5\n0 ".to_owned(),
            "10 %obj 5 0\n0 ".to_owned(),
            "10 0 %\n%5\n".to_owned(),
            format!("10 %{comment} 5\n0 "),
            format!("x\n10 0{spaces}%{comment}\n"),
            "10.0 0 ".to_owned(),
            "1-0 0 ".to_owned(),
        ] {
            let blob = Blob::from_bytes(format!("{before}obj").into_bytes());
            let found = header(&blob, to_u64(before.len())).unwrap();
            assert!(found.id.is_none() && found.others.contains(&10), "{before}: {found:?}");
        }
        let far = format!("10 %{}\n0 ", "c".repeat(70_000));
        let blob = Blob::from_bytes(format!("{far}obj").into_bytes());
        assert!(header(&blob, to_u64(far.len())).is_err());
    }
}
