//! A password that is sent with an upload opens the file for its scan, and is kept nowhere afterwards.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Service, answer, client, eicar, text, venv};

/// A value that occurs nowhere else.
const PASSWORD: &str = "planted-Kennwort-7c41";

/// An encrypted file, made by the program that users of the format have.
struct Locked {
    name: &'static str,
    bytes: Vec<u8>,
}

/// `content` in every kind of container that a password opens.
fn locked(content: &[u8]) -> Vec<Locked> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("member.txt"), content).unwrap();
    let made = |name: &'static str, command: &str| {
        let status = Command::new("sh").args(["-c", command]).current_dir(directory.path()).status().unwrap();
        assert!(status.success(), "{command}: `tools/install test` installs it");
        Locked { name, bytes: std::fs::read(directory.path().join(name)).unwrap() }
    };
    let seven_zip = |name: &'static str, options: &str| {
        made(name, &format!("7zz a -p{PASSWORD} {options} {name} member.txt >log"))
    };
    let pdf = |name: &'static str, encryption: &str| {
        let add = "qpdf --empty --add-attachment member.txt -- plain.pdf";
        made(
            name,
            &format!(
                "{add} && qpdf --allow-weak-crypto --encrypt {PASSWORD} owner {encryption} -- \
                 plain.pdf {name}"
            ),
        )
    };
    vec![
        document(directory.path()),
        seven_zip("crypto.zip", "-mem=ZipCrypto"),
        seven_zip("aes.zip", "-mem=AES256"),
        seven_zip("stored.zip", "-mem=AES128 -mx=0"),
        seven_zip("list.7z", ""),
        seven_zip("hidden-list.7z", "-mhe=on"),
        pdf("rc4-40.pdf", "40"),
        pdf("rc4-128.pdf", "128 --use-aes=n"),
        pdf("aes-128.pdf", "128 --use-aes=y"),
        pdf("aes-256.pdf", "256"),
    ]
}

/// A document of Word with the file in it, encrypted as Office does since 2010.
fn document(directory: &Path) -> Locked {
    const ENCRYPT: &str = "
import io, sys, zipfile, docx
from msoffcrypto.format.ooxml import OOXMLFile
plain = io.BytesIO()
docx.Document().save(plain)
with zipfile.ZipFile(plain, 'a') as package:
    package.write('member.txt', 'word/media/image1.png')
with open('document.docx', 'wb') as encrypted:
    OOXMLFile(plain).encrypt(sys.argv[1], encrypted)
";
    let python = venv("readers").join("bin/python");
    let status = Command::new(python).args(["-c", ENCRYPT, PASSWORD]).current_dir(directory).status();
    assert!(status.unwrap().success());
    Locked { name: "document.docx", bytes: std::fs::read(directory.join("document.docx")).unwrap() }
}

async fn upload(service: &Service, locked: &Locked, password: Option<&str>) -> String {
    let mut body = json!({ "filename": locked.name, "size": locked.bytes.len() });
    if let Some(password) = password {
        body["password"] = password.into();
    }
    let accepted = service.create_upload(&body).await;
    assert_eq!(service.put(&accepted, &locked.bytes).await.status(), 200);
    accepted.file_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_the_file_for_its_scan() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    for (content, status) in [(b"nothing special".to_vec(), "clean"), (eicar(), "infected")] {
        for locked in locked(&content) {
            for (password, expected) in
                [(Some(PASSWORD), status), (Some("wrong"), "unscannable"), (None, "unscannable")]
            {
                let file_id = upload(&service, &locked, password).await;
                let info = service.ends_as(&file_id, expected).await;
                let result = &info["scan_result"];
                if expected == "unscannable" {
                    assert_eq!(result["reason"], "encrypted", "{}: {info}", locked.name);
                    assert!(text(&result["explanation"]).contains("Remove the password"), "{info}");
                }
                assert_eq!(
                    result["used_password"] == true,
                    expected != "unscannable",
                    "{}: {info}",
                    locked.name
                );
            }
        }
    }
    service.stop().await;
}

