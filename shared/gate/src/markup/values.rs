//! Decodes the values of attributes: addresses of data, base64 by itself, and pages.

use std::io::{self, BufRead as _, Read as _};

use super::script::Script;
use super::{LEAST, NEAR, Part, begins_as_markup, hand_guess, may_be_html, references, write_part};
use crate::blob::{Blob, to_u64, to_usize};
use crate::mail::holds;
use crate::text_encoding::address::{self, Place};
use crate::text_encoding::{self, Encoding, base64_digit};
use crate::walk::{Stop, Walk, Walked};

/// Decodes a value in which there are references, white space or `%`.
pub(super) fn hand(walk: &mut Walk<'_>, raw: &Blob, depth: u32) -> Walked {
    let (mut resolved, mut may_be_page, mut script) = (walk.writer(), false, Script::default());
    references::resolve(&mut raw.reader(), &mut |bytes| {
        may_be_page |= memchr::memchr(b'<', bytes).is_some();
        script.take(bytes);
        resolved.write(bytes)
    })?;
    let resolved = resolved.finish();
    let is_changed = resolved.size_bytes() != raw.size_bytes();
    let is_page = || Ok::<_, Stop>(begins_as_markup(&resolved.bytes_at(0, NEAR)?) || may_be_html(&resolved)?);
    if is_changed && script.may_hold_data() || may_be_page && is_page()? {
        walk.reading_of_guess(&mut resolved.reader(), depth)?;
    }
    hand_script(walk, &resolved, depth)?;
    // Browsers take white space out of an address, but for `srcset`, where it ends one.
    let mut closed_up = walk.writer();
    let (mut reader, mut has_space) = (resolved.reader(), false);
    loop {
        let piece = reader.fill_buf()?;
        let n_bytes = piece.len();
        if n_bytes == 0 {
            break;
        }
        has_space |= holds_space(piece);
        write_part(&mut closed_up, &Part::Text(piece))?;
        reader.consume(n_bytes);
    }
    let closed_up = closed_up.finish();
    if has_space {
        hand_addresses(walk, &resolved, depth)?;
    }
    if !hand_addresses(walk, &closed_up, depth)? {
        let head = closed_up.bytes_at(0, to_usize(LEAST))?;
        if head.iter().all(|byte| base64_digit(*byte).is_some()) {
            hand_guess(walk, &closed_up, depth)?;
        }
    }
    Ok(())
}

/// Hands over the script in an address that is one, which browsers run without its percent-encoding.
fn hand_script(walk: &mut Walk<'_>, value: &Blob, depth: u32) -> Walked {
    const HEAD: usize = 64;
    let head = value.bytes_at(0, HEAD)?;
    if behind_spaces(&head).to_ascii_lowercase().starts_with(b"javascript:") {
        walk.reading_of_guess(&mut address::unescaped_all(value), depth)?;
    }
    Ok(())
}

/// Hands over what the addresses of data in a value hold. Returns whether there are any.
fn hand_addresses(walk: &mut Walk<'_>, value: &Blob, depth: u32) -> Walked<bool> {
    let starts = schemes_in(value)?;
    let Some(first) = starts.first() else { return Ok(false) };
    // It may hold the scheme itself.
    hand_address(walk, &value.tail(*first), depth)?;
    if starts.len() > 1 {
        let ends = starts[1..].iter().copied().chain([value.size_bytes()]);
        for (start, end) in starts.iter().copied().zip(ends) {
            hand_address(walk, &value.slice(start, end - start), depth)?;
        }
    }
    Ok(true)
}

/// Where the addresses of data in a value begin: at its start in most, behind other words in `content`,
/// `srcset` and `style`.
fn schemes_in(value: &Blob) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut windows = value.windows(0, address::SCHEME.len() - 1);
    while let Some((at, window)) = windows.next_window()? {
        let words = memchr::memchr_iter(b':', window)
            .filter_map(|colon| (colon + 1).checked_sub(address::SCHEME.len()));
        let is_scheme = |word: &usize| {
            window[*word..]
                .get(..address::SCHEME.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(address::SCHEME))
        };
        found.extend(words.filter(is_scheme).map(|word| at + to_u64(word)));
    }
    Ok(found)
}

/// Hands over what an address that `address` begins with holds: up to where one may end within a value, and
/// up to the end of the value.
fn hand_address(walk: &mut Walk<'_>, address: &Blob, depth: u32) -> Walked {
    let Some(data_at) = address::data_in(address, Place::Whole)? else { return Ok(()) };
    let data = address.tail(data_at);
    if !address::is_base64(address, data_at)? {
        if data.size_bytes() >= LEAST {
            walk.reading_of_guess(&mut address::decoded(&data, Place::Anywhere), depth)?;
            walk.reading_of_guess(&mut address::decoded(&data, Place::Whole), depth)?;
        }
        return Ok(());
    }
    let mut n_digits = 0;
    for place in [Place::Anywhere, Place::Whole] {
        let (mut digits, mut unescaped) = (walk.writer(), address::decoded(&data, place));
        let mut buffer = vec![0; 4 * 1024];
        let mut is_over = false;
        while !is_over {
            let n_bytes = unescaped.read(&mut buffer)?;
            // Browsers leave out what stands behind it.
            let end = memchr::memchr(b'#', &buffer[..n_bytes]);
            digits.write(&buffer[..end.unwrap_or(n_bytes)])?;
            is_over = n_bytes == 0 || end.is_some();
        }
        if digits.size_bytes() != n_digits {
            n_digits = digits.size_bytes();
            text_encoding::hand(walk, &digits.finish(), Encoding::Base64, depth)?;
        }
    }
    Ok(())
}

/// What stands behind white space and control characters, which browsers leave out in front of an address.
pub(super) fn behind_spaces(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| **byte <= b' ').count()..]
}

/// Returns whether a value that begins with this may be an address of data, or base64: most are other
/// addresses, styles and prose.
pub(super) fn begins_as_data(text: &[u8]) -> bool {
    const NEAR: usize = 32;
    let near = &text[..text.len().min(NEAR)];
    let begins_address = matches!(behind_spaces(near).first(), Some(b'd' | b'D' | b'&'));
    let names_scheme = holds(text, address::SCHEME);
    let may_be_digit = |byte: &u8| {
        base64_digit(*byte).is_some()
            || byte.is_ascii_whitespace()
            || matches!(byte, b'&' | b'%' | b'#' | b';')
    };
    begins_address || names_scheme || holds(near, b"script:") || near.iter().all(may_be_digit)
}

/// Returns whether there may be a tag, or a part of the word `data:`, in it: as it is or as a reference.
pub(super) fn holds_page(text: &[u8]) -> bool {
    let may_refer_to_one = |behind: &[u8]| match behind {
        [first, ..] => matches!(first, b'#' | b'l' | b'L' | b'c' | b'T' | b'N'),
        [] => true,
    };
    memchr::memchr(b'<', text).is_some()
        || memchr::memchr_iter(b'&', text).any(|at| may_refer_to_one(&text[at + 1..]))
}

/// Returns whether a parser may take this for something else than what stands there.
pub(super) fn holds_odd(text: &[u8]) -> bool {
    memchr::memchr2(b'&', b'%', text).is_some()
}

pub(super) fn holds_space(text: &[u8]) -> bool {
    memchr::memchr3(b' ', b'\n', b'\t', text).is_some() || memchr::memchr2(b'\r', 0x0c, text).is_some()
}

pub(super) fn last_visible(text: &[u8]) -> Option<u8> {
    text.iter().rev().copied().find(|byte| !byte.is_ascii_whitespace())
}
