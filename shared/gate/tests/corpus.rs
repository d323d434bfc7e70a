//! What the gate makes of every named way to hide something, line by line: `corpus.golden`. `UPDATE=1` writes it anew.
//!
//! That nothing in it is clean after the engine's answer is shown in the workspace's `tests/evasion.rs`. Here any change of the gate's mind
//! shows, within a second.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use gate::{Capabilities, Gate, Limits, Sample};

fn gate() -> Gate {
    let limits = Limits { max_member_bytes: 20_000, max_total_bytes: 200_000, max_members: 40, max_depth: 5 };
    let capabilities = Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>();
    Gate { limits, capabilities, scratch_directory: std::env::temp_dir() }
}

/// Assembled, so that no scanner mistakes this file for it.
fn eicar() -> Vec<u8> {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn described(gate: &Gate, bytes: &[u8]) -> String {
    let inspection = gate.inspect_bytes(bytes).unwrap();
    let refusal = inspection.refusal.map_or("pass".to_owned(), |refusal| refusal.to_string());
    let (mut n_test_files, mut n_others) = (0, 0);
    for blob in &inspection.handed {
        let mut content = vec![];
        blob.reader().read_to_end(&mut content).unwrap();
        *if content == eicar() { &mut n_test_files } else { &mut n_others } += 1;
    }
    // Others by their number, not their sizes: how small a compressor makes something differs from one release to the next.
    let with = |n: usize, what: &str| if n > 0 { format!("; handed {n}{what}") } else { String::new() };
    format!("{refusal}{}{}", with(n_test_files, " EICAR"), with(n_others, ""))
}

#[test]
fn nothing_changes_its_mind_unseen() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (directory, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = here.join("../../tests/evasion/corpus.py");
    let written =
        Command::new("python3").arg(script).args([directory.path(), empty.path()]).args(["0", "0"]).status();
    assert!(written.unwrap().success());
    let gate = gate();
    let mut files =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.sort();
    let mut lines = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap()[6..].to_owned();
        writeln!(lines, "{name}: {}", described(&gate, &std::fs::read(path).unwrap())).unwrap();
    }
    for sample in Sample::ALL {
        writeln!(lines, "sample {:?}: {}", sample.method, described(&gate, &sample.unmasked())).unwrap();
    }
    let golden = here.join("tests/corpus.golden");
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
        let blind = Gate { capabilities: others.collect(), ..gate() };
        let refusal = blind.inspect_bytes(&missing.unmasked()).unwrap().refusal;
        let reason = refusal.map(|refusal| refusal.reason);
        assert_eq!(reason, Some(domain::verdict::Unscannable::UnsupportedContainer), "{:?}", missing.method);
    }
}

#[expect(clippy::disallowed_methods, reason = "set by hand when a change of mind is meant")]
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}
