//! Which zips are accepted: every field that readers could read differently is changed by itself in an
//! otherwise valid archive.

use std::io::Read as _;

use domain::verdict::Unscannable;
use gate::{Blob, Inspection};

use crate::zip_builder::{Archive, Member, crc32, deflate};
use crate::{USUAL_LIMITS, gate, inspect_bytes};

fn inspect(bytes: &[u8]) -> Inspection {
    inspect_bytes(&gate(USUAL_LIMITS), bytes)
}

fn reason(bytes: &[u8]) -> Option<Unscannable> {
    inspect(bytes).refusal.map(|refusal| refusal.reason)
}

fn handed(bytes: &[u8]) -> Vec<Vec<u8>> {
    let inspection = inspect(bytes);
    assert_eq!(inspection.refusal, None);
    let content = |blob: &Blob| {
        let mut bytes = vec![];
        blob.reader().read_to_end(&mut bytes).unwrap();
        bytes
    };
    inspection.handed.iter().map(content).collect()
}

fn zip(members: &[Member]) -> Vec<u8> {
    Archive::of(members, b"").bytes()
}

#[test]
fn hints_may_differ_between_headers_and_nothing_else() {
    let member = Member::stored("a", b"data");
    for (flags, expected) in [
        (0x0002, None),
        (0x0004, None),
        (0x0800, None),
        (0x0806, None),
        (0x0010, Some(Unscannable::Malformed)),
        (0x1000, Some(Unscannable::Malformed)),
    ] {
        assert_eq!(reason(&zip(&[Member { local_flags: flags, ..member.clone() }])), expected, "{flags:#x}");
    }
    for flags in [0x0001, 0x0040, 0x2000] {
        let encrypted = Member { local_flags: flags, listed_flags: flags, ..member.clone() };
        assert_eq!(reason(&zip(&[encrypted])), Some(Unscannable::Encrypted), "{flags:#x}");
    }
}

#[test]
fn comments_of_members_belong_to_the_directory() {
    let member = |name| Member { comment: b"about it".to_vec(), ..Member::deflated(name, &[7; 500]) };
    assert_eq!(reason(&zip(&[member("a"), member("b")])), None);
}

#[test]
fn long_sizes_stand_behind_the_name_of_a_directory_record() {
    for name in ["a", "a-longer-name.txt"] {
        let member = || Member { is_listed_zip64: true, ..Member::deflated(name, &[7; 500]) };
        assert_eq!(reason(&zip(&[member()])), None, "{name}");
        let mut other = member();
        other.data.push(7);
        assert_eq!(reason(&zip(&[other])), Some(Unscannable::Malformed), "{name}: another size");
    }
}

#[test]
fn zeros_may_align_members_up_to_a_limit() {
    let members = [Member::stored("a", b"data"), Member::stored("b", b"more")];
    for (n_zeros, expected) in [
        (1, None),
        (4_000, None),
        (65_536, None),
        (65_537, Some(Unscannable::Malformed)),
        (70_000, Some(Unscannable::Malformed)),
    ] {
        let archive = Archive::of(&members, &vec![0; n_zeros]);
        assert_eq!(reason(&archive.bytes()), expected, "{n_zeros}");
    }
}

#[test]
fn android_signatures_are_taken_for_nothing_else() {
    let block = |head: u64, tail: u64, magic: &[u8]| {
        [&head.to_le_bytes(), &[1; 40][..], &tail.to_le_bytes(), magic].concat()
    };
    let magic = b"APK Sig Block 42";
    let good = block(64, 64, magic);
    for (name, gap, expected) in [
        ("good", good.clone(), None),
        ("aligned", [&[0; 100], &good[..]].concat(), None),
        ("hidden bytes before it", [&[1; 100], &good[..]].concat(), Some(Unscannable::Malformed)),
        ("another magic", block(64, 64, b"APK Sig Block 43"), Some(Unscannable::Malformed)),
        ("lengths that differ", block(63, 64, magic), Some(Unscannable::Malformed)),
        ("longer than it is", block(65, 65, magic), Some(Unscannable::Malformed)),
        ("much longer than it is", block(u64::MAX, u64::MAX, magic), Some(Unscannable::Malformed)),
        ("shorter than it is", block(60, 60, magic), Some(Unscannable::Malformed)),
    ] {
        assert_eq!(reason(&Archive::of(&[Member::stored("a", b"data")], &gap).bytes()), expected, "{name}");
    }
}

