//! Only the API and the storage accept connections, only under their own names, and no other user of the
//! machine can read what is stored.
//!
//! `tests/browser/hostile.mjs` tests what a web page can do to them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::StatusCode;
use reqwest::header::HeaderName;
use serde_json::json;

use crate::support::process::{Process, free_ports, listening_ports};
use crate::support::{Service, client};

/// Opens every file and connects to every socket; prints what it can reach.
const INTRUDER: &str = "
import os, socket, sys
for directory, _, names in os.walk(sys.argv[1]):
    print(directory)
    for name in names:
        path = os.path.join(directory, name)
        try:
            open(path, 'rb').close()
            print(path)
        except PermissionError:
            pass
        except OSError:
            try:
                socket.socket(socket.AF_UNIX).connect(path)
                print(path)
            except OSError:
                pass
";

/// What an unprivileged user can reach below `directory`; `None` if the tests may not become that user.
fn reached_by_another_user(directory: &Path) -> Option<String> {
    const UNPRIVILEGED: &str = "65534";
    rustix::process::geteuid().is_root().then(|| {
        let output = std::process::Command::new("setpriv")
            .args([
                "--reuid",
                UNPRIVILEGED,
                "--regid",
                UNPRIVILEGED,
                "--clear-groups",
                "/usr/bin/python3",
                "-c",
                INTRUDER,
            ])
            .arg(directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    })
}

fn open_to_all_users(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_two_ports_and_no_other_user_reaches_its_directory() {
    let (directory, ports) = (tempfile::tempdir().unwrap(), free_ports());
    let data_dir = directory.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    for path in [directory.path(), &data_dir] {
        open_to_all_users(path);
    }
    let process = Process::start(&data_dir, ports, &[]).await;
    let mut listening = listening_ports(process.child.id().unwrap());
    for child in process.children() {
        listening.extend(listening_ports(child));
    }
    assert_eq!(listening, BTreeSet::from([ports.0, ports.1]));
    let mode = std::fs::metadata(&data_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    if let Some(reached) = reached_by_another_user(&data_dir) {
        assert_eq!(reached, "");
    }
    // The intruder's program itself works: with access, it finds the files and sockets.
    open_to_all_users(&data_dir);
    if let Some(reached) = reached_by_another_user(&data_dir) {
        assert!(reached.contains("data/lock"), "{reached}");
    }
    process.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_accepts_loopback_names_and_its_configured_name() {
    let (port, _) = free_ports();
    let service = Service::start_with(&[], |settings| {
        settings.s3_listen = format!("127.0.0.1:{port}").parse().unwrap();
        settings.s3_url = Some("http://files.example".parse().unwrap());
    })
    .await;
    let ask = async |host: &str| {
        let asked = service.http.get(format!("http://127.0.0.1:{port}/airlock/x")).header("host", host);
        let answer = asked.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    for host in ["127.0.0.1", "localhost:8001", "files.example", "[::1]:1"] {
        let (status, text) = ask(host).await;
        assert!(status == 403 && !text.contains("loopback"), "{host}: {status} {text}");
    }
    for host in ["evil.test", "evil.test:8001", "files.example.evil.test", "10.0.0.1", "a b"] {
        let (status, text) = ask(host).await;
        assert!(status == 403 && text.contains("answers to loopback names"), "{host}: {status} {text}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_accept_loopback_names_too() {
    let service = Service::start().await;
    for (host, status) in [("127.0.0.1:8000", 200), ("localhost", 200), ("evil.test", 403)] {
        for path in ["/", "/monitor", "/client/index.js", "/health", "/files"] {
            let answer = service.http.get(service.url(path)).header("host", host).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{host} {path}");
        }
    }
    service.stop().await;
}

/// Without tokens, a proxy on the same machine may add TLS under a loopback name.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_at_a_public_loopback_url_may_upload() {
    let service = Service::start_with(&[], |options| {
        options.public_url = Some("https://localhost:8443".parse().unwrap());
    })
    .await;
    for (origin, status) in [("https://localhost:8443", 201), ("https://localhost:9443", 403)] {
        let create = service.http.post(service.url("/files")).header("origin", origin);
        let answer = create.json(&json!({ "filename": "a.txt", "size": 1 })).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{origin}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_admits_only_pages_of_allowed_origins() {
    let service = Service::start_with(&[("ALLOWED_ORIGINS", "http://app.example")], |_| {}).await;
    let (page, url) = (service.url(""), format!("{}/airlock/x", service.local.report().s3_url));
    for (origin, is_allowed) in [
        (page.as_str(), true),
        ("http://app.example", true),
        ("https://app.example", false),
        ("http://app.example.evil.test", false),
        ("http://evil.test", false),
        ("null", false),
    ] {
        let preflight = client().request(reqwest::Method::OPTIONS, &url);
        let preflight = preflight.header("access-control-request-method", "PUT").header("origin", origin);
        let plain = client().get(&url).header("origin", origin);
        for (request, name) in [(preflight, "preflight"), (plain, "GET")] {
            let answer = request.send().await.unwrap();
            let allowed = answer.headers().get(HeaderName::from_static("access-control-allow-origin"));
            let allowed = allowed.map(|value| value.to_str().unwrap());
            assert_eq!(allowed, is_allowed.then_some(origin), "{name} from {origin}");
            if name == "preflight" {
                assert_eq!(answer.status() == StatusCode::OK, is_allowed, "{origin}");
            }
        }
    }
    service.stop().await;
}

/// A form may be sent to a URL whose query names signed headers; its own signature covers none.
#[tokio::test(flavor = "multi_thread")]
async fn a_forms_query_makes_no_header_signed() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "method": "post" })).await;
    let url = accepted.upload["url"].as_str().unwrap();
    for query in
        ["", "?X-Amz-SignedHeaders=x-amz-tagging", "?X-Amz-Signature=0&X-Amz-SignedHeaders=x-amz-tagging"]
    {
        let mut form = reqwest::multipart::Form::new();
        for (name, value) in accepted.upload["fields"].as_object().unwrap() {
            form = form.text(name.clone(), value.as_str().unwrap().to_owned());
        }
        let form = form.part("file", reqwest::multipart::Part::bytes(b"bytes".to_vec()).file_name("f"));
        let sent = service.http.post(format!("{url}{query}")).header("x-amz-tagging", "a=b").multipart(form);
        let answer = sent.send().await.unwrap();
        assert!(answer.status().is_client_error(), "`{query}`: {}", answer.status());
        let text = answer.text().await.unwrap();
        assert!(text.contains("is not signed") || text.contains("one signature"), "`{query}`: {text}");
    }
    assert_eq!(service.post_form(&accepted, b"bytes").await.status(), 201);
    service.ends_as(&accepted.file_id, "clean").await;
    service.stop().await;
}
