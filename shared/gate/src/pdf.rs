//! Hands the files inside a PDF: every stream that a reader may save as a file, in every way in which it can
//! be decoded.
//!
//! Readers differ in which objects they find: by one of several cross references, in one revision, or by
//! searching for `obj` where those are damaged. A crate for PDF would follow one reader's choices, and what
//! only another reader finds would pass. So nothing is followed here: all objects are found by the words
//! around them, in the file and in its object streams, and where one number names several, each is taken.
//!
//! Handed are the streams that programs save (`pdfdetach`, `mutool extract`, `pdfimages`, and what libraries
//! call attachments): those that an `EF` entry or one like it refers to (see [`words`]), over other objects
//! as well; those that call themselves `EmbeddedFile`; those that do not say which object they are; the data
//! of images for which a program saves that data as it is, also amid the contents of a page; metadata; forms
//! that several streams make; and strings: the contents of signatures, and scripts. Not handed: other
//! streams, which make pages (contents, samples of images, functions, character maps, colour profiles, cross
//! references). No program saves them as they are, save for those that
//! print any object on demand. Nor is an image that stands in the file just as an image program would write
//! it: the engine sees these bytes in the file.

mod ciphers;
mod contents;
mod cursor;
mod data;
mod encryption;
mod filters;
mod headers;
mod index;
mod inline_images;
mod lzw;
mod numbers;
mod objects;
mod parameters;
mod predictor;
mod readings;
mod steps;
mod strings;
mod tables;
mod tokens;
mod unclaimed;
mod values;
mod words;

use domain::verdict::{Decryption, Unscannable};

use crate::blob::Blob;
use crate::survey::Survey;
use crate::walk::{Walk, Walked, refuse};

use index::Index;
use readings::{Keys, Reading, is_saved, readings};
use values::Value;

/// An object stream may keep its filters in another one.
const MAX_ROUNDS: u32 = 4;

/// Hands every stream that a reader may save as a file.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    if !survey.may_be_pdf() {
        return Ok(());
    }
    let mut index = Index::of(blob)?;
    tables::add_numbers(walk, &mut index)?;
    index.streams.append(&mut index.other_numbers);
    let found = encryption::keys(&mut index, walk.password.as_ref())?;
    let keys = found.keys.clone();
    let keys = Keys { is_partly_plain: !keys.is_empty() && index.has_plain_trailer()?, keys };
    unpack_object_streams(walk, &mut index, &keys)?;
    walk.decryption = walk.decryption.max(found.decryption);
    if encryption::keys(&mut index, walk.password.as_ref())? != found {
        return refuse(
            Unscannable::Encrypted,
            "a PDF that keeps its encryption dictionary in an object stream",
        );
    }
    index.follow_saved()?;
    // The engine decrypts some of them, and says of others that it cannot: it is given each stream.
    let takes_all = found.decryption != Decryption::None;
    let forms = contents::forms(walk, &mut index, &keys)?;
    let inline_images = inline_images::find(walk, &mut index, &keys)?;
    let saved = saved_readings(&mut index, &keys, takes_all)?;
    let strings = strings::saved(&mut index, &keys)?;
    // Members may be such documents again: one index at a time is in memory.
    drop(index);
    strings::hand(walk, strings, depth)?;
    forms.iter().try_for_each(|parts| contents::hand_joined(walk, parts, depth))?;
    inline_images.iter().try_for_each(|image| image.hand(walk, depth))?;
    saved.iter().try_for_each(|reading| reading.hand(walk, blob, depth))
}

/// Every way to read every stream that a reader may save as a file.
fn saved_readings(index: &mut Index, keys: &Keys, takes_all: bool) -> Walked<Vec<Reading>> {
    const MAX_FILTERS: usize = 131_072;
    let (mut saved, mut n_filters) = (Vec::new(), 0);
    for stream in std::mem::take(&mut index.streams) {
        let dictionary = index.dictionary(&stream)?;
        let is_file = takes_all || is_saved(index, &stream, &dictionary)?;
        if !is_file && !is_image(index, &dictionary)? {
            continue;
        }
        let readings = readings(index, keys, &stream, &dictionary)?;
        if readings.is_empty() {
            return refuse(Unscannable::Malformed, "a PDF with a stream that cannot be read");
        }
        for reading in readings {
            n_filters += 1 + reading.chain.filters.len();
            if is_file {
                saved.extend(reading.without_filters());
            }
            if is_file || reading.saves_data_of_image(index.file())? {
                saved.push(reading);
            }
        }
        if n_filters > MAX_FILTERS {
            return refuse(Unscannable::TooManyFiles, "a PDF with more embedded files than the limit");
        }
    }
    Ok(saved)
}

/// Returns whether programs that save images take it for one. Masks need no `Subtype` (poppler 22.12 takes
/// what `SMask` and `Mask` refer to, with a width and a height).
fn is_image(index: &mut Index, dictionary: &Value) -> Walked<bool> {
    let has = |keys: [&[u8]; 2]| keys.into_iter().any(|key| !dictionary.all(key).is_empty());
    Ok(has([b"Width", b"W"]) && has([b"Height", b"H"]) || index.is_called(dictionary, &[b"Image"])?)
}

/// Decodes object streams, until there is none whose readings are new.
fn unpack_object_streams(walk: &mut Walk<'_>, index: &mut Index, keys: &Keys) -> Walked {
    let mut object_streams = Vec::new();
    for stream in index.streams.clone() {
        let dictionary = index.dictionary(&stream)?;
        let has = |key: &[u8]| !dictionary.all(key).is_empty();
        if index.is_called(&dictionary, &[b"ObjStm"])? || has(b"N") && has(b"First") {
            object_streams.push((stream, dictionary, Vec::new()));
        }
    }
    for _ in 0..MAX_ROUNDS {
        let mut is_new = false;
        for (stream, dictionary, done) in &mut object_streams {
            let mut firsts = Vec::new();
            for value in dictionary.all(b"First") {
                firsts.extend(index.integers(value)?);
            }
            for reading in readings(index, keys, stream, dictionary)? {
                if !done.contains(&reading) {
                    for decoded in reading.unpacked(walk, index.file())? {
                        index.add_object_stream(&decoded, &firsts)?;
                    }
                    done.push(reading);
                    is_new = true;
                }
            }
        }
        if !is_new {
            return Ok(());
        }
    }
    refuse(Unscannable::TooDeep, "a PDF whose object streams need each other")
}

#[cfg(test)]
mod tests;
