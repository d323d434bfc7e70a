//! Says what objects are, in each of their revisions.

use crate::walk::Walked;

use super::cursor::Cursor;
use super::index::{Index, MAX_REVISIONS, too_many};
use super::values::{self, Value};

impl Index {
    /// What the object of this number is, in any revision. An object that is a reference itself is followed,
    /// as MuPDF does.
    pub(super) fn resolve(&mut self, number: u64) -> Walked<Vec<Value>> {
        let (mut found, mut numbers) = (Vec::new(), vec![number]);
        let mut at = 0;
        while let Some(number) = numbers.get(at).copied() {
            at += 1;
            for place in self.places(number) {
                let blob = self.texts[place.text].clone();
                let mut cursor = Cursor::new(&blob, place.at);
                let value = values::value(&mut cursor)?;
                self.count_read(cursor.position().saturating_sub(place.at))?;
                let Some(value) = value else { return too_many() };
                numbers.extend(
                    value
                        .referred()
                        .into_iter()
                        .filter(|number| !numbers.contains(number))
                        .collect::<Vec<_>>(),
                );
                found.extend(
                    value.readings().into_iter().filter(|value| !found.contains(value)).collect::<Vec<_>>(),
                );
                if found.len().max(numbers.len()) > MAX_REVISIONS {
                    return too_many();
                }
            }
        }
        Ok(found)
    }

    /// What readers make of the value, and of what the object that it refers to is.
    pub(super) fn resolved(&mut self, value: &Value) -> Walked<Vec<Value>> {
        let mut found = value.readings();
        for number in value.referred() {
            found.extend(self.resolve(number)?);
        }
        Ok(found)
    }

    /// Returns whether a dictionary mentions one of `names`, or calls itself so behind a reference.
    pub(super) fn is_called(&mut self, dictionary: &Value, names: &[&[u8]]) -> Walked<bool> {
        if dictionary.mentions(names) {
            return Ok(true);
        }
        for key in [b"Type".as_slice(), b"Subtype"] {
            for value in dictionary.all(key) {
                if self.resolved(value)?.iter().any(|value| value.mentions(names)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Numbers that a value may be.
    pub(super) fn integers(&mut self, value: &Value) -> Walked<Vec<u64>> {
        let values = self.resolved(value)?;
        let integer = |value| match value {
            Value::Integer(integer) => u64::try_from(integer).ok(),
            _ => None,
        };
        Ok(values.into_iter().filter_map(integer).collect())
    }

    /// The number of the object of the file that `at` stands in.
    pub(super) fn number_at(&self, at: u64) -> Option<u64> {
        let n_before = self.begun.partition_point(|(begun, _)| *begun <= at);
        self.begun[..n_before].last()?.1
    }
}
