//! A client that holds a connection and sends nothing is disconnected; a slow upload, an event stream and a
//! long poll are not.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::process::{Process, free_ports};
use crate::support::{Service, answer, client, wait};

/// Long enough to send a whole request, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

async fn impatient() -> Service {
    Service::start_with(&[], |settings| settings.tuning.connections.header_timeout = PATIENCE).await
}

fn address(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

async fn say(address: &str, words: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the server closes the connection. A server that never does is ended with the
/// test.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset ends the connection too.
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8(heard).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_requests_and_idle_connections_are_closed() {
    let service = impatient().await;
    let mut all = vec![];
    for url in [&service.local.report().url, &service.local.report().s3_url] {
        for (words, is_answered) in [
            ("", false),
            ("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ", false),
            // Answered once, then idle.
            ("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", true),
            ("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET ", true),
        ] {
            let address = address(url);
            all.push(tokio::spawn(async move {
                let begun = Instant::now();
                let heard = until_closed(&mut say(&address, words).await).await;
                assert_eq!(heard.starts_with("HTTP/1.1"), is_answered, "{words:?}: {heard}");
                assert!(begun.elapsed() >= PATIENCE / 2, "{words:?} was closed immediately");
            }));
        }
        let address_of_large = address(url);
        all.push(tokio::spawn(async move {
            let large = format!("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx: {}", "x".repeat(70_000));
            let heard = until_closed(&mut say(&address_of_large, &large).await).await;
            assert!(heard.starts_with("HTTP/1.1 431"), "{heard}");
        }));
        // A byte from time to time does not extend the time limit.
        let address = address(url);
        all.push(tokio::spawn(async move {
            let mut slow = say(&address, "GET / HTTP/1.1\r\n").await;
            while slow.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }));
    }
    for one in all {
        one.await.unwrap();
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_slow_for_a_reason_is_not_cut() {
    let service = impatient().await;
    let events = service.request(Method::GET, "/events").send().await.unwrap();
    let mut events = events.bytes_stream();
    let accepted = service.create_upload(&json!({ "filename": "slow.txt", "size": 40 })).await;

    let status_url = format!("/files/{}/status", accepted.file_id);
    let begun = Instant::now();
    let poll = service.request(Method::GET, &status_url).header("prefer", "wait=6");
    let poll = async { (answer(poll.send().await.unwrap()).await, begun.elapsed()) };
    // 40 pieces, each after an eighth of the time limit.
    let pieces = futures_util::stream::iter(0..40).then(async |_| {
        tokio::time::sleep(PATIENCE / 8).await;
        Ok::<_, std::io::Error>(b"x".to_vec())
    });
    let mut put = service.http.put(accepted.upload["url"].as_str().unwrap());
    for (name, value) in accepted.upload["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    let put = put.body(reqwest::Body::wrap_stream(pieces)).send();
    let (((status, waited), waited_for), stored) = tokio::join!(poll, put);
    assert_eq!((status.as_u16(), &waited["file_info"]["scan_status"]), (200, &json!("pending")), "{waited}");
    assert!(waited_for > PATIENCE * 2, "the poll did not wait: {waited_for:?}");
    assert_eq!(stored.unwrap().status(), 200);
    service.ends_as(&accepted.file_id, "clean").await;
    let mut heard = String::new();
    while !heard.contains("file.scan.completed") {
        let next = events.next().await.expect("the stream of events ended");
        heard += &String::from_utf8_lossy(&next.unwrap());
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so_and_there_is_room_again() {
    const MAX: usize = 8;
    let service = Service::start_with(&[], |settings| settings.tuning.connections.n_max = MAX).await;
    for (url, expected) in [
        (service.local.report().url.clone(), "\"code\":\"unavailable\""),
        (service.local.report().s3_url.clone(), "<Code>SlowDown</Code>"),
    ] {
        let ask = async || {
            let mut stream =
                say(&address(&url), "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
                    .await;
            until_closed(&mut stream).await
        };
        let mut held = vec![];
        // The service's own connections count towards the limit.
        let refusal = loop {
            assert!(held.len() <= MAX, "no connection was refused");
            held.push(say(&address(&url), "GET").await);
            let all = ask().await;
            if all.starts_with("HTTP/1.1 503") {
                break all;
            }
        };
        assert!(refusal.contains(expected) && refusal.to_lowercase().contains("retry-after: 5"), "{refusal}");
        drop(held);
        wait::until("a place for another connection", async || !ask().await.starts_with("HTTP/1.1 503"))
            .await;
    }
    service.stop().await;
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn four_thousand_half_requests_cost_little_and_end() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let n_connections = 4000.min(usize::try_from(limit / 2).unwrap());
    let (directory, ports) = (tempfile::tempdir().unwrap(), free_ports());
    let process = Process::start(directory.path(), ports, &[]).await;
    let pid = process.child.id().unwrap();
    let before = resident(pid);
    let target = format!("127.0.0.1:{}", ports.0);
    let mut peaks = vec![];
    for _ in 0..2 {
        let mut held = vec![];
        for _ in 0..n_connections {
            held.push(say(&target, "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx-padding: ").await);
        }
        let during = resident(pid);
        for mut stream in held {
            until_closed(&mut stream).await;
        }
        let health = client().get(format!("{}/health", process.url)).send().await.unwrap();
        assert_eq!(health.json::<Value>().await.unwrap()["status"], "ok");
        let megabytes = |bytes: u64| bytes / 1_000_000;
        println!(
            "{n_connections} half requests: {} MB before, {} MB while they are open, {} MB after",
            megabytes(before),
            megabytes(during),
            megabytes(resident(pid))
        );
        peaks.push(megabytes(during.saturating_sub(before)));
    }
    // The allocator keeps and reuses freed memory, so the second round adds little.
    assert!(peaks.iter().all(|megabytes| *megabytes < 100), "{peaks:?} MB");
    process.kill_9().await;
}
