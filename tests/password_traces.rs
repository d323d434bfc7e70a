//! A password of a file leaves no trace, whatever fails: not in a log, a record, a backup, an event, an
//! answer, the command line's output or the arguments of a process, in no encoding that only disguises it.
//!
//! The service is a process of its own, which logs everything. Its workers are killed while they have the
//! password, and then the service itself; the data directory is searched before the verdict, after the kill
//! and after the verdict, as a backup would hold it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::process::{Process, binary, children_of, command, free_ports};
use crate::support::receiver::Receiver;
use crate::support::traces::Traces;
use crate::support::{client, is_soak, text, wait};

/// Letters and figures only, so that neither JSON nor a URL changes it.
const PASSWORD: &str = "plantedKennwort58e2";

impl Traces {
    /// Announces a file with the password. Returns its identifier, and how its bytes are sent.
    async fn create(&mut self, http: &reqwest::Client, url: &str, size: usize) -> (String, Value) {
        let body = json!({ "filename": "locked.zip", "size": size, "password": PASSWORD });
        let accepted = self.answer("POST /files", http.post(format!("{url}/files")).json(&body)).await;
        (text(&accepted["file_id"]), accepted["upload"].clone())
    }

    async fn put(&mut self, http: &reqwest::Client, upload: &Value, bytes: &[u8]) {
        let mut put = http.put(text(&upload["url"])).body(bytes.to_vec());
        for (name, value) in upload["headers"].as_object().unwrap() {
            put = put.header(name, text(value));
        }
        self.answer("PUT", put).await;
    }
}

/// An encrypted archive that takes a while to open.
fn locked(directory: &Path) -> Vec<u8> {
    let content = b"ustar".repeat(1_000_000);
    std::fs::write(directory.join("inside.txt"), content).unwrap();
    let pack = format!("7zz a -bd -p{PASSWORD} -mem=AES256 locked.zip inside.txt >log && rm log inside.txt");
    let packed = std::process::Command::new("sh").args(["-c", &pack]).current_dir(directory).status();
    assert!(packed.unwrap().success());
    std::fs::read(directory.join("locked.zip")).unwrap()
}

/// The process and all below it.
fn family(pid: u32) -> Vec<u32> {
    [vec![pid], children_of(pid).into_iter().flat_map(family).collect()].concat()
}

/// The worker that has a file.
fn worker(pid: u32) -> Option<u32> {
    let is_worker = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "airlock-inspect\n")
    };
    family(pid).into_iter().find(is_worker)
}

async fn worker_at_work(pid: u32) -> u32 {
    wait::until_found("a worker", async || worker(pid).ok_or(())).await
}

