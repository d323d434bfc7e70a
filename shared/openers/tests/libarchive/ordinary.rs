//! Ordinary files do not count as archives, whatever they begin with.

use gate::Opened;

use crate::{noise, open};

#[test]
fn text_that_begins_like_an_archive_is_none() {
    for start in [
        "070701,1.5\n070702,2.5",
        "070707 is a date",
        "WARC/1.0 is a format",
        "LZIP is a format",
        "SIT! is a format",
        "begin 644 is how it begins",
        "!<arch",
        "Rar! is a format",
        "7z is a program",
        "xar! is a format",
        "PK is a mark",
        "MSCF is a format",
        "BZh91 is a number",
        "xx-lh5- is a method",
        "#mtree\n./a type=file size=5",
        "/set type=file\n",
        "]\0\0\u{80}\0",
        "\u{1f}\u{9d} is compressed",
        "#!/bin/sh\n",
    ] {
        for rest in
            ["", "\n", ": one more line of ordinary text, and another.\nThis is the next one, 0123456789.\n"]
        {
            for n_lines in [1, 10, 200] {
                let text = format!("{start}{}", rest.repeat(n_lines));
                let (opened, members) = open(text.clone().into_bytes());
                assert_eq!((opened, members), (Opened::NotMine, vec![]), "{start:?}, {n_lines} lines");
            }
        }
    }
}

/// Two bytes mark a binary cpio: bsdtar itself extracts a part of such a text, if it is long enough.
#[test]
fn text_that_begins_like_a_binary_cpio_gives_text() {
    let text = |n_lines| format!("q\u{1d0} fangzi{}", ": one more line of ordinary text\n".repeat(n_lines));
    assert_eq!(open(text(100).into_bytes()), (Opened::NotMine, vec![]));
    let long = text(5_000);
    let (opened, members) = open(long.clone().into_bytes());
    assert_eq!((opened, members.len()), (Opened::Damaged, 1));
    assert!(long.as_bytes().ends_with(&members[0].0));
}

#[test]
fn noise_is_no_archive() {
    for n_bytes in [0, 1, 2, 13, 26, 76, 110, 511, 512, 513, 1024, 70_000] {
        for seed in 0..40 {
            assert_eq!(open(noise(n_bytes, seed)).0, Opened::NotMine, "{n_bytes} bytes, seed {seed}");
        }
    }
    for byte in [0, b' ', b'a', 0x5D, 0xFF] {
        assert_eq!(open(vec![byte; 100_000]).0, Opened::NotMine, "{byte}");
    }
}

/// A disk image begins with blocks of zeros, as an empty tar does.
#[test]
fn zeros_before_something_else_are_no_tar() {
    let mut image = vec![0; 32 * 1024];
    image.extend(noise(40_000, 3));
    assert_eq!(open(image).0, Opened::NotMine);
}
