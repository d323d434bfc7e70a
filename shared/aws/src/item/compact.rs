//! Leaves out of a stored record what its other attributes say already, and stores digests as bytes.
//!
//! DynamoDB charges writes by the kilobyte: without this, a file with a verdict takes two write units for
//! each of its changes. [`expand`] reads items of earlier releases too, which left nothing out.

use std::fmt::Write as _;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{Attributes, FILE_PREFIX, number, text};

/// Attributes that [`compact`] leaves out of some items. A commit removes them from those that have them.
pub(super) const OMITTED: [&str; 5] = ["file_id", "has_surplus", "link_generation", "state_due_at", "tags"];

/// Makes a record's attributes smaller: the file's id is in the key, the due time of the state is that of
/// the record unless an outbox or a tag is due before it, that of a planned rescan is in its index, the
/// digest of a clean file is in its verdict.
pub(super) fn compact(attributes: &mut Attributes) {
    attributes.remove("file_id");
    if attributes.get("tags") == Some(&no_tags()) {
        attributes.remove("tags");
    }
    if attributes.get("has_surplus") == Some(&AttributeValue::Bool(false)) {
        attributes.remove("has_surplus");
    }
    // The condition of a download accepts every generation then; as generations only grow, there is no other.
    if attributes.get("link_generation") == Some(&number(0)) {
        attributes.remove("link_generation");
    }
    if let (Some(rescan_at), Some(rescan)) = (attributes.get("rescan_at").cloned(), rescan(attributes))
        && rescan.get("when") == Some(&rescan_at)
    {
        rescan.remove("when");
    }
    match (attributes.get("due_at"), attributes.get("state_due_at")) {
        (Some(due_at), Some(state_due_at)) if due_at == state_due_at => {
            attributes.remove("state_due_at");
        }
        (Some(_), None) => {
            attributes.insert("state_due_at".to_owned(), ONLY_OTHERS_ARE_DUE);
        }
        _ => {}
    }
    if let Some(version) = version(attributes) {
        in_binary(version, "etag");
    }
    if let Some(digest) = digest_of_clean(attributes) {
        if attributes.get("declared_sha256") == Some(&digest) {
            attributes.insert("declared_sha256".to_owned(), SAME_AS_VERDICT);
        }
        if let Some(judgement) = judgement(attributes).filter(|found| found.get("sha256") == Some(&digest)) {
            judgement.remove("sha256");
        }
    }
    in_binary(attributes, "declared_sha256");
    let Some(judgement) = judgement(attributes) else { return };
    if judgement.get("needed_password") == Some(&AttributeValue::Bool(false)) {
        judgement.remove("needed_password");
    }
    in_binary(judgement, "sha256");
    if let Some(verdict) = map(judgement, "verdict") {
        in_binary(verdict, "sha256");
    }
}

/// Restores what [`compact`] left out.
pub(super) fn expand(attributes: &mut Attributes) {
    let is_compact = !attributes.contains_key("file_id");
    let pk = attributes.get("pk").and_then(|pk| pk.as_s().ok());
    if let Some(file) = pk.and_then(|pk| pk.strip_prefix(FILE_PREFIX)).map(text) {
        attributes.entry("file_id".to_owned()).or_insert(file);
    }
    attributes.entry("tags".to_owned()).or_insert_with(no_tags);
    attributes.entry("has_surplus".to_owned()).or_insert(AttributeValue::Bool(false));
    attributes.entry("link_generation".to_owned()).or_insert(number(0));
    if let (Some(rescan_at), Some(rescan)) = (attributes.get("rescan_at").cloned(), rescan(attributes))
        && rescan.get("at") == Some(&text("planned"))
    {
        rescan.entry("when".to_owned()).or_insert(rescan_at);
    }
    if attributes.get("state_due_at") == Some(&ONLY_OTHERS_ARE_DUE) {
        attributes.remove("state_due_at");
    } else if let Some(due_at) = attributes.get("due_at").filter(|_| is_compact).cloned() {
        attributes.entry("state_due_at".to_owned()).or_insert(due_at);
    }
    if let Some(version) = version(attributes) {
        in_hexadecimal(version, "etag");
    }
    in_hexadecimal(attributes, "declared_sha256");
    if let Some(judgement) = judgement(attributes) {
        if is_compact {
            judgement.entry("needed_password".to_owned()).or_insert(AttributeValue::Bool(false));
        }
        in_hexadecimal(judgement, "sha256");
        if let Some(verdict) = map(judgement, "verdict") {
            in_hexadecimal(verdict, "sha256");
        }
    }
    let Some(digest) = digest_of_clean(attributes) else { return };
    if attributes.get("declared_sha256") == Some(&SAME_AS_VERDICT) {
        attributes.insert("declared_sha256".to_owned(), digest.clone());
    }
    // A digest that is not known is stored as null, so that a missing one is the verdict's.
    if let Some(judgement) = judgement(attributes) {
        judgement.entry("sha256".to_owned()).or_insert(digest);
    }
}

/// In the place of the state's due time, if the record is due only for its outbox or its tag.
const ONLY_OTHERS_ARE_DUE: AttributeValue = AttributeValue::Null(true);

/// In the place of a digest that the uploader declared and the scan confirmed.
const SAME_AS_VERDICT: AttributeValue = AttributeValue::Bool(true);

fn no_tags() -> AttributeValue {
    AttributeValue::M(Attributes::new())
}

