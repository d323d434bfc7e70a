//! Tests what the engine is given of whole, several and damaged members.

use super::block::adler32;
use super::*;
use crate::classic_mac::tests::{handed, walked};

const CRC32: u32 = 0x100;
const CRC32_OF_PACKED: u32 = 0x200;
const ADLER32: u32 = 0x1;
const ADLER32_OF_PACKED: u32 = 0x2;
const EXTRA_FIELD: u32 = 0x40;
const FILTER: u32 = 0x800;
const HEADER_CRC32: u32 = 0x1000;

/// Four literal bytes, 33 bytes copied from four bytes before, the end.
const PACKED: &[u8] = b"\x15abcd\x3f\x0c\x00\x11\x00\x00";
const UNPACKED: &[u8] = b"abcdabcdabcdabcdabcdabcdabcdabcdabcda";

/// A header with the fields behind the versions, up to the checksum.
fn header(version: u16, flags: u32, filter: u32, method: u8) -> Vec<u8> {
    let is_longer = version >= 0x940;
    let filter = if flags & FILTER == 0 { vec![] } else { filter.to_be_bytes().to_vec() };
    let fields = [
        &version.to_be_bytes()[..],
        &[0x20, 0xa0],
        if is_longer { &[9, 0x40] } else { &[] },
        &[method],
        if is_longer { &[5] } else { &[] },
        &flags.to_be_bytes(),
        &filter,
        &[0; 8],
        if is_longer { &[0; 4] } else { &[] },
        b"\x05a.txt",
    ]
    .concat();
    let sum = if flags & HEADER_CRC32 == 0 { adler32(&fields) } else { crc32fast::hash(&fields) };
    let extra: &[u8] = if flags & EXTRA_FIELD == 0 { &[] } else { b"\0\0\0\x03xyz\0\0\0\0" };
    [MAGIC, &fields, &sum.to_be_bytes(), extra].concat()
}

fn block(flags: u32, packed: &[u8], unpacked: &[u8], as_it_was: &[u8]) -> Vec<u8> {
    let is_packed = packed.len() < unpacked.len();
    let sums = [
        (ADLER32, true, adler32(as_it_was)),
        (CRC32, true, crc32fast::hash(as_it_was)),
        (ADLER32_OF_PACKED, is_packed, adler32(packed)),
        (CRC32_OF_PACKED, is_packed, crc32fast::hash(packed)),
    ];
    let sums = sums.iter().filter(|(flag, is_there, _)| *is_there && flags & flag != 0);
    let sums = sums.flat_map(|(.., sum)| sum.to_be_bytes()).collect::<Vec<_>>();
    let sizes = [unpacked, packed].map(|bytes| u32::try_from(bytes.len()).unwrap().to_be_bytes());
    [&sizes.concat(), &sums, packed].concat()
}

/// A packed block and a stored one.
fn member(version: u16, flags: u32, method: u8) -> Vec<u8> {
    let blocks = [block(flags, PACKED, UNPACKED, UNPACKED), block(flags, b"stored", b"stored", b"stored")];
    [header(version, flags, 0, method), blocks.concat(), vec![0; 4]].concat()
}

fn data() -> Vec<u8> {
    [UNPACKED, b"stored"].concat()
}

#[test]
fn a_member_is_unpacked_whatever_its_header_has() {
    for version in [0x900, 0x93f, 0x940, 0x1040] {
        for method in 1..=3 {
            for flags in [0, ADLER32, CRC32, ADLER32 | ADLER32_OF_PACKED, CRC32 | CRC32_OF_PACKED, 0x303] {
                for more in [0, EXTRA_FIELD, FILTER, HEADER_CRC32, EXTRA_FIELD | FILTER | HEADER_CRC32] {
                    let file = member(version, flags | more, method);
                    let mut expected = if more & EXTRA_FIELD == 0 { vec![] } else { vec![b"xyz".to_vec()] };
                    expected.push(data());
                    assert_eq!(handed(walk, &file), expected, "{version:x} {method} {flags:x} {more:x}");
                }
            }
        }
    }
    assert_eq!(handed(walk, b"no member"), [b"no member"]);
}

