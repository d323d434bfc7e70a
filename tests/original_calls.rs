//! The original service's documented calls work, in order, with the requests of its commands and its fields.

use serde_json::Value;

use crate::support::{Service, eicar, sha256, text};

/// The four calls; returns what the last one gave.
async fn four_calls(service: &Service, filename: &str, bytes: &[u8]) -> (Value, Option<Vec<u8>>) {
    let (status, uploaded) = service.form(filename, bytes).await;
    assert_eq!(status, 201, "{uploaded}");
    for field in ["file_id", "filename", "file_size", "upload_timestamp", "scan_status", "task_id"] {
        assert!(!uploaded[field].is_null(), "{field} is missing: {uploaded}");
    }
    assert_eq!(
        (text(&uploaded["filename"]), text(&uploaded["scan_status"])),
        (filename.to_owned(), "pending".to_owned())
    );
    let file_id = text(&uploaded["file_id"]);
    let info = service.ended(&file_id).await;
    let (status, link) = service.get(&format!("/files/{file_id}/download-link")).await;
    if status != 200 {
        assert_eq!(status, 403, "{link}");
        return (info, None);
    }
    let downloaded = service.download(&text(&link["download_url"])).await;
    assert_eq!(downloaded.status(), 200);
    (info, Some(downloaded.bytes().await.unwrap().to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_file_comes_back_and_eicar_does_not() {
    let service = Service::start().await;
    let (info, bytes) = four_calls(&service, "example.pdf", b"%PDF-1.4 hello").await;
    assert_eq!(info["scan_status"], "clean", "{info}");
    assert_eq!(info["scan_result"]["status"], "clean");
    assert!(info["scan_result"]["scan_duration"].as_f64().unwrap() > 0.0);
    assert!(text(&info["scan_result"]["engine_version"]).starts_with("ClamAV "));
    assert_eq!(text(&info["scan_result"]["sha256"]), sha256(b"%PDF-1.4 hello"));
    assert_eq!(bytes.unwrap(), b"%PDF-1.4 hello");

    let (info, bytes) = four_calls(&service, "eicar.txt", &eicar()).await;
    assert_eq!((info["scan_status"].as_str(), bytes), (Some("infected"), None), "{info}");
    assert!(text(&info["scan_result"]["signature"]).starts_with("Eicar-Test-Signature"));

    let (status, health) = service.get("/health").await;
    assert_eq!((status.as_u16(), health["status"].as_str()), (200, Some("ok")), "{health}");
    assert_eq!(
        health["engine"]["definitions"]["kind"], "test_set",
        "`/health` reports that test definitions are used"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_clamav_test_file_is_infected_and_none_comes_back() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let mut n_infected = 0;
    for sample in
        std::fs::read_dir("/usr/share/clamav-testfiles").expect("`make test` installs clamav-testfiles")
    {
        let path = sample.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (info, bytes) = four_calls(&service, &name, &std::fs::read(&path).unwrap()).await;
        assert_eq!((info["scan_status"].as_str(), bytes), (Some("infected"), None), "{name}: {info}");
        n_infected += 1;
    }
    assert_eq!(n_infected, 44);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_files_are_clean() {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    for path in ["/bin/ls", "/etc/passwd", "/usr/sbin/clamd", "/etc/os-release"] {
        let (info, bytes) = four_calls(&service, "ordinary", &std::fs::read(path).unwrap()).await;
        assert_eq!(info["scan_status"], "clean", "{path}: {info}");
        assert_eq!(bytes.unwrap(), std::fs::read(path).unwrap());
    }
    service.stop().await;
}
