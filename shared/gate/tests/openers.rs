//! How the gate judges the results of openers, with scripted openers.

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;

use domain::verdict::Unscannable;
use gate::MemberEnd::{Ambiguous, Damaged, Encrypted, TooMuchMemory, Unsupported, Whole};
use gate::{
    Blob, Decryption, Gate, Inspection, Kind, Limits, MemberEnd, MemberSink, Opened, Opener, Password,
    Program,
};

use crate::zip_builder::{Archive, Member};
use crate::{USUAL_LIMITS, content, gate, scratch};

/// An opener for bytes that begin with `mark`; all others are not its format.
#[derive(Clone, Debug)]
struct Told {
    program: Program,
    mark: Vec<u8>,
    opened: Opened,
    members: Vec<(Vec<u8>, MemberEnd)>,
}

impl Opener for Told {
    fn program(&self) -> Program {
        self.program
    }

    fn name(&self) -> &'static str {
        "as told"
    }

    fn open(&mut self, blob: &Blob, _walked: Option<Kind>, sink: &mut dyn MemberSink) -> Opened {
        let mut start = vec![0; self.mark.len()];
        if blob.reader().read_exact(&mut start).is_err() || start != self.mark {
            return Opened::NotMine;
        }
        for (bytes, end) in &self.members {
            let given = match sink.begin() {
                // In two pieces.
                ControlFlow::Continue(()) => {
                    bytes.chunks(bytes.len().div_ceil(2).max(1)).try_for_each(|half| sink.write(half))
                }
                broken @ ControlFlow::Break(()) => broken,
            };
            if given.is_break() || sink.end(*end).is_break() {
                return Opened::Damaged;
            }
        }
        self.opened
    }

    fn needed_password(&self) -> bool {
        true
    }
}

const MARK: &[u8] = b"\x01an archive";

fn told(opened: Opened, members: &[(&[u8], MemberEnd)]) -> Told {
    let members = members.iter().map(|(bytes, end)| (bytes.to_vec(), *end)).collect();
    Told { program: Program::SevenZip, mark: MARK.to_vec(), opened, members }
}

fn inspect_with(gate: &Gate, bytes: &[u8], openers: &[Told]) -> std::io::Result<Inspection> {
    inspect_with_password(gate, bytes, openers, None)
}

fn inspect_with_password(
    gate: &Gate,
    bytes: &[u8],
    openers: &[Told],
    password: Option<Password>,
) -> std::io::Result<Inspection> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let openers = openers.iter().map(|opener| Box::new(opener.clone()) as Box<dyn Opener>).collect();
    gate.inspect(&file, scratch(), openers, password)
}

/// The reason of the refusal, and the members handed over.
fn judged(bytes: &[u8], openers: &[Told]) -> (Option<Unscannable>, Vec<Vec<u8>>) {
    judged_within(USUAL_LIMITS, bytes, openers)
}

fn judged_within(limits: Limits, bytes: &[u8], openers: &[Told]) -> (Option<Unscannable>, Vec<Vec<u8>>) {
    let inspection = inspect_with(&gate(limits), bytes, openers).unwrap();
    let content = |blob: &Blob| {
        let mut content = vec![];
        blob.reader().read_to_end(&mut content).unwrap();
        content
    };
    let reason = inspection.refusal.map(|refusal| refusal.reason);
    (reason, inspection.handed.iter().map(content).collect())
}

