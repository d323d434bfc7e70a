//! Finds every object of a PDF, in all of its revisions, by the words that stand around it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::verdict::Unscannable;
use memchr::memmem;

use crate::blob::{Blob, to_u64};
use crate::walk::{Walked, refuse};

use super::cursor::Cursor;
use super::headers::{Header, begins_at, header};
use super::tokens::{self, Token};
use super::values::{self, Value};
use super::words::{BYTE_RANGE, ENCRYPT, ID, MAX_KEY, SUB_FILTER, key, may_be_key, stream_word};
use super::words::{is_followed, is_saved};

pub(super) const WINDOW: usize = 1024 * 1024;
/// Objects and ends, each. ISO 32000-1, C.2, allows 8,388,607 objects; documents of a gigabyte have a tenth
/// of these.
const MAX_FOUND: usize = 1_000_000;
/// Objects that cross references number differently: all of an ordinary document whose table is off by one.
const MAX_OTHER_NUMBERS: usize = 65_536;
/// Objects of one number that differ where that matters.
pub(super) const MAX_REVISIONS: usize = 64;
/// How often the bytes may be read again. Objects do not overlap in ordinary documents.
const MAX_READINGS: u64 = 4;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place {
    /// The file, or one of the object streams.
    pub(super) text: usize,
    pub(super) at: u64,
}

/// An object that holds a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stream {
    /// Number and generation; `None` if what stands before `obj` is nothing that all readers read alike.
    pub(super) id: Option<(u64, u64)>,
    /// From behind `obj` to `stream`.
    pub(super) dictionary: (u64, u64),
}

#[derive(Debug)]
pub(super) struct Index {
    pub(super) texts: Vec<Blob>,
    /// By number.
    objects: BTreeSet<(u64, Place)>,
    /// By place.
    pub(super) streams: Vec<Stream>,
    /// Streams by the numbers that cross references give them, and those without `obj`.
    pub(super) other_numbers: Vec<Stream>,
    /// Where `endstream` and `endobj` stand in the file.
    pub(super) stream_ends: Vec<u64>,
    pub(super) object_ends: Vec<u64>,
    /// Numbers of objects that readers save as files.
    saved: BTreeSet<u64>,
    /// What follows `/Encrypt`.
    pub(super) encrypt: Vec<Value>,
    pub(super) identifiers: HashSet<Vec<u8>>,
    /// Behind each key whose values are looked at by themselves.
    followed: BTreeMap<&'static [u8], Vec<Place>>,
    /// Whether there may be a signature.
    pub(super) is_signed: bool,
    /// Where `trailer` stands, and where cross references begin.
    trailers: Vec<u64>,
    pub(super) tables: Vec<u64>,
    /// Where objects begin, behind `obj`, and what number stands there: by place.
    pub(super) begun: Vec<(u64, Option<u64>)>,
    /// Where `%PDF-` first stands: to some readers, offsets count from there.
    header_at: u64,
    /// Of all texts, and what was read of them.
    n_bytes: u64,
    n_read: u64,
}

