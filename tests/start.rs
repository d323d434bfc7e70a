//! A service starts or reports what is missing, and stops every process that it started. A large upload does
//! not increase its memory.

use std::path::Path;

use rustix::process::Signal;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::identity::ENV;
use crate::support::process::{Process, binary, command, free_ports, is_engine};
use crate::support::{AIRLOCK_ENGINE, client, is_soak, settings, wait, with_each_engine};

async fn refusal(env: &[(&str, &str)], args: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path(), free_ports(), env);
    let mut child = command.args(args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let (mut text, mut stderr) = (String::new(), child.stderr.take().unwrap());
    stderr.read_to_string(&mut text).await.unwrap();
    assert!(!child.wait().await.unwrap().success(), "it started with {env:?} {args:?}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_or_unknown_settings_are_refused() {
    for (env, args, expected) in [
        (vec![("AIRLOCK_TYPO", "x")], vec![], "`AIRLOCK_TYPO` is not a setting"),
        (vec![("MAX_FILE_SIZE", "2147483648")], vec![], "the engine skips larger files"),
        (vec![("MAX_FILE_SIZE", "large")], vec![], "`MAX_FILE_SIZE` is `large`"),
        (vec![("ALLOWED_ORIGINS", "*")], vec![], "`*` is not one"),
        (vec![("ENGINE", "fast")], vec![], "must be `clamd` or `snapshot`"),
        (vec![("ENGINE", "snapshot")], vec![], "there is no `airlock-engine` on the search path"),
        (vec![("STORAGE_TYPE", "ftp")], vec![], "must be `local` or `s3`"),
        (vec![("STORAGE_TYPE", "s3")], vec![], "`S3_BUCKET_NAME` is not set"),
        (
            vec![("STORAGE_TYPE", "s3"), ("S3_BUCKET_NAME", "b")],
            vec![],
            "set `--s3-url` (`S3_URL`) to its URL",
        ),
        (vec![("SECRET_KEY", "short")], vec![], "at least 32 bytes"),
        (vec![("LISTEN", "8000")], vec![], "`LISTEN` is `8000`: must be an IP address and a port"),
        (vec![("S3_URL", "https://files.example/s3")], vec![], "must be an http or https URL without a path"),
        (vec![("PUBLIC_URL", "https://files.example")], vec![], "it needs `--auth jwt` (`AUTH`)"),
        (vec![("AUTH", "jwt")], vec![], "`JWT_ISSUER` is not set"),
        (vec![], vec!["--auth", "jwt"], "`JWT_ISSUER` is not set"),
        (
            vec![("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"), ("JWT_SECRET", "short")],
            vec!["--auth", "jwt"],
            "at least 32 bytes",
        ),
        (
            vec![("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"), ("JWKS_URL", "http://x.example/")],
            vec!["--auth", "jwt"],
            "must be an https URL",
        ),
        (vec![], vec!["--definitions", "/nonexistent"], "no virus definitions in `/nonexistent`"),
    ] {
        let text = refusal(&env, &args).await;
        assert!(text.contains(expected), "{env:?} {args:?}: {text}");
    }
    let directory = tempfile::tempdir().unwrap();
    let mut open = settings(directory.path());
    open.listen = "0.0.0.0:0".parse().unwrap();
    let refused = local::Local::start(open, &settings::Environment::default()).await.unwrap_err();
    assert!(refused.to_string().contains("--auth jwt"), "{refused}");
}

/// `sd_notify(3)`: a datagram to a path, or to an abstract address.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_when_the_service_is_ready_and_when_it_stops() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let name = format!("airlock-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    for (socket, variable) in [
        (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned()),
        (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}")),
    ] {
        let (data_dir, ports) = (directory.path().join("data"), free_ports());
        let mut process = Process::start(&data_dir, ports, &[("NOTIFY_SOCKET", &variable)]).await;
        let received = || {
            let mut text = [0; 100];
            let n_bytes = tokio::task::block_in_place(|| socket.recv(&mut text)).unwrap();
            String::from_utf8_lossy(&text[..n_bytes]).into_owned()
        };
        assert_eq!(received(), "READY=1", "{variable}");
        process.signal(Signal::TERM);
        assert_eq!(received(), "STOPPING=1", "{variable}");
        assert!(process.child.wait().await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_alone_configure_the_service() {
    let (port, s3_port) = free_ports();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let (listen, s3_listen) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{s3_port}"));
    let mut command = tokio::process::Command::new(binary());
    command.arg("local").env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").kill_on_drop(true);
    let variables = [
        ("LISTEN", listen.as_str()),
        ("S3_LISTEN", &s3_listen),
        ("DATA_DIR", data_dir.to_str().unwrap()),
        ("DEFINITIONS", "test"),
        ("AUTH", "jwt"),
        ("PUBLIC_URL", "https://files.example/"),
        ("S3_URL", "https://storage.example"),
    ];
    command.envs(variables).envs(ENV).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut process = Process { child, url: format!("http://{listen}") };
    process.is_up().await;
    let page = client().get(&process.url).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("connect-src 'self' https://storage.example;"), "{policy}");
    process.kill_9().await;
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).await.unwrap();
    for line in [
        "Airlock is running: https://files.example\n",
        &format!("proxied to     http://{listen}\n"),
        "monitor        https://files.example/monitor\n",
        "storage        https://storage.example ",
        &format!("data           {}\n", data_dir.display()),
        "access         bearer tokens\n",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Process::start(directory.path(), free_ports(), &[]).await;
    let mut second = command(directory.path(), free_ports(), &[]);
    let output = second.stderr(std::process::Stdio::piped()).output().await.unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("another airlock is running on"), "{text}");
    first.kill_9().await;
}

