//! Archives that other programs make are extracted as by those programs' own readers.

use gate::{Kind, MemberEnd, Opened};

use crate::{digest, fixture, libarchive, open, open_with};

#[test]
fn archives_of_other_programs_give_what_they_hold() {
    let text = ["60 d0c504f0", "78 60f47caf"];
    let cab = ["33000 8ec8d677", text[0], text[1]];
    let solid = ["4096 7d89f86f", "4096 f81e6fce", "4096 5e621f2b", "4096 2627f401"];
    let table: [(&str, &[&str]); 14] = [
        ("cab-lzx.cab", &cab),
        ("cab-mszip.cab", &cab),
        ("cab-shift-jis-names.cab", &["5 7faabe85", "5 185f8db3"]),
        ("lha-header3.lzh", &text),
        ("lha-lh6.lzh", &text),
        ("lha-lh7.lzh", &text),
        ("lha-shift-jis-names.lzh", &["8 c10ea15c", "4 a330395c"]),
        ("lha-utf16-names.lzh", &["12 d4a6e95c", "25 63264064", "12 d4a6e95c", "12 d4a6e95c"]),
        ("rar4-best.rar", &["2048 2eaebb4c", "2048 2eaebb4c"]),
        ("rar4-unicode-names.rar", &["5 7faabe85", "16 84674f2b"]),
        ("rar5-best.rar", &["1200 588870a2"]),
        ("rar5-links.rar", &["5 a883dafc"]),
        ("rar5-solid.rar", &solid),
        ("rpm-gzip.rpm", &["121 9fbf5741"]),
    ];
    for (name, expected) in table {
        let (opened, members) = open(fixture(name));
        assert_eq!(opened, Opened::Whole, "{name}");
        assert!(members.iter().all(|(_, end)| *end == MemberEnd::Whole), "{name}");
        let members = members.iter().map(|(content, _)| digest(content)).collect::<Vec<_>>();
        assert_eq!(members, expected, "{name}");
    }
}

#[test]
fn encrypted_archives_say_so() {
    for (name, expected) in [
        ("rar4-encrypted-names.rar", Opened::Encrypted),
        ("rar5-encrypted-names.rar", Opened::Encrypted),
        // libarchive itself returns the encrypted bytes as data, or fails while it reads them.
        ("rar5-encrypted.rar", Opened::Encrypted),
    ] {
        assert_eq!(open(fixture(name)).0, expected, "{name}");
    }
    let (opened, members) = open(fixture("rar4-encrypted-partly.rar"));
    assert_eq!(opened, Opened::Whole);
    let ends = members.iter().map(|(content, end)| (content.len(), *end)).collect::<Vec<_>>();
    assert_eq!(ends, [(0, MemberEnd::Encrypted), (16, MemberEnd::Whole)]);
    // The same encryption in a zip, and an encrypted list of members.
    let directory = tempfile::tempdir().unwrap();
    crate::write(directory.path(), "a.txt", b"secret secret secret");
    for (arguments, expected) in [
        (["-pAirlock", "-tzip"].as_slice(), Opened::Whole),
        (&["-pAirlock", "-tzip", "-mem=AES256"], Opened::Whole),
        (&["-pAirlock", "-t7z"], Opened::Whole),
        (&["-pAirlock", "-t7z", "-mhe=on"], Opened::Encrypted),
    ] {
        let _ = std::fs::remove_file(directory.path().join("x"));
        let made = std::process::Command::new("7z")
            .args(["a", "x"])
            .args(arguments)
            .arg("a.txt")
            .current_dir(directory.path())
            .output();
        assert!(made.unwrap().status.success(), "{arguments:?}");
        let path = ["x", "x.zip", "x.7z"]
            .map(|name| directory.path().join(name))
            .into_iter()
            .find(|path| path.is_file());
        let path = path.unwrap();
        let (opened, members) = open(std::fs::read(&path).unwrap());
        std::fs::remove_file(path).unwrap();
        let has_open_member = members.iter().any(|(_, end)| *end != MemberEnd::Encrypted);
        assert!(
            opened == Opened::Encrypted || !members.is_empty() && !has_open_member,
            "{arguments:?}: {opened:?}"
        );
        assert!(expected != Opened::Encrypted || opened == Opened::Encrypted, "{arguments:?}: {opened:?}");
    }
}

#[test]
fn a_member_whose_header_is_bad_does_not_hide_the_next() {
    let (opened, members) = open(fixture("lha-bad-link.lzh"));
    assert_eq!((opened, members), (Opened::Damaged, vec![(b"hello world".to_vec(), MemberEnd::Whole)]));
}

#[test]
fn what_only_programs_unpack_is_unsupported() {
    // Headers as lzop 1.04, lrzip 0.65 and GRZip II write them.
    let lzop = b"\x89LZO\0\r\n\x1A\n\x10\x40\x20\xA0\x09\x40\x03\x09\x03\0\0\x01\0\0\x81\xA4rest of it all";
    for start in [lzop.as_slice(), b"LRZI\0\x08\0\0\0\0rest of it all", b"GRZipII\0\x02\x04:)rest of it"] {
        assert_eq!(open(start.to_vec()).0, Opened::Unsupported);
    }
    assert_eq!(open_with(&mut libarchive(), lzop.to_vec(), Some(Kind::Lzop)).0, Opened::NotMine);
    for text in ["LRZI is a magic number", "GRZipII is a program", "\u{89}LZO is another"] {
        assert_eq!(open(text.into()).0, Opened::NotMine);
    }
}
