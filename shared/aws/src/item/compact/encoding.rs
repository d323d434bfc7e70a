//! Attributes of records in fewer bytes: digests and UUIDs in binary, durations as one number, the entries of
//! a history as lists without names. What has another form than expected stays as it is.

use std::fmt::Write as _;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use super::super::{Attributes, number, text};

pub(super) fn in_binary(attributes: &mut Attributes, name: &str) {
    let Some(AttributeValue::S(hexadecimal)) = attributes.get(name) else { return };
    if let Some(bytes) = bytes_of(hexadecimal) {
        attributes.insert(name.to_owned(), AttributeValue::B(Blob::new(bytes)));
    }
}

pub(super) fn in_hexadecimal(attributes: &mut Attributes, name: &str) {
    let Some(AttributeValue::B(bytes)) = attributes.get(name) else { return };
    let hexadecimal = bytes.as_ref().iter().fold(String::new(), |mut hexadecimal, byte| {
        let _ = write!(hexadecimal, "{byte:02x}");
        hexadecimal
    });
    attributes.insert(name.to_owned(), text(hexadecimal));
}

/// `None` for anything but pairs of hexadecimal digits as [`in_hexadecimal`] writes them.
fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits
        .map(|pair| match pair {
            [_, _] if pair.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) => {
                u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()
            }
            _ => None,
        })
        .collect()
}

/// Returns whether the attribute was a UUID in its usual form, and is binary now.
pub(super) fn uuid_in_binary(attributes: &mut Attributes, name: &str) -> bool {
    let Some(AttributeValue::S(written)) = attributes.get(name) else { return false };
    let Some(uuid) = Uuid::try_parse(written).ok().filter(|uuid| uuid.to_string() == *written) else {
        return false;
    };
    attributes.insert(name.to_owned(), AttributeValue::B(Blob::new(uuid.as_bytes())));
    true
}

/// Returns whether the attribute was a UUID in binary, and is text now.
pub(super) fn uuid_in_text(attributes: &mut Attributes, name: &str) -> bool {
    let Some(AttributeValue::B(bytes)) = attributes.get(name) else { return false };
    let Ok(uuid) = Uuid::from_slice(bytes.as_ref()) else { return false };
    attributes.insert(name.to_owned(), text(uuid.to_string()));
    true
}

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// Replaces seconds and nanoseconds by the sum.
pub(super) fn in_nanoseconds(attributes: &mut Attributes, name: &str) {
    let Some(AttributeValue::M(duration)) = attributes.get(name) else { return };
    let part = |name| duration.get(name)?.as_n().ok()?.parse::<u128>().ok();
    if let (Some(seconds), Some(nanoseconds)) = (part("secs"), part("nanos")) {
        attributes.insert(name.to_owned(), number(seconds * NANOSECONDS_PER_SECOND + nanoseconds));
    }
}

pub(super) fn in_seconds(attributes: &mut Attributes, name: &str) {
    let Some(AttributeValue::N(sum)) = attributes.get(name) else { return };
    let Ok(sum) = sum.parse::<u128>() else { return };
    let parts = [("secs", sum / NANOSECONDS_PER_SECOND), ("nanos", sum % NANOSECONDS_PER_SECOND)];
    let duration = parts.map(|(name, value)| (name.to_owned(), number(value))).into();
    attributes.insert(name.to_owned(), AttributeValue::M(duration));
}

/// What an entry of a history holds once it is published, apart from its number.
const ENTRY: [&str; 3] = ["at", "kind", "status"];

/// Stores published entries as lists, without their numbers, which follow from the number of entries that
/// were ever written.
pub(super) fn history_in_lists(history: &mut Attributes) {
    each_entry(history, |entry, seq| {
        let AttributeValue::M(map) = &*entry else { return };
        if map.len() != ENTRY.len() + 1 || map.get("seq") != Some(&seq) {
            return;
        }
        let values: Option<Vec<_>> = ENTRY.into_iter().map(|name| map.get(name).cloned()).collect();
        if let Some(values) = values {
            *entry = AttributeValue::L(values);
        }
    });
}

pub(super) fn history_in_maps(history: &mut Attributes) {
    each_entry(history, |entry, seq| {
        let AttributeValue::L(values) = &*entry else { return };
        let values = ENTRY.into_iter().map(str::to_owned).zip(values.iter().cloned());
        *entry = AttributeValue::M(values.chain([("seq".to_owned(), seq)]).collect());
    });
}

/// Calls `convert` with each entry and the number that it has if the last entry is the last ever written.
fn each_entry(history: &mut Attributes, convert: impl Fn(&mut AttributeValue, AttributeValue)) {
    let n_written =
        history.get("n_written").and_then(|n_written| n_written.as_n().ok()?.parse::<usize>().ok());
    let (Some(n_written), Some(AttributeValue::L(entries))) = (n_written, history.get_mut("entries")) else {
        return;
    };
    let Some(n_before) = n_written.checked_sub(entries.len()) else { return };
    for (entry, seq) in entries.iter_mut().zip(n_before + 1..) {
        convert(entry, number(seq));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_becomes_binary() {
        assert_eq!(bytes_of("0aff"), Some(vec![10, 255]));
        assert!(["0", "0g", "0A", "+1", "\u{e9}"].into_iter().all(|text| bytes_of(text).is_none()));
    }

    #[test]
    fn what_has_another_form_stays() {
        let upper = text("7B3A6D7E-76DB-45E8-835C-852FC928FF1C");
        let unlike: Attributes = [
            ("a", upper),
            ("b", text("none")),
            ("c", AttributeValue::M(Attributes::from([("secs".to_owned(), number(1))]))),
            ("entries", AttributeValue::L(vec![AttributeValue::M(Attributes::new()), text("entry")])),
            ("n_written", number(1)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let mut stored = unlike.clone();
        assert!(!uuid_in_binary(&mut stored, "a") && !uuid_in_binary(&mut stored, "b"));
        in_nanoseconds(&mut stored, "c");
        in_nanoseconds(&mut stored, "absent");
        history_in_lists(&mut stored);
        stored.insert("n_written".to_owned(), number(2));
        history_in_lists(&mut stored);
        stored.insert("n_written".to_owned(), number(1));
        assert_eq!(stored, unlike);
    }
}
