//! Tests of the whole walk: what is handed, and what is refused.

use domain::verdict::Unscannable;
use std::io::Read as _;

use super::*;
use crate::walk::Stop;
use crate::{Capabilities, Gate, Limits};

const IDENTIFIER: &str = "/ID[<31415926535897932384626433832795>]";
/// Dictionaries that qpdf writes for an empty user password: RC4 of 40 and 128 bits, AES of 128 bits with
/// plain metadata, AES of 256 bits in revisions 5 and 6.
const ENCRYPTED: [(&str, &str); 5] = [
    (
        "U <b3",
        "<</Filter/Standard/Length 40/O <c92422687facee686e373f10b5c7d04738053152f7e2ee30e11c69ec442576a\
         b>/P -4/R 2/U <b3d9fa366906ef42f354c6deb74c59075eaf334eb7c04356ba0d7f3dd8b51d0a>/V 1>>",
    ),
    (
        "U <e2",
        "<</Filter/Standard/Length 128/O <566fa873ee33c797cd3b904fdadf814afa34df9a38f6ed41b984e2c6da2aa6\
         f5>/P -4/R 3/U <e21cc3d13b0faa9934db7d20f11e333e0122456a91bae5134273a6db134c87c4>/V 2>>",
    ),
    (
        "U <b7",
        "<</CF<</StdCF<</AuthEvent/DocOpen/CFM/AESV2/Length 16>>>>/EncryptMetadata false/Filter\
         /Standard/Length 128/O <566fa873ee33c797cd3b904fdadf814afa34df9a38f6ed41b984e2c6da2aa6f5>/P -4\
         /R 4/StmF/StdCF/StrF/StdCF/U <b7ae61ae5fe831ccd7979c155d4f926c0122456a91bae5134273a6db134c87c4>\
         /V 4>>",
    ),
    (
        "U <0f",
        "<</CF<</StdCF<</AuthEvent/DocOpen/CFM/AESV3/Length 32>>>>/Filter/Standard/Length 256\
         /O <e8e954be6c5b70e386d1400e957965f9fb45af6b20b7b963c8e95bed002c5637c5963fa69dd19a0d60a293653a3\
         bebfc>/P -4/R 5/StmF/StdCF/StrF/StdCF/U <0fcb36263762d8dcbb5e1cde43e5408c0a1345d7b5e2338856a8ee\
         34890cfae944d1079297b910ecc30fbcb7d503abc6>\
         /UE <5ecf4b297f0ab1f9a11b16a7a58ad28874b3a258843ccb780375c2f86990b035>/V 5>>",
    ),
    (
        "U <7c",
        "<</CF<</StdCF<</AuthEvent/DocOpen/CFM/AESV3/Length 32>>>>/Filter/Standard/Length 256\
         /O <19c75bcf00d50e942f75200aafd9e3c22e693ccebdf89cffb141006c5e1539f81ef9cff95aa2800bc4e7aa1f05d\
         0bfc8>/P -4/R 6/StmF/StdCF/StrF/StdCF/U <7c085ab3352f1c3d8a5c8acb3d7f627c8742e1be8d473896632558\
         7e56a270b7eef04b77e6163f83ba840ff7d0270f07>\
         /UE <0cd15d042fd7eaf9b38b005bf5157eba9f854922ad108ec00d881375445892ba>/V 5>>",
    ),
];

/// What is handed, in order.
fn handed(pdf: &[u8]) -> Result<Vec<Vec<u8>>, Unscannable> {
    let limits =
        Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 22, max_members: 1000, max_depth: 3 };
    let gate = Gate { limits, capabilities: [].into_iter().collect::<Capabilities>() };
    let scratch = crate::scratch::Scratch::new(tempfile::tempfile().unwrap());
    let mut gate_walk = Walk::new(&gate, scratch, vec![]);
    let bytes_of = |blob: Blob| {
        let mut bytes = Vec::new();
        blob.reader().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let blob = Blob::from_bytes(pdf.to_vec());
    match walk(&mut gate_walk, &blob, &Survey::of(&blob).unwrap(), 0) {
        Ok(()) => Ok(gate_walk.into_handed().into_iter().map(bytes_of).collect()),
        Err(Stop::Refused(refusal) | Stop::Disputed(refusal) | Stop::Locked(refusal)) => Err(refusal.reason),
        Err(Stop::Trouble(error)) => panic!("{error}"),
    }
}

#[track_caller]
fn check(pdf: &str, expected: &[&str]) {
    let found = handed(pdf.as_bytes()).unwrap();
    let found = found.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect::<Vec<_>>();
    assert_eq!(found, expected, "{pdf}");
}

