//! Tests of compact items: everything that is left out is restored.

use super::*;

fn map_of<const N: usize>(entries: [(&str, AttributeValue); N]) -> AttributeValue {
    AttributeValue::M(entries.map(|(name, value)| (name.to_owned(), value)).into())
}

fn entry(seq: u32) -> AttributeValue {
    map_of([("seq", number(seq)), ("at", number(5)), ("kind", text("expired")), ("status", text("expired"))])
}

fn item(verdict: AttributeValue, measured: AttributeValue, declared: &str) -> Attributes {
    let needed_password = AttributeValue::Bool(false);
    let judgement = map_of([
        ("verdict", verdict),
        ("sha256", measured),
        ("needed_password", needed_password),
        ("judged_at", number(8)),
        ("duration", map_of([("secs", number(2)), ("nanos", number(5))])),
    ]);
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
        ("upload_method", text("put")),
        ("expires_at", text("7")),
        ("created_at", number(4)),
        ("listed_at", number(4)),
        ("changed_at", number(8)),
        (
            "journal",
            map_of([("n_written", number(7)), ("entries", AttributeValue::L(vec![entry(6), entry(7)]))]),
        ),
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
        ("created_at", number(3)),
        ("changed_at", number(9)),
        ("expires_at", number(9)),
        ("upload_method", text("post")),
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
        // Its index entry had the time of the rescan, too.
        whole.remove("state_due_at");
    }
}