/// The digest in a clean verdict.
fn digest_of_clean(attributes: &mut Attributes) -> Option<AttributeValue> {
    map(judgement(attributes)?, "verdict")?.get("sha256").cloned()
}

fn rescan(attributes: &mut Attributes) -> Option<&mut Attributes> {
    map(map(map(attributes, "state")?, "aftermath")?, "rescan")
}

fn version(attributes: &mut Attributes) -> Option<&mut Attributes> {
    map(map(attributes, "state")?, "version")
}

fn judgement(attributes: &mut Attributes) -> Option<&mut Attributes> {
    map(map(attributes, "state")?, "judgement")
}

fn map<'a>(attributes: &'a mut Attributes, name: &str) -> Option<&'a mut Attributes> {
    match attributes.get_mut(name)? {
        AttributeValue::M(map) => Some(map),
        _ => None,
    }
}

fn in_binary(attributes: &mut Attributes, name: &str) {
    let Some(AttributeValue::S(hexadecimal)) = attributes.get(name) else { return };
    if let Some(bytes) = bytes_of(hexadecimal) {
        attributes.insert(name.to_owned(), AttributeValue::B(Blob::new(bytes)));
    }
}

fn in_hexadecimal(attributes: &mut Attributes, name: &str) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn map_of<const N: usize>(entries: [(&str, AttributeValue); N]) -> AttributeValue {
        AttributeValue::M(entries.map(|(name, value)| (name.to_owned(), value)).into())
    }

    fn item(verdict: AttributeValue, measured: AttributeValue, declared: &str) -> Attributes {
        let needed_password = AttributeValue::Bool(false);
        let judgement =
            map_of([("verdict", verdict), ("sha256", measured), ("needed_password", needed_password)]);
        let version = map_of([("etag", text("d4".repeat(16)))]);
        let planned = map_of([("at", text("planned")), ("when", number(9))]);
        let aftermath = map_of([("rescan", planned)]);
        let item = map_of([
            ("pk", text("file#f")),
            ("file_id", text("f")),
            ("due_at", text("7")),
            ("state_due_at", text("7")),
            ("tags", no_tags()),
            ("has_surplus", AttributeValue::Bool(false)),
            ("link_generation", number(0)),
            ("rescan_at", number(9)),
            ("declared_sha256", text(declared)),
            ("state", map_of([("version", version), ("judgement", judgement), ("aftermath", aftermath)])),
        ]);
        item.as_m().unwrap().clone()
    }

    #[test]
    fn everything_that_is_left_out_is_restored() {
        let (digest, other) = ("0f".repeat(32), "ee".repeat(32));
        let (clean, null) = (map_of([("sha256", text(&digest))]), AttributeValue::Null(true));
        for whole in [
            item(clean.clone(), text(&digest), &digest),
            item(clean.clone(), text(&digest), &other),
            item(clean.clone(), text(&other), &digest),
            item(clean, null, &other),
            item(text("infected"), text(&digest), &digest),
        ] {
            let mut stored = whole.clone();
            compact(&mut stored);
            assert!(OMITTED.iter().all(|name| !stored.contains_key(*name)), "{stored:?}");
            let written = format!("{stored:?}");
            assert!(!written.contains(&format!("S({digest:?})")), "{written}");
            assert!(written.len() < format!("{whole:?}").len());
            expand(&mut stored);
            assert_eq!(stored, whole);
        }
    }

    #[test]
    fn what_says_something_is_kept() {
        let mut whole = item(text("infected"), text("0f"), "0f");
        let kept = [
            ("publish_due_at", text("5")),
            ("tags", map_of([("team", text("a"))])),
            ("has_surplus", AttributeValue::Bool(true)),
            ("link_generation", number(1)),
        ];
        whole.extend(kept.map(|(name, value)| (name.to_owned(), value)));
        whole.remove("state_due_at");
        let mut stored = whole.clone();
        compact(&mut stored);
        expand(&mut stored);
        assert_eq!(stored, whole, "only the outbox is due");
    }

    #[test]
    fn the_due_time_of_the_state_is_restored_whatever_else_is_due() {
        for (due_at, state_due_at) in
            [(Some("7"), Some("7")), (Some("5"), Some("7")), (Some("5"), None), (None, None)]
        {
            let mut whole = item(text("infected"), text("0f"), "0f");
            for (name, at) in [("due_at", due_at), ("state_due_at", state_due_at)] {
                whole.remove(name);
                whole.extend(at.map(|at| (name.to_owned(), text(at))));
            }
            let mut stored = whole.clone();
            compact(&mut stored);
            expand(&mut stored);
            assert_eq!(stored, whole);
        }
    }

    #[test]
    fn an_item_of_an_earlier_release_stays_as_it_is() {
        let digest = "0f".repeat(32);
        let mut whole = item(map_of([("sha256", text(&digest))]), AttributeValue::Null(true), &digest);
        for _ in 0..2 {
            let mut read = whole.clone();
            expand(&mut read);
            assert_eq!(read, whole);
            // Its index had the time of the rescan as well.
            whole.remove("state_due_at");
        }
    }

    #[test]
    fn only_hexadecimal_becomes_binary() {
        assert_eq!(bytes_of("0aff"), Some(vec![10, 255]));
        assert!(["0", "0g", "0A", "+1", "\u{e9}"].into_iter().all(|text| bytes_of(text).is_none()));
    }
}