#[test]
fn what_is_handed_over_and_what_is_refused() {
    let (one, other) = (b"the one".as_slice(), b"the other".as_slice());
    let whole = || told(Opened::Whole, &[(one, Whole)]);
    let not_mine = || told(Opened::NotMine, &[]);
    for (openers, reason, handed) in [
        (vec![], None, vec![]),
        (vec![not_mine(), not_mine()], None, vec![]),
        (vec![whole(), not_mine()], None, vec![one]),
        (vec![whole(), whole()], None, vec![one]),
        (vec![whole(), told(Opened::Whole, &[(other, Whole), (b"", Whole)])], None, vec![one, other]),
        // An opener that repairs the archive returns what a recipient gets; the other one's output counts
        // too.
        (vec![whole(), told(Opened::Damaged, &[(other, Damaged)])], None, vec![one, other]),
        (vec![told(Opened::Whole, &[(one, Damaged)]), whole()], None, vec![one]),
        (vec![told(Opened::Damaged, &[(one, Whole)])], Some(Unscannable::Malformed), vec![one]),
        (vec![told(Opened::Whole, &[(one, Damaged)])], Some(Unscannable::Malformed), vec![one]),
        // A member that one opener cannot return may reach its users, whatever the other opener returns.
        (vec![whole(), told(Opened::Whole, &[(b"", Encrypted)])], Some(Unscannable::Encrypted), vec![one]),
        (vec![whole(), told(Opened::Encrypted, &[])], Some(Unscannable::Encrypted), vec![one]),
        (vec![whole(), told(Opened::Unsupported, &[])], Some(Unscannable::UnsupportedContainer), vec![one]),
        (
            vec![whole(), told(Opened::Whole, &[(other, Unsupported)])],
            Some(Unscannable::UnsupportedContainer),
            vec![one, other],
        ),
        (vec![whole(), told(Opened::TooMuchMemory, &[])], Some(Unscannable::ExpandsTooMuch), vec![one]),
        (vec![told(Opened::Whole, &[(one, TooMuchMemory)])], Some(Unscannable::ExpandsTooMuch), vec![one]),
        (
            vec![whole(), told(Opened::Whole, &[(other, Ambiguous)])],
            Some(Unscannable::Malformed),
            vec![one, other],
        ),
    ] {
        let expected = (reason, handed.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        assert_eq!(judged(MARK, &openers), expected, "{openers:?}");
    }
}

#[test]
fn a_blob_that_could_not_be_read_says_nothing() {
    let openers = [told(Opened::Whole, &[(b"a member", Whole)]), told(Opened::Unread, &[])];
    assert!(inspect_with(&gate(USUAL_LIMITS), MARK, &openers).is_err());
}

#[test]
fn members_of_members_are_opened_within_the_limits() {
    let inner = [MARK, b" in an archive"].concat();
    let mut opener = told(Opened::Whole, &[(b"found", Whole), (&inner, Whole)]);
    // The container contains itself, which the gate recognizes by its digest.
    assert_eq!(judged(MARK, &[opener.clone()]), (None, vec![b"found".to_vec(), inner.clone()]));

    let limits = Limits { max_member_bytes: 10, ..USUAL_LIMITS };
    assert_eq!(judged_within(limits, MARK, &[opener.clone()]).0, Some(Unscannable::TooLarge));
    let limits = Limits { max_total_bytes: 20, ..USUAL_LIMITS };
    assert_eq!(judged_within(limits, MARK, &[opener.clone()]).0, Some(Unscannable::ExpandsTooMuch));
    let limits = Limits { max_depth: 0, ..USUAL_LIMITS };
    assert_eq!(judged_within(limits, MARK, &[opener.clone()]).0, Some(Unscannable::TooDeep));
    opener.members = (0u8..6).map(|n| (vec![n; 8], Whole)).collect();
    let limits = Limits { max_members: 5, ..USUAL_LIMITS };
    assert_eq!(judged_within(limits, MARK, &[opener.clone()]).0, Some(Unscannable::TooManyFiles));
    // Equal members count once, and empty ones never.
    opener.members = vec![(vec![], Whole), (vec![1; 8], Whole), (vec![1; 8], Whole), (vec![2; 8], Whole)];
    let limits = Limits { max_members: 3, ..USUAL_LIMITS };
    assert_eq!(judged_within(limits, MARK, &[opener]).0, None);
}

#[test]
fn a_signature_is_believed_unless_no_reader_takes_it_for_one() {
    let wim = b"MSWIM\0\0\0 and no more".as_slice();
    let (seven_zip, libarchive) =
        (told(Opened::Whole, &[]), Told { program: Program::Libarchive, ..told(Opened::Whole, &[]) });
    assert_eq!(judged(wim, &[]).0, Some(Unscannable::UnsupportedContainer));
    assert_eq!(judged(wim, std::slice::from_ref(&libarchive)).0, Some(Unscannable::UnsupportedContainer));
    // Openers decline what other programs unpack: a reserved bit, a version, a kind of disk.
    for (start, reason) in [
        (wim, Some(Unscannable::UnsupportedContainer)),
        (b"hsqs\0", Some(Unscannable::UnsupportedContainer)),
        (b"vhdxfile\0", Some(Unscannable::UnsupportedContainer)),
        (b"\x1f\x9d\xb0X\0", Some(Unscannable::UnsupportedContainer)),
        (b"\x1f\x9d\xb1X\0", None),
        (b"\x1f\x9d\xb0X\x01", None),
        (b"\x27\xb5\x2f\xfd\0\x58", Some(Unscannable::UnsupportedContainer)),
        (b"\x1e\xb5\x2f\xfd\0\x58", Some(Unscannable::UnsupportedContainer)),
        (b"KDMV\x03\0\0\0", Some(Unscannable::UnsupportedContainer)),
        (b"QFI\xfb\0\0\0\x03", Some(Unscannable::UnsupportedContainer)),
        (b"070701\0", Some(Unscannable::UnsupportedContainer)),
        (b"070701;12,50;Caf\xe9", None),
    ] {
        assert_eq!(judged(start, &[seven_zip.clone(), libarchive.clone()]).0, reason, "{start:?}");
    }
    let opens_it = Told { mark: wim.to_vec(), ..told(Opened::Whole, &[(b"a member", Whole)]) };
    assert_eq!(judged(wim, &[opens_it]), (None, vec![b"a member".to_vec()]));
    // No opener supports these formats.
    assert_eq!(judged(b"ALZ\x01\x0a\0\0\0", &[seven_zip]).0, Some(Unscannable::UnsupportedContainer));
    for text in ["070701,Monday,12.50\n", "LZIP is a compressor.\n", "WARC/1.0 is a format.\n"] {
        assert_eq!(judged(text.as_bytes(), &[]).0, None, "{text}");
    }
}

#[test]
fn what_only_the_gate_unpacks_may_be_damaged_to_openers() {
    // A member without blocks: its checksum is that of the header.
    let lzop = [
        b"\x89LZO\0\r\n\x1a\n\x10\x40\x20\xa0\x09\x40\x01\x05".as_slice(),
        &[0; 17],
        b"\x1e\x73\x01\x60",
        &[0; 4],
    ]
    .concat();
    let gzip = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0".as_slice(), &[0; 8]].concat();
    for (file, opened, reason) in [
        (&lzop, Opened::Damaged, None),
        (&lzop, Opened::Unsupported, Some(Unscannable::UnsupportedContainer)),
        (&gzip, Opened::Damaged, Some(Unscannable::Malformed)),
    ] {
        let opener = Told { mark: file.clone(), ..told(opened, &[(b"a member", Damaged)]) };
        assert_eq!(judged(file, &[]).0, None);
        assert_eq!(judged(file, &[opener]), (reason, vec![b"a member".to_vec()]), "{opened:?}");
    }
}

#[test]
fn what_the_gate_finds_malformed_passes_if_all_openers_give_the_same() {
    let cut = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), b"no stream"].concat();
    let opens = |members: &[(&[u8], MemberEnd)]| Told { mark: cut.clone(), ..told(Opened::Whole, members) };
    let (one, other) = (b"the one".as_slice(), b"the other".as_slice());
    for (openers, reason) in [
        (vec![], Some(Unscannable::Malformed)),
        (vec![opens(&[(one, Whole)])], None),
        (vec![opens(&[(one, Whole)]), opens(&[(one, Whole)])], None),
        (vec![opens(&[(one, Whole)]), opens(&[(other, Whole)])], Some(Unscannable::Malformed)),
        (vec![opens(&[(one, Damaged)])], Some(Unscannable::Malformed)),
        (vec![opens(&[(one, Whole)]), opens(&[(one, TooMuchMemory)])], Some(Unscannable::ExpandsTooMuch)),
    ] {
        assert_eq!(judged(&cut, &openers).0, reason, "{openers:?}");
    }
}