fn cli(url: &str, directory: &Path, args: &[&str]) -> Output {
    let mut airlock = std::process::Command::new(binary());
    airlock.args(["--url", url]).args(args).current_dir(directory).env_remove("AIRLOCK_TOKEN");
    airlock.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_leaves_no_trace_whatever_fails() {
    let (directory, ports, receiver) = (tempfile::tempdir().unwrap(), free_ports(), Receiver::start().await);
    let at = |name: &str| directory.path().join(name);
    let (data, log) = (at("data"), at("log"));
    std::fs::create_dir(at("files")).unwrap();
    let locked = locked(&at("files"));
    let mut findings = Traces::of(PASSWORD);
    let hook = receiver.url();
    let env = [
        ("DEBUG", "true"),
        ("ALLOWED_EXTENSIONS", "*"),
        ("WEBHOOK_URLS", hook.as_str()),
        ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAirlockTests"),
        ("WEBHOOK_PRIVATE_HOSTS", &receiver.address),
    ];
    let start = || {
        let log = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = command(&data, ports, &env).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Process { child, url: format!("http://127.0.0.1:{}", ports.0) }
    };
    let (http, mut service) = (client(), start());
    service.is_up().await;
    let url = service.url.clone();
    let at_url = |path: &str| format!("{url}{path}");
    let events = Arc::new(Mutex::new(Vec::new()));
    follow_events(&http, &at_url("/events"), &events);

    // A file that waits: its record has the password, and so would a backup.
    let (file_id, upload) = findings.create(&http, &url, locked.len()).await;
    findings.search_directory("while the file waits", &data);
    findings.put(&http, &upload, &locked).await;

    // Its worker dies while it has the password, and then the service does.
    let pid = service.child.id().unwrap();
    let at_work = worker_at_work(pid).await;
    for pid in family(pid) {
        for part in ["cmdline", "environ"] {
            let text = std::fs::read(format!("/proc/{pid}/{part}")).unwrap_or_default();
            findings.search(&format!("{part} of a process"), &text);
        }
    }
    let at_work = Pid::from_raw(at_work.cast_signed()).unwrap();
    kill_process(at_work, Signal::KILL).unwrap();
    worker_at_work(pid).await;
    service.kill_9().await;
    findings.search_directory("after the service died", &data);

    service = start();
    service.is_up().await;
    follow_events(&http, &at_url("/events"), &events);
    // The scan that the kill interrupted is taken over half a minute later; another file is judged before.
    let mut judged = vec![];
    if is_soak() {
        judged.push(file_id.clone());
    }
    let (second, upload) = findings.create(&http, &url, locked.len()).await;
    findings.put(&http, &upload, &locked).await;
    judged.push(second);
    for file_id in &judged {
        let info = wait::until_found("the verdict", async || {
            let answer = http.get(at_url(&format!("/files/{file_id}"))).send().await.unwrap();
            let info: Value = answer.json().await.unwrap();
            if info["scan_status"] == "clean" { Ok(info) } else { Err(info) }
        })
        .await;
        assert_eq!(info["scan_result"]["used_password"], true, "{info}");
        ask_everything(&mut findings, &http, &url, file_id).await;
    }
    refuse_passwords(&mut findings, &http, &url).await;
    // The command line, with the right password, with one that opens nothing, and with none that it takes.
    for (name, line) in [("password", PASSWORD.to_owned()), ("bad", format!("{PASSWORD}\u{7}"))] {
        std::fs::write(at("files").join(name), line + "\n").unwrap();
        for options in [&["upload", "locked.zip"][..], &["--json", "upload", "locked.zip"]] {
            let args = [options, &["--file-password", name]].concat();
            let output = tokio::task::block_in_place(|| cli(&url, &at("files"), &args));
            findings.search("the command line", &[output.stdout, output.stderr].concat());
        }
        std::fs::remove_file(at("files").join(name)).unwrap();
    }
    for request in receiver.wait_for("events", |received| received.len() >= 2).await {
        findings.search("a webhook", format!("{request:?}").as_bytes());
    }
    service.signal(Signal::TERM);
    service.child.wait().await.unwrap();
    findings.search_directory("in a backup", &data);
    let logged = std::fs::read(&log).unwrap();
    assert!(logged.len() > 10_000, "too little was logged to prove anything");
    findings.search("the log", &logged);
    let events = events.lock().unwrap().clone();
    assert!(memchr::memmem::find(&events, file_id.as_bytes()).is_some(), "no event was followed");
    findings.search("the events", &events);

    assert!(findings.found.is_empty(), "{:#?}", findings.found);
    let n_bytes = findings.n_bytes("");
    println!("{} places with {n_bytes} bytes searched", findings.searched.len());
    assert!(findings.searched.len() > 100, "{:#?}", findings.searched);
}

/// Keeps what the stream of events says, until the service ends.
fn follow_events(http: &reqwest::Client, url: &str, events: &Arc<Mutex<Vec<u8>>>) {
    let (request, events) = (http.get(url), Arc::clone(events));
    tokio::spawn(async move {
        let mut stream = request.send().await.unwrap().bytes_stream();
        while let Some(Ok(bytes)) = stream.next().await {
            events.lock().unwrap().extend_from_slice(&bytes);
        }
    });
}

/// Everything that shows a file: to its owner, to an operator and to a program that collects metrics.
async fn ask_everything(findings: &mut Traces, http: &reqwest::Client, url: &str, file_id: &str) {
    let of_file = ["", "/status", "/download-link", "/parts"].map(|part| format!("/files/{file_id}{part}"));
    let others = ["/files?limit=100", "/health", "/metrics", "/stats", "/releases", "/samples"];
    let others = [&others[..], &["/dead-letters", "/webhooks"]].concat();
    for path in of_file.iter().map(String::as_str).chain(others) {
        findings.answer(&format!("GET {path}"), http.get(format!("{url}{path}"))).await;
    }
    let rescan = http.post(format!("{url}/files/{file_id}/rescan")).json(&json!({}));
    findings.answer("a rescan", rescan).await;
    let replay =
        http.post(format!("{url}/webhooks/replay")).json(&json!({ "since": "2020-01-01T00:00:00Z" }));
    findings.answer("a replay of events", replay).await;
}

/// Errors about what has a password in it, well and badly formed.
async fn refuse_passwords(findings: &mut Traces, http: &reqwest::Client, url: &str) {
    for body in [
        json!({ "filename": "a.zip", "password": format!("{PASSWORD}\u{7}") }),
        json!({ "filename": "a.zip", "password": [PASSWORD] }),
        json!({ "filename": "a.zip", "password": { PASSWORD: 1 } }),
        json!({ "filename": "a.zip", "Password": PASSWORD }),
        json!({ "filename": 1, "password": PASSWORD }),
        json!({ "filename": "a.zip", "size": "x", "password": PASSWORD }),
        json!({ "filename": "", "password": PASSWORD.repeat(100) }),
    ] {
        findings.answer("an error", http.post(format!("{url}/files")).json(&body)).await;
    }
    for field in ["password", "Password", "passwort"] {
        for value in [PASSWORD.to_owned(), PASSWORD.repeat(100)] {
            let file = reqwest::multipart::Part::bytes(b"x".to_vec());
            let form = reqwest::multipart::Form::new().text(field, value).part("file", file);
            findings.answer("a form", http.post(format!("{url}/upload")).multipart(form)).await;
        }
    }
    let file = json!({ "name": "a.zip", "size": 1, "type": "" });
    let body = json!({ "files": [file], "metadata": { "password": [PASSWORD] } });
    findings.answer("better-upload", http.post(format!("{url}/better-upload")).json(&body)).await;
    let cut = format!("{{\"filename\": \"a.zip\", \"password\": \"{PASSWORD}");
    let request = http.post(format!("{url}/files")).header("content-type", "application/json").body(cut);
    findings.answer("a body that is cut off", request).await;
}
