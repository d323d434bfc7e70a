//! Tests which file systems are refused, and which are left to 7-Zip.

use super::*;
use crate::format::sniff;

/// An image with these bytes in these places.
fn image(places: &[(usize, &[u8])]) -> Vec<u8> {
    let mut image = vec![0; 80_000];
    for (at, bytes) in places {
        image[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

fn with(image: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = image.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

/// Returns whether the blob is refused, after the openers gave what they found or found nothing.
fn is_refused(image: &[u8], asked: Asked) -> bool {
    let blob = Blob::from_bytes(image.to_vec());
    refuse_unopened(sniff(&blob).unwrap(), asked, &blob).is_err()
}

#[test]
fn what_no_opener_opens_is_refused_by_its_mark() {
    for (at, mark, name) in marks::MARKS {
        let at = usize::try_from(*at).unwrap();
        assert!(is_refused(&image(&[(at, mark)]), Asked::Given), "{name}");
        for front in [&b"070701"[..], b"PK\x05\x06"].into_iter().filter(|front| front.len() <= at) {
            assert!(is_refused(&image(&[(0, front), (at, mark)]), Asked::Given), "{name} behind {front:?}");
        }
        for other in 0..mark.len() {
            let changed = image(&[(at, mark), (at + other, &[mark[other] ^ 0x55])]);
            let is_seven = mark[other] ^ 0x55 == b'4' && *name == "Reiser4";
            let is_like = at == 65_588 || *name == "Reiser4" || is_seven;
            assert!(is_like || !is_refused(&changed, Asked::NotAnArchive), "{name}: {other}");
        }
        let behind_text = [&b"a text ".repeat(at / 7)[..], &image(&[(at, mark)])[at / 7 * 7..]].concat();
        assert!(is_refused(&behind_text, Asked::Given), "{name} behind a text");
        if mark.iter().all(u8::is_ascii_graphic) {
            let text = with(&b"a word in a text. ".repeat(5000), at, mark);
            assert!(!is_refused(&text, Asked::NotAnArchive), "{name} in a text");
        }
    }
}

#[test]
fn what_has_a_short_mark_is_refused_by_its_structure() {
    let minix = image(&[(1024, b"\x40\0\x90\x01\x01\0\x01\0\x08\0\0\0"), (1040, b"\x8f\x13")]);
    let big_endian_minix = image(&[(1024, b"\0\x40\x01\x90\0\x01\0\x01\0\x08\0\0"), (1040, b"\x24\x78")]);
    let minix_3 = image(&[(1024, b"\x40\0\0\0\0\0\x01\0\x01\0\x08\0\0\0"), (1048, b"\x5a\x4d")]);
    let amiga_disk = image(&[(0, b"DOS\x01")]);
    let amiga_drive = image(&[(1024, b"RDSK\0\0\0\x40")]);
    let jffs2 = image(&[(0, b"\x85\x19\x01\xe0")]);
    let disk_copy = image(&[(0, b"\x04disk"), (64, b"\0\x01\0\0"), (82, b"\x01\0")]);
    let dump = image(&[(0, b"\x01\0\0\0"), (24, b"\x6c\xea\0\0")]);
    let zfs = image(&[(16 * 1024, b"\x01\x01\0\0\0\0\0\0\0\0\0\x01")]);
    for (name, found, others) in [
        ("Minix", minix, &[(1040, b'\x8e'), (1024, 0), (1028, 0), (1030, 0), (1034, 11)][..]),
        (
            "Minix, big endian",
            big_endian_minix,
            &[(1041, b'\x79'), (1025, 0), (1029, 0), (1031, 0), (1034, 1)],
        ),
        ("Minix 3", minix_3, &[(1048, b'\x5b'), (1030, 0), (1032, 0), (1036, 11)]),
        ("Amiga disk", amiga_disk, &[(0, b'd'), (3, 9)]),
        ("Amiga drive", amiga_drive, &[(1024, b'r'), (1031, 0), (1030, 1)]),
        ("JFFS2", jffs2, &[(0, 0x84), (2, 0)]),
        ("DiskCopy", disk_copy, &[(0, 64), (64, 1), (67, 1), (65, 0), (65, 2), (82, 0), (83, 1)]),
        ("dump", dump, &[(0, 7), (0, 0), (24, 0)]),
        ("ZFS", zfs, &[(16_384, 2), (16_385, 2), (16_395, 0)]),
    ] {
        assert!(is_refused(&found, Asked::Given), "{name}");
        for (at, byte) in others {
            assert!(!is_refused(&with(&found, *at, &[*byte]), Asked::NotAnArchive), "{name}: {at} {byte}");
        }
    }
}

#[test]
fn classic_hfs_has_any_name_and_may_say_that_it_wraps_hfs_plus() {
    let hfs = image(&[(1024, b"BD"), (1024 + 18, &[0, 9, 0, 0, 2, 0])]);
    for (at, bytes) in [(36, &b"\0"[..]), (36, b"\x05label"), (36, b"\x1c"), (124, b"H+"), (124, b"HX")] {
        assert!(is_refused(&with(&hfs, 1024 + at, bytes), Asked::Given), "{at} {bytes:?}");
    }
    assert!(is_refused(&with(&hfs, 0, b"PK\x05\x06"), Asked::Given));
    for (at, byte) in [(0, b'b'), (19, 0), (22, 0), (23, 1)] {
        assert!(!is_refused(&with(&hfs, 1024 + at, &[byte]), Asked::NotAnArchive), "{at} {byte}");
    }
}

/// A boot sector of a FAT volume as DOS 5 writes it.
fn fat() -> Vec<u8> {
    let parameters = b"\x00\x02\x02\x01\x00\x02\x70\x00\xa0\x05\xf9\x03\x00\x09\x00\x02\x00";
    image(&[(0, b"\xeb\x3c\x90MSDOS5.0"), (11, parameters), (54, b"FAT12   "), (510, b"\x55\xaa")])
}

#[test]
fn fat_is_left_to_seven_zip_only_as_it_opens_it() {
    assert!(!is_refused(&fat(), Asked::Given), "7-Zip opened it");
    assert!(is_refused(&fat(), Asked::NotAnArchive));
    for (why, at, bytes) in [
        ("no jump", 0, &b"\0\0\0"[..]),
        ("another jump", 0, b"\xeb\x3c\0"),
        ("no mark", 510, b"\0\0"),
        ("small sectors", 11, b"\x80\0"),
        ("cpio", 0, b"070701"),
        ("SZDD", 0, b"SZDD\x88\xf0\x27\x33"),
        ("RAR", 0, b"Rar!\x1a\x07"),
        ("lz4", 0, b"\x04\x22\x4d\x18"),
        ("QCOW", 0, b"QFI\xfb"),
        ("a descriptor of ISO 9660", 32_768, b"\x01CD001\x01\0"),
    ] {
        for label in [&b"FAT12   "[..], b"        ", &[0; 8]] {
            let changed = with(&with(&fat(), 54, label), at, bytes);
            assert!(is_refused(&changed, Asked::Given), "{why}: {label:?}");
        }
    }
}

#[test]
fn fat_needs_no_word_but_parameters_in_their_range() {
    let unnamed = with(&fat(), 54, &[0; 8]);
    assert!(is_refused(&unnamed, Asked::NotAnArchive));
    for (at, byte) in [(12, 3), (13, 0), (13, 3), (14, 0), (16, 0), (16, 5), (21, 0), (22, 0)] {
        assert!(!is_refused(&with(&unnamed, at, &[byte]), Asked::NotAnArchive), "{at} {byte}");
    }
    assert!(!is_refused(&with(&unnamed, 19, &[14, 0]), Asked::NotAnArchive), "no room for data");
    assert!(!is_refused(&unnamed[..512], Asked::NotAnArchive), "a boot sector");
    // Without the kind of medium there, that of the first table counts.
    let by_table = with(&with(&unnamed, 21, &[0]), 512, b"\xf9\xff\xff");
    assert!(is_refused(&by_table, Asked::NotAnArchive));
    // A number of sectors in 32 bits.
    assert!(is_refused(&with(&with(&fat(), 19, &[0, 0]), 32, &[0, 1, 0, 0]), Asked::NotAnArchive));
}

#[test]
fn fat_needs_no_parameters_where_there_are_two_tables_and_a_file() {
    let entry = b"E       COM\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\x44\0\0\0";
    let disk = image(&[(512, b"\xfe\xff\xff"), (1024, b"\xfe\xff\xff"), (1536, entry)]);
    assert!(is_refused(&disk, Asked::Given));
    for (at, byte) in [
        (512, 0xef),
        (1024, 0),
        (1536, 0xe5),
        (1537, 7),
        (1547, 8),
        (1547, 0xff),
        (1562, 0),
        (1564, 0),
        (1567, 1),
    ] {
        assert!(!is_refused(&with(&disk, at, &[byte]), Asked::NotAnArchive), "{at} {byte}");
    }
    let white = vec![0xff; 80_000];
    assert!(!is_refused(&white, Asked::NotAnArchive), "a picture");
}

#[test]
fn ext_is_left_to_seven_zip_only_as_it_opens_it() {
    let numbers = [(0, 64), (4, 1000), (16, 50), (20, 1), (32, 8192), (36, 8192), (40, 64), (96, 0x2c2)];
    let numbers = numbers.map(|(at, number): (usize, u32)| (1024 + at, number.to_le_bytes()));
    let places = numbers
        .iter()
        .map(|(at, bytes)| (*at, &bytes[..]))
        .chain([(1080, &b"\x53\xef\x01\0"[..]), (1024 + 254, b"\x40\0")]);
    let ext = image(&places.collect::<Vec<_>>());
    assert!(!is_refused(&ext, Asked::Given), "7-Zip opened it");
    assert!(!is_refused(&with(&ext, 1082, &[0]), Asked::Given), "in another state");
    assert!(is_refused(&ext, Asked::NotAnArchive));
    for (why, at, bytes) in [
        ("clusters", 28, &b"\x04"[..]),
        ("no inodes", 0, b"\x01"),
        ("a first block that cannot be", 20, b"\0"),
        ("another number of clusters", 36, b"\x01"),
        ("a copy", 90, b"\x01"),
        ("encryption", 98, b"\x01"),
        ("descriptors of another size", 254, b"\x20"),
    ] {
        assert!(is_refused(&with(&ext, 1024 + at, bytes), Asked::Given), "{why}");
    }
    for front in [&b"070701"[..], b"LZIP", b"xar!", b"PK\x05\x06"] {
        assert!(is_refused(&with(&ext, 0, front), Asked::Given), "{front:?}");
    }
    assert!(!is_refused(&with(&ext, 1048, &[7]), Asked::NotAnArchive), "blocks that cannot be");
}

#[test]
fn ntfs_is_left_to_seven_zip_only_as_it_opens_it() {
    let places =
        [(0, &b"\xeb\x52\x90NTFS    \0\x02\x08"[..]), (21, b"\xf8"), (48, b"\x04"), (510, b"\x55\xaa")];
    let ntfs = image(&places);
    assert!(!is_refused(&ntfs, Asked::Given), "7-Zip opened it");
    assert!(is_refused(&ntfs, Asked::NotAnArchive));
    for (at, byte) in [(0, 0), (2, 0), (12, 8), (14, 1), (21, 0xf0), (22, 1), (32, 1), (37, 1), (510, 0)] {
        assert!(is_refused(&with(&ntfs, at, &[byte]), Asked::Given), "{at} {byte}");
    }
    // `$Boot`, which 7-Zip gives as a file.
    assert!(!is_refused(&ntfs[..8192], Asked::NotAnArchive));
    let copy = with(&with(&ntfs, 48, &[0xff; 6]), 56, &[2]);
    assert!(is_refused(&copy, Asked::NotAnArchive), "the table's copy is there");
    assert!(!is_refused(&with(&copy, 58, &[1]), Asked::NotAnArchive));
    let large_clusters = with(&with(&ntfs, 13, &[0xfb]), 48, &[4]);
    assert!(is_refused(&large_clusters, Asked::NotAnArchive));
    assert!(!is_refused(&with(&large_clusters, 48, &[5]), Asked::NotAnArchive));
}
