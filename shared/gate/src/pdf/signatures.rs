//! Hands the contents of signatures, which `pdfsig -dump` (poppler 22.12) saves as files.

use std::io::{self, Read as _};

use domain::verdict::Unscannable;

use crate::walk::{Walk, Walked, refuse};

use super::cursor::Cursor;
use super::index::{Index, Place};
use super::readings::Keys;
use super::tokens;
use super::values;

/// The contents of every signature: as they stand there, and decrypted, for readers that decrypt every
/// string.
pub(super) fn contents(index: &mut Index, keys: &Keys) -> Walked<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut places = if index.is_signed { index.contents.clone() } else { Vec::new() };
    while let Some(place) = places.pop() {
        match value_at(index, place)? {
            Contents::String(string) => add(index, keys, place, string, &mut found)?,
            Contents::Objects(numbers) => {
                let places = numbers.into_iter().flat_map(|number| index.places(number));
                for place in places.collect::<Vec<_>>() {
                    if let Contents::String(string) = value_at(index, place)? {
                        add(index, keys, place, string, &mut found)?;
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Hands what was found.
pub(super) fn hand(walk: &mut Walk<'_>, contents: Vec<Vec<u8>>, depth: u32) -> Walked {
    contents
        .into_iter()
        .try_for_each(|contents| walk.reading(&mut io::Cursor::new(contents), depth).map(drop))
}

enum Contents {
    String(Vec<u8>),
    Objects(Vec<u64>),
}

fn value_at(index: &mut Index, place: Place) -> Walked<Contents> {
    /// Signatures hold certificates, and lists of revoked ones.
    const MAX_CONTENTS: usize = 16 * 1024 * 1024;
    let blob = index.texts[place.text].clone();
    let mut cursor = Cursor::new(&blob, place.at);
    let string = tokens::string(&mut cursor, MAX_CONTENTS)?;
    index.count_read(cursor.position().saturating_sub(place.at))?;
    match string {
        Some(string) if string.len() >= MAX_CONTENTS => {
            refuse(Unscannable::TooManyFiles, "a PDF with a signature that is too large")
        }
        Some(string) => Ok(Contents::String(string)),
        None => {
            let mut numbers = Vec::new();
            // Not the arrays of streams that pages have.
            if tokens::number_follows(&mut Cursor::new(&blob, place.at))? {
                values::references(&mut Cursor::new(&blob, place.at), |number| numbers.push(number))?;
            }
            Ok(Contents::Objects(numbers))
        }
    }
}

fn add(index: &Index, keys: &Keys, place: Place, string: Vec<u8>, found: &mut Vec<Vec<u8>>) -> Walked {
    if place.text == 0
        && let Some(number) = index.number_at(place.at)
    {
        for cipher in keys.keys.iter().flat_map(|key| key.ciphers((number, 0))) {
            let mut decrypted = Vec::new();
            cipher.decrypted(Box::new(io::Cursor::new(string.clone()))).read_to_end(&mut decrypted)?;
            found.push(decrypted);
        }
    }
    found.push(string);
    Ok(())
}
