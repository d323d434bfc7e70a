//! Files inside a PDF: hands every stream that a reader may save as a file, in every way in which it can be decoded.
//!
//! Readers differ in which objects they find: by one of several cross references, in one revision, or by searching for `obj` where those are
//! damaged. A crate for PDF would follow one reader's choices, and what only another reader finds would pass. So nothing is followed here: all
//! objects are found by the words around them, in the file and in its object streams, and where one number names several, each is taken.
//!
//! Handed are the streams that programs save (`pdfdetach`, `mutool extract`, `pdfimages`, and what libraries call attachments): those that an
//! `EF` entry or one like it refers to (see [`words`]), over other objects as well; those that call themselves `EmbeddedFile`; those
//! that do not say which object they are; and the data of images for which a program saves that data as it is. Not handed: other streams, which
//! make pages (contents, forms, samples of images, functions, character maps, colour profiles, metadata, cross references). No
//! program saves them as they are, save for those that print any object on demand. Nor is an image that stands in the file just as an
//! image program would write it: the engine sees these bytes in the file.

mod ciphers;
mod cursor;
mod data;
mod encryption;
mod filters;
mod index;
mod lzw;
mod predictor;
mod steps;
mod tables;
mod tokens;
mod values;
mod words;

use domain::verdict::Unscannable;
use memchr::memmem;

use crate::blob::{Blob, to_u64};
use crate::format::sniff;
use crate::walk::{Walk, Walked, refuse};

use ciphers::Cipher;
use data::{Data, data_of};
use encryption::Key;
use filters::{Chain, Filter, Oddities, Wrapping, chains, decoded};
use index::{Index, Stream};
use values::Value;

/// Keys of an encrypted document; none of a plain one.
#[derive(Debug)]
struct Keys {
    keys: Vec<Key>,
    /// Whether there are readers that take it for a plain one.
    is_partly_plain: bool,
}

/// Ways to read one stream. An ordinary one has a single one.
const MAX_READINGS: usize = 256;
/// An object stream may keep its filters in another one.
const MAX_ROUNDS: u32 = 4;

/// Hands every stream that a reader may save as a file.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !may_be_pdf(blob)? {
        return Ok(());
    }
    let mut index = Index::of(blob)?;
    tables::add_numbers(walk, &mut index)?;
    index.streams.append(&mut index.other_numbers);
    let keys = encryption::keys(&mut index)?;
    let keys = Keys { is_partly_plain: !keys.is_empty() && index.has_plain_trailer()?, keys };
    unpack_object_streams(walk, &mut index, &keys)?;
    if encryption::keys(&mut index)? != keys.keys {
        return refuse(
            Unscannable::Encrypted,
            "a PDF that keeps its encryption dictionary in an object stream",
        );
    }
    index.follow_saved()?;
    for stream in index.streams.clone() {
        let dictionary = index.dictionary(&stream)?;
        if is_saved(&index, &stream, &dictionary) || dictionary.mentions(&[b"Image"]) {
            hand(walk, &mut index, &keys, &stream, &dictionary, depth)?;
        }
    }
    Ok(())
}

fn is_saved(index: &Index, stream: &Stream, dictionary: &Value) -> bool {
    index.is_saved(stream) || dictionary.mentions(&[b"EmbeddedFile", b"Sound", b"3D"])
}

/// Whether what a reader needs is there. Poppler goes on without `%PDF-`.
fn may_be_pdf(blob: &Blob) -> std::io::Result<bool> {
    const WINDOW: usize = 1024 * 1024;
    const OVERLAP: usize = 8;
    let (mut has_object, mut has_stream, mut at) = (false, false, 0);
    while at < blob.size_bytes() && !(has_object && has_stream) {
        let window = blob.bytes_at(at, WINDOW + OVERLAP)?;
        has_object |= memmem::find(&window, b"obj").is_some();
        has_stream |= memmem::find(&window, b"stream").is_some();
        at += to_u64(WINDOW);
    }
    Ok(has_object && has_stream)
}

/// One way to read a stream's data.
#[derive(PartialEq, Eq, Debug)]
struct Reading {
    data: Data,
    cipher: Cipher,
    chain: Chain,
}