/// A field of 64-bit records: where it stands, and how many bytes it has.
type Field = (&'static str, usize, usize);

#[test]
fn zip64_end_records_agree_in_every_field() {
    let archive = Archive::of(&[Member::stored("a", b"data")], b"");
    let (size, offset) = (archive.directory.len() as u64, archive.body.len() as u64);
    let mut record = b"PK\x06\x06".to_vec();
    record.extend_from_slice(&44u64.to_le_bytes());
    record.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    record.extend([1, 1, size, offset].into_iter().flat_map(u64::to_le_bytes));
    let mut locator = b"PK\x06\x07\0\0\0\0".to_vec();
    locator.extend_from_slice(&(offset + size).to_le_bytes());
    locator.extend_from_slice(&1u32.to_le_bytes());
    let whole = |record: &[u8], locator: &[u8], end: Vec<u8>| {
        [&archive.body[..], &archive.directory, record, locator, &end].concat()
    };
    let (short_size, short_offset) = (u32::try_from(size).unwrap(), u32::try_from(offset).unwrap());
    let all_ones = || Archive::end(u16::MAX, u32::MAX, u32::MAX);
    for (name, end, expected) in [
        ("all ones", all_ones(), None),
        ("equal", Archive::end(1, short_size, short_offset), None),
        ("another number of members", Archive::end(2, u32::MAX, u32::MAX), Some(Unscannable::Malformed)),
        ("another size", Archive::end(u16::MAX, short_size + 1, u32::MAX), Some(Unscannable::Malformed)),
        ("another offset", Archive::end(u16::MAX, u32::MAX, short_offset - 1), Some(Unscannable::Malformed)),
    ] {
        assert_eq!(reason(&whole(&record, &locator, end)), expected, "{name}");
    }
    let of_record: [Field; 8] = [
        ("signature", 0, 4),
        ("size of the record", 4, 8),
        ("this part", 16, 4),
        ("part of the directory", 20, 4),
        ("members in this part", 24, 8),
        ("members", 32, 8),
        ("size of the directory", 40, 8),
        ("offset of the directory", 48, 8),
    ];
    for (name, at, n_bytes) in of_record {
        for place in at..at + n_bytes {
            let mut changed = record.clone();
            changed[place] ^= 1;
            assert_eq!(
                reason(&whole(&changed, &locator, all_ones())),
                Some(Unscannable::Malformed),
                "{name}"
            );
        }
    }
    for (name, at, n_bytes) in
        [("part of the record", 4, 4), ("offset of the record", 8, 8), ("parts", 16, 4)]
    {
        for place in at..at + n_bytes {
            let mut changed = locator.clone();
            changed[place] ^= 1;
            assert_eq!(reason(&whole(&record, &changed, all_ones())), Some(Unscannable::Malformed), "{name}");
        }
    }
    // Both headers are wrong in the same way.
    let mut changed = record.clone();
    changed[24] = 2;
    changed[32] = 2;
    assert_eq!(reason(&whole(&changed, &locator, all_ones())), Some(Unscannable::Malformed));
}

#[test]
fn a_directory_has_a_largest_size() {
    const LARGEST: usize = 64 * 1024 * 1024;
    let of_size = |n_bytes: usize| {
        let directory = vec![b' '; n_bytes];
        let archive = Archive { body: b"PK\x03\x04".to_vec(), directory, n_members: 1 };
        reason(&archive.bytes())
    };
    assert_eq!(of_size(LARGEST), Some(Unscannable::Malformed), "read, and no directory");
    assert_eq!(of_size(LARGEST + 1), Some(Unscannable::TooManyFiles), "not read");
    assert_eq!(of_size(LARGEST + 2), Some(Unscannable::TooManyFiles), "not read");
}

/// Members amid other data, without a directory.
fn amid(members: &[Member]) -> Vec<u8> {
    let mut bytes = b"some text before it. ".repeat(5);
    for member in members {
        bytes.extend(member.local());
    }
    bytes.extend(b" and some behind it".repeat(5));
    bytes
}

#[test]
fn members_amid_other_data_are_found_one_behind_the_other() {
    let last = || Member::stored("last", b"the last one");
    let long = b"compresses well ".repeat(40);
    let zip64 = |mut member: Member| {
        member.local_extra = [&[1, 0, 16, 0][..], &[0; 16]].concat();
        member
    };
    for (name, member) in [
        ("stored", Member::stored("a", b"the first one")),
        ("deflated", Member::deflated("a", &long)),
        ("streamed", Member::deflated("a", &long).streamed(4)),
        ("streamed with long sizes", zip64(Member::deflated("a", &long)).streamed(8)),
        (
            "with an extra field",
            Member { local_extra: vec![9, 0, 2, 0, 1, 2], ..Member::deflated("a", &long) },
        ),
        ("streamed, sizes known", Member { local_flags: 8, ..Member::stored("a", b"the first one") }),
    ] {
        let expected = vec![member.data.clone(), last().data];
        assert_eq!(handed(&amid(&[member, last()])), expected, "{name}");
    }
    assert_eq!(
        handed(&amid(&[Member::stored("empty", b""), last()])),
        [last().data],
        "an empty member needs no inspection"
    );
    let unknown = Member::stored("a", b"of a size that is unknown").streamed(4);
    assert_eq!(reason(&amid(&[unknown])), Some(Unscannable::Malformed));
    // No reader unpacks it without the password, but the data behind it are found.
    let encrypted = Member { local_flags: 1, ..Member::stored("a", b"never seen") };
    assert_eq!(handed(&amid(&[encrypted, last()])), [last().data]);
}

#[test]
fn what_comes_out_before_the_damage_counts() {
    // Both kinds of deflate: a stored block of 5 bytes that is not the last one, then a block of an invalid
    // type.
    let packed = [&[0, 5, 0, 0xfa, 0xff][..], b"short", &[0x07]].concat();
    for method in [8, 9] {
        let damaged = Member { method, packed: packed.clone(), ..Member::stored("a", b"short") };
        assert_eq!(handed(&amid(&[damaged])), [b"short".to_vec()], "{method}");
    }
}

#[test]
fn headers_without_members_are_counted() {
    // `n` gzip headers that nothing follows.
    let false_starts = |n: usize| b"\x1f\x8b\x08\0\0\0\0\0\0\xff not deflated at all ".repeat(n);
    let in_text = |n| [b"text before ".to_vec(), false_starts(n)].concat();
    assert_eq!(reason(&in_text(2_000)), None);
    assert_eq!(reason(&in_text(2_001)), Some(Unscannable::TooManyFiles));
    assert_eq!(reason(&in_text(2_100)), Some(Unscannable::TooManyFiles));
    // Two more bytes show that these are not headers; programs contain many of them.
    for none in [&b"\x1f\x8b\x08\xff no gzip "[..], b"\x1f\x8b\x08\x20 no gzip ", b"BZh9 no bzip2 "] {
        assert_eq!(reason(&[b"text before ", &none.repeat(2_100)[..]].concat()), None);
    }
}

#[test]
fn what_stands_behind_a_zip_in_other_data_is_found() {
    const BEHIND: &[u8] = b"behind the zip, and long enough to be more than chance";
    let gzip = [
        &b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..],
        &deflate(BEHIND),
        &crc32(BEHIND).to_le_bytes(),
        &u32::try_from(BEHIND.len()).unwrap().to_le_bytes(),
    ]
    .concat();
    let bytes = [
        b"text before ".to_vec(),
        zip(&[Member::stored("a", b"in the zip")]),
        b" text between ".to_vec(),
        gzip,
        // A zip near the end would be found by its end record.
        b"text behind ".repeat(20_000),
    ]
    .concat();
    let found = handed(&bytes);
    assert!(found.contains(&b"in the zip".to_vec()) && found.contains(&BEHIND.to_vec()), "{found:?}");
}