with_each_engine!(the_end_takes_the_engine_along_however_it_comes);

async fn the_end_takes_the_engine_along_however_it_comes(engine: &str) {
    let path =
        format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", Path::new(AIRLOCK_ENGINE).parent().unwrap().display());
    let env = [("ENGINE", engine), ("PATH", path.as_str())];
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Process::start(directory.path(), free_ports(), &env).await;
        let engines: Vec<u32> = process.children().into_iter().filter(|pid| is_engine(*pid)).collect();
        assert_eq!(engines.len(), 1, "one engine");
        process.signal(signal);
        process.child.wait().await.unwrap();
        wait::until(&format!("the engine's end with {signal:?}"), async || !is_engine(engines[0])).await;
    }
}

/// A busy machine needs longer for a gigabyte than the default allows.
const PATIENT: (&str, &str) = ("VIRUS_SCAN_TIMEOUT", "3600");

/// Uploads 1 GB in `make soak`, and less in `make test`.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_does_not_make_the_service_large() {
    let n_chunks = if is_soak() { 1000 } else { 250 };
    let (chunk, size) = (vec![b'x'; 1_000_000], n_chunks * 1_000_000);
    let directory = tempfile::tempdir().unwrap();
    let limit = size.to_string();
    let process = Process::start(directory.path(), free_ports(), &[("MAX_FILE_SIZE", &limit), PATIENT]).await;
    let body = json!({ "filename": "large.bin", "size": size });
    let http = reqwest::Client::new();
    let accepted: serde_json::Value = client()
        .post(format!("{}/files", process.url))
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let chunks = (0..n_chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
    let mut put = http.put(accepted["upload"]["url"].as_str().unwrap());
    for (name, value) in accepted["upload"]["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    let stored =
        put.body(reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))).send().await.unwrap();
    assert_eq!(stored.status(), 200, "{}", stored.text().await.unwrap());
    let status_url = format!("{}/files/{}/status", process.url, accepted["file_id"].as_str().unwrap());
    let status = wait::until_found("the verdict", async || {
        let answer: serde_json::Value = http.get(&status_url).send().await.unwrap().json().await.unwrap();
        let status = answer["file_info"]["scan_status"].as_str().unwrap().to_owned();
        if matches!(status.as_str(), "pending" | "scanning") { Err(status) } else { Ok(status) }
    })
    .await;
    assert_eq!(status, "clean");
    let megabytes = process.peak_memory() / 1_000_000;
    println!("{size} bytes uploaded and scanned; peak memory of the service {megabytes} MB");
    assert!(megabytes < 200, "{megabytes} MB");
    process.kill_9().await;
}