impl Index {
    pub(super) fn of(file: &Blob) -> Walked<Self> {
        let mut index = Self {
            texts: vec![file.clone()],
            objects: BTreeSet::new(),
            streams: Vec::new(),
            other_numbers: Vec::new(),
            stream_ends: Vec::new(),
            object_ends: Vec::new(),
            saved: BTreeSet::new(),
            encrypt: Vec::new(),
            identifiers: HashSet::new(),
            followed: BTreeMap::new(),
            is_signed: false,
            trailers: Vec::new(),
            tables: Vec::new(),
            begun: Vec::new(),
            header_at: 0,
            n_bytes: file.size_bytes(),
            n_read: 0,
        };
        let mut stream_words = Vec::new();
        let head = file.bytes_at(0, WINDOW)?;
        index.header_at = memmem::find(&head, b"%PDF-").map_or(0, to_u64);
        let mut at = 0;
        while at < file.size_bytes() {
            let window = file.bytes_at(at, WINDOW + MAX_KEY)?;
            for hit in memmem::find_iter(&window, b"stream").filter(|hit| *hit < WINDOW) {
                stream_words.push(at + to_u64(hit));
            }
            for hit in memmem::find_iter(&window, b"obj").filter(|hit| *hit < WINDOW) {
                index.add_object(at + to_u64(hit))?;
            }
            for hit in memmem::find_iter(&window, b"trailer").filter(|hit| *hit < WINDOW) {
                index.trailers.push(at + to_u64(hit));
            }
            for hit in memmem::find_iter(&window, b"xref").filter(|hit| *hit < WINDOW) {
                index.tables.push(at + to_u64(hit) + 4);
            }
            index.add_keys(0, at, &window)?;
            let n_words = [stream_words.len(), index.trailers.len(), index.tables.len()];
            if n_words.into_iter().any(|n_words| n_words > MAX_FOUND) {
                return too_many();
            }
            at += to_u64(WINDOW);
        }
        index.add_ends(&stream_words)?;
        index.add_unclaimed(&stream_words)?;
        Ok(index)
    }

    /// What `obj` at `at` begins, or ends.
    fn add_object(&mut self, at: u64) -> Walked {
        if at >= 3 && self.texts[0].bytes_at(at - 3, 3)? == b"end" {
            self.object_ends.push(at - 3);
            return if self.object_ends.len() > MAX_FOUND { too_many() } else { Ok(()) };
        }
        let Header { id, others } = header(&self.texts[0], at)?;
        let behind = at + 3;
        let dictionary_end = self.stream_word_behind(behind)?;
        self.begun.push((behind, id.map(|(number, _)| number)));
        for number in id.map(|(number, _)| number).into_iter().chain(others) {
            self.objects.insert((number, Place { text: 0, at: behind }));
        }
        if let Some(end) = dictionary_end {
            self.streams.push(Stream { id, dictionary: (behind, end) });
        }
        if self.begun.len() > MAX_FOUND { too_many() } else { Ok(()) }
    }

    /// Adds another number of the object at `offset`.
    pub(super) fn add_number(&mut self, number: u64, generation: u64, offset: u64) -> Walked {
        /// Some cross references are a little off.
        const NEAR: u64 = 64;
        for offset in BTreeSet::from([offset, offset.saturating_add(self.header_at)]) {
            let next = self.begun.partition_point(|(at, _)| *at < offset.saturating_add(3));
            let near = self.begun.get(next).filter(|(at, _)| *at <= offset.saturating_add(NEAR)).copied();
            if near.is_some_and(|(_, own)| own == Some(number)) {
                continue;
            }
            let exact = self.begins_at(offset)?.filter(|exact| near.is_none_or(|(at, _)| at != *exact));
            for at in near.map(|(at, _)| at).into_iter().chain(exact) {
                self.add_other_number(number, generation, at)?;
            }
        }
        Ok(())
    }

    /// Where the object begins whose header stands at `offset`, however long that is.
    fn begins_at(&mut self, offset: u64) -> Walked<Option<u64>> {
        let blob = self.texts[0].clone();
        let mut cursor = Cursor::new(&blob, offset);
        let found = begins_at(&mut cursor)?;
        self.count_read(cursor.position() - offset)?;
        Ok(found.filter(|found| self.begun.binary_search_by_key(found, |(at, _)| *at).is_ok()))
    }

    fn add_other_number(&mut self, number: u64, generation: u64, at: u64) -> Walked {
        self.objects.insert((number, Place { text: 0, at }));
        let first = self.streams.partition_point(|stream| stream.dictionary.0 < at);
        if let Some(stream) = self.streams.get(first).filter(|stream| stream.dictionary.0 == at) {
            let dictionary = stream.dictionary;
            self.other_numbers.push(Stream { id: Some((number, generation)), dictionary });
        }
        if self.other_numbers.len() > MAX_OTHER_NUMBERS || self.objects.len() > MAX_FOUND {
            return too_many();
        }
        Ok(())
    }

