//! What is signed, compressed or wrapped in an OpenPGP or CMS message is handed over; what is encrypted is
//! refused; what only looks like such a message passes.

use std::io::{Read as _, Write as _};

use domain::verdict::Unscannable;
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

use crate::{USUAL_LIMITS, gate, inspect_bytes};

pub(crate) const TEXT: &[u8] = b"what the message holds, to the last letter";

/// The members handed over, and the reason of the refusal.
pub(crate) fn inspected(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Unscannable>) {
    let inspection = inspect_bytes(&gate(USUAL_LIMITS), bytes);
    let content = |blob: &gate::Blob| {
        let mut content = vec![];
        blob.reader().read_to_end(&mut content).unwrap();
        content
    };
    (inspection.handed.iter().map(content).collect(), inspection.refusal.map(|refusal| refusal.reason))
}

#[track_caller]
fn check_holds(bytes: &[u8], what: &str) {
    let (handed, refusal) = inspected(bytes);
    assert!(handed.iter().any(|content| content == TEXT), "{what}");
    assert_eq!(refusal, None, "{what}");
}

#[track_caller]
fn check_encrypted(bytes: &[u8], what: &str) {
    assert_eq!(inspected(bytes).1, Some(Unscannable::Encrypted), "{what}");
}

/// With the new header, in the longest form.
pub(crate) fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xc0 | tag, 0xff], &size[..], body].concat()
}

fn literal(mode: u8, content: &[u8]) -> Vec<u8> {
    packet(11, &[&[mode, 4][..], b"name", &[0; 4], content].concat())
}

pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encrypted() -> Vec<u8> {
    let session_key = [&[3][..], b"8 bytes.", &[1, 0, 20], b"123"].concat();
    [packet(1, &session_key), packet(18, &[&[1][..], &[7; 60]].concat())].concat()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let number = byte(0) << 16 | byte(1) << 8 | byte(2);
        (0..4)
            .map(|at| {
                if at > chunk.len() {
                    return '=';
                }
                char::from(DIGITS[(number >> (18 - 6 * at) & 63) as usize])
            })
            .collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// Short lines of two widths: no search for runs of base64 joins them.
fn lines(bytes: &[u8]) -> String {
    let digits = base64(bytes);
    let line =
        |chunk: &[u8]| format!("{}\n{}\n", chunk[0] as char, std::str::from_utf8(&chunk[1..]).unwrap());
    digits.as_bytes().chunks(8).map(line).collect()
}

pub(crate) fn armored(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n\n{}=abcd\n-----END {label}-----\n", lines(bytes))
}

#[test]
fn literal_data_is_handed_over_whatever_stands_around_it() {
    let (message, marker) = (literal(b'b', TEXT), packet(10, b"PGP"));
    let signature = packet(2, &[4, 0, 1, 8, 0, 0]);
    for (what, bytes) in [
        ("alone", message.clone()),
        ("an unusual mode", literal(b'x', TEXT)),
        ("signed", [packet(4, &[3; 13]), message.clone(), signature.clone()].concat()),
        ("behind a marker", [marker.clone(), message.clone()].concat()),
        ("behind padding", [packet(21, &[5; 40]), message.clone()].concat()),
        ("behind a packet of an unknown kind", [marker.clone(), packet(60, b"?"), message.clone()].concat()),
        ("the second one", [literal(b'b', b"another"), message.clone()].concat()),
        ("of indeterminate length", [&b"\xaf"[..], &message[6..]].concat()),
        ("in parts", [&b"\xcb\xe4"[..], &message[6..22], &[36], &message[22..]].concat()),
    ] {
        check_holds(&bytes, what);
    }
    let with_cr = TEXT.iter().flat_map(|byte| [*byte, b'\r']).collect::<Vec<_>>();
    check_holds(&literal(b't', &with_cr), "text has no CR");
    assert!(!inspected(&literal(b'b', &with_cr)).0.contains(&TEXT.to_vec()));
}

#[test]
fn compressed_data_are_unpacked_as_far_as_they_go() {
    let message = literal(b'b', TEXT);
    let compressed = |method: u8, bytes: &[u8]| [&[method], bytes].concat();
    for (what, body) in [
        ("not at all", compressed(0, &message)),
        ("deflate", compressed(1, &deflated(&message))),
        ("zlib", compressed(2, &zlib(&message))),
        ("bzip2", compressed(3, &bzip2(&message))),
        ("twice", compressed(1, &deflated(&packet(8, &compressed(3, &bzip2(&message)))))),
        ("behind an unknown packet", compressed(2, &zlib(&[packet(60, b"?"), message.clone()].concat()))),
        ("no checksum", compressed(2, &zlib(&message)[..zlib(&message).len() - 4])),
    ] {
        check_holds(&packet(8, &body), what);
        check_holds(&[&b"\xa3"[..], &body].concat(), what);
        check_holds(
            &[&b"\xc8\xe2"[..], &body[..4], &[u8::try_from(body.len() - 4).unwrap()], &body[4..]].concat(),
            what,
        );
        check_holds(&[&[0xc8, 5][..], &body].concat(), "a length that is too short");
        check_holds(&[&[0xc8, 190][..], &body].concat(), "a length that is too long");
    }
    let stored = [&b"\xa3\x01\x01\x30\0\xcf\xff\xcb\x2e\x62\0\0\0\0\0"[..], &[b'x'; 37], &[0xff; 2]].concat();
    let expected = [&[b'x'; 37][..], &[0xff; 3]].concat();
    assert!(inspected(&stored).0.contains(&expected), "what gpg adds to a truncated stream");
}

#[test]
fn armor_is_found_anywhere() {
    let message = literal(b'b', TEXT);
    let block = armored("PGP MESSAGE", &message);
    for (what, text) in [
        ("alone", block.clone()),
        ("another label", armored("PGP SIGNATURE", &message)),
        ("behind text", format!("Dear reader,\n\n{block}\nRegards\n")),
        ("the second one", format!("{}{block}", armored("PGP MESSAGE", &literal(b'b', b"another")))),
        ("CRLF", block.replace('\n', "\r\n")),
        ("CR", block.replace('\n', "\r")),
        ("quoted", format!("> {}", block.trim_end().replace('\n', "\n> "))),
        ("no checksum", block.replace("=abcd\n", "")),
        ("no end", block.split("-----END").next().unwrap().to_owned()),
        ("fields", block.replace("\n\n", "\nVersion: 1\nComment: text\n\n")),
        ("no blank line", block.replace("\n\n", "\n")),
        ("junk in it", block.replace("=abcd", "!\n=abcd").replacen("A\n", "A!\n", 3)),
        (
            "in two blocks",
            armored("PGP MESSAGE", &message[..30]) + &armored("PGP ARMORED FILE", &message[30..]),
        ),
    ] {
        check_holds(text.as_bytes(), what);
    }
    check_holds(&[&b"\x7fELF\0\x01\x02\n"[..], block.as_bytes()].concat(), "in a program");
    let signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- what the message holds, ";
    let text = format!("{signed}to the last letter\n{}", armored("PGP SIGNATURE", &packet(2, b"x")));
    let expected = [TEXT, b"\n"].concat();
    assert!(inspected(text.as_bytes()).0.contains(&expected), "signed text");
}

pub(crate) fn value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let content = contents.concat();
    let size = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &size, &content].concat()
}

