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
        "watch",
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
        &["ls", "--all", "--limit", "5"],
        &["rescan", "--timeout", "5", ID],
    ] {
        let (code, text) = airlock(args);
        assert!(code == Some(2) && text.contains("error:"), "{args:?}: {text}");
    }
}

const ID: &str = "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e";

#[test]
fn a_value_that_is_refused_comes_with_what_is_expected() {
    for (args, expected) in [
        (&["ls", "--status", "blue"][..], "pending, scanning, clean, infected"),
        (&["ls", "--limit", "many"], "whole number from 1 on"),
        (&["ls", "--url", "nowhere"], "https://airlock.example.com"),
        (&["status", "../health"], "`airlock ls` lists them"),
        (&["upload", "--timeout", "1m", "a.txt"], "number of seconds, such as 900"),
        (&["release", ID, "--sha256", "abc", "--reason", "x"], "64 hexadecimal digits"),
        (&["webhooks", "replay", "--since", "yesterday"], "2026-01-31T12:00:00Z"),
    ] {
        let (code, text) = airlock(args);
        assert!(code == Some(2) && text.contains(expected), "{args:?}: {text}");
        let (code, text) = airlock(&[&["--output", "json"], args].concat());
        let error: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(code == Some(2) && error["error"]["code"] == "usage", "{args:?}: {error}");
        assert!(error["error"]["message"].as_str().unwrap().contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    for command in ["upload", "download", "ls", "doctor"] {
        assert!(airlock(&[command, "--help"]).1.contains("Examples:\n  "), "{command}");
    }
    let (_, text) = airlock(&["--help"]);
    for code in ["10  infected", "14  no verdict yet", "141  the output was closed"] {
        assert!(text.contains(code), "{code}: {text}");
    }
}

#[test]
fn paths_that_cannot_be_read_are_named_in_plain_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let missing = format!("{path}/missing.txt");
    for (args, expected) in [
        (&["upload", path][..], "it is a directory: add --recursive"),
        (&["upload", &missing], "there is no such file or directory"),
        (&["upload", "-"], "add --name NAME"),
        (&["upload", "--name", "a.txt", path, path], "`--name` takes one file"),
        (&["upload", "--file-password", "-", "-"], "standard input cannot be both"),
        (&["upload", "--file-password", &missing, "a.txt"], "cannot read the password from"),
        (&["download", ID, "--to", "/proc/self/comm"], "exists already"),
        (&["download", ID, "--to", "/dev/null", "--force"], "is not a regular file"),
        (&["download", "nonsense"], "expected a file's id"),
        (&["download", "host/download/token"], "is not a link: expected a URL such as https://"),
    ] {
        let (code, text) = airlock(&[&["--url", "http://127.0.0.1:9"], args].concat());
        assert!(code == Some(1) && text.contains(expected), "{args:?}: {text}");
        assert!(!text.contains("os error"), "{args:?}: {text}");
    }
}

#[test]
fn a_service_that_does_not_answer_is_named() {
    let (code, text) = airlock(&["--url", "http://127.0.0.1:9", "ls"]);
    assert_eq!(code, Some(1));
    let expected = "the service at http://127.0.0.1:9 does not answer: it refuses connections";
    assert!(text.contains(expected) && !text.contains("os error"), "{text}");
    let (code, text) = airlock(&["--url", "http://127.0.0.1:9", "ls", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(code == Some(1) && error["error"]["code"] == "failed", "{error}");
    let (_, text) = airlock(&["--url", "http://no-such-name.invalid", "ls"]);
    assert!(text.contains("its name cannot be resolved"), "{text}");
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, text) = airlock(&["completions", shell]);
        assert!(code == Some(0) && text.contains("selftest"), "{shell}");
    }
}