    /// Where `stream` stands behind the dictionary that begins at `at`; `None` if it is no dictionary, or no
    /// stream follows.
    fn stream_word_behind(&mut self, at: u64) -> Walked<Option<u64>> {
        let blob = self.texts[0].clone();
        let mut cursor = Cursor::new(&blob, at);
        let found = stream_word(&mut cursor)?;
        self.count_read(cursor.position() - at)?;
        Ok(found)
    }

    pub(super) fn count_read(&mut self, n_bytes: u64) -> Walked {
        self.n_read = self.n_read.saturating_add(n_bytes);
        if self.n_read > MAX_READINGS * (self.n_bytes + to_u64(WINDOW)) {
            return refuse(Unscannable::TooManyFiles, "a PDF whose objects overlap");
        }
        Ok(())
    }

    /// Takes what stands behind the keys that matter, wherever they are.
    fn add_keys(&mut self, text: usize, at: u64, window: &[u8]) -> Walked {
        for hit in memchr::memchr_iter(b'/', window).take_while(|hit| *hit < WINDOW) {
            let rest = &window[hit + 1..];
            if !may_be_key(rest) {
                continue;
            }
            let Some((key, n_bytes)) = key(rest) else { continue };
            let blob = self.texts[text].clone();
            let start = at + to_u64(hit + 1 + n_bytes);
            let mut cursor = Cursor::new(&blob, start);
            match key {
                ENCRYPT => self.encrypt.extend(values::value(&mut cursor)?.filter(|_| text == 0)),
                ID => self.add_identifiers(&mut cursor)?,
                BYTE_RANGE | SUB_FILTER => self.is_signed = true,
                _ => {}
            }
            if is_followed(key) {
                self.followed.entry(key).or_default().push(Place { text, at: start });
            }
            if is_saved(key) {
                values::references(&mut cursor, |number| {
                    self.saved.insert(number);
                })?;
            }
            self.count_read(cursor.position() - start)?;
            let n_most = self.followed.values().map(Vec::len).chain([self.saved.len(), self.encrypt.len()]);
            if n_most.max().unwrap_or(0) > MAX_FOUND {
                return too_many();
            }
        }
        Ok(())
    }

    /// Of an array, as in a trailer; elements of structure have single ones.
    fn add_identifiers(&mut self, cursor: &mut Cursor<'_>) -> Walked {
        tokens::skip_blank(cursor)?;
        if cursor.peek()? != Some(b'[') {
            return Ok(());
        }
        cursor.skip(1);
        if let Some((_, Token::String(first))) = tokens::next(cursor)? {
            self.identifiers.insert(first);
        }
        if self.identifiers.len() > MAX_REVISIONS { too_many() } else { Ok(()) }
    }

    /// Adds the objects of a decoded object stream (ISO 32000-2, 7.5.7), whose first one stands at one of
    /// `firsts`, where these are known.
    pub(super) fn add_object_stream(&mut self, decoded: &Blob, firsts: &[u64]) -> Walked {
        let text = self.texts.len();
        self.texts.push(decoded.clone());
        self.n_bytes += decoded.size_bytes();
        let mut cursor = Cursor::new(decoded, 0);
        let (mut numbers, mut numbers_end) = (Vec::new(), 0);
        while let Some((_, number)) = tokens::next(&mut cursor)?
            && let Some((_, offset)) = tokens::next(&mut cursor)?
            && !number.integers().is_empty()
            && !offset.integers().is_empty()
        {
            for number in number.integers().iter().filter_map(|it| u64::try_from(*it).ok()) {
                let offsets = offset.integers().iter().filter_map(|it| u64::try_from(*it).ok());
                numbers.extend(offsets.map(|offset| (number, offset)));
            }
            numbers_end = cursor.position();
            if numbers.len() > MAX_FOUND {
                return too_many();
            }
        }
        // Readers that miss it begin at the start, or behind the numbers.
        let missing = [0, numbers_end];
        for first in if firsts.is_empty() { &missing } else { firsts } {
            let place = |offset: u64| Place { text, at: first.saturating_add(offset) };
            self.objects.extend(numbers.iter().map(|(number, offset)| (*number, place(*offset))));
            if self.objects.len() > MAX_FOUND {
                return too_many();
            }
        }
        let mut at = 0;
        while at < decoded.size_bytes() {
            self.add_keys(text, at, &decoded.bytes_at(at, WINDOW + MAX_KEY)?)?;
            at += to_u64(WINDOW);
        }
        Ok(())
    }

