//! The engine is given the files that programs find in places that no walk of members comes to: in free
//! places of containers, in media, in containers of rare kinds.

use std::fs::File;

use crate::{USUAL_LIMITS, content, files, gate, scratch, written_by};

const FAMILIES: [&str; 6] = ["--family", "free", "--family", "media", "--family", "container"];
/// How the EICAR test file begins.
const WANTED: &[u8] = b"X5O!P%@AP";

#[test]
fn what_programs_find_there_is_handed() {
    let files = files(&written_by("readers/generate.py", &FAMILIES));
    let mut n_handed = 0;
    for (name, path) in &files {
        let inspection =
            gate(USUAL_LIMITS).inspect(&File::open(path).unwrap(), scratch(), vec![], None).unwrap();
        let is_handed = inspection.handed.iter().any(|blob| content(blob).starts_with(WANTED));
        assert!(is_handed || inspection.refusal.is_some(), "{name}");
        n_handed += usize::from(is_handed);
    }
    // The rest are archives that programs read differently, and kinds that openers open.
    assert!(n_handed > files.len() / 3, "{n_handed} of {}", files.len());
}