#[test]
fn what_readers_save_is_handed() {
    for (pdf, expected) in [
        (
            "1 0 obj<</EF<</F 2 0 R>>>>endobj 2 0 obj<</Length 4>>stream\nfile\nendstream",
            &["file", "file\n"][..],
        ),
        ("1 0 obj<</Type/EmbeddedFile/Length 4>>stream\nfileendstream", &["file"]),
        ("1 0 obj<</Type/#45mbeddedFile/Length 4>>stream\nfileendstream", &["file"]),
        ("1 0 obj<</Length 4>>stream\npageendstream", &[]),
        (
            "1 0 obj<</E#46 2 0 R>>endobj 2 0 obj[3 0 R]endobj 3 0 obj<</Length 4>>stream\nfileendstream",
            &["file"],
        ),
        ("1 0 obj<</FontFile2 2 0 R>>endobj 2 0 obj<</Length 4>>stream\nfontendstream", &["font"]),
        ("<</Length 4/Type/A>>\nstream\nfileendstream obj", &["file"]),
        // Two revisions of one object.
        (
            "/EF 2 0 R 2 0 obj<</Length 3>>stream\noldendstream 2 0 obj<</Length 3>>stream\nnewendstream",
            &["old", "new"],
        ),
        // A cross reference with a different number.
        ("7 0 obj<</Length 4>>stream\nfileendstream xref\n2 1\n0000000000 00000 n \n/EF 2 0 R", &["file"]),
        // Objects in a stream.
        (
            "1 0 obj<</Type/ObjStm/N 1/First 4>>stream\n3 0 <</EF<</F 2 0 R>>>>\nendstream \
             2 0 obj<</Length 4>>stream\nfileendstream",
            &["file"],
        ),
    ] {
        check(pdf, expected);
    }
}

#[test]
fn data_ends_and_is_decoded_by_every_reading() {
    for (fields, data, expected) in [
        ("/Length 2 0 R", "file\n", &["file\n", "file"][..]),
        ("/Length 2", "file", &["fi", "file"]),
        ("/Filter/AHx/Length 9", "66 69 6c65>", &["file"]),
        ("/Filter[/A85/AHx]", "2E!HR2IeX&4o~>", &["file"]),
        ("/Filter 9 0 R", "6869>", &["6869>", "hi"]),
        ("/Filter/AHx/Filter/A85", "66>", &["f", "B"]),
        ("/Filter/Other", "data", &["data"]),
    ] {
        let pdf = format!(
            "9 0 obj/AHx endobj 9 0 obj null endobj \
             1 0 obj<</Type/EmbeddedFile{fields}>>stream\n{data}endstream"
        );
        let found = handed(pdf.as_bytes()).unwrap();
        for expected in expected {
            assert!(found.iter().any(|bytes| bytes == expected.as_bytes()), "{pdf}: {expected}");
        }
    }
}

#[test]
fn only_a_password_makes_it_encrypted() {
    let with = |dictionary: &str| {
        format!("1 0 obj<<>>stream endstream trailer<</Root 1 0 R/Encrypt {dictionary}{IDENTIFIER}>>")
    };
    for (user, dictionary) in ENCRYPTED {
        assert!(handed(with(dictionary).as_bytes()).is_ok(), "{dictionary}");
        let other = dictionary.replace(user, "U <a5");
        assert_ne!(other, dictionary);
        assert_eq!(handed(with(&other).as_bytes()), Err(Unscannable::Encrypted), "{other}");
        let elsewhere = format!("{} 5 0 obj{other}endobj", with("5 0 R"));
        assert_eq!(handed(elsewhere.as_bytes()), Err(Unscannable::Encrypted), "{elsewhere}");
    }
    let other_handler = with("<</Filter/Adobe.PubSec/V 4>>");
    assert_eq!(handed(other_handler.as_bytes()), Err(Unscannable::Encrypted));
    for text in ["12 0 R", "1 0 R", "<<>>", "<</Filter/FlateDecode>>"] {
        assert_eq!(handed(with(text).as_bytes()), Ok(vec![]), "{text}");
    }
}

#[test]
fn what_explodes_is_refused() {
    let filters = "1 0 obj/AHx endobj 1 0 obj/A85 endobj 1 0 obj/RL endobj".to_owned();
    let chains =
        format!("{filters} 2 0 obj<</Type/EmbeddedFile/Filter[{}]>>stream\nx\nendstream", "1 0 R ".repeat(8));
    let overlapping = "1 0 obj<</A(".repeat(400_000) + "stream";
    let deep = format!("2 0 obj<</Type/EmbeddedFile/Filter[{}]>>stream\nx\nendstream", "/AHx".repeat(100));
    let rows = "2 0 obj<</Type/EmbeddedFile/Filter/LZW\
        /DecodeParms<</Predictor 12/Columns 99999999>>>>stream\nx\nendstream";
    for (pdf, reason) in [
        (chains.as_str(), Unscannable::TooManyFiles),
        (&overlapping, Unscannable::TooManyFiles),
        (&deep, Unscannable::TooManyFiles),
        (rows, Unscannable::Malformed),
    ] {
        assert_eq!(handed(pdf.as_bytes()), Err(reason), "{}", &pdf[..60]);
    }
}

mod odd;
mod shown;
