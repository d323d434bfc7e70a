//! Finds headers of tars without `ustar` at any byte, as GNU cpio and pax do: they go from byte to byte until
//! the sum of 512 bytes is the number that stands among them.
//!
//! Sums are right by accident in tables of numbers, so a header counts only with a zero in it, which ends a
//! name or fills a field, or with all its numbers in their places. What it announces is handed, and nothing
//! is refused for it.

use super::{may_have_size, unsigned_sum};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const BLOCK: usize = 512;
/// Where the sum stands, in how many bytes, and how many digits it has at least: its own blanks are 256.
const SUM_AT: usize = 148;
const SUM_BYTES: usize = 8;
const FEWEST_DIGITS: usize = 3;
const SMALLEST_SUM: u64 = 256;
const LARGEST_SUM: u64 = 512 * 255;
/// The mode, two owners, the size, the time, the sum.
const NUMBERS: [(usize, usize); 6] = [(100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (148, 8)];

/// Where the first header stands in the window of a blob that starts at `at`. Those of whole blocks are found
/// otherwise.
pub(crate) fn first_header(at: u64, window: &[u8]) -> Option<u64> {
    next_header(at, window, 0).map(|start| at + to_u64(start))
}

/// Hands the data of every such header from `from` on.
pub(crate) fn walk(from: u64, walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut windows = blob.windows(from, BLOCK);
    while let Some((at, window)) = windows.next_window()? {
        let mut next = next_header(at, window, 0);
        while let Some(start) = next {
            let n_bytes = leading_octal(window.at(start + 124, 12));
            walk.count_attempt()?;
            walk.reading_of(blob.slice(at + to_u64(start + BLOCK), n_bytes), depth)?;
            next = next_header(at, window, start + 1);
        }
    }
    Ok(())
}

/// The next header that begins in the search's part of the window, from `from` on.
fn next_header(at: u64, window: &[u8], from: usize) -> Option<usize> {
    // In text, where there are many numbers, a look at the ends of the fields before the sum is enough for
    // almost all of them.
    let is_text = memchr::memchr(0, window).is_none();
    let mut place = from + SUM_AT;
    while let Some(digits_at) = next_digits(window, place) {
        place = digits_at;
        let n_before = window[..place].iter().rev().take_while(|byte| is_digit(**byte)).count();
        let n_behind = window[place..].iter().take_while(|byte| is_digit(**byte)).count();
        let (start, end) = (place - n_before, place + n_behind);
        let n_blanks =
            window[..start].iter().rev().take(SUM_BYTES).take_while(|byte| is_blank(**byte)).count();
        let first = start.saturating_sub(n_blanks).max(from + SUM_AT);
        let headers = (first..end).map(|sum_at| sum_at - SUM_AT).take_while(|header| *header < SEARCH_WINDOW);
        let mut unaligned = headers.filter(|header| !(at + to_u64(*header)).is_multiple_of(to_u64(BLOCK)));
        if let Some(found) = unaligned.find(|header| {
            (!is_text || may_have_numbers(&window[*header..])) && is_header(window.at(*header, BLOCK))
        }) {
            return Some(found);
        }
        place = end + 1;
    }
    None
}

/// Where the next [`FEWEST_DIGITS`] digits stand from `from` on. Passes blocks that hold none as a whole: all
/// data of all files come through here.
fn next_digits(window: &[u8], from: usize) -> Option<usize> {
    const STEP: usize = 64;
    const MARGIN: usize = FEWEST_DIGITS - 1;
    let mut at = from;
    while let Some(block) = window.get(at..).and_then(|rest| rest.first_chunk::<{ STEP + MARGIN }>()) {
        // Without a branch, so that the compiler takes many bytes in one step.
        let begins = |at: usize| is_digit(block[at]) & is_digit(block[at + 1]) & is_digit(block[at + 2]);
        if (0..STEP).fold(false, |any, at| any | begins(at)) {
            break;
        }
        at += STEP;
    }
    let rest = window.get(at..)?;
    rest.windows(FEWEST_DIGITS)
        .position(|digits| digits.iter().all(|byte| is_digit(*byte)))
        .map(|found| at + found)
}

fn is_digit(byte: u8) -> bool {
    byte & 0xf8 == b'0'
}

/// Asks what is cheap first.
fn is_header(header: &[u8]) -> bool {
    let stored = leading_octal(header.at(SUM_AT, SUM_BYTES));
    (SMALLEST_SUM + 1..=LARGEST_SUM).contains(&stored)
        && header.len() == BLOCK
        && header[0] != 0
        && may_have_size(header)
        && header.at(257, 5) != b"ustar"
        && (memchr::memchr(0, header).is_some() || has_all_numbers(header))
        && has_sum(header, stored)
}

/// The sum of unsigned bytes, or of signed ones, which some old writers took.
fn has_sum(header: &[u8], stored: u64) -> bool {
    let unsigned = unsigned_sum(header);
    let n_high =
        || header.iter().enumerate().filter(|(at, byte)| !(148..156).contains(at) && **byte > 127).count();
    unsigned == stored
        || unsigned > stored
            && (unsigned - stored).is_multiple_of(256)
            && unsigned - stored == 256 * to_u64(n_high())
}

fn may_have_numbers(start: &[u8]) -> bool {
    [147, 135, 123, 115, 107]
        .into_iter()
        .all(|last| matches!(start.u8_at(last), b'0'..=b'7' | b' ' | b'\t'..=b'\r'))
}

fn has_all_numbers(header: &[u8]) -> bool {
    let is_number = |field: &[u8]| {
        let digits = field.trim_ascii();
        !digits.is_empty() && digits.iter().all(|byte| matches!(byte, b'0'..=b'7'))
    };
    NUMBERS.iter().all(|(at, n_bytes)| is_number(header.at(*at, *n_bytes)))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t'..=b'\r')
}

/// The number that readers take, behind blanks and up to what is no digit.
fn leading_octal(field: &[u8]) -> u64 {
    let digits =
        field.iter().skip_while(|byte| is_blank(**byte)).take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.fold(0, |number, digit| number << 3 | u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::Survey;

    fn header(fill: u8, sum: impl Fn(u64) -> String) -> Vec<u8> {
        let mut header = vec![fill; BLOCK];
        header[..5].copy_from_slice(b"e.com");
        for (at, n_bytes) in NUMBERS {
            header[at..at + n_bytes].fill(b' ');
            header[at] = b'0';
        }
        header[124..135].copy_from_slice(b"00000000006");
        let sum = sum(unsigned_sum(&header));
        header[SUM_AT..SUM_AT + sum.len()].copy_from_slice(sum.as_bytes());
        header
    }

    fn found(front: &[u8], header: &[u8]) -> Option<u64> {
        let blob = Blob::from_bytes([front, header, b"behind"].concat());
        Survey::of(&blob).unwrap().tar_header_at
    }

    #[test]
    fn a_header_is_found_at_any_byte_but_that_of_a_block() {
        for fill in [0, b' '] {
            for sum in
                [|sum| format!("{sum:06o}\0 "), |sum| format!("{sum:6o}\0 "), |sum| format!("{sum:08o}")]
            {
                let header = header(fill, sum);
                for n_front in [1, 2, 3, 511, 513, 70_001, SEARCH_WINDOW - 1, SEARCH_WINDOW + 1] {
                    for byte in [b'x', b'7', 0] {
                        let at = to_u64(n_front);
                        assert_eq!(found(&vec![byte; n_front], &header), Some(at), "{byte} {n_front} {fill}");
                    }
                }
                assert_eq!(found(&[b'x'; 512], &header), None);
            }
        }
    }

    #[test]
    fn a_sum_of_three_digits_is_found_at_any_byte() {
        let mut header = vec![0; BLOCK];
        header[0] = b'e';
        header[124] = b'6';
        let sum = format!("{:o}", unsigned_sum(&header));
        assert_eq!(sum.len(), FEWEST_DIGITS);
        header[SUM_AT..SUM_AT + FEWEST_DIGITS].copy_from_slice(sum.as_bytes());
        for n_front in 1..200 {
            assert_eq!(found(&vec![b'x'; n_front], &header), Some(to_u64(n_front)), "{n_front}");
        }
    }

    #[test]
    fn a_table_of_numbers_holds_none() {
        let good = header(b' ', |sum| format!("{sum:06o}  "));
        assert_eq!(found(b"x", &good), Some(1));
        for (at, byte) in
            [(100, b'8'), (108, b','), (136, b';'), (150, b'x'), (300, b'!'), (0, 0), (124, b'x')]
        {
            let mut changed = good.clone();
            changed[at] = byte;
            assert_eq!(found(b"x", &changed), None, "{at}");
        }
        let rows =
            (0..20_000u32).map(|row| format!("{:05},{:06},{}\n", row * 7919 % 99_999, row, row * 31 % 777));
        assert_eq!(found(b"", rows.collect::<String>().as_bytes()), None);
    }
}
