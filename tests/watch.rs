//! `airlock watch` keeps the verdict on exactly the bytes that a file has, moves what is infected, follows no
//! link, and judges nothing twice.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{XattrFlags, fsetxattr, lgetxattr};
use serde_json::{Value, json};

use crate::command_line::run;
use crate::support::process::binary;
use crate::support::{Service, eicar, sha256, wait};

/// The verdict that is kept with a file.
fn mark(path: &Path) -> Value {
    let mut buffer = [0; 4096];
    if let Ok(length) = lgetxattr(path, "user.airlock.verdict", &mut buffer[..]) {
        return serde_json::from_slice(&buffer[..length]).unwrap();
    }
    let name = format!(".{}.airlock.json", path.file_name().unwrap().to_str().unwrap());
    let beside = std::fs::read(path.with_file_name(name));
    beside.map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap())
}

/// A directory to watch, and one beside it for what is infected.
fn directories() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().canonicalize().unwrap().join(name);
    let (inbox, quarantine) = (at("inbox"), at("quarantine"));
    std::fs::create_dir_all(inbox.join("below")).unwrap();
    std::fs::create_dir(&quarantine).unwrap();
    (root, inbox, quarantine)
}

/// `airlock watch --once`: the exit code, and the lines that it printed.
fn look(service: &Service, inbox: &Path, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let inbox = inbox.to_str().unwrap();
    let args = ["--output", "json", "watch", inbox, "--once", "--settle", "0"];
    let output = run(service, Path::new("/"), &[&args, more].concat());
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), lines)
}

