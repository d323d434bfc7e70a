//! Joins a message that is sent in several (RFC 2046, 5.2.2): munpack (mpack 1.6) does, in the order of their
//! numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use domain::verdict::Unscannable;

use super::header::{find, holds};
use super::is_header;
use crate::blob::Blob;
use crate::text_encoding::joined;
use crate::walk::{Walk, Walked, refuse};

/// What a header says about a piece.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Partial {
    id: Vec<u8>,
    number: u64,
    /// Zero if only other pieces say it.
    total: u64,
}

/// Where a piece stands.
type Place = (u64, u64);

impl Partial {
    pub(super) fn of(value: &[u8]) -> Option<Self> {
        if !holds(value, b"message/partial") {
            return None;
        }
        let number = |name| number(&parameter(value, name));
        Some(Self { id: parameter(value, b"id"), number: number(b"number"), total: number(b"total") })
    }
}

/// The value of a parameter without quotes; empty if there is none.
fn parameter(value: &[u8], name: &[u8]) -> Vec<u8> {
    let mut from = 0;
    while let Some(at) = find(&value[from..], name) {
        let (before, rest) = (&value[..from + at], &value[from + at + name.len()..]);
        from += at + name.len();
        let is_between = |byte: &&u8| byte.is_ascii_whitespace() || matches!(**byte, b'*' | b'0');
        let behind = rest[rest.iter().take_while(is_between).count()..].strip_prefix(b"=");
        let is_name = !before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let Some(text) = behind.map(<[u8]>::trim_ascii_start).filter(|_| is_name) else { continue };
        let is_quoted = text.first() == Some(&b'"');
        let is_end =
            |byte: &u8| if is_quoted { *byte == b'"' } else { *byte == b';' || byte.is_ascii_whitespace() };
        let text = if is_quoted { &text[1..] } else { text };
        return text.split(is_end).next().unwrap_or_default().to_vec();
    }
    Vec::new()
}

/// The first number, whatever stands in front of it.
fn number(text: &[u8]) -> u64 {
    let digits =
        text.iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(*digit - b'0')))
}

/// Hands over the messages that the pieces in a blob are of. Readers may differ on whether two have the same
/// identifier, so all of them are joined as well. A mail with pieces of which others are missing is refused:
/// without these, what readers make of it cannot be judged. Those of a mail around this one are known.
pub(super) fn hand(
    walk: &mut Walk<'_>,
    blob: &Blob,
    partials: &BTreeSet<(Partial, u64, u64)>,
    are_known: bool,
    depth: u32,
) -> Walked {
    const HEAD: usize = 40 * 1024;
    let mut by_id = BTreeMap::<&[u8], Vec<&(Partial, u64, u64)>>::new();
    for piece in partials {
        by_id.entry(&piece.0.id).or_default().push(piece);
    }
    let mut is_whole = true;
    for pieces in by_id.values() {
        is_whole &= hand_joined(walk, blob, pieces, depth)?;
    }
    if by_id.len() > 1 {
        hand_joined(walk, blob, &partials.iter().collect::<Vec<_>>(), depth)?;
    }
    if !is_whole && !are_known && is_header(&blob.bytes_at(0, HEAD)?) {
        return refuse(
            Unscannable::UnsupportedContainer,
            "mail: a message in pieces, of which some are missing",
        );
    }
    Ok(())
}

/// Returns whether all pieces are there.
fn hand_joined(
    walk: &mut Walk<'_>,
    blob: &Blob,
    pieces: &[&(Partial, u64, u64)],
    depth: u32,
) -> Walked<bool> {
    let total = pieces.iter().map(|(partial, ..)| partial.total).max().unwrap_or(0);
    let mut by_number = BTreeMap::<u64, Vec<Place>>::new();
    for (partial, start, end) in pieces {
        by_number.entry(partial.number).or_default().push((*start, *end));
    }
    // Several with one number: ends that readers find differently, or copies.
    let first = by_number.values().filter_map(|places| places.iter().min()).copied().collect::<Vec<_>>();
    let last = by_number.values().filter_map(|places| places.iter().max()).copied().collect::<Vec<_>>();
    for places in [first, last] {
        // The break in front of a boundary belongs to that, but munpack copies whole lines.
        for between in [&b""[..], b"\n"] {
            let pieces =
                places.iter().map(|(start, end)| blob.slice(*start, end - start).reader().chain(between));
            walk.reading(&mut joined(pieces.collect::<Vec<_>>().into_iter()), depth)?;
        }
    }
    let numbers = by_number.keys().filter(|number| (1..=total).contains(*number));
    Ok(total > 0 && crate::blob::to_u64(numbers.count()) == total)
}