#[test]
fn several_members_are_handed_together_and_one_by_one() {
    let first = [header(0x1040, 0, 0, 1), block(0, b"first", b"first", b"first"), vec![0; 4]].concat();
    let empty = [header(0x1040, 0, 0, 1), vec![0; 4]].concat();
    let two = [&first[..], &empty, &member(0x1040, 0, 1)].concat();
    let together = [&b"first"[..], &data()].concat();
    assert_eq!(handed(walk, &two), [together.clone(), b"first".to_vec(), data()]);
    let rest = [&two[..], b"rest"].concat();
    assert_eq!(handed(walk, &rest), [together, b"first".to_vec(), data(), b"rest".to_vec()]);
}

#[test]
fn filters_are_undone_and_ignored() {
    // The second reading is the output of a decoder that does not know these filters.
    let (as_it_was, filtered) = (b"\x01\x0a\x03\x0d\x05", b"\x01\x0a\x02\x03\x02");
    for flags in [FILTER, FILTER | ADLER32, FILTER | CRC32] {
        let blocks = block(flags, filtered, filtered, as_it_was).repeat(2);
        let file = [header(0x1040, flags, 2, 1), blocks, vec![0; 4]].concat();
        assert_eq!(handed(walk, &file), [as_it_was.repeat(2), filtered.repeat(2)]);
    }
}

#[test]
fn what_came_out_before_damage_is_handed() {
    let flags = 0x303;
    let whole = member(0x1040, flags, 1);
    let n_header = header(0x1040, flags, 0, 1).len();
    let n_first = block(flags, PACKED, UNPACKED, UNPACKED).len();
    let with = |at: usize, byte: u8| {
        let mut file = whole.clone();
        assert_ne!(std::mem::replace(&mut file[at], byte), byte);
        file
    };
    let cut = |n_bytes: usize| whole[..n_bytes].to_vec();
    let second = n_header + n_first;
    for (what, file, expected) in [
        ("header cut", cut(n_header - 1), vec![]),
        ("header's checksum", with(n_header - 1, 0), data()),
        ("name", with(n_header - 5, b'x'), data()),
        ("packed block", with(n_header + 8 + 16 + 5, 0), vec![]),
        ("its checksum", with(n_header + 8, 0), data()),
        ("its packed checksum", with(n_header + 8 + 8, 0), data()),
        ("its checksum", with(n_header + 8 + 12, 0), data()),
        ("sizes", with(n_header + 7, 38), vec![]),
        ("no size", with(n_header + 7, 0), vec![]),
        ("unpacks to less", with(n_header + 3, 38), vec![]),
        ("unpacks to more", with(n_header + 3, 36), vec![]),
        ("a part of several", [cut(n_header), vec![0xff; 20]].concat(), vec![]),
        ("cut in the first block", cut(second - 1), vec![]),
        ("cut behind it", cut(second), UNPACKED.to_vec()),
        ("stored block cut", cut(whole.len() - 5), UNPACKED.to_vec()),
        ("stored block's checksum", with(second + 8, 0), data()),
        ("no end", cut(whole.len() - 4), data()),
        ("part of an end", cut(whole.len() - 1), data()),
    ] {
        let (end, found) = walked(walk, &file);
        assert!(
            matches!(end, Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed),
            "{what}"
        );
        assert_eq!(found.concat(), expected, "{what}");
    }
}

#[test]
fn what_is_not_known_is_not_supported() {
    let filter = [header(0x1040, FILTER, 17, 1), block(0, b"x", b"x", b"x"), vec![0; 4]].concat();
    let large = [header(0x1040, 0, 0, 1), b"\x01\0\0\x01\0\0\0\x01x".to_vec()].concat();
    for file in [member(0x1040, 0, 0), member(0x1040, 0, 4), member(0x1040, 0, 0x80), filter, large] {
        let (end, found) = walked(walk, &[member(0x1040, 0, 1), file].concat());
        let is_unsupported = |refusal: &crate::Refusal| refusal.reason == Unscannable::UnsupportedContainer;
        assert!(matches!(end, Err(Stop::Refused(refusal)) if is_unsupported(&refusal)));
        assert_eq!(found, [data()], "the member in front of it");
    }
}

#[test]
fn adler32_is_that_of_zlib() {
    for (bytes, sum) in [(vec![], 1), (b"Wikipedia".to_vec(), 0x11e6_0398), (vec![0xff; 20_000], 0x9f51_d664)]
    {
        assert_eq!(adler32(&bytes), sum);
    }
}
