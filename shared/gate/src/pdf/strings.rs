//! Hands strings that programs save or run: the contents of signatures (`pdfsig -dump`, poppler 22.12), and
//! scripts (`pdfinfo -js`).

use std::io::{self, Read as _};

use domain::verdict::Unscannable;

use crate::walk::{Walk, Walked, refuse};

use super::cursor::Cursor;
use super::index::{Index, Place};
use super::readings::Keys;
use super::tokens;
use super::values;
use super::words::{CONTENTS, SCRIPT};

/// A shorter script holds no data.
const LEAST_SCRIPT: usize = 64;

/// Every such string: as it stands there, and decrypted, for readers that decrypt every string.
pub(super) fn saved(index: &mut Index, keys: &Keys) -> Walked<Vec<Vec<u8>>> {
    let contents = if index.is_signed { index.values_of(CONTENTS) } else { Vec::new() };
    let mut found = of_values(index, keys, contents)?;
    let mut scripts = of_values(index, keys, index.values_of(SCRIPT))?;
    scripts.retain(|script| script.len() >= LEAST_SCRIPT);
    found.append(&mut scripts);
    Ok(found)
}

fn of_values(index: &mut Index, keys: &Keys, places: Vec<Place>) -> Walked<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for place in places {
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
pub(super) fn hand(walk: &mut Walk<'_>, strings: Vec<Vec<u8>>, depth: u32) -> Walked {
    strings.into_iter().try_for_each(|string| walk.reading(&mut io::Cursor::new(string), depth).map(drop))
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
            refuse(Unscannable::TooManyFiles, "a PDF with a signature or script that is too large")
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
