//! Where a setting allows it, an operator takes out the bytes of a file that is not clean: exactly those of
//! the verdict, in an encrypted archive, with a reason that is kept. No other caller does, and without the
//! setting no operator either.

use std::process::Command;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::command_line::run;
use crate::support::{Service, answer, eicar, sha256, text, wait};

const ALLOWED: (&str, &str) = ("SAMPLE_DOWNLOADS", "true");

/// What two readers that share no code find in an archive, with the password.
fn unpacked(archive: &[u8], member: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("sample.zip"), archive).unwrap();
    let read = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).arg(at("sample.zip")).output().unwrap();
        (output.status.success(), output.stdout)
    };
    let (listed, list) = read("7zz", &["l", "-slt"]);
    let list = String::from_utf8(list).unwrap();
    assert!(listed && list.contains("Method = AES-256 Store"), "{list}");
    assert!(list.contains(&format!("Path = {member}")), "{list}");
    let (opened, _) = read("7zz", &["x", "-so", "-pwrong"]);
    assert!(!opened, "without its password it stays closed");
    let (opened, bytes) = read("7zz", &["x", "-so", "-pinfected"]);
    assert!(opened, "7-Zip opens it");
    let (opened, again) = read("bsdtar", &["-xO", "--passphrase", "infected", "-f"]);
    assert!(opened && again == bytes, "libarchive opens it, and finds the same");
    bytes
}

async fn ask(service: &Service, file_id: &str, digest: &str, reason: &str) -> Response {
    let body = json!({ "sha256": digest, "reason": reason });
    service.request(Method::POST, &format!("/files/{file_id}/sample")).json(&body).send().await.unwrap()
}

