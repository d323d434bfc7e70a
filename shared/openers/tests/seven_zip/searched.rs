//! An archive behind other data is found.

use std::fs;

use gate::Opened;

use crate::{made, open};

#[test]
fn behind_a_program() {
    let program = fs::read("/bin/true").unwrap();
    assert_eq!(open(&program).0, Opened::NotMine);
    for name in ["7z", "zip", "cab", "rar4", "rar5", "arj", "rpm", "xz", "squashfs-gzip", "wim", "tar-gnu"] {
        let made = made(name);
        let (opened, members) = open(&[program.as_slice(), &made.archive].concat());
        assert_eq!(opened, Opened::Whole, "{name}");
        assert_eq!(members.given.len(), made.members.len(), "{name}");
    }
}

/// Up to 7-Zip's own search limit of 8 MiB.
#[test]
fn as_far_as_7_zip_looks() {
    let archive = made("small-7z").archive;
    let (near, far) = (vec![b' '; 1 << 23], vec![b' '; (1 << 23) + 1]);
    assert_eq!(open(&[near.as_slice(), &archive].concat()).0, Opened::Whole);
    assert_eq!(open(&[far.as_slice(), &archive].concat()).0, Opened::NotMine);
}

/// A name that ends as those of the second format do makes 7-Zip look for the second.
#[test]
fn the_first_of_each_format() {
    let between = b" and then ".as_slice();
    let (first, second) = (made("small-cab"), made("small-7z"));
    let bytes = [between, &first.archive, between, &second.archive, between, &first.archive].concat();
    let (opened, members) = open(&bytes);
    assert_eq!((opened, members.given.len()), (Opened::Whole, 4));
}

/// An archive that reaches to the end of the file is opened as a whole: archives stored in it are not
/// searched for.
#[test]
fn not_within_an_archive() {
    let (opened, members) = open(&made("cpio-newc").archive);
    assert_eq!((opened, members.given.len()), (Opened::Whole, 2));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("inner.7z"), made("small-7z").archive).unwrap();
    crate::run("tar", &["-cf", "outer.tar", "inner.7z"], directory.path());
    let (_, members) = open(&fs::read(directory.path().join("outer.tar")).unwrap());
    assert_eq!(members.sorted(), [made("small-7z").archive.as_slice()]);
}

/// Given a film's name, 7-Zip opens the start as a film; with another name, it searches further.
#[test]
fn behind_what_only_a_name_opens() {
    let film = b"CWS is how some films begin.\n";
    let made = made("small-7z");
    let (_, members) = open(&[film.as_slice(), &made.archive, b"tail"].concat());
    let expected: Vec<_> = made.members.iter().map(Vec::as_slice).collect();
    assert!(crate::holds(&members.sorted(), &expected), "{:?}", members.given);
}

/// NSIS is found from the start of the file as well as by its signature.
#[test]
fn what_is_found_twice_is_given_once() {
    assert_eq!(open(&made("nsis").archive).1.given.len(), 2);
}
