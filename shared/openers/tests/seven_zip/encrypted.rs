//! Members that need a password are reported as encrypted, and none of their bytes are returned.

use std::fs;

use gate::{MemberEnd, Opened};

use crate::{open, run};

const TEXT: &[u8] = b"Only with the password.\n";

/// An archive that `7z a` makes of one file.
fn packed(words: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secret.txt"), TEXT.repeat(20)).unwrap();
    run("7z", &[&["a", "-bd", "-y"], words, &["archive", "secret.txt"]].concat(), directory.path());
    let mut names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    fs::read(names.find(|path| path.file_stem().unwrap() == "archive").unwrap()).unwrap()
}

#[test]
fn members_are_encrypted() {
    for words in [["-t7z", "-psecret"], ["-tzip", "-psecret"]] {
        let (opened, members) = open(&packed(&words));
        assert_eq!(members.given, [(vec![], MemberEnd::Encrypted)], "{words:?}");
        assert_eq!(opened, Opened::Whole, "{words:?}");
    }
    let (_, members) = open(&packed(&["-tzip", "-mem=AES256", "-psecret"]));
    assert_eq!(members.given, [(vec![], MemberEnd::Encrypted)]);
}

#[test]
fn a_list_is_encrypted() {
    let archive = packed(&["-t7z", "-mhe=on", "-psecret"]);
    let (opened, members) = open(&archive);
    assert_eq!((opened, members.given.len()), (Opened::Encrypted, 0));
    let program = fs::read("/bin/true").unwrap();
    assert_eq!(open(&[program, archive].concat()).0, Opened::Encrypted);
}

/// The password is asked for member by member.
#[test]
fn what_stands_beside_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    for (name, words) in [("open.txt", vec![]), ("secret.txt", vec!["-psecret"])] {
        fs::write(directory.path().join(name), TEXT).unwrap();
        run("7z", &[&["a", "-bd", "-tzip"], words.as_slice(), &["a.zip", name]].concat(), directory.path());
    }
    let (_, members) = open(&fs::read(directory.path().join("a.zip")).unwrap());
    let whole: Vec<_> = members.given.iter().filter(|(_, end)| *end == MemberEnd::Whole).collect();
    assert_eq!(whole, [&(TEXT.to_vec(), MemberEnd::Whole)]);
    assert_eq!(members.given.len(), 2);
}

#[test]
fn another_format_says_so_as_well() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secret.txt"), TEXT).unwrap();
    run("arj", &["a", "-y", "-gsecret", "a.arj", "secret.txt"], directory.path());
    let arj = fs::read(directory.path().join("a.arj")).unwrap();
    let (_, members) = open(&arj);
    assert_eq!(members.given.len(), 1);
    assert_ne!(members.given[0].1, MemberEnd::Whole);
}
