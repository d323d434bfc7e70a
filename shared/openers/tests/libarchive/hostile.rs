//! Archives that are cut, changed or endless end in a result.

use gate::{Blob, MemberEnd, Opened, Opener as _};

use crate::{Kept, bsdtar, fixture, libarchive, noise, open_with, write};

fn small_archives() -> Vec<(String, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a.txt", &b"hello world\n".repeat(20));
    write(directory.path(), "b.bin", &noise(300, 1));
    let formats = ["7zip", "ar", "cpio", "newc", "bin", "pax", "warc", "xar", "zip"];
    let made = formats.map(|format| {
        let archive = bsdtar(directory.path(), &["--format", format], &["a.txt", "b.bin"]);
        (format.to_owned(), archive)
    });
    let filters =
        ["bzip2", "compress", "gzip", "lz4", "lzip", "lzma", "uuencode", "xz", "zstd"].map(|filter| {
            let arguments = ["--format=newc", &format!("--{filter}")];
            (filter.to_owned(), bsdtar(directory.path(), &arguments, &["a.txt"]))
        });
    let fixtures = [
        "cab-lzx.cab",
        "cab-mszip.cab",
        "lha-lh7.lzh",
        "rar5-solid.rar",
        "rar4-unicode-names.rar",
        "rpm-gzip.rpm",
    ];
    let fixtures = fixtures.map(|name| (name.to_owned(), fixture(name)));
    made.into_iter().chain(filters).chain(fixtures).collect()
}

#[test]
fn no_cut_crashes_it_or_makes_more_of_it() {
    let mut libarchive = libarchive();
    let mut n_cut = 0;
    for (name, archive) in small_archives() {
        let (opened, whole) = open_with(&mut libarchive, archive.clone(), None);
        assert_eq!(opened, Opened::Whole, "{name}");
        for n_bytes in 0..archive.len() {
            let (opened, members) = open_with(&mut libarchive, archive[..n_bytes].to_vec(), None);
            // The content of a truncated archive is a prefix of that of the whole.
            for (mut content, end) in members {
                // libarchive does not report that the last bytes of a WARC are missing.
                content.truncate(content.iter().rposition(|byte| *byte != 0).map_or(0, |place| place + 1));
                n_cut += usize::from(end != MemberEnd::Whole || opened == Opened::Damaged);
                let is_known = whole.iter().any(|(whole, _)| whole.starts_with(&content));
                assert!(is_known || end != MemberEnd::Whole, "{name}, {n_bytes} bytes");
            }
        }
    }
    assert!(n_cut > 1000, "{n_cut}");
}

#[test]
fn no_changed_byte_crashes_it() {
    let mut libarchive = libarchive();
    let mut n_opened = 0;
    for (_, archive) in small_archives() {
        let step = archive.len() / 150 + 1;
        for place in (0..archive.len()).step_by(step) {
            let mut changed = archive.clone();
            changed[place] ^= 0x41;
            let mut kept = Kept::new(1 << 20);
            let opened = libarchive.open(&Blob::from_bytes(changed), None, &mut kept);
            n_opened += u32::from(opened != Opened::NotMine);
        }
    }
    assert!(n_opened > 1000, "{n_opened}");
}

#[test]
fn bombs_stop_where_the_sink_says() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::File::create(directory.path().join("zeros")).unwrap().set_len(200 << 20).unwrap();
    for arguments in [
        ["--format=zip", "--options=compression=deflate"],
        ["--format=raw", "--zstd"],
        ["--format=raw", "--lz4"],
        ["--format=raw", "--compress"],
        ["--format=7zip", "--options=compression=lzma2"],
        ["--format=xar", "--options=compression=gzip"],
    ] {
        let bomb = bsdtar(directory.path(), &arguments, &["zeros"]);
        let mut kept = Kept::new(1 << 20);
        libarchive().open(&Blob::from_bytes(bomb), None, &mut kept);
        // The sink panics if it is called once more.
        assert!(kept.is_broken, "{arguments:?}");
    }
}

/// A tar of a few KiB whose member is a hole of ten gigabytes.
#[test]
fn a_large_hole_stops_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(directory.path().join("sparse")).unwrap();
    file.set_len(1 << 30).unwrap();
    let archive = bsdtar(directory.path(), &["--format=pax"], &["sparse"]);
    let text = "GNU.sparse.realsize=1073741824";
    let place = archive.windows(text.len()).position(|part| part == text.as_bytes());
    let place = place.expect("a sparse member");
    let mut archive = archive;
    // More digits would change the size of the record, so this is the largest number of ten digits.
    archive[place..place + text.len()].copy_from_slice(b"GNU.sparse.realsize=9999999999");
    let mut kept = Kept::new(1 << 20);
    libarchive().open(&Blob::from_bytes(archive), None, &mut kept);
    assert!(kept.is_broken);
}
