//! A format that the gate has walked itself is not opened again; other formats in the same bytes are.

use gate::{Kind, Opened};

use crate::{made, open, open_but};

#[test]
fn the_kind_that_was_walked_is_left_out() {
    for (name, kind) in [
        ("7z", Kind::SevenZip),
        ("ar", Kind::Ar),
        ("bzip2", Kind::Bzip2),
        ("cab", Kind::Cabinet),
        ("gzip", Kind::Gzip),
        ("iso", Kind::Iso),
        ("tar-gnu", Kind::Tar),
        ("xz", Kind::Xz),
        ("zip", Kind::Zip),
    ] {
        let made = made(name);
        assert_eq!(open(&made.archive).0, Opened::Whole, "{name}");
        let (opened, members) = open_but(&made.archive, Some(kind));
        assert_eq!((opened, members.given.len()), (Opened::NotMine, 0), "{name}");
    }
    let compound = std::fs::read("/usr/share/clamav-testfiles/clam.ole.doc").unwrap();
    assert_eq!(open_but(&compound, Some(Kind::Compound)).0, Opened::NotMine);
}

#[test]
fn what_7_zip_does_not_know_is_searched_all_the_same() {
    let lzop = [&b"\x89LZO\0\r\n\x1a\nand a header"[..], &made("7z").archive].concat();
    assert_eq!(open_but(&lzop, Some(Kind::Lzop)).0, Opened::Whole);
    assert_eq!(open_but(&lzop, Some(Kind::Zip)).0, Opened::NotMine);
}

#[test]
fn another_format_in_the_same_bytes_is_opened() {
    let both = made("iso-udf");
    assert_eq!(open(&both.archive).1.given.len(), 4);
    let (opened, members) = open_but(&both.archive, Some(Kind::Iso));
    assert_eq!((opened, members.given.len()), (Opened::Whole, 2));
    // A tar archive in the sectors that an ISO image leaves to the system.
    let mut image = made("iso").archive;
    let tar = crate::made("small-tar").archive;
    image[..tar.len()].copy_from_slice(&tar);
    let (_, members) = open_but(&image, Some(Kind::Iso));
    assert_eq!(members.given.len(), 2);
}
