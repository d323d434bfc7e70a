//! The command line says what it can do, and refuses what it cannot. (That this test needs the binary is also what makes
//! cargo build it for the end-to-end tests.)

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::process::Command;

fn airlock(args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_airlock")).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn it_explains_itself() {
    let (is_ok, text) = airlock(&["--help"]);
    assert!(is_ok);
    for option in ["--data-dir", "--listen", "--s3-listen", "--s3-url", "--auth", "--definitions"] {
        assert!(text.contains(option), "{option}: {text}");
    }
    assert!(airlock(&["--version"]).1.starts_with("airlock "));
}

#[test]
fn it_refuses_what_it_does_not_know() {
    for args in [["--skip-scan", "yes"], ["--listen", "nowhere"], ["--auth", "maybe"]] {
        let (is_ok, text) = airlock(&args);
        assert!(!is_ok && text.contains("error:"), "{args:?}: {text}");
    }
}