pub(crate) fn open_value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80], contents.concat().as_slice(), &[0, 0]].concat()
}

fn identifier(name: &[u8]) -> Vec<u8> {
    [&[6, u8::try_from(name.len()).unwrap()], name].concat()
}

pub(crate) const PKCS_7: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07";
const SMIME: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01";

pub(crate) type Value = fn(u8, &[&[u8]]) -> Vec<u8>;

/// A wrapper of this kind with this content in it.
pub(crate) fn wrapped(value: Value, arc: &[u8], number: u8, content: &[u8]) -> Vec<u8> {
    let data = value(0x30, &[&identifier(&[PKCS_7, &[1]].concat()), &value(0xa0, &[content])]);
    let body = value(0x30, &[&[2, 1, 1], &value(0x31, &[]), &data, &value(4, &[b"a digest"])]);
    value(0x30, &[&identifier(&[arc, &[number]].concat()), &value(0xa0, &[&body])])
}

#[test]
fn wrapped_content_is_handed_over() {
    let octets = value(4, &[TEXT]);
    let pieces = |value: Value| {
        let halves = value(0x24, &[&[4, 10][..], &TEXT[10..20], &[4, 0]]);
        value(0x24, &[&[4, 10], &TEXT[..10], &halves, &[4, 22], &TEXT[20..]])
    };
    for value in [value as Value, open_value] {
        for (what, bytes) in [
            ("signed", wrapped(value, PKCS_7, 2, &octets)),
            ("digested", wrapped(value, PKCS_7, 5, &octets)),
            ("authenticated", wrapped(value, SMIME, 2, &octets)),
            ("in pieces", wrapped(value, PKCS_7, 2, &pieces(value))),
            ("within another", wrapped(value, PKCS_7, 2, &wrapped(value, PKCS_7, 2, &octets))),
            ("plain data", value(0x30, &[&identifier(&[PKCS_7, &[1]].concat()), &value(0xa0, &[&octets])])),
            ("compressed", wrapped(value, SMIME, 9, &crate::signed::value(4, &[&zlib(TEXT)]))),
        ] {
            check_holds(&bytes, what);
        }
    }
    check_holds(&wrapped(value, PKCS_7, 2, &value(0x0c, &[TEXT])), "what gpgsm writes of another type");
    let stamped = value(0x30, &[&[2, 1, 1], &[0x16, 1, b'x'], &octets, &value(0xa0, &[])]);
    check_holds(
        &value(0x30, &[&identifier(&[SMIME, &[31]].concat()), &value(0xa0, &[&stamped])]),
        "time-stamped",
    );
    let signed = wrapped(value, PKCS_7, 2, &octets);
    for label in ["CMS", "PKCS7", "PKCS #7 SIGNED DATA", "CERTIFICATE"] {
        check_holds(armored(label, &signed).replace("=abcd\n", "").as_bytes(), label);
    }
    let header =
        "MIME-Version: 1.0\nContent-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: 7bit\n";
    check_holds(format!("{header}\n{}", lines(&signed)).as_bytes(), "a mail that does not say base64");
    check_holds(
        format!("{header}\nno, base64\n\n{}", lines(&signed)).as_bytes(),
        "a mail with lines of text",
    );
}

