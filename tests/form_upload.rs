//! `POST /upload` streams to storage, measures while it streams, and stores nothing after any failure.

use std::time::Duration;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Service, answer, sha256, text, wait};

async fn stored_nothing(service: &Service, what: &str) {
    assert_eq!(service.get("/files").await.1["files"], json!([]), "{what}");
    assert_eq!(service.local.queue().depth().await.unwrap(), 0, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_with_a_bad_size_or_name_are_refused() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "100000")], |_| {}).await;
    for (filename, n_bytes, status, code) in [
        ("a.txt", 100_001, 413, "file_too_large"),
        ("a.txt", 10_000_000, 413, "file_too_large"),
        ("a.txt", 0, 422, "file_empty"),
        ("a.exe", 5, 422, "extension_not_allowed"),
        ("..", 5, 422, "filename_empty"),
    ] {
        let (found, problem) = service.form(filename, &vec![b'x'; n_bytes]).await;
        assert_eq!(
            (found.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{filename}, {n_bytes}: {problem}"
        );
        stored_nothing(&service, code).await;
    }
    for _ in 0..10 {
        let (status, _) = service.form("a.txt", &vec![b'x'; 10_000_000]).await;
        assert_eq!(status.as_u16(), 413, "the answer arrives though the body was not read");
    }
    let long = format!("{}.txt", "x".repeat(296));
    assert_eq!(service.form(&long, b"x").await.1["code"], "filename_too_long");

    let post = || service.request(Method::POST, "/upload");
    let no_file = post().multipart(Form::new().text("file", "not a file").text("other", "x"));
    let (status, problem) = answer(no_file.send().await.unwrap()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("file_field_missing")));
    let (status, problem) = answer(post().json(&json!({})).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (415, Some("unsupported_media_type")));
    let damaged = post()
        .header("content-type", "multipart/form-data; boundary=b")
        .body("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nno end");
    let (status, problem) = answer(damaged.send().await.unwrap()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("malformed_form")));
    stored_nothing(&service, "damaged").await;

    assert_eq!(service.form("a.txt", &vec![b'x'; 100_000]).await.0, 201, "exactly the limit");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_over_the_limit_is_cut_off_while_it_streams() {
    let service = Service::start_with(&[("MAX_FILE_SIZE", "1000000")], |_| {}).await;
    let chunks = (0..1000).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100_000]));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let form = Form::new().part("file", Part::stream(body).file_name("a.txt"));
    let sent = service.request(Method::POST, "/upload").multipart(form).send().await;
    // The service answers and closes the connection; a client that is still sending sees either of the two.
    if let Ok(response) = sent {
        assert_eq!(response.status(), 413);
    }
    stored_nothing(&service, "cut off").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing() {
    let service = Service::start().await;
    let address = service.local.report().url.trim_start_matches("http://").to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: 50000000\r\n\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; 20_000_000]).await.unwrap();
    drop(socket);
    wait::linger(Duration::from_millis(500)).await;
    stored_nothing(&service, "gone").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_shorter_than_announced_is_not_a_file() {
    let service = Service::start().await;
    let address = service.local.report().url.trim_start_matches("http://").to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nshort\r\n";
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: 1000\r\n\r\n{body}"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    stored_nothing(&service, "short").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_form_arrives_in_parts_and_whole() {
    let service = Service::start().await;
    // Three whole parts and a shorter one, of bytes that confuse parsers: carriage returns and boundaries.
    let bytes: Vec<u8> = b"\r\n--b\r\r\n\0\xff".iter().copied().cycle().take(30_000_001).collect();
    let (status, uploaded) = service.form("a.bin", &bytes).await;
    assert_eq!((status.as_u16(), uploaded["file_size"].as_u64()), (201, Some(30_000_001)), "{uploaded}");
    let file_id = text(&uploaded["file_id"]);
    let info = service.ends_as(&file_id, "clean").await;
    assert_eq!(text(&info["scan_result"]["sha256"]), sha256(&bytes));
    let served = service.download(&service.link(&file_id).await).await.bytes().await.unwrap();
    assert_eq!(sha256(&served), sha256(&bytes));
    service.stop().await;
}
