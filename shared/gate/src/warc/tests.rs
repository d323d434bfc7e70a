//! Tests what the engine is given of records.

use domain::verdict::Unscannable;

use super::*;
use crate::classic_mac::tests::{handed, walked};
use crate::walk::Stop;

fn record(kind: &str, block: &[u8]) -> Vec<u8> {
    let n_bytes = block.len();
    let header = format!("WARC/1.1\r\nWARC-Type: {kind}\r\ncontent-length:  {n_bytes}\r\n\r\n");
    [header.as_bytes(), block, b"\r\n\r\n"].concat()
}

#[test]
fn the_block_of_every_record_is_handed() {
    let blocks: [&[u8]; 5] = [b"software: x\r\n", b"\r\n\r\nWARC/1.0", b"", b"a block", b"another\n"];
    let kinds = ["warcinfo", "resource", "metadata", "conversion", "revisit"];
    let records = kinds.iter().zip(blocks).map(|(kind, block)| record(kind, block)).collect::<Vec<_>>();
    let expected = blocks.iter().filter(|block| !block.is_empty()).map(|block| block.to_vec());
    let (file, expected) = (records.concat(), expected.collect::<Vec<_>>());
    assert_eq!(handed(walk, &file), expected);
    let with = |from: &str, to: &str| String::from_utf8(file.clone()).unwrap().replace(from, to).into_bytes();
    for sound in [
        with("WARC/1.1\r", "WARC/0.9\r"),
        with("content-length", "Content-Length"),
        with("  ", "\t"),
        with("\r\n\r\nWARC/1.1", "\r\nWARC/1.1"),
        with("\r\n\r\nWARC/1.1", "\r\n\r\n\r\n\r\nWARC/1.1"),
        file[..file.len() - 4].to_vec(),
    ] {
        assert_eq!(handed(walk, &sound), expected, "{}", String::from_utf8_lossy(&sound));
    }
    let lines = record("resource", b"a block");
    let lines = String::from_utf8(lines).unwrap().replace('\r', "");
    assert_eq!(handed(walk, lines.as_bytes()), [b"a block"]);
}

#[test]
fn what_is_no_record_is_malformed() {
    let sound = record("resource", b"a block");
    let with =
        |from: &str, to: &str| String::from_utf8(sound.clone()).unwrap().replace(from, to).into_bytes();
    for other in [
        with("WARC/1.1", "WARC/x.1"),
        with("WARC/1.1", "WARC/11"),
        with("WARC/1.1", "ARC/1.1"),
        with("7\r\n", "7\n"),
        with("  7", "  +7"),
        with("  7", "  7b"),
        with("  7", "  "),
        with("content-length", "length"),
        with("content-length:  7", "content-length: 7\r\nContent-Length: 7"),
        sound[..40].to_vec(),
    ] {
        let (end, found) = walked(walk, &[&sound[..], &other].concat());
        assert!(matches!(end, Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed));
        assert_eq!(found, [b"a block"]);
    }
    let (end, found) = walked(walk, &sound[..sound.len() - 6]);
    assert!(matches!(end, Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed));
    assert_eq!(found, [b"a blo"]);
}

#[test]
fn a_version_and_a_field_make_it_one() {
    for (start, is_it) in [
        (&b"WARC/1.0\r\nWARC-Type: resource\r\n"[..], true),
        (b"WARC/0.18 \nx:", true),
        (b"WARC/1.0\r\n", false),
        (b"WARC/1.0\r\nis a version\r\n", false),
        (b"WARC/1.0 is a format: of web archives\nx:\n", false),
        (b"ARC/1.0\r\nWARC-Type: resource\r\n", false),
    ] {
        assert_eq!(begins(&Blob::from_bytes(start.to_vec())).unwrap(), is_it);
    }
}

#[test]
fn a_response_without_a_status_has_a_body() {
    let message = b"Server: x\r\n\r\na body";
    let handed_of_response = handed(walk, &record("response", message));
    assert!(handed_of_response.ends_with(&[message.to_vec(), b"a body".to_vec()]));
    // A mail program finds one as well.
    assert!(handed(walk, &record("resource", message)).ends_with(&[message.to_vec()]));
}
