//! Decodes the values of attributes: addresses of data, base64 by itself, and pages.

use std::io::{self, Read as _};

use super::{LEAST, Part, hand_guess, may_be_markup, references, write_part};
use crate::blob::{Blob, to_u64, to_usize};
use crate::mail::holds;
use crate::text_encoding::{self, Encoding, address, base64_digit};
use crate::walk::{Walk, Walked};

/// Decodes a value in which there are references, white space or `%`.
pub(super) fn hand(walk: &mut Walk<'_>, raw: &Blob, depth: u32) -> Walked {
    const NEAR: usize = 512;
    let head = references::resolved(&raw.slice(0, to_u64(NEAR)))?;
    // Browsers take white space out of an address.
    let is_address = scheme_at(&without_spaces(&head)).is_some();
    let is_digit = |byte: &u8| base64_digit(*byte).is_some() || byte.is_ascii_whitespace();
    let may_be_digits = head.iter().take(to_usize(LEAST)).all(is_digit);
    if holds_page_once_resolved(raw)? {
        let mut page = walk.writer();
        references::resolve(&mut raw.reader(), &mut |bytes| page.write(bytes))?;
        let page = page.finish();
        if may_be_markup(&page)? {
            walk.reading_of_guess(&mut page.reader(), depth)?;
        }
    }
    if !is_address && !may_be_digits {
        return Ok(());
    }
    let mut closed_up = walk.writer();
    references::resolve(&mut raw.reader(), &mut |bytes| write_part(&mut closed_up, &Part::Text(bytes)))?;
    let closed_up = closed_up.finish();
    if is_address { hand_address(walk, &closed_up, depth) } else { hand_guess(walk, &closed_up, depth) }
}

fn hand_address(walk: &mut Walk<'_>, address: &Blob, depth: u32) -> Walked {
    const HEAD: usize = 4 * 1024;
    const BASE64: &[u8] = b";base64";
    let head = address.bytes_at(0, HEAD)?;
    let Some(scheme_at) = scheme_at(&head) else { return Ok(()) };
    let head = &head[scheme_at..];
    let Some(comma) = memchr::memchr(b',', head) else { return Ok(()) };
    if head[..comma].to_ascii_lowercase().ends_with(BASE64) {
        let mut digits = walk.writer();
        let mut unescaped = address::decoded(&address.tail(to_u64(scheme_at + comma + 1)));
        let mut buffer = vec![0; HEAD];
        let mut is_over = false;
        while !is_over {
            let n_bytes = unescaped.read(&mut buffer)?;
            // Browsers leave out what stands behind it.
            let end = memchr::memchr(b'#', &buffer[..n_bytes]);
            digits.write(&buffer[..end.unwrap_or(n_bytes)])?;
            is_over = n_bytes == 0 || end.is_some();
        }
        text_encoding::hand(walk, &digits.finish(), Encoding::Base64, depth)?;
    } else if let Some(data_at) = address::data_at(head) {
        let data = address.tail(to_u64(scheme_at + data_at));
        walk.reading_of_guess(&mut address::decoded(&data), depth)?;
    }
    Ok(())
}

fn holds_page_once_resolved(raw: &Blob) -> io::Result<bool> {
    let mut is_page = false;
    references::resolve(&mut raw.reader(), &mut |bytes| {
        is_page |= memchr::memchr(b'<', bytes).is_some();
        Ok(())
    })?;
    Ok(is_page)
}

/// Where an address of data begins: at the start of most values, behind other words in `content`, `srcset`
/// and `style`.
fn scheme_at(value: &[u8]) -> Option<usize> {
    value.windows(address::SCHEME.len()).position(|word| word.eq_ignore_ascii_case(address::SCHEME))
}

fn without_spaces(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
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
    begins_address || names_scheme || near.iter().all(may_be_digit)
}

/// Returns whether there may be a tag in it, as it is or written with references.
pub(super) fn holds_page(text: &[u8]) -> bool {
    memchr::memchr(b'<', text).is_some()
        || memchr::memchr_iter(b'&', text).any(|at| matches!(text[at + 1..], [] | [b'#' | b'l' | b'L', ..]))
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
