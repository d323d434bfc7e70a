//! Tests what the engine is given of a message.

use std::io::Write as _;

use domain::verdict::Unscannable;

use super::*;
use crate::classic_mac::tests::{handed, walked};
use crate::walk::Stop;

/// A header, the body behind it, and what is handed.
type Case<'a> = (&'a str, &'a [u8], &'a [&'a [u8]]);

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_body_is_handed_in_every_form() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n";
    let body: &[u8] = b"a body";
    let bare = deflated(body);
    let chunked_bare = [format!("{:X}\r\n", bare.len()).as_bytes(), &bare, b"\r\n0\r\n\r\n"].concat();
    let cases: [Case<'_>; 18] = [
        ("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", body, &[body]),
        ("HTTP/1.0 200 OK\nServer: x\n\n", body, &[body]),
        ("HTTP/1.0 200 OK\nServer: x\r\n\r\n", body, &[body]),
        ("HTTP/1.0 200 OK\r\nServer: x\n\n", body, &[body]),
        (
            CHUNKED,
            b"5;n=v\r\na bod\r\n01\r\ny\r\n0\r\n\r\n",
            &[body, b"5;n=v\r\na bod\r\n01\r\ny\r\n0\r\n\r\n"],
        ),
        (CHUNKED, b"5\na bod\n1 \ny\n00\nTrailer: x\n\n", &[body, b"5\na bod\n1 \ny\n00\nTrailer: x\n\n"]),
        (CHUNKED, b"6\r\na body\r\n", &[body, b"6\r\na body\r\n"]),
        (CHUNKED, b"9\r\na body", &[body, b"9\r\na body"]),
        (CHUNKED, b"6\r\na body\r\nx\r\n", &[body, b"6\r\na body\r\nx\r\n"]),
        (CHUNKED, body, &[body]),
        (CHUNKED, b"0x6\r\na body\r\n0\r\n", &[body, b"0x6\r\na body\r\n0\r\n"]),
        (CHUNKED, b"+0_6\r\na body\r\n0\r\n", &[body, b"+0_6\r\na body\r\n0\r\n"]),
        (CHUNKED, b"6,\r\na body\r\n0\r\n", &[body, b"6,\r\na body\r\n0\r\n"]),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n",
            b"6\na body\n0\n",
            &[body, b"6\na body\n0\n"],
        ),
        ("HTTP/1.1 200 OK\r\nContent-Encoding\t: deflate_alt\r\n\r\n", &bare, &[&bare, body]),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: deflate;q=1\r\n\r\n", &bare, &[&bare, body]),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n", &bare, &[&bare, body]),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            &chunked_bare,
            &[&bare, &chunked_bare, body],
        ),
    ];
    for (header, sent, expected) in cases {
        assert_eq!(handed(walk, &[header.as_bytes(), sent].concat()), expected, "{header:?} {sent:?}");
    }
}

#[test]
fn a_header_is_looked_for_as_far_as_the_limit() {
    let message =
        |n_bytes: usize| [b"HTTP/1.1 200 OK\r\nX: ", &vec![b'x'; n_bytes][..], b"\r\n\r\na body"].concat();
    assert_eq!(handed(walk, &message(1_000_000)), [b"a body"]);
    let (end, found) = walked(walk, &message(1024 * 1024));
    assert!(matches!(end, Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed));
    assert_eq!(found.len(), 0);
    assert_eq!(handed(walk, b"HTTP/1.1 200 OK\r\nX: x\r\n").len(), 0);
}

#[test]
fn a_number_behind_the_name_makes_it_a_response() {
    for (start, is_it) in
        [(&b"HTTP/1.1 200"[..], true), (b"HTTP/2", true), (b"HTTP/x", false), (b"HTTP/", false)]
    {
        assert_eq!(begins(&Blob::from_bytes(start.to_vec())).unwrap(), is_it);
    }
}

#[test]
fn some_fields_are_those_of_mails() {
    for (message, it_has) in [
        (&b"HTTP/1.1 200 OK\r\nContent-transfer-Encoding: base64\r\n\r\na body"[..], true),
        (b"HTTP/1.1 200 OK\r\nContent-Type: Multipart/mixed\r\n\r\na body", true),
        (b"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n", true),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", true),
        (b"HTTP/1.1 200 OK\rContent-Type: text/plain\r\ra body\r\n\r\n", true),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nmultipart", false),
    ] {
        assert_eq!(has_fields_of_mail(&Blob::from_bytes(message.to_vec())).unwrap(), it_has);
    }
}

#[test]
fn what_brotli_may_pack_is_refused() {
    const REASON: Unscannable = Unscannable::UnsupportedContainer;
    for (field, body, is_refused) in [
        ("Content-Encoding: br", &b"\x8b\x02\x80a body\x03"[..], true),
        ("content-encoding : gzip, BR", b" text", true),
        ("Content-Encoding: br", b"<p>unpacked</p>", false),
        ("Content-Encoding: br", b"{}", false),
        ("Content-Encoding: br", b"", false),
        ("Content-Encoding: broken", b"\x8b\x02", false),
        ("X: br", b"\x8b\x02", false),
    ] {
        let (end, _) =
            walked(walk, &[format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").as_bytes(), body].concat());
        let is_unsupported = |stop| matches!(stop, Stop::Refused(refusal) if refusal.reason == REASON);
        assert_eq!(end.is_err_and(is_unsupported), is_refused, "{field} {body:?}");
    }
}

#[test]
fn a_header_is_a_text_to_readers_that_do_not_know_it() {
    let digits = "Q2F0".repeat(40);
    let message = format!("HTTP/1.1 200 OK\r\nX: <a href=\"data:a/b;base64,{digits}\">\r\n\r\na body");
    assert!(handed(walk, message.as_bytes()).contains(&b"Cat".repeat(40)));
}
