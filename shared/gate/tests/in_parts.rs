//! An archive in a message passes though lengths stand in the middle of it, which parts of the message begin
//! with; an archive that is unsound by itself does not, wherever it stands.

use std::io::{Read as _, Write as _};

use domain::verdict::Unscannable;
use gate::{Blob, Kind, MemberEnd, MemberSink, Opened, Opener, Program};

use crate::signed::{PKCS_7, TEXT, armored, deflated, inspected, open_value, packet, value, wrapped, zlib};
use crate::zip_builder::{Archive, Member};
use crate::{USUAL_LIMITS, gate, scratch};

/// In parts of 512 bytes.
fn in_parts(tag: u8, body: &[u8]) -> Vec<u8> {
    let chunks = body.chunks_exact(512);
    let rest = chunks.remainder();
    let parts = chunks.flat_map(|chunk| [&[0xe9][..], chunk].concat()).collect::<Vec<_>>();
    let last = u32::try_from(rest.len()).unwrap().to_be_bytes();
    [&[0xc0 | tag][..], &parts, &[0xff], &last, rest].concat()
}

/// What no packer makes smaller, so that it shows through.
fn noise() -> Vec<u8> {
    (0u32..2_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

/// With a gap behind each member, which no reader minds and the gate does.
fn zip(gap: &[u8]) -> Vec<u8> {
    Archive::of(&[Member::stored("noise", &noise()), Member::stored("text", TEXT)], gap).bytes()
}

fn literal_body(content: &[u8]) -> Vec<u8> {
    [b"b\0\0\0\0\0", content].concat()
}

#[test]
fn a_sound_archive_passes() {
    let zip = zip(b"");
    let (body, signature) = (literal_body(&zip), packet(2, &[4; 300]));
    let pieces = zip.chunks(400).map(|chunk| value(4, &[chunk])).collect::<Vec<_>>().concat();
    let deflated = [&[1][..], &deflated(&packet(11, &body))].concat();
    for (what, bytes) in [
        ("literal data", in_parts(11, &body)),
        ("signed", [in_parts(11, &body), signature].concat()),
        ("armored", armored("PGP MESSAGE", &in_parts(11, &body)).into_bytes()),
        ("deflated", packet(8, &deflated)),
        ("deflated, in parts", in_parts(8, &deflated)),
        ("zlib", packet(8, &[&[2][..], &zlib(&packet(11, &body))].concat())),
        ("not compressed", in_parts(8, &[&[0][..], &in_parts(11, &body)].concat())),
        ("CMS", wrapped(open_value, PKCS_7, 2, &open_value(0x24, &[&pieces]))),
    ] {
        let (handed, refusal) = inspected(&bytes);
        assert_eq!(refusal, None, "{what}");
        assert!(handed.contains(&zip), "{what}");
    }
}

#[test]
fn an_unsound_archive_is_refused_wherever_it_stands() {
    let (unsound, message) = (zip(b"gap"), in_parts(11, &literal_body(&zip(b""))));
    let deflated = deflated(&packet(11, &literal_body(&zip(b""))));
    for (what, bytes) in [
        ("in the parts", in_parts(11, &literal_body(&unsound))),
        ("behind the message", [message.clone(), packet(60, &unsound)].concat()),
        ("in front", [packet(61, &unsound), message.clone()].concat()),
        ("behind a stream", packet(8, &[&[1][..], &deflated, &unsound].concat())),
        ("behind all packets", [&message[..], b"text", &unsound].concat()),
        ("in a second message", [message.clone(), in_parts(11, &literal_body(&unsound))].concat()),
        ("in one piece", packet(11, &literal_body(&unsound))),
    ] {
        assert_eq!(inspected(&bytes).1, Some(Unscannable::Malformed), "{what}");
    }
}

/// Finds a damaged archive in every message, as 7-Zip does.
#[derive(Debug)]
struct FindsDamage;

impl Opener for FindsDamage {
    fn program(&self) -> Program {
        Program::SevenZip
    }

    fn name(&self) -> &'static str {
        "finds damage"
    }

    fn open(&mut self, blob: &Blob, _walked: Option<Kind>, sink: &mut dyn MemberSink) -> Opened {
        let mut first = [0];
        blob.reader().read_exact(&mut first).unwrap();
        if first[0] < 0x80 {
            return Opened::NotMine;
        }
        let _ = sink.begin().is_continue() && sink.write(TEXT).is_continue();
        let _ = sink.end(MemberEnd::Damaged);
        Opened::Damaged
    }
}

#[test]
fn what_an_opener_finds_damaged_passes_only_if_the_message_is_in_parts() {
    let body = literal_body(&zip(b""));
    for (message, refusal) in [
        (in_parts(11, &body), None),
        (packet(11, &body), Some(Unscannable::Malformed)),
        ([in_parts(11, &body), b"text".to_vec()].concat(), Some(Unscannable::Malformed)),
    ] {
        let mut file = scratch();
        file.write_all(&message).unwrap();
        let inspection = gate(USUAL_LIMITS).inspect(&file, scratch(), vec![Box::new(FindsDamage)]).unwrap();
        assert_eq!(inspection.refusal.map(|refusal| refusal.reason), refusal);
        assert!(inspection.handed.iter().any(|blob| blob.size_bytes() == TEXT.len() as u64));
    }
}

/// The lengths of the parts move the members, so that a directory that counts from its own place points at
/// other bytes than in the content.
#[test]
fn what_a_directory_points_at_between_the_parts_is_handed_over() {
    const N_PARTS: usize = 80;
    let header = Member::stored("noise", b"").local();
    let n_moved = N_PARTS - 1 + 5;
    let mut data = vec![b'.'; 512 * N_PARTS];
    let header_at = n_moved - header.len();
    data[header_at..header_at + header.len()].copy_from_slice(&header);
    data[header_at + header.len()..header_at + header.len() + TEXT.len()].copy_from_slice(TEXT);
    let body = literal_body(&Archive::of(&[Member::stored("noise", &data)], b"").bytes());
    assert_eq!(body.len() / 512, N_PARTS);
    let (handed, refusal) = inspected(&in_parts(11, &body));
    assert!(handed.iter().any(|content| content.starts_with(TEXT)));
    assert_eq!(refusal, None);
}
