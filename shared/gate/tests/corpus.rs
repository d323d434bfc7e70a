//! Compares the gate's result for every known way to hide something with a line of `corpus.golden`.
//! `UPDATE=1` rewrites it.
//!
//! The end-to-end test `readers` shows that none of these files is clean; this one shows any change of the
//! gate's results within a second.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use gate::{Gate, Limits, Sample};

use crate::{files, gate, inspect_bytes, is_update, written_by};

/// Small limits, so that inputs reach them.
const LIMITS: Limits =
    Limits { max_member_bytes: 20_000, max_total_bytes: 200_000, max_members: 40, max_depth: 5 };

/// Assembled, so that no scanner mistakes this file for it.
fn eicar() -> Vec<u8> {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn described(gate: &Gate, bytes: &[u8]) -> String {
    let inspection = inspect_bytes(gate, bytes);
    let refusal = inspection.refusal.map_or("pass".to_owned(), |refusal| refusal.to_string());
    let (mut n_test_files, mut n_others) = (0, 0);
    for blob in &inspection.handed {
        let mut content = vec![];
        blob.reader().read_to_end(&mut content).unwrap();
        *if content == eicar() { &mut n_test_files } else { &mut n_others } += 1;
    }
    // Other members by their number, not their sizes: the output sizes of compressors differ between
    // releases.
    let with = |n: usize, what: &str| if n > 0 { format!("; handed {n}{what}") } else { String::new() };
    format!("{refusal}{}{}", with(n_test_files, " EICAR"), with(n_others, ""))
}

#[test]
fn nothing_changes_its_mind_unseen() {
    let gate = gate(LIMITS);
    let corpus = written_by("evasion/corpus.py", &["/dev/null", "0", "0"]);
    let mut lines = String::new();
    for (name, path) in files(&corpus) {
        // A number stands before each name.
        writeln!(lines, "{}: {}", &name[6..], described(&gate, &std::fs::read(path).unwrap())).unwrap();
    }
    for sample in Sample::ALL {
        let bytes = sample.unmasked();
        writeln!(lines, "sample {:?}: {}", sample.method, described(&gate, &bytes)).unwrap();
        let amid = [b"#!/bin/sh\nexit 0\n", bytes.as_slice(), &vec![b'y'; 70_000]].concat();
        writeln!(lines, "sample {:?} amid: {}", sample.method, described(&gate, &amid)).unwrap();
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus.golden");
    if is_update() {
        std::fs::write(&golden, &lines).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    let changed = lines.lines().zip(expected.lines()).filter(|(now, then)| now != then).collect::<Vec<_>>();
    assert!(changed.is_empty() && lines.len() == expected.len(), "{changed:#?}");
}

#[test]
fn an_engine_that_opens_less_makes_the_gate_refuse_more() {
    for missing in Sample::ALL {
        let others =
            Sample::ALL.iter().map(|sample| sample.method).filter(|method| *method != missing.method);
        let blind = Gate { capabilities: others.collect(), ..gate(LIMITS) };
        let refusal = inspect_bytes(&blind, &missing.unmasked()).refusal;
        let reason = refusal.map(|refusal| refusal.reason);
        assert_eq!(reason, Some(domain::verdict::Unscannable::UnsupportedContainer), "{:?}", missing.method);
    }
}
