//! Finds values of attributes wherever they stand: in which elements markup is text alone depends on what is
//! around them (in `<svg><title>` a browser reads tags), so no tokenizer of one pass is right about all.

use std::collections::HashSet;
use std::io;

use super::references;
use super::tag::SHORTEST_VALUE;
use super::values::{self, begins_as_data, holds_odd, holds_page, holds_space};
use crate::blob::{Blob, SEARCH_WINDOW, to_u64};
use crate::text_encoding::address;
use crate::walk::{Walk, Walked};

/// As long as five references with zeros in front.
const NEAR: usize = 256;

/// Hands over the values that may be addresses of data or pages, but for those in `seen`.
pub(super) fn hand_values(
    walk: &mut Walk<'_>,
    blob: &Blob,
    seen: &mut HashSet<(u64, u64)>,
    depth: u32,
) -> Walked {
    let (mut windows, mut bare_end) = (blob.windows(0, NEAR), 0);
    while let Some((at, window)) = windows.next_window()? {
        for equals in memchr::memchr_iter(b'=', &window[..window.len().min(SEARCH_WINDOW)]) {
            let behind = &window[equals + 1..];
            let n_spaces = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let mut start = at + to_u64(equals + 1 + n_spaces);
            let near = behind.get(n_spaces..).and_then(<[u8]>::split_first);
            let (first, text) = if let Some((first, text)) = near {
                (*first, text)
            } else {
                start = behind_spaces(blob, start)?;
                (blob.bytes_at(start, 1)?.first().copied().unwrap_or(0), [].as_slice())
            };
            let found = match first {
                b'"' | b'\'' => quoted(blob, start + 1, first, text)?,
                b'&' => bare(blob, start, &mut bare_end)?,
                b'd' | b'D' if matches!(text.first(), None | Some(b'a' | b'A' | b'&')) => {
                    bare(blob, start, &mut bare_end)?
                }
                _ => None,
            };
            if let Some((start, end)) = found
                && seen.insert((start, end))
            {
                values::hand(walk, &blob.slice(start, end - start), depth)?;
            }
        }
    }
    Ok(())
}

fn behind_spaces(blob: &Blob, start: u64) -> io::Result<u64> {
    find(blob, start, |byte| !byte.is_ascii_whitespace())
}

/// Where the first byte of a kind stands from `start` on, or the end.
fn find(blob: &Blob, start: u64, is_it: impl Fn(&u8) -> bool) -> io::Result<u64> {
    let mut windows = blob.windows(start, 0);
    while let Some((at, window)) = windows.next_window()? {
        if let Some(found) = window.iter().position(&is_it) {
            return Ok(at + to_u64(found));
        }
    }
    Ok(blob.size_bytes())
}

/// The value from `start` on up to `quote`, if it may hold something; `text` is what of it is at hand.
fn quoted(blob: &Blob, start: u64, quote: u8, text: &[u8]) -> io::Result<Option<(u64, u64)>> {
    if let Some(end) = memchr::memchr(quote, text) {
        let text = &text[..end];
        let may_hold = end >= SHORTEST_VALUE
            && (holds_odd(text) || holds_space(text))
            && (begins_as_data(text) || holds_page(text));
        return Ok(may_hold.then(|| (start, start + to_u64(end))));
    }
    let (mut windows, mut is_odd, mut may_hold) = (blob.windows(start, 0), false, false);
    while let Some((at, window)) = windows.next_window()? {
        let end = memchr::memchr(quote, window);
        let text = &window[..end.unwrap_or(window.len())];
        is_odd |= holds_odd(text) || holds_space(text);
        may_hold |= at == start && begins_as_data(text) || holds_page(text);
        if end.is_some() {
            let end = at + to_u64(text.len());
            return Ok((is_odd && may_hold && end - start >= to_u64(SHORTEST_VALUE)).then_some((start, end)));
        }
    }
    Ok((is_odd && may_hold).then_some((start, blob.size_bytes())))
}

/// The value without quotes from `start` on, if it is an address of data. `last_end` is where the last one
/// ends: one may begin within another.
fn bare(blob: &Blob, start: u64, last_end: &mut u64) -> io::Result<Option<(u64, u64)>> {
    let head = blob.bytes_at(start, NEAR)?;
    let mut resolved = Vec::new();
    references::resolve(&mut head.as_slice(), &mut |bytes| {
        resolved.extend_from_slice(bytes);
        Ok(())
    })?;
    let begins = resolved.get(..address::SCHEME.len());
    if !begins.is_some_and(|word| word.eq_ignore_ascii_case(address::SCHEME)) {
        return Ok(None);
    }
    if start >= *last_end {
        *last_end = find(blob, start, |byte| byte.is_ascii_whitespace() || *byte == b'>')?;
    }
    let end = *last_end;
    let is_long = end - start >= to_u64(SHORTEST_VALUE);
    Ok((is_long && is_odd(&blob.slice(start, end - start))?).then_some((start, end)))
}

fn is_odd(value: &Blob) -> io::Result<bool> {
    let mut windows = value.windows(0, 0);
    while let Some((_, window)) = windows.next_window()? {
        if holds_odd(window) {
            return Ok(true);
        }
    }
    Ok(false)
}
