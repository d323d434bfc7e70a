//! Tests what the engine is given of a TNEF stream, and where each reader finds a property's value.

use super::*;
use crate::scratch::Scratch;
use crate::{Gate, Limits};

fn handed(bytes: Vec<u8>) -> Vec<String> {
    let limits = Limits { max_member_bytes: 1000, max_total_bytes: 100_000, max_members: 100, max_depth: 5 };
    let gate = Gate { limits, capabilities: [].into_iter().collect() };
    let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
    walk(&mut through, &Blob::from_bytes(bytes), 0).unwrap();
    let blobs = through.into_handed();
    blobs.iter().map(|blob| blob.bytes_at(0, 100).unwrap().into_iter().map(char::from).collect()).collect()
}

#[track_caller]
fn check(bytes: Vec<u8>, expected: &[&str]) {
    let handed = handed(bytes);
    let missing = expected.iter().filter(|it| !handed.iter().any(|text| text == *it)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "no {missing:?}, but {handed:?}");
}

fn attribute(name: u16, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    [&[2], &name.to_le_bytes()[..], &[6, 0], &size.to_le_bytes(), data, &[0xff, 0xff]].concat()
}

fn stream(attributes: &[Vec<u8>]) -> Vec<u8> {
    [SIGNATURE, &[1, 0], &attributes.concat()].concat()
}

/// A property with one value of variable length.
fn value(kind: u16, name: u16, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    let padding = &[0, 0, 0][..data.len().next_multiple_of(4) - data.len()];
    [&kind.to_le_bytes(), &name.to_le_bytes(), &[1, 0, 0, 0][..], &size.to_le_bytes(), data, padding].concat()
}

fn list(properties: &[Vec<u8>]) -> Vec<u8> {
    [&u32::try_from(properties.len()).unwrap().to_le_bytes()[..], &properties.concat()].concat()
}

#[test]
fn attributes_are_handed_whatever_stands_around_them() {
    let (cat, other) = (attribute(ATTACH_DATA, b"Cat"), attribute(0x8010, b"cat.txt\0"));
    check(stream(std::slice::from_ref(&cat)), &["Cat"]);
    check(stream(&[other.clone(), cat.clone(), attribute(BODY, b"Dog")]), &["Cat", "Dog"]);
    check(stream(&[other.clone(), attribute(0x8099, b""), attribute(ATTACH_META_FILE, b"Cat")]), &["Cat"]);
    let mut unsigned = stream(std::slice::from_ref(&cat));
    unsigned[0] = 0;
    check(unsigned, &["Cat"]);
    assert_eq!(handed([b"junk".to_vec(), stream(&[cat])].concat()), Vec::<String>::new());
    assert_eq!(handed(stream(&[other])), Vec::<String>::new());
    assert_eq!(handed(SIGNATURE.to_vec()), Vec::<String>::new());
}

#[test]
fn a_cut_attribute_is_handed_as_far_as_it_goes() {
    let whole = stream(&[attribute(ATTACH_DATA, b"Cat")]);
    check(whole[..whole.len() - 1].to_vec(), &["Cat", "Ca"]);
    check(whole[..whole.len() - 3].to_vec(), &["Ca"]);
    let mut long = whole.clone();
    long[11..15].fill(0xff);
    check(long, &["Cat\u{ff}\u{ff}", "Cat"]);
}

#[test]
fn properties_have_data() {
    let cat = |kind, name| stream(&[attribute(ATTACHMENT_PROPERTIES, &list(&[value(kind, name, b"Cat")]))]);
    for (kind, name) in [(0x0d, 0x3701), (0x102, 0x3701), (0x102, 0x6000), (0x1e, 0x1000), (0x102, 0x1013)] {
        check(cat(kind, name), &["Cat", "Cat\0"]);
    }
    assert_eq!(handed(cat(0x1e, 0x6000)), Vec::<String>::new());
    let object = [&[9; 16][..], b"Cat!"].concat();
    let message = list(&[value(0x0d, 0x3701, &object)]);
    check(stream(&[attribute(ATTACHMENT_PROPERTIES, &message)]), &["Cat!"]);
    let wide = list(&[value(0x1f, 0x1000, b"C\0a\0t\0")]);
    check(stream(&[attribute(MESSAGE_PROPERTIES, &wide)]), &["Cat"]);
    let several = [&[0x02, 0x11, 0x01, 0x37, 2, 0, 0, 0, 3, 0, 0, 0][..], b"Dog\0\x04\0\0\0Cats"].concat();
    check(stream(&[attribute(ATTACHMENT_PROPERTIES, &list(&[several]))]), &["Dog", "Cats"]);
}

