//! The command line has help for every subcommand, and refuses unknown arguments.
//!
//! This test needs the binary, so cargo also builds it for the end-to-end tests.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::process::Command;

fn airlock(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_airlock")).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn it_explains_itself() {
    let (code, text) = airlock(&["--help"]);
    assert_eq!(code, Some(0));
    let commands = [
        "local",
        "upload",
        "download",
        "ls",
        "status",
        "link",
        "rm",
        "rescan",
        "dlq",
        "definitions",
        "doctor",
        "selftest",
    ];
    for command in commands {
        assert!(text.contains(&format!("\n  {command} ")), "{command}: {text}");
        assert_eq!(airlock(&[command, "--help"]).0, Some(0), "{command}");
    }
    let (_, text) = airlock(&["local", "--help"]);
    for option in
        ["--data-dir", "--listen", "--s3-listen", "--public-url", "--s3-url", "--auth", "--definitions"]
    {
        assert!(text.contains(option), "{option}: {text}");
    }
    assert!(airlock(&["--version"]).1.starts_with("airlock "));
}

#[test]
fn it_refuses_what_it_does_not_know() {
    for args in [
        &["local", "--skip-scan", "yes"][..],
        &["local", "--listen", "nowhere"],
        &["local", "--auth", "maybe"],
        &["upload"],
        &["nonsense"],
        &["ls", "--output", "xml"],
    ] {
        let (code, text) = airlock(args);
        assert!(code == Some(2) && text.contains("error:"), "{args:?}: {text}");
    }
}

#[test]
fn a_service_that_does_not_answer_is_named() {
    let (code, text) = airlock(&["--url", "http://127.0.0.1:9", "ls"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("the service at http://127.0.0.1:9 does not answer"), "{text}");
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, text) = airlock(&["completions", shell]);
        assert!(code == Some(0) && text.contains("selftest"), "{shell}");
    }
}