#[test]
fn messages_are_found_in_what_is_a_container_too() {
    let octets = value(4, &[TEXT]);
    let mut tar = wrapped(open_value, PKCS_7, 2, &octets);
    tar.truncate(100);
    tar.resize(1536, 0);
    tar[124..136].copy_from_slice(b"00000000000\0");
    tar[148..156].copy_from_slice(&[b' '; 8]);
    tar[156] = b'0';
    tar[257..265].copy_from_slice(b"ustar\x0000");
    let sum = tar[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    check_holds(&tar, "CMS that is a tar");
    let armored = armored("PGP MESSAGE", &literal(b'b', TEXT));
    let comment = [&b"\n"[..], armored.as_bytes()].concat();
    let n_comment = u16::try_from(comment.len()).unwrap().to_le_bytes();
    let zip = [&b"PK\x05\x06"[..], &[0; 16], &n_comment, &comment].concat();
    check_holds(&zip, "armor in the comment of a zip");
}

#[test]
fn what_is_encrypted_is_refused() {
    check_encrypted(&encrypted(), "a message");
    check_encrypted(armored("PGP MESSAGE", &encrypted()).as_bytes(), "armored");
    check_encrypted(&packet(8, &[&[1][..], &deflated(&encrypted())].concat()), "compressed");
    let (handed, refusal) = inspected(&[encrypted(), literal(b'b', TEXT)].concat());
    assert!(
        handed.contains(&TEXT.to_vec()) && refusal == Some(Unscannable::Encrypted),
        "one of two messages"
    );
    let recipient = value(0x30, &[&[2, 1, 0], &value(0x31, &[]), &value(0x30, &[&[0x80, 4], b"4444"])]);
    for (arc, number) in [(PKCS_7, 3), (PKCS_7, 4), (PKCS_7, 6), (SMIME, 23)] {
        let name = identifier(&[arc, &[number]].concat());
        let enveloped = value(0x30, &[&name, &value(0xa0, &[&recipient])]);
        check_encrypted(&enveloped, "enveloped");
        check_encrypted(armored("PKCS7", &enveloped).as_bytes(), "enveloped and armored");
        check_encrypted(&wrapped(value, PKCS_7, 2, &value(4, &[&enveloped])), "enveloped and signed");
    }
}

#[test]
fn what_only_looks_like_a_message_passes() {
    let detached = value(
        0x30,
        &[
            &[2, 1, 1],
            &value(0x31, &[]),
            &value(0x30, &[&identifier(&[PKCS_7, &[3]].concat())]),
            &value(0xa0, &[&value(0x30, &[])]),
        ],
    );
    let key = [packet(6, &[4; 60]), packet(13, b"a <a@example.org>"), packet(2, &[4; 60])].concat();
    for (what, bytes) in [
        ("a key", key.clone()),
        ("an armored key", armored("PGP PUBLIC KEY BLOCK", &key).into_bytes()),
        ("a signature", packet(2, &[4; 60])),
        ("a session key alone", encrypted()[..20].to_vec()),
        ("a mention", b"It begins with\n-----BEGIN PGP MESSAGE-----\nand goes on.\n".to_vec()),
        ("mentions", b"-----BEGIN PGP MESSAGE-----\n".repeat(5_000)),
        ("mentions of signed text", b"-----BEGIN PGP SIGNED MESSAGE-----\n\n".repeat(5_000)),
        (
            "a detached signature",
            value(0x30, &[&identifier(&[PKCS_7, &[2]].concat()), &value(0xa0, &[&detached])]),
        ),
        ("another sequence", value(0x30, &[&identifier(b"\x2a\x03"), &value(0xa0, &[&value(0x30, &[])])])),
        ("a name of encryption", value(0x30, &[&identifier(&[PKCS_7, &[3]].concat()), &value(0x31, &[])])),
    ] {
        assert_eq!(inspected(&bytes).1, None, "{what}");
    }
    // Each is the beginning of a packet, or of thousands within each other.
    for byte in 0x80..=0xff {
        let (handed, refusal) = inspected(&vec![byte; 100_000]);
        assert_eq!(refusal, None, "{byte:x}");
        assert!(handed.len() < 3, "{byte:x}");
    }
}