/// A name must not write to the operator's terminal, or pretend to be a line of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_control_characters_is_shown_without_them() {
    let service = Service::start().await;
    let (_root, inbox, _) = directories();
    let name = "a\u{1b}[2J\nclean        b.txt";
    std::fs::write(inbox.join(name), eicar()).unwrap();
    let inbox = inbox.to_str().unwrap();
    let shown = run(&service, Path::new("/"), &["watch", inbox, "--once", "--settle", "0"]);
    let lines = String::from_utf8(shown.stdout).unwrap();
    assert_eq!((lines.lines().count(), shown.status.code()), (1, Some(10)), "{lines:?}");
    assert!(lines.starts_with("infected     ") && !lines.contains('\u{1b}'), "{lines:?}");
    let refused = run(&service, Path::new(inbox), &["upload", "no such \u{1b}[2J file"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("no such \u{fffd}[2J file") && !said.contains('\u{1b}'), "{said:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_gets_its_verdict_once() {
    let service = Service::start().await;
    let (root, inbox, quarantine) = directories();
    for (name, bytes) in [
        ("good.txt", b"good".to_vec()),
        ("below/good.exe", vec![b'x'; 3_000_000]),
        ("bad.txt", eicar()),
        ("below/locked.zip", b"PK\x03\x04 not a zip that anybody could open".to_vec()),
        ("empty.txt", vec![]),
    ] {
        std::fs::write(inbox.join(name), bytes).unwrap();
    }
    let outside = root.path().join("outside.txt");
    std::fs::write(&outside, eicar()).unwrap();
    std::os::unix::fs::symlink(&outside, inbox.join("link.txt")).unwrap();
    std::os::unix::fs::symlink(root.path(), inbox.join("loop")).unwrap();

    let more = ["--quarantine", quarantine.to_str().unwrap()];
    let (code, lines) = look(&service, &inbox, &more);
    assert_eq!((code, lines.len()), (Some(11), 5), "{lines:?}");
    let good = mark(&inbox.join("good.txt"));
    assert_eq!((&good["verdict"], &good["sha256"]), (&json!("clean"), &json!(sha256(b"good"))));
    assert_eq!(mark(&inbox.join("below/good.exe"))["verdict"], "clean");
    let locked = mark(&inbox.join("below/locked.zip"));
    assert_eq!((&locked["verdict"], &locked["reason"]), (&json!("unscannable"), &json!("encrypted")));
    assert_eq!(mark(&inbox.join("empty.txt"))["reason"], "empty");
    assert_eq!(mark(&outside), Value::Null, "a link is not followed");

    assert!(std::fs::symlink_metadata(inbox.join("bad.txt")).is_err());
    let moved = lines.iter().find(|line| line["verdict"] == "infected").unwrap();
    let moved = moved["moved_to"].as_str().unwrap();
    assert!(moved.ends_with(&sha256(&eicar())), "{moved}");
    assert_eq!(std::fs::read(moved).unwrap(), eicar());
    let note: Value = serde_json::from_slice(&std::fs::read(format!("{moved}.json")).unwrap()).unwrap();
    assert_eq!(note["path"], inbox.join("bad.txt").to_str().unwrap());

    let again = look(&service, &inbox, &more);
    assert_eq!(again, (Some(11), vec![]), "nothing is judged twice, and what is there counts");
    // The same name and size, other bytes.
    std::fs::write(inbox.join("good.txt"), "evil").unwrap();
    let (code, lines) = look(&service, &inbox, &more);
    assert_eq!((code, lines.len()), (Some(11), 1), "{lines:?}");
    assert_eq!(mark(&inbox.join("good.txt"))["sha256"], sha256(b"evil"));
    let (code, lines) = look(&service, &inbox, &[&more[..], &["--quarantine-unscannable"]].concat());
    assert_eq!((code, lines.len()), (Some(11), 2), "{lines:?}");
    assert_eq!(std::fs::read_dir(inbox.join("below")).unwrap().count(), 1);
    assert_eq!(service.get("/files").await.1["files"], json!([]), "the service keeps nothing");
    service.stop().await;
}

/// Leaves no room for a verdict: neither in the file's attributes nor beside it.
fn leave_no_room_for_a_verdict(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    // More than a block of ext4 has; on other file systems the verdict finds its place.
    for n in 0..8 {
        let _ = fsetxattr(&file, format!("user.filler{n}"), &[b'x'; 800], XattrFlags::empty());
    }
    for n in 0..64 {
        let _ = fsetxattr(&file, format!("user.small{n}"), b"x", XattrFlags::empty());
    }
    let name = format!(".{}.airlock.json", path.file_name().unwrap().to_str().unwrap());
    std::fs::create_dir(path.with_file_name(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_infected_file_is_moved_also_if_its_verdict_finds_no_place() {
    let service = Service::start().await;
    let (_root, inbox, quarantine) = directories();
    std::fs::write(inbox.join("bad.txt"), eicar()).unwrap();
    leave_no_room_for_a_verdict(&inbox.join("bad.txt"));
    let (code, lines) = look(&service, &inbox, &["--quarantine", quarantine.to_str().unwrap()]);
    assert_eq!((code, lines.len()), (Some(10), 1), "{lines:?}");
    assert!(std::fs::symlink_metadata(inbox.join("bad.txt")).is_err());
    assert_eq!(std::fs::read(lines[0]["moved_to"].as_str().unwrap()).unwrap(), eicar());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_arrive_are_judged_when_they_rest() {
    let service = Service::start().await;
    let (_root, inbox, quarantine) = directories();
    let mut watching = Command::new(binary())
        .args(["--url", &service.local.report().url, "--output", "json", "watch", "--settle", "1"])
        .args(["--every", "3600", "--quarantine"])
        .arg(&quarantine)
        .arg(&inbox)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let output = watching.stdout.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(serde_json::from_str::<Value>(&line).unwrap());
        }
    });
    let next = || lines.recv_timeout(Duration::from_mins(2)).unwrap();

    // A file that is written slowly, a directory that appears with a file in it, and one that is moved in.
    std::fs::write(inbox.join("first.txt"), "first").unwrap();
    assert_eq!(tokio::task::block_in_place(next)["sha256"], sha256(b"first"), "the watch has begun");
    let mut slow = std::fs::File::create(inbox.join("slow.txt")).unwrap();
    for part in ["one ", "two ", "three"] {
        slow.write_all(part.as_bytes()).unwrap();
        wait::linger(Duration::from_millis(400)).await;
    }
    drop(slow);
    let judged = tokio::task::block_in_place(next);
    assert_eq!((&judged["verdict"], &judged["sha256"]), (&json!("clean"), &json!(sha256(b"one two three"))));
    std::fs::create_dir(inbox.join("new")).unwrap();
    std::fs::write(inbox.join("new/bad.txt"), eicar()).unwrap();
    let judged = tokio::task::block_in_place(next);
    assert_eq!(judged["verdict"], "infected", "{judged}");
    wait::until("the infected file to be gone", async || {
        std::fs::symlink_metadata(inbox.join("new/bad.txt")).is_err()
    })
    .await;
    watching.kill().unwrap();
    watching.wait().unwrap();
    service.stop().await;
}
