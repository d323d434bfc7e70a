//! A password that comes with an upload opens the file for its scan on AWS, and leaves no trace: not in an
//! answer, a function's log or request, a record, a message, an event or an object's metadata.

use std::path::PathBuf;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::runtime_api::http_event;
use crate::support::stack::Stack;
use crate::support::traces::Traces;
use crate::support::{eicar, text};

const PASSWORD: &str = "planted-Kennwort-90d2";

/// Every function, by the name under which it logs and sends.
const FUNCTIONS: [&str; 7] = ["api", "definitions", "download", "live", "notify", "scan", "sweep"];

/// The password reaches the scan function. Without it, the same bytes are judged anew.
pub(super) async fn open_files(stack: &mut Stack) {
    let mut traces = Traces::of(PASSWORD);
    let locked = locked_archive(&eicar()).await;
    for (password, expected) in [(Some(PASSWORD), "infected"), (None, "unscannable")] {
        let wanted = json!({ "filename": "locked.zip", "size": locked.len(), "password": password });
        let create = stack.authorized(Method::POST, "/files").json(&wanted);
        let created = traces.answer("POST /files", create).await;
        let file_id = text(&created["file_id"]);
        if password.is_some() {
            search(stack, &mut traces, "while the file waits").await;
        }
        stack.put(&created["upload"], &locked).await;
        stack.ends_as(&file_id, expected).await;
        let status = stack.authorized(Method::GET, &format!("/files/{file_id}/status"));
        let status = traces.answer("GET status", status).await;
        let result = &status["file_info"]["scan_result"];
        assert_eq!(result["used_password"] == true, password.is_some(), "{status}");
        ask_everything(stack, &mut traces, &file_id).await;
    }
    for path in ["/scan", "/upload"] {
        let file = Part::bytes(locked.clone()).file_name("locked.zip");
        let form = Form::new().text("password", PASSWORD).part("file", file);
        let request = stack.authorized(Method::POST, path).multipart(form);
        let answer = traces.answer(&format!("POST {path}"), request).await;
        if path == "/scan" {
            assert_eq!(answer["scan_status"], "infected", "{answer}");
        } else {
            stack.ends_as(&text(&answer["file_id"]), "infected").await;
        }
    }
    refuse_passwords(stack, &mut traces).await;
    search(stack, &mut traces, "after the verdicts").await;
    assert!(traces.found.is_empty(), "{:#?}", traces.found);
}

/// After everything else that the stack did: sweeps, deliveries, retries and dead letters.
pub(super) async fn left_no_trace(stack: &mut Stack) {
    let mut traces = Traces::of(PASSWORD);
    search(stack, &mut traces, "at the end").await;
    assert!(traces.found.is_empty(), "{:#?}", traces.found);
    // A function that logged or sent nothing would prove nothing.
    for function in FUNCTIONS {
        let logged = traces.n_bytes(&format!("/logs/{function}"));
        let sent = traces.n_bytes(&format!("/requests/{function}"));
        assert!(logged > 0 && sent > 0, "{function} logged {logged} bytes and sent {sent}");
    }
    let n_bytes = ["/tables/", "/queues/", "/buckets/"].map(|kind| traces.n_bytes(kind));
    assert!(n_bytes.iter().all(|n_bytes| *n_bytes > 0), "{n_bytes:?}");
    println!("no password in {} places with {} bytes", traces.searched.len(), traces.n_bytes(""));
}

/// What the functions logged and sent until now, and what is stored.
async fn search(stack: &mut Stack, traces: &mut Traces, when: &str) {
    let left = stack.command(json!({ "do": "leave_traces" })).await;
    traces.search_directory(when, &PathBuf::from(text(&left["directory"])));
}

/// What shows a file to its owner and to an operator, and the events about it.
async fn ask_everything(stack: &mut Stack, traces: &mut Traces, file_id: &str) {
    let of_file = ["", "/download-link"].map(|part| format!("/files/{file_id}{part}"));
    for path in of_file.iter().map(String::as_str).chain(["/files", "/samples", "/stats", "/webhooks"]) {
        for token in ["token", "operator"] {
            let request = stack.request(Method::GET, path).bearer_auth(text(&stack.about[token]));
            traces.answer(&format!("GET {path}"), request).await;
        }
    }
    let headers = json!({ "authorization": format!("Bearer {}", text(&stack.about["token"])) });
    let events = http_event("GET", &format!("/files/{file_id}/events"), &headers, "");
    let events = stack.invoke("LiveFunction", events).await;
    assert!(events.to_string().contains(file_id), "{events}");
    traces.search("the events", events.to_string().as_bytes());
}

/// Errors about what has a password in it.
async fn refuse_passwords(stack: &Stack, traces: &mut Traces) {
    for body in [
        json!({ "filename": "a.zip", "password": format!("{PASSWORD}\u{7}") }),
        json!({ "filename": "a.zip", "password": [PASSWORD] }),
        json!({ "filename": "a.zip", "password": { PASSWORD: 1 } }),
        json!({ "filename": "a.zip", "size": "x", "password": PASSWORD }),
        json!({ "filename": "", "password": PASSWORD.repeat(100) }),
    ] {
        let refused = traces.answer("an error", stack.authorized(Method::POST, "/files").json(&body)).await;
        assert_ne!(refused["code"], Value::Null, "{refused}");
    }
}

/// An encrypted archive with one file in it.
async fn locked_archive(bytes: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("inside.txt"), bytes).unwrap();
    let mut pack = Command::new("7zz");
    pack.args(["a", "-bd", "-mem=AES256", "a.zip", "inside.txt"]).arg(format!("-p{PASSWORD}"));
    let packed = pack.current_dir(directory.path()).stdout(std::process::Stdio::null()).status().await;
    assert!(packed.unwrap().success());
    std::fs::read(directory.path().join("a.zip")).unwrap()
}
