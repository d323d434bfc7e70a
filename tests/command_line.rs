//! The command line works on a running service: uploads and verdicts as exit codes, checked downloads, and a
//! selftest that passes here and fails where a promise is broken. One file that fails stops no other.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::support::process::{self, binary};
use crate::support::public_proxy::{Fault, PublicProxy};
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

/// Runs the program on a blocking thread, because the service is in this process.
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

    // Downloads: by id, by link, never over an existing file, never of an infected file.
    let output = run(&service, at, &["download", file_id, "--to", "back.bin"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(at.join("back.bin")).unwrap(), vec![7; 3_000_000]);
    std::fs::write(at.join("back.bin"), "mine").unwrap();
    assert_eq!(run(&service, at, &["download", file_id, "--to", "back.bin"]).status.code(), Some(1));
    assert_eq!(std::fs::read(at.join("back.bin")).unwrap(), b"mine");
    let output = run(&service, at, &["download", file_id, "--to", "back.bin", "--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(at.join("back.bin")).unwrap(), vec![7; 3_000_000]);
    std::fs::create_dir(at.join("downloads")).unwrap();
    assert_eq!(run(&service, at, &["download", file_id, "--to", "downloads"]).status.code(), Some(0));
    assert_eq!(std::fs::read_dir(at.join("downloads")).unwrap().count(), 1, "and no temporary file");
    assert!(at.join("downloads/big.bin").try_exists().unwrap());
    let link = text(&run(&service, at, &["link", file_id]).stdout);
    let output = run(&service, at, &["download", link.trim(), "--to", "-"]);
    assert_eq!(output.stdout.len(), 3_000_000);
    let infected = json(&run(&service, at, &["--output", "json", "ls", "--status", "infected"]));
    let bad = infected[0]["file_id"].as_str().unwrap();
    let output = run(&service, at, &["download", bad]);
    assert!(
        output.status.code() == Some(10) && text(&output.stderr).contains("(infected)"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(run(&service, at, &["status", bad]).status.code(), Some(10));
    assert_eq!(run(&service, at, &["status", "--watch", file_id]).status.code(), Some(0));
    assert_eq!(run(&service, at, &["rescan", file_id]).status.code(), Some(0));
    let rescanned = run(&service, at, &["rescan", "--watch", "--output", "json", file_id, bad]);
    let infos = json(&rescanned);
    assert_eq!((infos[0]["scan_status"].as_str(), &infos[0]["rescanning"]), (Some("clean"), &Value::Null));
    assert_eq!(infos[1]["error"]["code"], "finding_stands");
    assert_eq!(rescanned.status.code(), Some(1), "the highest of clean and refused");
    assert_eq!(run(&service, at, &["rescan", bad]).status.code(), Some(1));

    // Links are revoked, files are deleted.
    assert_eq!(run(&service, at, &["link", "--revoke", file_id]).status.code(), Some(0));
    let output = run(&service, at, &["download", link.trim(), "--to", "-"]);
    assert!(text(&output.stderr).contains("link_revoked"), "{}", text(&output.stderr));
    let digest = sha256(&eicar());
    let release = ["release", bad, "--sha256", &digest, "--reason", "a test"];
    assert_eq!(run(&service, at, &release).status.code(), Some(0));
    let removed = run(&service, at, &["rm", file_id, bad]);
    assert_eq!(text(&removed.stdout), format!("deleted {file_id}\ndeleted {bad}\n"));
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

    // The upload was begun by another client, which has sent one part.
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
    assert!(said.contains("TEST SET") && said.contains("arrives at http://"), "{said}");
    let (_, list) = service.get("/files").await;
    assert_eq!(list["files"], Value::Array(vec![]), "it leaves nothing behind");
    assert_eq!(run(&service, at, &["webhooks", "ls"]).status.code(), Some(0));
    let replay = ["webhooks", "replay", "--since", "2026-01-01T00:00:00Z"];
    assert_eq!(run(&service, at, &replay).status.code(), Some(0));
    service.stop().await;
}

#[test]
fn what_the_machine_lacks_is_said_in_plain_words() {
    let directory = tempfile::tempdir().unwrap();
    let said = |args: &[&str], env: &[(&str, &Path)]| {
        let mut command = Command::new(binary());
        // No mirror is asked: there is no such proxy.
        command.args(args).env_clear().env("HTTPS_PROXY", "http://127.0.0.1:1").envs(env.iter().copied());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        text(&output.stderr)
    };
    let data_dir = directory.path().join("chosen");
    let error = said(&["definitions", "update"], &[("DATA_DIR", &data_dir)]);
    assert!(error.contains(&format!("no definitions in `{}/definitions`", data_dir.display())), "{error}");
    let nowhere = Path::new("/nonexistent");
    let error = said(&["health"], &[("SSL_CERT_FILE", nowhere), ("SSL_CERT_DIR", nowhere)]);
    assert!(error.contains("install the package `ca-certificates`"), "{error}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_stops_no_other() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::create_dir_all(at.join("inbox/deep")).unwrap();
    for (name, bytes) in [
        ("inbox/a.txt", b"a".to_vec()),
        ("inbox/program.exe", b"MZ".to_vec()),
        ("inbox/deep/b.txt", eicar()),
        ("inbox/deep/c.txt", b"c".to_vec()),
    ] {
        std::fs::write(at.join(name), bytes).unwrap();
    }
    let several = ["inbox/a.txt", "inbox/program.exe", "missing.txt", "inbox/deep/c.txt"];
    let output = run(&service, at, &[&["upload"], &several[..]].concat());
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{errors}");
    assert!(said.contains("a.txt") && said.contains("c.txt"), "{said}");
    assert!(
        errors.contains("`inbox/program.exe`: ") && errors.contains("(extension_not_allowed)"),
        "{errors}"
    );
    assert_eq!(errors.matches("`missing.txt`: ").count(), 1, "{errors}");
    assert!(errors.contains("TEST DEFINITIONS"), "{errors}");

    // The JSON output lists every file in the order of the arguments; a directory's files are sorted.
    let output = run(&service, at, &["--output", "json", "upload", "--recursive", "inbox"]);
    let listed = json(&output);
    assert_eq!(output.status.code(), Some(10), "{listed:#}");
    let brief: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["scan_status"].as_str()).collect();
    assert_eq!(brief, [Some("clean"), Some("infected"), Some("clean"), None], "{listed:#}");
    assert_eq!(listed[3]["error"]["code"], "extension_not_allowed");
    assert_eq!(listed[3]["error"]["status"], 422);
    assert_eq!(listed[3]["path"], "inbox/program.exe");

    // Standard input, with a given name.
    let piped = tokio::task::block_in_place(|| {
        Command::new("sh")
            .args(["-c", "printf hello | \"$0\" upload --output json --name hello.txt -"])
            .arg(binary())
            .env("AIRLOCK_URL", &service.local.report().url)
            .output()
            .unwrap()
    });
    let listed = json(&piped);
    assert_eq!(listed[0]["filename"], "hello.txt", "{listed}");
    assert_eq!(listed[0]["scan_result"]["sha256"], sha256(b"hello"));

    // `ls` says that there are more files, and `--all` lists them.
    let output = run(&service, at, &["ls", "--limit", "2"]);
    assert!(text(&output.stderr).contains("there are more"), "{}", text(&output.stderr));
    let output = run(&service, at, &["ls", "--all"]);
    assert_eq!((text(&output.stdout).lines().count(), text(&output.stderr)), (7, String::new()));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upload_says_how_to_resume() {
    // The storage is unreachable, so the upload retries until it is interrupted.
    let storage = PublicProxy::listen(Fault::LeadsNowhere).await;
    let url = storage.url.parse().unwrap();
    let service = Service::start_with(&[], |options| options.s3_url = Some(url)).await;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("large.bin"), crate::multipart::bytes(20_000_000)).unwrap();
    std::fs::write(at.join("next.txt"), "next").unwrap();
    let mut upload = tokio::process::Command::new(binary());
    upload.args(["--url", &service.local.report().url, "upload", "large.bin", "next.txt"]);
    let upload = upload.current_dir(at).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let file_id = service.list_of(1).await[0]["file_id"].as_str().unwrap().to_owned();
    let pid = i32::try_from(upload.id().unwrap()).unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let output = upload.wait_with_output().await.unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains(&format!("airlock upload --resume {file_id} large.bin")), "{errors}");
    assert!(!errors.contains("next.txt"), "{errors}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_output_ends_the_program_quietly() {
    let service = Service::start().await;
    service.upload("a.txt", b"a").await;
    for command in ["ls", "ls --output json", "doctor", "selftest", "health"] {
        // The reader closes the pipe before the first byte is written.
        let script = format!("\"$0\" {command} 2>&1 >&3 3>&- | cat; exit ${{PIPESTATUS[0]}}");
        let script = format!("exec 3> >(exec true); sleep 0.3; {script}");
        let output = tokio::task::block_in_place(|| {
            let url = &service.local.report().url;
            let mut bash = Command::new("bash");
            bash.args(["-c", &script]).arg(binary()).env("AIRLOCK_URL", url).output().unwrap()
        });
        assert_eq!(output.status.code(), Some(141), "{command}: {}", text(&output.stdout));
        assert_eq!(text(&output.stdout), "", "{command}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_runs_and_stops_with_a_closed_output() {
    let directory = tempfile::tempdir().unwrap();
    let ports = process::free_ports();
    let mut child = process::command(directory.path(), ports, &[]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut service = process::Process { child, url: format!("http://127.0.0.1:{}", ports.0) };
    service.is_up().await;
    service.signal(Signal::TERM);
    assert!(service.child.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_colours_and_rounded_sizes_and_a_pipe_does_not() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("big.bin"), vec![7; 3_000_000]).unwrap();
    let on_terminal = |command: &str, no_color: Option<&str>| {
        tokio::task::block_in_place(|| {
            let mut script = Command::new("script");
            script.args(["-qec", &format!("{} {command}", binary().display()), "/dev/null"]);
            script
                .env("AIRLOCK_URL", &service.local.report().url)
                .env("TERM", "xterm")
                .env_remove("NO_COLOR");
            script.envs(no_color.map(|value| ("NO_COLOR", value))).current_dir(at);
            text(&script.output().unwrap().stdout)
        })
    };
    let shown = on_terminal("upload big.bin", None);
    assert!(shown.contains("\u{1b}[32mclean\u{1b}[0m") && shown.contains("3.0 MB"), "{shown}");
    assert!(shown.contains("Scanning big.bin"), "a spinner while it is scanned: {shown}");
    let plain = on_terminal("ls", Some("1"));
    assert!(!plain.contains('\u{1b}') && plain.contains("3.0 MB") && plain.contains(" ago"), "{plain}");
    let piped = text(&run(&service, at, &["ls"]).stdout);
    assert!(piped.contains("3000000") && !piped.contains('\u{1b}') && !piped.contains(" ago"), "{piped}");
    service.stop().await;
}
