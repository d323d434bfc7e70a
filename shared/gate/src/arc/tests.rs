//! Tests members that are packed by hand in every way, at the start of a blob and behind other data.

use super::*;
use crate::classic_mac::tests::{handed, is_refused};

const TEXT: &[u8] = b"a text";

/// A member with its mark, and the end of the archive.
fn arc(method: u8, packed: &[u8], unpacked_bytes: usize) -> Vec<u8> {
    let size = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let mut header = [&[MARK, method][..], b"name.txt\0\0\0\0\0", &size(packed.len()), &[0; 6]].concat();
    if method != 1 {
        header.extend(size(unpacked_bytes));
    }
    if method & 0x80 != 0 {
        header.extend([0; 12]);
    }
    [&header, packed, &[MARK, 0]].concat()
}

/// Codes of nine bits, the lowest bit first.
fn nine_bits(codes: &[u16]) -> Vec<u8> {
    let bits: Vec<bool> = codes.iter().flat_map(|code| (0..9).map(move |bit| code >> bit & 1 == 1)).collect();
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks(8).map(byte).collect()
}

/// `aaa` and `b`: a byte, the string that is still being built, a byte.
const REPEATED: &[u16] = &[b'a' as u16, 257, b'b' as u16];
/// The same in codes of twelve bits, at the places that the two hashes give them; computed independently of
/// this program.
const REPEATED_OLD_HASH: &[u8] = &[0x89, 0x00, 0x95, 0x93, 0x80];
const REPEATED_NEW_HASH: &[u8] = &[0x46, 0x07, 0xa1, 0xf4, 0x10];

/// Two leaves, `a` and the end: `aa`.
const SQUEEZED: &[u8] = &[1, 0, !b'a', 0xff, 0xff, 0xfe, 0b100];

fn packed() -> Vec<(u8, Vec<u8>, &'static [u8])> {
    vec![
        (1, TEXT.to_vec(), TEXT),
        (2, TEXT.to_vec(), TEXT),
        (0x82, TEXT.to_vec(), TEXT),
        (3, b"a\x90\x04b\x90\x00".to_vec(), b"aaaab\x90"),
        (4, SQUEEZED.to_vec(), b"aa"),
        (5, REPEATED_OLD_HASH.to_vec(), b"aaab"),
        (6, REPEATED_OLD_HASH.to_vec(), b"aaab"),
        (7, REPEATED_NEW_HASH.to_vec(), b"aaab"),
        (8, [&[12][..], &nine_bits(REPEATED)].concat(), b"aaab"),
        (9, nine_bits(REPEATED), b"aaab"),
        (0xff, [&[16][..], &nine_bits(REPEATED)].concat(), b"aaab"),
    ]
}

#[test]
fn members_are_unpacked_at_the_start() {
    for (method, packed, text) in packed() {
        let archive = arc(method, &packed, text.len());
        for n_in_front in 0..=3 {
            let archive = [&[b'x'; 3][..n_in_front], &archive].concat();
            assert_eq!(handed(walk, &archive), [text], "{method}");
        }
        assert_eq!(handed(walk, &[b"four", &archive[..]].concat()).len(), 0);
    }
}

#[test]
fn members_are_unpacked_behind_other_data() {
    for (method, packed, text) in packed() {
        let archive = arc(method, &packed, text.len().max(packed.len()));
        let as_arc_does = if method & 0x80 == 0 { vec![text.to_vec()] } else { vec![] };
        assert_eq!(handed(search, &[vec![b'x'; 300_000], archive.clone()].concat()), as_arc_does, "{method}");
        assert!(handed(search, &[b"MZ", &archive[..]].concat()).contains(&text.to_vec()), "{method}");
    }
}

#[test]
fn members_follow_each_other() {
    let first = arc(2, b"first", 5);
    let second = arc(2, b"second", 6);
    let both = [&first[..first.len() - 2], &second].concat();
    assert_eq!(handed(walk, &both), [&b"first"[..], b"second"]);
    assert_eq!(handed(search, &[b"junk", &both[..]].concat()), [&b"first"[..], b"second"]);
    let apart = [&first[..first.len() - 2], b"junk", &second].concat();
    assert_eq!(handed(search, &apart), [&b"first"[..], b"second"]);
}

#[test]
fn the_table_is_emptied_and_codes_grow() {
    // Two strings, the clear code, which ends its group of eight, and one byte.
    let cleared = [nine_bits(&[97, 98, 256, 0, 0, 0, 0, 0]), nine_bits(&[99])].concat();
    assert_eq!(handed(walk, &arc(9, &cleared, 100)), [b"abc"]);
    // After 255 strings codes have ten bits: 256 bytes, in 32 groups of eight, then one of ten.
    let many = (0..256).collect::<Vec<u16>>();
    let grown = [nine_bits(&many), vec![b'z', 0]].concat();
    let text = (0..=u8::MAX).chain([b'z']).collect::<Vec<u8>>();
    assert_eq!(handed(walk, &arc(9, &grown, text.len().max(grown.len()))), [text]);
}

#[test]
fn only_a_sound_member_at_the_start_is_refused_when_it_is_damaged() {
    let damaged = arc(9, &nine_bits(&[97, 300]), 10);
    assert!(is_refused(walk, &damaged));
    assert_eq!(handed(search, &[b"junk", &damaged[..]].concat()), [b"a"]);
    let mut doubtful = damaged;
    doubtful[2] = 1;
    assert_eq!(handed(walk, &doubtful), [b"a"]);
}

#[test]
fn a_member_that_is_none_is_not_searched_for_more() {
    // The size is accidental: the member extends to the end of the blob, over the next one.
    let mut endless = arc(2, &[b"junk", &arc(2, TEXT, TEXT.len())[..]].concat(), 99);
    endless[15..19].copy_from_slice(&[0xff; 4]);
    assert_eq!(handed(search, &[b"junk", &endless[..]].concat()).len(), 1);
}

#[test]
fn a_member_that_is_cut_is_handed_and_never_refused() {
    let power_packer = b"PP20\0\x01data";
    let whole = [b"junk", &arc(2, power_packer, power_packer.len())[..]].concat();
    assert!(is_refused(search, &whole));
    let mut cut = whole;
    cut[4 + 15..4 + 19].copy_from_slice(&[0xff; 4]);
    assert_eq!(handed(search, &cut), [[&power_packer[..], &[MARK, 0]].concat()]);
}

#[test]
fn squeezed_files_are_unpacked() {
    assert_eq!(handed(walk, &[b"\x76\xff\0\0name\0", SQUEEZED].concat()), [b"aa"]);
    for no_tree in [&b"\x76\xff\0\0name\0"[..], b"\x76\xff\0\0name\0\xff\xff", b"\x76\xff"] {
        assert_eq!(handed(walk, no_tree).len(), 0);
    }
}
