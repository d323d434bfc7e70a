//! Decodes streams that are parts of something larger: contents of pages, and forms.

use crate::blob::Blob;
use crate::walk::{Damage, Stop, Walk, Walked};
use domain::verdict::Unscannable;

use super::cursor::Cursor;
use super::index::{Index, Stream, too_many};
use super::readings::{Keys, readings};
use super::values::{self, Value};
use super::words::FORM;

/// Which of several readings is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pick {
    First,
    Last,
}

impl Pick {
    fn of<T: Clone>(self, items: &[T]) -> Option<T> {
        match self {
            Self::First => items.first().cloned(),
            Self::Last => items.last().cloned(),
        }
    }
}

/// What each stream decodes to, in every way. What cannot be read is no part of anything.
pub(super) fn texts(
    walk: &mut Walk<'_>,
    index: &mut Index,
    keys: &Keys,
    stream: &Stream,
    dictionary: &Value,
) -> Walked<Vec<Blob>> {
    let mut texts = Vec::new();
    let decoded = readings(index, keys, stream, dictionary).and_then(|readings| {
        let file = index.file();
        readings.iter().try_for_each(|reading| {
            reading.each_decoded(file, |source| {
                let mut writer = walk.new_member()?;
                walk.fill(&mut writer, source, Damage::Refused)?;
                // It is none: limits count what is handed.
                walk.uncount_member(writer.size_bytes());
                texts.push(writer.finish());
                Ok(())
            })
        })
    });
    match decoded {
        Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed => Ok(texts),
        decoded => decoded.map(|()| texts),
    }
}

/// Forms whose parts are streams of their own, in an array of names and streams (ISO 32000-2, 12.7.8): in the
/// array's order, and in that of their names.
pub(super) fn forms(walk: &mut Walk<'_>, index: &mut Index, keys: &Keys) -> Walked<Vec<Vec<Blob>>> {
    let mut forms = Vec::new();
    for array in arrays(index, FORM)? {
        let (as_listed, by_name) = (numbers(&array), numbers(&by_name(&array)));
        let is_same = by_name == as_listed;
        for numbers in [as_listed].into_iter().chain((!is_same).then_some(by_name)) {
            for parts in parts(walk, index, keys, &numbers)? {
                forms.push(parts.into_iter().map(|part| walk.kept(part)).collect::<Result<_, _>>()?);
            }
        }
    }
    Ok(forms)
}

/// What pdf.js 5 joins: the first part, those with a name that it knows, of equal ones the last, and the last
/// part.
fn by_name(array: &[Value]) -> Vec<Value> {
    const NAMES: [&[u8]; 6] =
        [b"template", b"datasets", b"config", b"connectionSet", b"localeSet", b"stylesheet"];
    let pairs = array.chunks_exact(2).collect::<Vec<_>>();
    let [first, middle @ .., last] = pairs.as_slice() else { return array.to_vec() };
    let named = |name: &&[u8]| middle.iter().rfind(|pair| pair[0] == Value::String(name.to_vec()));
    let pairs = [first].into_iter().chain(NAMES.iter().filter_map(named)).chain([last]);
    pairs.map(|pair| pair[1].clone()).collect()
}

/// What the items of an array refer to.
pub(super) fn numbers(array: &[Value]) -> Vec<u64> {
    array.iter().filter_map(|item| item.referred().first().copied()).collect()
}

/// Hands the parts of a form as one.
pub(super) fn hand_joined(walk: &mut Walk<'_>, parts: &[Blob], depth: u32) -> Walked {
    let mut writer = walk.new_member()?;
    parts.iter().try_for_each(|part| walk.fill(&mut writer, &mut part.reader(), Damage::Refused))?;
    walk.visit_reading(writer.finish(), depth).map(drop)
}

/// The streams of these numbers, decoded: in the first revision and reading of each, and in the last one if
/// any has several.
pub(super) fn parts(
    walk: &mut Walk<'_>,
    index: &mut Index,
    keys: &Keys,
    numbers: &[u64],
) -> Walked<Vec<Vec<Blob>>> {
    let (mut first, mut last, mut has_several) = (Vec::new(), Vec::new(), false);
    for number in numbers {
        let of_number = |stream: &&Stream| stream.id.is_some_and(|(other, _)| other == *number);
        let streams = index.streams.iter().filter(of_number).cloned().collect::<Vec<_>>();
        let mut found = Vec::new();
        for pick in [Pick::First, Pick::Last] {
            let Some(stream) = pick.of(&streams) else { continue };
            let dictionary = index.dictionary(&stream)?;
            found.extend(texts(walk, index, keys, &stream, &dictionary)?);
        }
        has_several |= streams.len() > 1 || found.len() > 2;
        first.extend(Pick::First.of(&found));
        last.extend(Pick::Last.of(&found));
    }
    Ok(if has_several { vec![first, last] } else { vec![first] })
}

/// The arrays that are values of a key, and refer to several objects.
pub(super) fn arrays(index: &mut Index, key: &[u8]) -> Walked<Vec<Vec<Value>>> {
    let mut arrays = Vec::new();
    for place in index.values_of(key) {
        let blob = index.texts[place.text].clone();
        let mut cursor = Cursor::new(&blob, place.at);
        let Some(value) = values::value(&mut cursor)? else { return too_many() };
        index.count_read(cursor.position().saturating_sub(place.at))?;
        for value in index.resolved(&value)? {
            if let Value::Array(items) = value
                && numbers(&items).len() > 1
            {
                arrays.push(items);
            }
        }
    }
    Ok(arrays)
}
