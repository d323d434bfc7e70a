//! Changes each byte of a container (three times in small ones) and compares the gate's results with
//! `bytes.golden`, a map that shows any change in how the gate reads. `UPDATE=1` rewrites it.
//!
//! A `.` means that the container passes; a digit is the number of members handed over (`+`: more than nine);
//! a letter is the first of the refusal's reason.

use std::fmt::Write as _;
use std::path::Path;

use domain::verdict::Unscannable;
use gate::{Gate, Limits, Sample};

use crate::{files, gate, inspect_bytes, is_update, written_by};

const LIMITS: Limits =
    Limits { max_member_bytes: 20_000, max_total_bytes: 40_000, max_members: 40, max_depth: 5 };
const CHANGES: [fn(u8) -> u8; 3] = [|byte| byte ^ 0x01, |byte| byte ^ 0x80, |byte| byte.wrapping_add(0x33)];

fn letter(gate: &Gate, bytes: &[u8]) -> char {
    let inspection = inspect_bytes(gate, bytes);
    match inspection.refusal.map(|refusal| refusal.reason) {
        None if inspection.handed.is_empty() => '.',
        None => {
            u32::try_from(inspection.handed.len()).ok().and_then(|n| char::from_digit(n, 10)).unwrap_or('+')
        }
        Some(Unscannable::TooDeep) => 'd',
        Some(Unscannable::TooLarge) => 'l',
        Some(Unscannable::TooManyFiles) => 'f',
        Some(reason) => reason.code().chars().next().unwrap(),
    }
}

/// The capability samples, and some of the corpus whose bytes no compressor chose.
fn containers() -> Vec<(String, Vec<u8>)> {
    let mut containers = Sample::ALL
        .iter()
        .map(|sample| (format!("{:?}", sample.method), sample.unmasked()))
        .collect::<Vec<_>>();
    for (name, path) in files(&written_by("evasion/corpus.py", &["/dev/null", "0", "0"])) {
        if BY_NAME.contains(&&name[6..]) {
            containers.push((name[6..].to_owned(), std::fs::read(path).unwrap()));
        }
    }
    assert_eq!(containers.len(), Sample::ALL.len() + BY_NAME.len());
    containers
}

const BY_NAME: &[&str] = &[
    "ar",
    "ar-bsd-long",
    "behind-elf-zip-stored-zip64",
    "behind-script-tar",
    "cab-behind",
    "cab-reserves",
    "cab-signed",
    "cab-stored-blocks",
    "cab-two-folders",
    "disk",
    "mail-nested-multipart",
    "tar-gnu-long",
    "tar-pax",
    "uuencoded-raw-behind-text",
    "zip-python-stored",
    "zip-python-stored-zip64",
    "zip-python-stored-zip64-streamed",
    "zip-streamed-stored",
];

fn is_large(bytes: &[u8]) -> bool {
    bytes.len() > 4_096
}

/// In a large container, only the bytes that are not zero, and some of the zeros.
fn places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    (0..bytes.len()).filter(|place| !is_large(bytes) || bytes[*place] != 0 || place % 251 == 0)
}

#[test]
fn no_byte_changes_its_meaning_unseen() {
    let gate = gate(LIMITS);
    let mut map = String::new();
    for (name, bytes) in containers() {
        writeln!(map, "{name}: {}", letter(&gate, &bytes)).unwrap();
        for change in CHANGES.into_iter().take(if is_large(&bytes) { 1 } else { 3 }) {
            let mut changed = bytes.clone();
            for place in places(&bytes) {
                changed[place] = change(bytes[place]);
                map.push(letter(&gate, &changed));
                changed[place] = bytes[place];
            }
            map.push('\n');
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bytes.golden");
    if is_update() {
        std::fs::write(&golden, &map).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    let mut title = "";
    for (now, then) in map.lines().zip(expected.lines()) {
        title = if now.contains(": ") { now } else { title };
        let differs = now.chars().zip(then.chars()).position(|(now, then)| now != then);
        assert!(now == then, "{title}, from byte {differs:?} of those that were changed\n{now}\n{then}");
    }
    assert_eq!(map.len(), expected.len());
}
