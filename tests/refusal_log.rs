//! At the default level, the log has one line for each file that is not clean, with its id, the reason and
//! the observation, and none for clean files.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::process::{command, free_ports};
use crate::support::{client, eicar, text, wait};

/// A zip with one uncompressed member whose header marks it as encrypted.
fn encrypted_zip() -> Vec<u8> {
    let local = [
        &b"PK\x03\x04\x14\0\x01\0\0\0\0\0\0\0"[..],
        &[1, 2, 3, 4, 13, 0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0],
        b"a",
    ]
    .concat();
    let body = [local.as_slice(), &[b'x'; 13]].concat();
    let central = [
        &b"PK\x01\x02\x14\0\x14\0\x01\0\0\0\0\0\0\0"[..],
        &[1, 2, 3, 4, 13, 0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        b"a",
    ]
    .concat();
    let (n_central, start) = (u32::try_from(central.len()).unwrap(), u32::try_from(body.len()).unwrap());
    let end =
        [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &n_central.to_le_bytes(), &start.to_le_bytes(), &[0, 0]]
            .concat();
    [body, central, end].concat()
}

async fn upload(url: &str, announcement: Value, bytes: Vec<u8>) -> String {
    let accepted: Value =
        client().post(format!("{url}/files")).json(&announcement).send().await.unwrap().json().await.unwrap();
    let mut put = client().put(text(&accepted["upload"]["url"])).body(bytes);
    for (name, value) in accepted["upload"]["headers"].as_object().unwrap() {
        if name != "content-length" {
            put = put.header(name, text(value));
        }
    }
    assert_eq!(put.send().await.unwrap().status(), 200);
    text(&accepted["file_id"])
}

async fn ended(url: &str, file_id: &str) -> String {
    wait::until_found("a verdict", async || {
        let url = format!("{url}/files/{file_id}/status");
        let answer: Value = client().get(url).send().await.unwrap().json().await.unwrap();
        let status = text(&answer["file_info"]["scan_status"]);
        if matches!(status.as_str(), "pending" | "scanning") { Err(status) } else { Ok(status) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refused_file_has_one_line() {
    let (directory, ports) = (tempfile::tempdir().unwrap(), free_ports());
    let log = directory.path().join("log");
    let mut service = command(&directory.path().join("data"), ports, &[])
        .stderr(Stdio::from(std::fs::File::create(&log).unwrap()))
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{}", ports.0);
    wait::until("the service runs", async || {
        client().get(format!("{url}/health")).send().await.is_ok_and(|health| health.status() == 200)
    })
    .await;
    let nothing = json!({ "filename": "a.txt" });
    let mut files = vec![];
    for (announcement, bytes, status, said) in [
        (json!({ "filename": "a.zip" }), encrypted_zip(), "unscannable", &["encrypted", "zip"][..]),
        (nothing.clone(), eicar(), "infected", &["Eicar-Test-Signature"]),
        (nothing.clone(), vec![], "unscannable", &["empty", "not read"]),
        (nothing.clone(), b"hello".to_vec(), "clean", &[]),
    ] {
        let file_id = upload(&url, announcement, bytes).await;
        assert_eq!(ended(&url, &file_id).await, status);
        files.push((file_id, status, said));
    }
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    let logged = std::fs::read_to_string(&log).unwrap();
    for (file_id, status, said) in files {
        let lines: Vec<&str> = logged.lines().filter(|line| line.contains(&file_id)).collect();
        if status == "clean" {
            assert!(lines.is_empty(), "{lines:?}");
            continue;
        }
        let [line] = lines[..] else { panic!("{status}: not one line: {lines:?} of\n{logged}") };
        for word in [status].iter().chain(said) {
            assert!(line.contains(word), "`{word}` is not in: {line}");
        }
    }
}
