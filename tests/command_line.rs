//! The command line works on a running service: uploads and verdicts as exit codes, checked downloads, and a
//! selftest that passes here and fails where a promise is broken.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::process::binary;
use crate::support::{Service, eicar, sha256, wait};

fn airlock(service: &Service, directory: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .args(["--url", &service.local.report().url])
        .args(args)
        .current_dir(directory)
        .env_remove("AIRLOCK_TOKEN")
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs where it may block: the service is in this process.
pub(crate) fn run(service: &Service, directory: &Path, args: &[&str]) -> Output {
    tokio::task::block_in_place(|| airlock(service, directory, args))
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_wait_and_say_the_verdict() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (name, bytes) in
        [("good.txt", b"good".to_vec()), ("bad.txt", eicar()), ("big.bin", vec![7; 3_000_000])]
    {
        std::fs::write(at.join(name), bytes).unwrap();
    }
    for (files, code) in [
        (&["good.txt"][..], 0),
        (&["bad.txt"], 10),
        (&["good.txt", "bad.txt", "big.bin"], 10),
        (&["missing.txt"], 1),
    ] {
        let output = run(&service, at, &[&["upload"], files].concat());
        assert_eq!(
            output.status.code(),
            Some(code),
            "{files:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
    let uploaded = json(&run(&service, at, &["--output", "json", "upload", "big.bin"]));
    let file_id = uploaded[0]["file_id"].as_str().unwrap();
    assert_eq!(uploaded[0]["scan_result"]["sha256"], sha256(&vec![7; 3_000_000]));
    let listed = json(&run(&service, at, &["--output", "json", "ls", "--status", "clean", "--limit", "200"]));
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    let table = text(&run(&service, at, &["ls"]).stdout);
    assert!(table.starts_with("FILE") && table.contains("Eicar-Test-Signature"), "{table}");

    // Downloads: by id, by link, never over something that is there, never what is infected.
    let output = run(&service, at, &["download", file_id, "--to", "back.bin"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(at.join("back.bin")).unwrap(), vec![7; 3_000_000]);
    assert_eq!(run(&service, at, &["download", file_id, "--to", "back.bin"]).status.code(), Some(1));
    let link = text(&run(&service, at, &["link", file_id]).stdout);
    let output = run(&service, at, &["download", link.trim(), "--to", "-"]);
    assert_eq!(output.stdout.len(), 3_000_000);
    let infected = json(&run(&service, at, &["--output", "json", "ls", "--status", "infected"]));
    let bad = infected[0]["file_id"].as_str().unwrap();
    let output = run(&service, at, &["download", bad]);
    assert!(
        output.status.code() == Some(1) && text(&output.stderr).contains("(infected)"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(run(&service, at, &["status", bad]).status.code(), Some(10));
    assert_eq!(run(&service, at, &["status", "--watch", file_id]).status.code(), Some(0));
    assert_eq!(run(&service, at, &["rescan", file_id]).status.code(), Some(0));
    assert_eq!(run(&service, at, &["rescan", bad]).status.code(), Some(1));

    // Links die, files go.
    assert_eq!(run(&service, at, &["link", "--revoke", file_id]).status.code(), Some(0));
    let output = run(&service, at, &["download", link.trim(), "--to", "-"]);
    assert!(text(&output.stderr).contains("link_revoked"), "{}", text(&output.stderr));
    let digest = sha256(&eicar());
    let release = ["release", bad, "--sha256", &digest, "--reason", "a test"];
    assert_eq!(run(&service, at, &release).status.code(), Some(0));
    assert_eq!(run(&service, at, &["rm", file_id, bad]).status.code(), Some(0));
    assert_eq!(run(&service, at, &["status", file_id]).status.code(), Some(13));
    assert_eq!(run(&service, at, &["upload", "good.txt", "--no-wait"]).status.code(), Some(0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_go_in_parts_and_go_on_after_an_interruption() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (at, whole) = (directory.path(), crate::multipart::bytes(20_000_000));
    std::fs::write(at.join("large.bin"), &whole).unwrap();
    let output = run(&service, at, &["upload", "--output", "json", "large.bin"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(json(&output)[0]["scan_result"]["sha256"], sha256(&whole));

    // Begun elsewhere, and a part of it is there already.
    let body = serde_json::json!({
        "filename": "large.bin", "size": whole.len(), "method": "multipart", "part_checksums": true,
    });
    let (_, begun) = service.post("/files", &body).await;
    let file_id = begun["file_id"].as_str().unwrap();
    let part = &whole[..crate::multipart::PART];
    let wanted = serde_json::json!({ "part_number": 1, "checksum_sha256": sha256(part) });
    let given = crate::multipart::instruction(&service, file_id, wanted).await;
    assert_eq!(crate::multipart::send(&service, &given, part).await.status(), 200);
    std::fs::write(at.join("other.bin"), &whole[..9_000_000]).unwrap();
    for (args, code, said) in [
        (vec!["upload", "--resume", file_id, "other.bin"], 1, "is not the file"),
        (vec!["upload", "--resume", file_id, "large.bin", "other.bin"], 1, "takes one file"),
        (vec!["upload", "--resume", file_id, "large.bin"], 0, ""),
        (vec!["upload", "--resume", file_id, "large.bin"], 1, "upload_over"),
    ] {
        let output = run(&service, at, &args);
        let errors = text(&output.stderr);
        assert!(output.status.code() == Some(code) && errors.contains(said), "{args:?}: {errors}");
    }
    assert_eq!(service.ends_as(file_id, "clean").await["scan_result"]["sha256"], sha256(&whole));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_look_and_mend() {
    let service = Service::start_with(&[], |settings| settings.tuning.delivery.max_receives = 1).await;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    service.local.queue().send("{not an event".to_owned()).await.unwrap();
    let listed = wait::until_found("a dead letter", async || {
        let listed = json(&run(&service, at, &["--output", "json", "dlq", "ls"]));
        let is_there = !listed["dead_letters"].as_array().unwrap().is_empty();
        if is_there { Ok(listed) } else { Err(listed) }
    })
    .await;
    assert_eq!(listed["dead_letters"][0]["reason"], "the body is not an S3 event");
    let moved = json(&run(&service, at, &["--output", "json", "dlq", "redrive"]));
    assert_eq!(moved["moved"], 1);
    let status = text(&run(&service, at, &["definitions", "status"]).stdout);
    assert!(status.contains("test_set"), "{status}");
    let doctor = run(&service, at, &["doctor"]);
    let said = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{said}");
    assert!(said.contains("TEST SET") && said.contains("reachable from here"), "{said}");
    let (_, list) = service.get("/files").await;
    assert_eq!(list["files"], Value::Array(vec![]), "it leaves nothing behind");
    assert_eq!(run(&service, at, &["webhooks", "ls"]).status.code(), Some(0));
    let replay = ["webhooks", "replay", "--since", "2026-01-01T00:00:00Z"];
    assert_eq!(run(&service, at, &replay).status.code(), Some(0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_selftest_passes_here() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let output = run(&service, directory.path(), &["--output", "json", "selftest"]);
    let results = json(&output);
    assert_eq!(output.status.code(), Some(0), "{results:#}");
    assert_eq!(results.as_array().unwrap().len(), 7, "{results:#}");
    let (_, list) = service.get("/files").await;
    assert_eq!(list["files"], Value::Array(vec![]), "it leaves nothing behind");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_selftest_does_not_pass_what_it_could_not_try() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "txt")], |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let output = run(&service, directory.path(), &["--output", "json", "selftest"]);
    let results = json(&output);
    assert_eq!(output.status.code(), Some(1), "{results:#}");
    let failed = results.as_array().unwrap().iter().filter(|result| result["state"] == "FAIL").count();
    assert_eq!(failed, 3, "what could not be tried is not passed: {results:#}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_comes_from_a_file() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("letter.txt"), b"nothing special").unwrap();
    std::fs::write(at.join("right"), b"secret words\n").unwrap();
    std::fs::write(at.join("wrong"), b"other words").unwrap();
    std::fs::write(at.join("empty"), b"\n").unwrap();
    let pack = ["a", "-psecret words", "locked.zip", "letter.txt"];
    let packed = Command::new("7zz").args(pack).current_dir(at).output().unwrap();
    assert!(packed.status.success());
    for (password, code) in [("right", 0), ("wrong", 11), ("empty", 1), ("missing", 1)] {
        let output = run(&service, at, &["upload", "--file-password", password, "locked.zip"]);
        assert_eq!(output.status.code(), Some(code), "{password}: {}", text(&output.stderr));
    }
    service.stop().await;
}