    /// Adds what the objects to be saved refer to, where they are no streams themselves.
    pub(super) fn follow_saved(&mut self) -> Walked {
        let saved = std::mem::take(&mut self.saved);
        self.saved = self.with_referred(saved)?;
        Ok(())
    }

    /// Numbers, and those of what these objects refer to, where they are no streams themselves.
    pub(super) fn with_referred(&mut self, mut numbers: BTreeSet<u64>) -> Walked<BTreeSet<u64>> {
        let stream_places = self
            .streams
            .iter()
            .map(|stream| Place { text: 0, at: stream.dictionary.0 })
            .collect::<HashSet<_>>();
        let mut waiting = numbers.iter().copied().collect::<Vec<_>>();
        while let Some(number) = waiting.pop() {
            for place in self.places(number).into_iter().filter(|place| !stream_places.contains(place)) {
                self.references_at(place, |number| {
                    if numbers.insert(number) {
                        waiting.push(number);
                    }
                })?;
            }
        }
        Ok(numbers)
    }

    /// The references in the value that stands at a place.
    pub(super) fn references_at(&mut self, place: Place, found: impl FnMut(u64)) -> Walked {
        let blob = self.texts[place.text].clone();
        let mut cursor = Cursor::new(&blob, place.at);
        values::references(&mut cursor, found)?;
        self.count_read(cursor.position().saturating_sub(place.at))
    }

    /// Where the values of a key stand that is followed.
    pub(super) fn values_of(&self, key: &[u8]) -> Vec<Place> {
        self.followed.get(key).cloned().unwrap_or_default()
    }

    pub(super) fn is_saved(&self, stream: &Stream) -> bool {
        stream.id.is_none_or(|(number, _)| self.saved.contains(&number))
    }

    pub(super) fn places(&self, number: u64) -> Vec<Place> {
        let none = Place { text: 0, at: 0 };
        let end = Place { text: usize::MAX, at: u64::MAX };
        self.objects.range((number, none)..=(number, end)).map(|(_, place)| *place).collect()
    }

    pub(super) fn dictionary(&self, stream: &Stream) -> Walked<Value> {
        let (start, end) = stream.dictionary;
        match values::values_until(&mut Cursor::new(&self.texts[0], start), end)? {
            Some(dictionary) => Ok(dictionary),
            None => refuse(Unscannable::TooManyFiles, "a PDF with a stream dictionary of too many entries"),
        }
    }

    /// Returns whether a trailer says nothing of encryption, or there is none: to its readers, the streams
    /// are as they are.
    pub(super) fn has_plain_trailer(&mut self) -> Walked<bool> {
        let (mut n_trailers, mut has_plain) = (0, false);
        let mut count = |dictionary: &Value| {
            if !dictionary.all(b"Root").is_empty() {
                n_trailers += 1;
                has_plain |= dictionary.all(ENCRYPT).is_empty();
            }
        };
        for stream in &self.streams {
            count(&self.dictionary(stream)?);
        }
        for at in self.trailers.clone() {
            let blob = self.texts[0].clone();
            let mut cursor = Cursor::new(&blob, at + 7);
            count(&values::value(&mut cursor)?.unwrap_or(Value::Other));
            self.count_read(cursor.position() - at)?;
        }
        Ok(has_plain || n_trailers == 0)
    }

    pub(super) fn file(&self) -> &Blob {
        &self.texts[0]
    }
}

pub(super) fn too_many<T>() -> Walked<T> {
    refuse(Unscannable::TooManyFiles, "a PDF with more objects than the limit")
}