async fn samples(service: &Service) -> Vec<Value> {
    let (status, list) = service.get("/samples").await;
    assert_eq!(status, 200, "{list}");
    list["samples"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gets_the_judged_bytes_and_the_reason_is_kept() {
    let service = Service::start_with(&[ALLOWED], |_| {}).await;
    // Several chunks of the storage's answer, and one that is smaller than a block of the cipher.
    let large = [eicar(), b"\n".repeat(3_000_000)].concat();
    let encrypted = b"PK\x03\x04 not a zip that anybody could open".to_vec();
    let mut expected = vec![];
    for (name, bytes, status) in [
        ("../../run me.txt", eicar(), "infected"),
        ("large.txt", large, "infected"),
        ("d.zip", encrypted, "unscannable"),
    ] {
        let file_id = service.upload(name, &bytes).await;
        let info = service.ends_as(&file_id, status).await;
        let digest = sha256(&bytes);
        let response = ask(&service, &file_id, &digest, "to examine it").await;
        assert_eq!(response.status(), 200, "{name}");
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/octet-stream");
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"{digest}.zip\""));
        assert_eq!(header("cache-control"), "no-store");
        let archive = response.bytes().await.unwrap();
        assert!(memchr::memmem::find(&archive, b"EICAR").is_none(), "{name} is not encrypted");
        assert!(unpacked(&archive, &digest) == bytes, "{name}: other bytes");
        assert_eq!(service.get(&format!("/files/{file_id}")).await.1["download_count"], 0, "{info}");
        expected.insert(0, (file_id, digest));
    }
    let listed = samples(&service).await;
    let found: Vec<_> = listed.iter().map(|it| (text(&it["file_id"]), text(&it["sha256"]))).collect();
    assert_eq!(found, expected, "all of them, newest first");
    for field in ["reason", "downloaded_by", "owner"] {
        let kept = if field == "reason" { "to examine it" } else { "local" };
        assert!(listed.iter().all(|sample| sample[field] == kept), "{field}: {listed:?}");
    }
    assert!(text(&listed[2]["finding"]).contains("Eicar"), "{listed:?}");
    // The file itself stays where it is, and its links as they were.
    let (status, problem) = service.get(&format!("/files/{}/download-link", expected[2].0)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("infected")), "{problem}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_no_record_and_gives_no_byte() {
    let service = Service::start_with(&[ALLOWED], |_| {}).await;
    let (good, bad) = (service.upload("a.txt", b"good").await, service.upload("b.txt", &eicar()).await);
    let waiting = service.create_upload(&json!({ "filename": "c.txt", "size": 4 })).await.file_id;
    service.ends_as(&good, "clean").await;
    service.ends_as(&bad, "infected").await;
    let digest = sha256(&eicar());
    let unknown = "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e";
    for (file_id, digest, reason, status, code) in [
        (good.as_str(), &sha256(b"good"), "a test", 409, "file_clean"),
        (&waiting, &digest, "a test", 409, "not_scanned_yet"),
        (&bad, &sha256(b"other"), "a test", 409, "other_bytes"),
        (&bad, &"no digest".to_owned(), "a test", 422, "invalid_body"),
        (&bad, &digest, "  ", 422, "invalid_reason"),
        (unknown, &digest, "a test", 404, "file_not_found"),
    ] {
        let (found, problem) = answer(ask(&service, file_id, digest, reason).await).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
    }
    assert_eq!(samples(&service).await, Vec::<Value>::new());
    for (path, code) in [("/samples?cursor=x", "invalid_cursor"), ("/samples?limit=0", "invalid_query")] {
        let (status, problem) = service.get(path).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!(code)), "{problem}");
    }
    service.stop().await;

    let closed = Service::start().await;
    let bad = closed.upload("b.txt", &eicar()).await;
    closed.ends_as(&bad, "infected").await;
    let (status, problem) = answer(ask(&closed, &bad, &digest, "a test").await).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("samples_not_allowed")), "{problem}");
    assert_eq!(closed.get("/stats").await.1["gives_samples"], false);
    closed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_bytes_come_from_the_quarantine_and_only_the_judged_ones() {
    for policy in ["move", "delete"] {
        let service = Service::start_with(&[ALLOWED, ("QUARANTINE", policy)], |_| {}).await;
        let bad = service.upload("b.txt", &eicar()).await;
        service.ends_as(&bad, "infected").await;
        let (digest, file) = (sha256(&eicar()), domain::id::FileId::parse(&bad).unwrap());
        wait::until("the policy to be carried out", async || {
            let record = service.local.stores().ledger.load(file).await.unwrap().unwrap();
            record.quarantined.is_some()
        })
        .await;
        let response = ask(&service, &bad, &digest, "a test").await;
        if policy == "delete" {
            let (status, problem) = answer(response).await;
            assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("bytes_removed")), "{problem}");
        } else {
            let archive = response.bytes().await.unwrap();
            assert_eq!(unpacked(&archive, &digest), eicar());
            // Bytes that took the place of the copy are not given out as those of the verdict.
            let key = format!("quarantine/{bad}");
            let other = b"other bytes".to_vec().into();
            service.raw_s3().put_object().bucket("airlock").key(key).body(other).send().await.unwrap();
            let body = json!({ "sha256": digest, "reason": "a test" });
            let request = service.request(Method::POST, &format!("/files/{bad}/sample")).json(&body);
            let answer = match request.send().await {
                Ok(response) => response.bytes().await,
                Err(error) => Err(error),
            };
            assert!(answer.is_err(), "the answer ends early");
        }
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_downloads_and_lists_samples() {
    let service = Service::start_with(&[ALLOWED], |_| {}).await;
    let file_id = service.upload("tool.txt", &eicar()).await;
    service.ends_as(&file_id, "infected").await;
    let (digest, directory) = (sha256(&eicar()), tempfile::tempdir().unwrap());
    let run = |args: &[&str]| run(&service, directory.path(), args);
    let get = ["samples", "get", &file_id, "--sha256", &digest, "--reason", "for the vendor"];
    let taken = run(&get);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(said.contains(&format!("{digest}.zip")) && said.contains("`infected`"), "{said}");
    let archive = std::fs::read(directory.path().join(format!("{digest}.zip"))).unwrap();
    assert_eq!(unpacked(&archive, &digest), eicar());
    let again = run(&get);
    assert_eq!(again.status.code(), Some(1), "an existing file is not replaced");
    assert_eq!(samples(&service).await.len(), 1, "and nothing was downloaded for it");
    let to_output = run(&[&get[..], &["--to", "-"]].concat());
    assert_eq!(unpacked(&to_output.stdout, &digest), eicar());
    let listed = run(&["samples", "ls"]);
    let shown = String::from_utf8_lossy(&listed.stdout);
    assert!(shown.contains("for the vendor") && shown.contains(&file_id), "{shown}");
    let other = run(&["samples", "get", &file_id, "--sha256", &sha256(b"other"), "--reason", "x"]);
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(other.status.code() == Some(1) && said.contains("other_bytes"), "{said}");
    let exists = |name: &str| directory.path().join(name).try_exists().unwrap();
    assert!(!exists(&format!("{}.zip", sha256(b"other"))));
    service.stop().await;
}
