//! A file keeps the name and type that its uploader gave it, whatever the client, from the upload to the
//! saved download.

use std::process::{Command, Output};

use percent_encoding::percent_decode_str;
use reqwest::Method;
use reqwest::header::CONTENT_DISPOSITION;
use serde_json::{Value, json};

use crate::support::{Service, answer, process};

/// Runs the client on a blocking thread, because the service is in this process.
fn blocking(command: &mut Command) -> Output {
    tokio::task::block_in_place(|| command.output().unwrap())
}

/// `POST /upload`, byte by byte.
async fn form(service: &Service, disposition: &[u8]) -> (u16, Value) {
    let head =
        [b"--b\r\nContent-Disposition: form-data; ", disposition, b"\r\n\r\nhello\r\n--b--\r\n"].concat();
    let request =
        service.request(Method::POST, "/upload").header("content-type", "multipart/form-data; boundary=b");
    let (status, body) = answer(request.body(head).send().await.unwrap()).await;
    (status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_every_client_keep_the_name() {
    let service = Service::start().await;
    for (disposition, expected) in [
        // .NET HttpClient; PowerShell 7.
        (
            &b"name=file; filename=\"=?utf-8?B?S8O8Y2hlLnR4dA==?=\"; filename*=utf-8''K%C3%BCche.txt"[..],
            "K\u{fc}che.txt",
        ),
        (b"name=\"file\"; filename=\"=?utf-8?B?S8O8Y2hlLnR4dA==?=\"", "K\u{fc}che.txt"),
        // requests with urllib3 1.24.
        (b"name=\"file\"; filename*=utf-8''K%C3%BCche.txt", "K\u{fc}che.txt"),
        (b"filename*=utf-8''K%C3%BCche.txt; name=\"file\"", "K\u{fc}che.txt"),
        // Latin-1, Shift_JIS, GBK.
        (b"name=\"file\"; filename=\"K\xfcche.txt\"", "K\u{fffd}che.txt"),
        (b"name=\"file\"; filename=\"\x83e\x83X\x83g.txt\"", "\u{fffd}e\u{fffd}X\u{fffd}g.txt"),
        (b"name=\"file\"; filename=\"\xc4\xfa\xba\xc3.txt\"", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}.txt"),
        // Browsers; aiohttp.
        (b"name=\"file\"; filename=\"say %22hello%22%0D%0A.txt\"", "say _hello_.txt"),
        (b"name=\"file\"; filename=\"my%20file.txt\"", "my%20file.txt"),
    ] {
        let (status, uploaded) = form(&service, disposition).await;
        let shown = String::from_utf8_lossy(disposition);
        assert_eq!((status, uploaded["filename"].as_str()), (201, Some(expected)), "{shown}: {uploaded}");
    }
    for nothing in [&b"name=\"file\""[..], b"name=\"other\"; filename=\"a.txt\"", b"filename=\"a.txt\""] {
        let (status, problem) = form(&service, nothing).await;
        assert_eq!((status, &problem["code"]), (422, &json!("file_field_missing")), "{problem}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_keep_the_name() {
    let service = Service::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (path, name) = (directory.path().join("sent"), "\u{dc}bung \"1\"; a=b, 50%.txt");
    std::fs::write(&path, b"hello").unwrap();
    let file = format!("file=@{};filename=\"{}\"", path.display(), name.replace('"', "\\\""));
    let curl = blocking(Command::new("curl").args(["-s", "-F", &file, &service.url("/upload")]));
    let answered: Value = serde_json::from_slice(&curl.stdout).unwrap();
    assert_eq!(answered["filename"], "\u{dc}bung _1_; a=b, 50%.txt", "{answered}");
    let script = "import json, sys, urllib3\n\
                  wanted = json.load(sys.stdin)\n\
                  fields = {'file': (wanted['name'], b'hello')}\n\
                  sent = urllib3.PoolManager().request('POST', wanted['url'], fields=fields)\n\
                  print(sent.data.decode())";
    let wanted = json!({ "url": service.url("/upload"), "name": name });
    let printed = tokio::task::block_in_place(|| crate::support::python(script, &wanted));
    let answered: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(answered["filename"], "\u{dc}bung _1_; a=b, 50%.txt", "{answered}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_names_come_back_whole_and_are_saved() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, saved_as) in [
        (format!("{}.txt", "\u{3042}".repeat(251)), format!("{}.txt", "\u{3042}".repeat(83))),
        ("\u{3042}".repeat(255), "\u{3042}".repeat(85)),
        ("\u{1f600}".repeat(127), "\u{1f600}".repeat(63)),
        (format!("{}.pdf", "\u{439}".repeat(140)), format!("{}.pdf", "\u{439}".repeat(125))),
        ("x".repeat(255), "x".repeat(255)),
    ] {
        let file_id = service.upload(&name, name.as_bytes()).await;
        let info = service.ends_as(&file_id, "clean").await;
        assert_eq!(info["filename"], name);
        let served = service.download(&service.link(&file_id).await).await;
        assert_eq!(served.status(), 200);
        let header = served.headers()[CONTENT_DISPOSITION].to_str().unwrap().to_owned();
        let (_, exact) = header.split_once("filename*=UTF-8''").unwrap();
        assert_eq!(percent_decode_str(exact).decode_utf8().unwrap(), name);
        assert_eq!(served.bytes().await.unwrap(), name.as_bytes());
        let (status, uploaded) = service.form(&name, b"hello").await;
        assert_eq!((status.as_u16(), &uploaded["filename"]), (201, &json!(name)));
        let download = blocking(
            Command::new(process::binary())
                .args(["--url", &service.local.report().url, "download", &file_id])
                .current_dir(directory.path()),
        );
        assert!(download.status.success(), "{}", String::from_utf8_lossy(&download.stderr));
        assert_eq!(std::fs::read(directory.path().join(saved_as)).unwrap(), name.as_bytes());
    }
    for too_long in ["\u{3042}".repeat(256), "\u{1f600}".repeat(128)] {
        let (status, problem) = service.post("/files", &json!({ "filename": too_long })).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("filename_too_long")));
        assert_eq!(problem["detail"], "The file name is longer than 255 characters (UTF-16 code units).");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_kept_and_none_is_none() {
    let service = Service::start().await;
    for (given, kept) in [
        ("", "application/octet-stream"),
        (" ", "application/octet-stream"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("TEXT/Plain ;  Charset=\"UTF-8\"", "TEXT/Plain ;  Charset=\"UTF-8\""),
        ("text/plain;charset=UTF-8", "text/plain;charset=UTF-8"),
    ] {
        for method in ["put", "post"] {
            let body = json!({ "filename": "a.txt", "size": 5, "content_type": given, "method": method });
            let accepted = service.create_upload(&body).await;
            let stored = match method {
                "put" => service.put(&accepted, b"hello").await,
                _ => service.post_form(&accepted, b"hello").await,
            };
            assert!(stored.status().is_success(), "{given:?} {method}: {}", stored.text().await.unwrap());
            let info = service.ends_as(&accepted.file_id, "clean").await;
            assert_eq!(info["content_type"], kept, "{method}");
        }
    }
    service.stop().await;
}