#[test]
fn a_long_manifest_may_say_late_that_the_document_is_encrypted() {
    for (n_before, expected) in
        [(0, Some(Unscannable::Encrypted)), (5_000, Some(Unscannable::Encrypted)), (1024 * 1024, None)]
    {
        let manifest = [vec![b' '; n_before], b"<manifest:encryption-data/>".to_vec()].concat();
        let document = zip(&[Member::deflated("META-INF/manifest.xml", &manifest)]);
        assert_eq!(reason(&document), expected, "{n_before}");
    }
}

#[test]
fn of_a_zip_in_pieces_what_lies_whole_is_handed() {
    let (long, short) = (Member::stored("long", &[b'l'; 900]), Member::stored("short", b"lies whole"));
    let front = [b'#'; 700];
    for members in [[long.clone(), short.clone()], [short.clone(), long.clone()]] {
        let whole = zip(&members);
        let apart = whole.chunks(512).collect::<Vec<_>>().join(&b"another page"[..]);
        let lost = [&whole[..300], &whole[800..]].concat();
        for pieces in [apart, lost] {
            let members = handed(&[&front[..], &pieces].concat());
            assert!(members.contains(&b"lies whole".to_vec()), "{members:?}");
        }
    }
    let second_begins_at = short.local().len();
    let mut whole = zip(&[short, long]);
    whole[second_begins_at] = b'Q';
    assert_eq!(reason(&whole), Some(Unscannable::Malformed), "a zip itself");
    let members = handed(&[&front[..], &whole].concat());
    assert!(members.contains(&vec![b'l'; 900]), "some programs do not look for the header's signature");
}

#[test]
fn of_a_directory_in_pieces_its_beginning_is_followed() {
    let mut whole = zip(&[Member::stored("a", b"the first"), Member::stored("b", b"the other")]);
    let second_at = whole.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    whole[second_at] = b'Q';
    assert_eq!(reason(&whole), Some(Unscannable::Malformed), "a zip itself");
    let members = handed(&[&b"#"[..], &whole].concat());
    assert!(members.contains(&b"the first".to_vec()) && members.contains(&b"the other".to_vec()));
}