/// An opener that accepts the container does not excuse the member, which is inspected again and refused
/// again.
#[test]
fn a_member_that_is_refused_is_refused_in_whatever_holds_it() {
    // The end record of a zip whose only member is missing.
    let member = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &[0; 10]].concat();
    assert_eq!(judged(&member, &[]).0, Some(Unscannable::Malformed));
    let size = format!("{:<10}", member.len());
    let mut ar =
        [b"!<arch>\nmember/         0           0     0     100644  ", size.as_bytes(), b"`\n"].concat();
    ar.extend(&member);
    let opener = Told { mark: b"!<arch>\n".to_vec(), ..told(Opened::Whole, &[(&member, Whole)]) };
    assert_eq!(judged(&ar, &[opener]).0, Some(Unscannable::Malformed));
}

/// A password opens one container that the gate has walked. An opener that finds something encrypted
/// elsewhere still causes a refusal.
#[test]
fn a_password_is_for_what_the_gate_has_walked() {
    let password = || Some(Password::parse("secret").unwrap());
    let reason = |bytes: &[u8], openers: &[Told], password| {
        let inspection = inspect_with_password(&gate(USUAL_LIMITS), bytes, openers, password).unwrap();
        inspection.refusal.map(|refusal| refusal.reason)
    };
    let encrypted = Member { local_flags: 1, listed_flags: 1, ..Member::stored("a", b"locked") };
    let locked = Archive::of(&[encrypted, Member::stored("b", b"not locked")], b"").bytes();
    let zip_mark = |told: Told| Told { mark: b"PK".to_vec(), ..told };
    let opens = || zip_mark(told(Opened::Whole, &[(b"opened", Whole), (b"not locked", Whole)]));
    let cannot = || zip_mark(told(Opened::Whole, &[(b"", Encrypted), (b"not locked", Whole)]));
    let refused = Some(Unscannable::Encrypted);
    for (openers, expected) in [
        (vec![opens()], None),
        (vec![opens(), cannot()], None),
        (vec![cannot(), opens()], None),
        (vec![opens(), zip_mark(told(Opened::Encrypted, &[]))], None),
        (vec![cannot()], refused),
        (vec![], refused),
        (vec![zip_mark(told(Opened::Damaged, &[(b"opened", Whole)]))], refused),
        (vec![opens(), zip_mark(told(Opened::Unsupported, &[]))], Some(Unscannable::UnsupportedContainer)),
    ] {
        assert_eq!(reason(&locked, &openers, password()), expected, "{openers:?}");
        assert_eq!(reason(&locked, &openers, None), refused, "{openers:?}");
    }
    // In bytes that the gate does not walk, another container may be the encrypted one.
    let other = [told(Opened::Whole, &[(b"opened", Whole)]), told(Opened::Encrypted, &[])];
    assert_eq!(reason(MARK, &other, password()), refused);
    // A container hidden beside the zip is not excused either.
    let with_more = [b"more".as_slice(), &locked].concat();
    assert!(reason(&with_more, &[opens()], password()).is_some());
}