fn readings(index: &mut Index, keys: &Keys, stream: &Stream, dictionary: &Value) -> Walked<Vec<Reading>> {
    let chains = chains(index, dictionary)?;
    let ciphers = ciphers_of(keys, stream, dictionary)?;
    let mut readings = Vec::new();
    let is_stored =
        |chain: &Chain| chain.filters.iter().all(|filter| filter.is_last() || *filter == Filter::Crypt);
    let ends_count = is_saved(index, stream, dictionary) && chains.iter().any(is_stored);
    for data in data_of(index, stream, dictionary, ends_count)? {
        for cipher in &ciphers {
            for chain in &chains {
                readings.push(Reading { data, cipher: cipher.clone(), chain: chain.clone() });
            }
        }
        if readings.len() > MAX_READINGS {
            return refuse(Unscannable::TooManyFiles, "a PDF stream with more readings than the limit");
        }
    }
    Ok(readings)
}

fn ciphers_of(keys: &Keys, stream: &Stream, dictionary: &Value) -> Walked<Vec<Cipher>> {
    if keys.keys.is_empty() {
        return Ok(vec![Cipher::None]);
    }
    let Some(id) = stream.id else {
        return refuse(Unscannable::Malformed, "an encrypted PDF with an object that has no number");
    };
    let mut ciphers = keys.keys.iter().flat_map(|key| key.ciphers(id)).collect::<Vec<_>>();
    if keys.is_partly_plain || dictionary.mentions(&[b"Crypt"]) {
        ciphers.push(Cipher::None);
    }
    ciphers.dedup();
    Ok(ciphers)
}

/// Decodes object streams, until there is none whose readings are new.
fn unpack_object_streams(walk: &mut Walk<'_>, index: &mut Index, keys: &Keys) -> Walked {
    let mut object_streams = Vec::new();
    for stream in index.streams.clone() {
        let dictionary = index.dictionary(&stream)?;
        let has = |key: &[u8]| !dictionary.all(key).is_empty();
        if dictionary.mentions(&[b"ObjStm"]) || has(b"N") && has(b"First") {
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
                    index.add_object_stream(&unpacked(walk, index.file(), &reading)?, &firsts)?;
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

fn unpacked(walk: &mut Walk<'_>, file: &Blob, reading: &Reading) -> Walked<Blob> {
    let mut writer = walk.writer();
    let mut source = decoded(reading.source(file), &reading.chain, Wrapping::Zlib, &mut Oddities::default())?;
    walk.fill(&mut writer, &mut source, crate::walk::Damage::Refused)?;
    Ok(writer.finish())
}

impl Reading {
    fn bytes(&self, file: &Blob) -> Blob {
        file.slice(self.data.start, self.data.end.saturating_sub(self.data.start))
    }

    fn source(&self, file: &Blob) -> steps::Source {
        self.cipher.decrypted(Box::new(self.bytes(file).reader()))
    }
}

fn hand(
    walk: &mut Walk<'_>,
    index: &mut Index,
    keys: &Keys,
    stream: &Stream,
    dictionary: &Value,
    depth: u32,
) -> Walked {
    let is_saved = is_saved(index, stream, dictionary);
    for reading in readings(index, keys, stream, dictionary)? {
        let last = reading.chain.filters.iter().find(|filter| filter.is_last());
        // One more end of line makes no other container.
        if reading.data.is_repaired && sniff(&reading.bytes(index.file()))?.is_container() {
            continue;
        }
        if !is_saved && !saves_data_of_image(index, &reading)? {
            continue;
        }
        let mut oddities = Oddities::default();
        let mut source =
            decoded(reading.source(index.file()), &reading.chain, Wrapping::Zlib, &mut oddities)?;
        walk.reading(&mut source, depth)?;
        if oddities.has_bare_deflate {
            let mut source =
                decoded(reading.source(index.file()), &reading.chain, Wrapping::Bare, &mut oddities)?;
            walk.reading(&mut source, depth)?;
        }
        // Readers that cannot undo one filter save what is encoded.
        if is_saved && last.is_some() {
            walk.reading(&mut reading.source(index.file()), depth)?;
        }
    }
    Ok(())
}

/// Whether a program that saves an image copies its data, and the engine does not see the same in the file.
fn saves_data_of_image(index: &Index, reading: &Reading) -> Walked<bool> {
    const SIGNATURE: usize = 12;
    let Some(Filter::Image(signatures)) = reading.chain.filters.iter().find(|filter| filter.is_last()) else {
        return Ok(false);
    };
    let is_plain = reading.cipher == Cipher::None && reading.chain.filters.len() == 1;
    let head = index.file().bytes_at(reading.data.start, SIGNATURE)?;
    let is_image = signatures.iter().any(|signature| head.starts_with(signature));
    Ok(!(is_plain && is_image))
}