#[test]
fn zeros_behind_a_value_are_for_the_engine_alone() {
    // An attribute that extends into the padding: these bytes are handed over only to readers without
    // padding.
    let mut object = stream(&[attribute(ATTACH_DATA, b"Cat")]);
    object.truncate(object.len() - 3);
    let padded = value(0x102, 0x6000, &object);
    let handed = |padding: &[u8]| {
        let mut value = padded.clone();
        let padding_at = value.len() - padding.len();
        value[padding_at..].copy_from_slice(padding);
        handed(stream(&[attribute(ATTACHMENT_PROPERTIES, &list(&[value]))]))
    };
    assert_eq!(object.len() % 4, 1);
    assert!(handed(b"t\xff\xff").contains(&"Cat".to_owned()));
    let with_zeros = handed(b"\0\0\0");
    assert!(
        with_zeros.iter().any(|text| text.ends_with("Ca\0\0\0")) && !with_zeros.contains(&"Ca\0".to_owned())
    );
}

#[test]
fn messages_nest() {
    let inner = stream(&[attribute(ATTACH_DATA, b"Cat")]);
    let object = [&[9; 16][..], &inner].concat();
    let outer = stream(&[attribute(ATTACHMENT_PROPERTIES, &list(&[value(0x0d, 0x3701, &object)]))]);
    check(outer.clone(), &["Cat"]);
    check(stream(&[attribute(ATTACH_DATA, &outer)]), &["Cat"]);
}

#[test]
fn numbers_are_as_long_as_some_reader_says() {
    let number =
        |kind: u16, n_bytes: usize| [&kind.to_le_bytes(), &[0, 0x60][..], &[0; 16][..n_bytes]].concat();
    let named = |rest: &[u8]| [&[3, 0, 1, 0x80][..], &[7; 16], rest, &[0; 4]].concat();
    for (before, is_found) in [
        (number(0x02, 4), true),
        (number(0x02, 2), true),
        (number(0x03, 4), true),
        (number(0x03, 8), false),
        (number(0x06, 8), true),
        (number(0x06, 4), true),
        (number(0x0a, 4), true),
        (number(0x0b, 4), true),
        (number(0x14, 8), true),
        (number(0x40, 8), true),
        (number(0x48, 16), true),
        ([&[0x03, 0x10, 0, 0x60, 2, 0, 0, 0][..], &[0; 8]].concat(), true),
        (named(&[0; 8]), true),
        (named(&[1, 0, 0, 0, 2, 0, 0, 0, b'x', 0, 0, 0]), true),
        (number(0x77, 4), false),
    ] {
        let properties = list(&[before.clone(), value(0x102, 0x3701, b"Cat!")]);
        let handed = handed(stream(&[attribute(ATTACHMENT_PROPERTIES, &properties)]));
        assert_eq!(handed.contains(&"Cat!".to_owned()), is_found, "{before:?} {handed:?}");
    }
}

#[test]
fn properties_have_a_limit() {
    let limits = Limits { max_member_bytes: 1000, max_total_bytes: 100_000, max_members: 100, max_depth: 5 };
    let gate = Gate { limits, capabilities: [].into_iter().collect() };
    let walked = |bytes: Vec<u8>| {
        let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        walk(&mut through, &Blob::from_bytes(bytes), 0)
    };
    let number = vec![3, 0, 0, 0x60, 0, 0, 0, 0];
    let properties = |n: usize| stream(&[attribute(MESSAGE_PROPERTIES, &list(&vec![number.clone(); n]))]);
    assert!(walked(properties(100)).is_ok() && walked(properties(102)).is_err());
    let attributes = |n: usize| stream(&vec![attribute(0x8010, b""); n]);
    assert!(walked(attributes(100)).is_ok() && walked(attributes(101)).is_err());
}