/// Encrypted content spelled out in source code does not cause a refusal, but then it is not certain that the
/// whole file was decrypted.
#[test]
fn what_is_left_to_the_engine_is_not_decrypted() {
    let encrypted = Member { local_flags: 1, listed_flags: 1, ..Member::stored("a", b"locked") };
    let hexadecimal = Archive::of(&[encrypted], b"")
        .bytes()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    for (text, decryption) in
        [(" and more".to_owned(), Decryption::Password), (format!(" and\n{hexadecimal}\n"), Decryption::None)]
    {
        let bytes = [MARK, text.as_bytes()].concat();
        let opener = told(Opened::Whole, &[(b"opened", Whole)]);
        let password = Password::parse("secret").ok();
        let inspection = inspect_with_password(&gate(USUAL_LIMITS), &bytes, &[opener], password).unwrap();
        assert_eq!((inspection.refusal, inspection.decryption), (None, decryption), "{text}");
    }
}

#[test]
fn a_text_like_a_program_that_an_opener_finds_is_handed_as_text() {
    let (text, as_text) = (b"MZ,PK,BZ\n".as_slice(), b"\nMZ,PK,BZ\n".to_vec());
    let program = b"MZ\0\x01 a broken program".as_slice();
    let members: [(&[u8], MemberEnd); 3] = [(text, Whole), (b"other", Whole), (program, Whole)];
    // An archive that only an opener finds is given as well: the engine may find more in it.
    let outer = b"\x02archives".to_vec();
    let nested = Told { mark: outer.clone(), ..told(Opened::Whole, &[(MARK, Whole), (b"last", Whole)]) };
    let again = Told { mark: b"\x03again".to_vec(), ..told(Opened::Whole, &members[..2]) };
    let zip = Archive::of(&[Member::stored("a", MARK), Member::stored("b", b"\x03again")], b"").bytes();
    for (file, openers, expected) in [
        (MARK, vec![told(Opened::Whole, &members)], vec![as_text.clone(), b"other".into(), program.into()]),
        (
            &outer,
            vec![told(Opened::Whole, &members), nested],
            vec![as_text.clone(), b"other".into(), program.into(), MARK.into(), b"last".into()],
        ),
        // The same text again, in another archive.
        (&zip, vec![told(Opened::Whole, &members), again], vec![as_text, b"other".into(), program.into()]),
    ] {
        let inspection = inspect_with(&gate(USUAL_LIMITS), file, &openers).unwrap();
        assert!(inspection.is_text_like_program && inspection.refusal.is_none());
        let handed = inspection.handed.iter().map(content).collect::<Vec<_>>();
        assert_eq!(handed, expected);
    }
    // Without such a text, members are given as they are, and a finding about the whole counts.
    let inspection = inspect_with(&gate(USUAL_LIMITS), MARK, &[told(Opened::Whole, &members[1..])]).unwrap();
    assert!(!inspection.is_text_like_program);
    assert_eq!(inspection.handed.iter().map(content).collect::<Vec<_>>(), [b"other", program]);
}
