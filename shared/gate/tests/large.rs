//! Inputs that are larger than one buffer: members in files instead of memory, containers across the
//! boundaries of reads.

use std::io::{Read as _, Write as _};

use domain::verdict::Unscannable;
use flate2::{Compression, write::GzEncoder};
use gate::{Inspection, Limits};

use crate::zip_builder::{Archive, Member};
use crate::{USUAL_LIMITS, content, gate, inspect_bytes};

const MIB: usize = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Bytes that no two places of are alike, so that a byte from a wrong place shows. Without the mark of ARC,
/// which would make members of them.
fn numbered(seed: u64, n_bytes: usize) -> Vec<u8> {
    let numbers = (0..).map(|place: u64| (seed << 56) | place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8);
    let bytes = numbers.flat_map(u64::to_be_bytes).map(|byte| if byte == 0x1a { 0x1b } else { byte });
    bytes.take(n_bytes).collect()
}

fn inspect(bytes: &[u8], limits: Limits) -> Inspection {
    inspect_bytes(&gate(limits), bytes)
}

#[test]
fn members_are_the_same_in_memory_and_in_files() {
    // Two streams make the content a member to be handed over. 4 MiB stay in memory during the inspection.
    for n_bytes in [1, 100_000, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 30 * MIB] {
        let (first, second) = (numbered(1, n_bytes), numbered(2, 70_000));
        let inspection = inspect(&[gzip(&first), gzip(&second)].concat(), USUAL_LIMITS);
        assert_eq!(inspection.refusal, None);
        assert_eq!(inspection.handed.len(), 1, "{n_bytes}");
        assert!(content(&inspection.handed[0]) == [first, second].concat(), "{n_bytes}");
    }
}

#[test]
fn many_members_keep_their_content_when_memory_is_full() {
    let members = (0..9).map(|seed| numbered(seed, 3 * MIB)).collect::<Vec<_>>();
    let mut bytes = b"other data\n".to_vec();
    for member in &members {
        bytes.extend(gzip(member));
        bytes.extend_from_slice(b"\nin between\n");
    }
    let inspection = inspect(&bytes, USUAL_LIMITS);
    assert_eq!(inspection.refusal, None);
    assert!(inspection.handed.iter().map(content).eq(members));
}

#[test]
fn containers_are_found_across_the_edges_of_a_window() {
    let member = numbered(3, 2_000);
    let packed = gzip(&member);
    for edge in [MIB, 2 * MIB] {
        for start in (edge - packed.len() - 3..edge + 3).step_by(97).chain(edge - 4..edge + 3) {
            let bytes = [vec![b'-'; start], packed.clone(), vec![b'-'; 5_000]].concat();
            let inspection = inspect(&bytes, USUAL_LIMITS);
            assert_eq!(inspection.handed.len(), 1, "at {start}");
            assert!(content(&inspection.handed[0]) == member, "at {start}");
        }
    }
}

#[test]
fn limits_are_exact() {
    let refusal = |bytes: &[u8], limits| inspect(bytes, limits).refusal.map(|refusal| refusal.reason);
    let member = |max_member_bytes| Limits { max_member_bytes, ..USUAL_LIMITS };
    let total = |max_total_bytes| Limits { max_total_bytes, ..USUAL_LIMITS };
    let members = |max_members| Limits { max_members, ..USUAL_LIMITS };
    let one = gzip(&numbered(1, 100_000));
    assert_eq!(refusal(&one, member(100_000)), None);
    assert_eq!(refusal(&one, member(99_999)), Some(Unscannable::TooLarge));
    let two = [b"- ".as_slice(), &one, b" -- ", &gzip(&numbered(2, 50_000))].concat();
    assert_eq!(refusal(&two, total(150_000)), None);
    assert_eq!(refusal(&two, total(149_999)), Some(Unscannable::ExpandsTooMuch));
    assert_eq!(refusal(&two, members(2)), None);
    assert_eq!(refusal(&two, members(1)), Some(Unscannable::TooManyFiles));
}

#[test]
fn mails_may_be_as_large_as_files() {
    let mut mail = b"From: a@example.org\r\nContent-Type: text/plain\r\n\r\n".to_vec();
    mail.extend(b"a line of prose\r\n".iter().cycle().take(70 * MIB));
    let inspection = inspect_bytes(&gate(USUAL_LIMITS), &mail);
    assert_eq!(inspection.refusal, None);
    let sizes = inspection.handed.iter().map(gate::Blob::size_bytes).collect::<Vec<_>>();
    assert_eq!(sizes, [70 * MIB as u64]);
}

#[test]
fn an_encrypted_pdf_may_say_so_across_the_edge_of_a_window() {
    for n_before in [MIB - 70, MIB - 9, MIB - 8, MIB - 1, MIB, MIB + 1] {
        let mut pdf = b"%PDF-1.7\n".to_vec();
        pdf.resize(n_before, b'.');
        pdf.extend_from_slice(b"/Encrypt");
        pdf.resize(pdf.len() + 55, b' ');
        pdf.extend_from_slice(b"12 0 R\n12 0 obj <</Filter/Standard/R 2/V 1>> endobj 1 0 obj <<>> stream ");
        pdf.resize(3 * MIB, b'.');
        let refusal = inspect_bytes(&gate(USUAL_LIMITS), &pdf).refusal;
        assert_eq!(refusal.map(|refusal| refusal.reason), Some(Unscannable::Encrypted), "{n_before}");
    }
}

#[test]
fn a_text_like_a_program_is_handed_as_text() {
    let limits = crate::USUAL_LIMITS;
    let prose = b"MZ,PK,BZ\n1,2,3\n".repeat(10);
    let inspection = inspect(&prose, limits);
    assert!(inspection.is_text_like_program && inspection.refusal.is_none());
    let handed = inspection.handed.last().unwrap();
    let mut bytes = vec![];
    handed.reader().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [b"\n", prose.as_slice()].concat());
    // A member like a program, in a file so large that the offset of its header may consist of letters.
    let mut program = prose.clone();
    program.resize(0x0909_0909 + 100, b' ');
    program[0x3c..0x40].copy_from_slice(b"\t\t\t\t");
    for other in [program, b"MZ\0".to_vec(), b"MA,PK".to_vec()] {
        assert!(!inspect(&other, Limits { max_member_bytes: 1 << 30, ..limits }).is_text_like_program);
    }
}

#[test]
fn a_member_like_a_program_is_handed_as_text_and_all_others_as_they_are() {
    let (text, program) = (b"MZ,PK,BZ\n".as_slice(), b"MZ\0\x01 a broken program".as_slice());
    let inner =
        Archive::of(&[Member::stored("a.txt", text), Member::stored("inner", b"innermost")], b"").bytes();
    let members = [("a.zip", inner.as_slice()), ("b.exe", program), ("c.txt", b"c"), ("d.txt", b"c")];
    let members = members.map(|(name, data)| Member::stored(name, data));
    let inspection = inspect(&Archive::of(&members, b"").bytes(), USUAL_LIMITS);
    assert!(inspection.is_text_like_program && inspection.refusal.is_none());
    let handed = inspection.handed.iter().map(content).collect::<Vec<_>>();
    assert_eq!(handed, [&[b"\n", text].concat()[..], b"innermost", program, b"c"]);
    // Without the text, the engine finds everything itself.
    let inspection = inspect(&Archive::of(&members[1..], b"").bytes(), USUAL_LIMITS);
    assert!(!inspection.is_text_like_program && inspection.handed.is_empty());
}
