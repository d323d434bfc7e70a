//! Files that cannot be scanned as a whole are refused with the right reason.

use std::fs::File;

use gate::Limits;

use crate::{USUAL_LIMITS, files, gate, scratch, written_by};

#[test]
fn what_cannot_be_scanned_says_why() {
    let limits = Limits { max_member_bytes: 2_000_000, max_total_bytes: 8_000_000, ..USUAL_LIMITS };
    let files = files(&written_by("evasion/limits.py", &[]));
    for (name, path) in &files {
        let refusal =
            gate(limits).inspect(&File::open(path).unwrap(), scratch(), vec![], None).unwrap().refusal;
        let reason = refusal.map_or("none", |refusal| refusal.reason.code());
        assert_eq!(name.split('.').next(), Some(reason), "{name}");
    }
    assert!(files.len() >= 25, "{}", files.len());
}
