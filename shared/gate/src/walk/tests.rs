//! Tests what a walk reads, counts and gives to the engine.

use std::sync::Arc;

use super::*;
use crate::Limits;

fn gate() -> Gate {
    let limits = Limits { max_member_bytes: 100, max_total_bytes: 150, max_members: 5, max_depth: 3 };
    Gate { limits, capabilities: [].into_iter().collect() }
}

fn walk_through(gate: &Gate) -> Walk<'_> {
    Walk::new(gate, Scratch::new(tempfile::tempfile().unwrap()), vec![])
}

/// A reader with scripted results, one for each read.
struct Answers(Vec<io::Result<&'static [u8]>>);

impl Read for Answers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let bytes = self.0.remove(0)?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

fn filled(damage: Damage, answers: Vec<io::Result<&'static [u8]>>) -> Walked<u64> {
    let gate = gate();
    let (mut walk, mut source) = (walk_through(&gate), Answers(answers));
    let mut writer = walk.new_member()?;
    walk.fill(&mut writer, &mut source, damage)?;
    Ok(writer.size_bytes())
}

#[test]
fn a_source_is_read_to_its_end_or_says_why_not() {
    let interrupted = || Err(io::ErrorKind::Interrupted.into());
    let damaged = || Err(io::ErrorKind::InvalidData.into());
    for damage in [Damage::Refused, Damage::CutOff] {
        let read = filled(damage, vec![Ok(b"a"), interrupted(), Ok(b"b")]);
        assert_eq!(read.unwrap(), 2);
    }
    assert_eq!(filled(Damage::CutOff, vec![Ok(b"a"), damaged(), Ok(b"b")]).unwrap(), 1);
    let refused = filled(Damage::Refused, vec![Ok(b"a"), damaged()]);
    assert!(matches!(refused, Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed));
}

#[test]
fn trouble_with_the_disk_is_no_damage() {
    // The blob's file was truncated.
    let file = tempfile::tempfile().unwrap();
    file.set_len(10).unwrap();
    let blob = Blob::in_file(Arc::new(file.try_clone().unwrap()), 0, 10).unwrap();
    file.set_len(0).unwrap();
    let gate = gate();
    for damage in [Damage::Refused, Damage::CutOff] {
        let mut walk = walk_through(&gate);
        let mut writer = walk.new_member().unwrap();
        assert!(matches!(walk.fill(&mut writer, &mut blob.reader(), damage), Err(Stop::Trouble(_))));
    }
    assert!(walk_through(&gate).fill_whole(&mut walk_through(&gate).writer(), &mut blob.reader()).is_err());
}

#[test]
fn only_damage_makes_it_no_member() {
    let gate = gate();
    let mut walk = walk_through(&gate);
    let mut whole = |bytes: &'static [u8], is_damaged: bool| {
        let mut answers = vec![Ok(bytes)];
        answers.extend(is_damaged.then(|| Err(io::ErrorKind::InvalidData.into())));
        let mut writer = walk.writer();
        walk.fill_whole(&mut writer, &mut Answers(answers))
    };
    assert!(whole(&[1; 60], false).unwrap());
    // If it were counted, the total limit would be exceeded here.
    assert!(!whole(&[1; 60], true).unwrap());
    assert!(whole(&[1; 60], false).unwrap());
    assert!(
        matches!(whole(&[1; 60], false), Err(Stop::Refused(it)) if it.reason == Unscannable::ExpandsTooMuch)
    );
    let mut writer = walk_through(&gate).writer();
    let refused = walk_through(&gate).fill_whole(&mut writer, &mut Answers(vec![Ok(&[1; 101])]));
    assert!(matches!(refused, Err(Stop::Refused(it)) if it.reason == Unscannable::TooLarge));
}

#[test]
fn a_guess_that_begins_as_an_unopened_archive_is_refused() {
    let gate = gate();
    let guessed = |bytes: &'static [u8]| walk_through(&gate).reading_of_guess(&mut &*bytes, 0);
    for bytes in [b"SIT!\0\x01\0\0\0\x20rLau\x02\0\0\0".as_slice(), b"EGGA\0\x01\0\0", b"ALZ\x01\x0a\0\0\0"] {
        let refused = guessed(bytes);
        assert!(
            matches!(&refused, Err(Stop::Refused(it)) if it.reason == Unscannable::UnsupportedContainer),
            "{bytes:?} {refused:?}"
        );
    }
    // Damage, and what has two bytes of a signature, are as likely to be an accident.
    for bytes in [b"\x1f\xa0\x01\x02\x03\0\xff".as_slice(), b"PK\x03\x04\0\0\xff\xff", b"EGGA in a text"] {
        assert!(guessed(bytes).is_ok(), "{bytes:?}");
    }
}
