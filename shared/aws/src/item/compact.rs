//! Leaves out of a stored record what its other attributes say already, and stores the rest in fewer bytes.
//!
//! DynamoDB charges writes by the kilobyte: without this, a file with a verdict takes two write units for
//! each of its changes. [`expand`] reads items of earlier releases too, which left nothing out.

mod encoding;

use aws_sdk_dynamodb::types::AttributeValue;

use self::encoding::{
    history_in_lists, history_in_maps, in_binary, in_hexadecimal, in_nanoseconds, in_seconds, uuid_in_binary,
    uuid_in_text,
};
use super::{Attributes, FILE_PREFIX, number, text};

/// Attributes that [`compact`] leaves out of some items. A commit removes them from those that have them.
pub(super) const OMITTED: [&str; 8] = [
    "created_at",
    "expires_at",
    "file_id",
    "has_surplus",
    "link_generation",
    "state_due_at",
    "tags",
    "upload_method",
];

/// Makes a record's attributes smaller: the file's id is in the key, the due time of the state is that of
/// the record unless an outbox or a tag is due before it, the times of a file that is listed or expires and
/// of a rescan are in their indexes, that of a verdict is mostly that of the last change, the digest of a
/// clean file is in its verdict.
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
    if attributes.get("upload_method") == Some(&text(USUAL_METHOD)) {
        attributes.remove("upload_method");
    }
    for (name, key) in IN_INDEXES {
        if attributes.contains_key(key) && attributes.get(name) == attributes.get(key) {
            attributes.remove(name);
        }
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
    compact_rescan(attributes);
    if let Some(version) = version(attributes) {
        in_binary(version, "etag");
    }
    if let Some(lease) = map(attributes, "state").and_then(|state| map(state, "lease")) {
        uuid_in_binary(lease, "holder");
    }
    if let Some(history) = map(attributes, HISTORY) {
        history_in_lists(history);
    }
    compact_judgement(attributes);
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
    attributes.entry("upload_method".to_owned()).or_insert_with(|| text(USUAL_METHOD));
    for (name, key) in IN_INDEXES {
        if let Some(value) = attributes.get(key).cloned() {
            attributes.entry(name.to_owned()).or_insert(value);
        }
    }
    if attributes.get("state_due_at") == Some(&ONLY_OTHERS_ARE_DUE) {
        attributes.remove("state_due_at");
    } else if let Some(due_at) = attributes.get("due_at").filter(|_| is_compact).cloned() {
        attributes.entry("state_due_at".to_owned()).or_insert(due_at);
    }
    expand_rescan(attributes);
    if let Some(version) = version(attributes) {
        in_hexadecimal(version, "etag");
    }
    if let Some(lease) = map(attributes, "state").and_then(|state| map(state, "lease")) {
        uuid_in_text(lease, "holder");
    }
    if let Some(history) = map(attributes, HISTORY) {
        history_in_maps(history);
    }
    expand_judgement(attributes, is_compact);
}

/// Leaves the time of a rescan to its index.
fn compact_rescan(attributes: &mut Attributes) {
    let rescan_at = attributes.get("rescan_at").cloned();
    let Some(rescan) = rescan(attributes) else { return };
    let is_running = map(rescan, "lease").is_some();
    if is_running && !map(rescan, "lease").is_some_and(|lease| uuid_in_binary(lease, "holder")) {
        return;
    }
    let name = time_of(rescan);
    if rescan_at.is_some() && rescan.get(name) == rescan_at.as_ref() {
        rescan.remove(name);
    } else if is_running && !rescan.contains_key(name) {
        rescan.insert(name.to_owned(), NO_TIME);
    }
}

fn expand_rescan(attributes: &mut Attributes) {
    let rescan_at = attributes.get("rescan_at").cloned();
    let Some(rescan) = rescan(attributes) else { return };
    // A release that left out nothing stored the holder of a lease as text.
    if map(rescan, "lease").is_some_and(|lease| !uuid_in_text(lease, "holder")) {
        return;
    }
    let name = time_of(rescan);
    if rescan.get(name) == Some(&NO_TIME) {
        rescan.remove(name);
    } else if let Some(rescan_at) = rescan_at {
        rescan.entry(name.to_owned()).or_insert(rescan_at);
    }
}

/// The attribute with the time at which a rescan is due.
fn time_of(rescan: &Attributes) -> &'static str {
    if rescan.get("at") == Some(&text("planned")) { "when" } else { "look_at" }
}

fn compact_judgement(attributes: &mut Attributes) {
    if let Some(digest) = digest_of_clean(attributes) {
        if attributes.get("declared_sha256") == Some(&digest) {
            attributes.insert("declared_sha256".to_owned(), SAME_AS_VERDICT);
        }
        if let Some(judgement) = judgement(attributes).filter(|found| found.get("sha256") == Some(&digest)) {
            judgement.remove("sha256");
        }
    }
    in_binary(attributes, "declared_sha256");
    let changed_at = attributes.get("changed_at").cloned();
    let Some(judgement) = judgement(attributes) else { return };
    if judgement.get("needed_password") == Some(&AttributeValue::Bool(false)) {
        judgement.remove("needed_password");
    }
    if changed_at.is_some() && judgement.get("judged_at") == changed_at.as_ref() {
        judgement.remove("judged_at");
    }
    in_nanoseconds(judgement, "duration");
    in_binary(judgement, "sha256");
    if let Some(verdict) = map(judgement, "verdict") {
        in_binary(verdict, "sha256");
    }
}

fn expand_judgement(attributes: &mut Attributes, is_compact: bool) {
    in_hexadecimal(attributes, "declared_sha256");
    let changed_at = attributes.get("changed_at").cloned();
    if let Some(judgement) = judgement(attributes) {
        if is_compact {
            judgement.entry("needed_password".to_owned()).or_insert(AttributeValue::Bool(false));
        }
        if let Some(changed_at) = changed_at {
            judgement.entry("judged_at".to_owned()).or_insert(changed_at);
        }
        in_seconds(judgement, "duration");
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

/// Times that are mostly a key of an index as well, and that key.
const IN_INDEXES: [(&str, &str); 2] = [("created_at", "listed_at"), ("expires_at", "due_at")];

/// A request for `PUT`.
const USUAL_METHOD: &str = "put";

/// The stored name of a record's history.
const HISTORY: &str = "journal";

/// In the place of the state's due time, if the record is due only for its outbox or its tag.
const ONLY_OTHERS_ARE_DUE: AttributeValue = AttributeValue::Null(true);

/// In the place of the time of a rescan that has none of its own.
const NO_TIME: AttributeValue = AttributeValue::Null(true);

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

#[cfg(test)]
mod tests;