/// A file that needs no password is not marked `used_password`, and malware beside the encrypted member is
/// found.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_excuses_nothing() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let plain = Locked { name: "plain.txt", bytes: b"nothing special".to_vec() };
    let info = service.ends_as(&upload(&service, &plain, Some(PASSWORD)).await, "clean").await;
    assert_eq!(info["scan_result"]["used_password"], Value::Null);
    let inner = locked(b"nothing special").remove(0);
    // A document that is locked with another password than the archive around it.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("inner.zip"), &inner.bytes).unwrap();
    let pack =
        "7zz a -pother -mem=AES256 outer.zip inner.zip >log && 7zz a -pother -mhe=on outer.7z inner.zip >log";
    assert!(Command::new("sh").args(["-c", pack]).current_dir(directory.path()).status().unwrap().success());
    for name in ["outer.zip", "outer.7z"] {
        let outer = Locked { name, bytes: std::fs::read(directory.path().join(name)).unwrap() };
        let info = service.ends_as(&upload(&service, &outer, Some("other")).await, "unscannable").await;
        assert_eq!(info["scan_result"]["reason"], "encrypted", "{info}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rescan_has_no_password_and_leaves_the_verdict() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let zip = locked(b"nothing special").remove(0);
    let file_id = upload(&service, &zip, Some(PASSWORD)).await;
    let before = service.ends_as(&file_id, "clean").await;
    let (status, _) = service.post(&format!("/files/{file_id}/rescan"), &json!({})).await;
    assert_eq!(status, 202);
    let said = crate::support::wait::until_found("a rescan without a password", async || {
        let info = service.get(&format!("/files/{file_id}/status")).await.1["file_info"].clone();
        assert_eq!(info["scan_status"], "clean");
        let at = info["scan_result"]["rescan_without_password_at"].clone();
        if at.is_string() { Ok(info) } else { Err(info) }
    });
    assert_eq!(said.await["scan_result"]["scanned_at"], before["scan_result"]["scanned_at"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_stored_nowhere_after_the_verdict() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |settings| {
        // The files wait for a scan, so one of the records holds the password.
        settings.tuning.machine.max_attempts = 3;
    })
    .await;
    for locked in locked(b"nothing special") {
        let file_id = upload(&service, &locked, Some(PASSWORD)).await;
        let info = service.ends_as(&file_id, "clean").await;
        assert!(!info.to_string().contains(PASSWORD));
        let stores = service.local.stores();
        let file = domain::id::FileId::parse(&file_id).unwrap();
        assert_eq!(stores.ledger.load(file).await.unwrap().unwrap().password, None, "kept after the verdict");
    }
    let waiting =
        service.create_upload(&json!({ "filename": "a.zip", "size": 10, "password": PASSWORD })).await;
    let (_, info) = service.get(&format!("/files/{}", waiting.file_id)).await;
    assert!(!info.to_string().contains(PASSWORD), "{info}");
    let directory = service.stop_and_keep().await;
    assert_eq!(files_with(directory.path(), PASSWORD.as_bytes()), Vec::<String>::new());
}

fn files_with(directory: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_may_have_a_password_in_front_of_its_file() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let zip = locked(b"nothing special").remove(0);
    for (password, expected) in [(PASSWORD, "clean"), ("", "unscannable")] {
        let file = reqwest::multipart::Part::bytes(zip.bytes.clone()).file_name(zip.name);
        let form = reqwest::multipart::Form::new().text("password", password).part("file", file);
        let sent = service.request(reqwest::Method::POST, "/upload").multipart(form).send().await.unwrap();
        let (status, accepted) = answer(sent).await;
        assert_eq!(status, 201, "{accepted}");
        service.ends_as(&text(&accepted["file_id"]), expected).await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn better_upload_sends_a_password_as_metadata() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let locked = &locked(&eicar())[0];
    let file = json!({ "name": locked.name, "size": locked.bytes.len(), "type": "" });
    for (metadata, expected) in
        [(json!({ "password": PASSWORD }), "infected"), (json!({ "case": 4711 }), "unscannable")]
    {
        let body = json!({ "route": "default", "files": [file], "metadata": metadata });
        let (status, answer) = service.post("/better-upload", &body).await;
        assert_eq!(status, 200, "{answer}");
        let url = text(&answer["files"][0]["signedUrl"]);
        let put = client().put(url).header("content-type", "").header("if-none-match", "*");
        assert_eq!(put.body(locked.bytes.clone()).send().await.unwrap().status(), 200);
        service.ends_as(&text(&answer["metadata"]["file_ids"][0]), expected).await;
    }
    let body = json!({ "files": [file], "metadata": { "password": "" } });
    let (status, answer) = service.post("/better-upload", &body).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("invalid_password")), "{answer}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_passwords_are_refused() {
    let service = Service::start().await;
    for password in [json!(""), json!("a\nb"), json!("x".repeat(256))] {
        let body = json!({ "filename": "a.zip", "password": password });
        let (status, problem) = service.post("/files", &body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_password")), "{problem}");
    }
    service.stop().await;
}
