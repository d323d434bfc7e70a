//! Files that are not archives are not opened.

use gate::{MemberEnd, Opened};

use crate::{open, seven_zip};

#[test]
fn text_and_noise_are_not_mine() {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        // Xorshift: the same noise in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let noise = noise.take(1 << 17).flatten().collect::<Vec<_>>();
    let source = std::fs::read(file!().replace("shared/openers/", "")).unwrap();
    for (what, bytes) in [
        ("nothing", &[][..]),
        ("a byte", b"a"),
        ("a word", b"hello\n"),
        ("zeros", &vec![0; 70_000]),
        ("noise", &noise),
        ("a megabyte of lines", &b"Nothing is packed here, says this line.\n".repeat(25_000)),
        ("source", &source),
        ("a page", b"<!doctype html><title>A page</title><p>Some text &amp; more"),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"),
    ] {
        let (opened, members) = open(bytes);
        assert_eq!((opened, members.given.len()), (Opened::NotMine, 0), "{what}");
    }
}

#[test]
fn prose_that_begins_as_an_archive_does_is_not_mine() {
    for start in [
        "070701",
        "070702",
        "070707",
        "hsqs",
        "sqsh",
        "begin",
        "BZh9",
        "MSCF",
        "Rar!",
        "xar!",
        "conectix",
        "koly",
        "SZDD",
        "PK",
        "7z",
        "FWS",
        "CWS",
        "ustar",
        "!<arch>",
        "ITSF",
        "MSWIM",
        "KDMV",
        "QFI",
        "vhdxfile",
        "NTFS",
        "CD001",
        "FLV",
        "\u{1f}\u{8b}",
        "-lh5-",
        ":10",
        "MZ",
        "NXSB",
        "Compressed ROMFS",
        "BD",
        "H+",
    ] {
        for rest in
            [" is how some archives begin, as everyone knows.\n", ", (2026).", "\n- a list\n- of things\n"]
        {
            for before in ["", "The word ", "Some lines\nbefore: "] {
                let text = format!("{before}{start}{}", rest.repeat(90));
                let (opened, members) = open(text.as_bytes());
                if start == "CWS" && before.is_empty() && opened == Opened::Whole {
                    // Given a film's name, 7-Zip opens this as a film and writes the start of its header.
                    assert_eq!(
                        members.given,
                        [(format!("FWS{}", &text[3..8]).into_bytes(), MemberEnd::Whole)]
                    );
                    continue;
                }
                assert_eq!((opened, members.given.len()), (Opened::NotMine, 0), "{text:.60}");
            }
        }
    }
}

#[test]
fn its_version_is_its_own() {
    let listed = crate::run("7z", &["i"], std::path::Path::new("/"));
    let version = listed.split_whitespace().find(|word| word.contains('.')).unwrap();
    assert_eq!(gate::Opener::name(&seven_zip()), format!("7-Zip {version}"));
}
