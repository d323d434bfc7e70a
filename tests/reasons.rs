//! A file that cannot be scanned as a whole says why through the API, and cannot be downloaded.

use std::collections::BTreeMap;
use std::process::Command;

use domain::reason::{ScanError, Unscannable};

use crate::support::Service;

async fn reason_of(service: &Service, name: &str, bytes: &[u8]) -> String {
    let file_id = service.upload(name, bytes).await;
    let info = service.ends_as(&file_id, "unscannable").await;
    let explanation = info["scan_result"]["explanation"].as_str().unwrap();
    assert!(explanation.starts_with("We could not check this file because"), "{info}");
    let (status, problem) = service.get(&format!("/files/{file_id}/download-link")).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (403, Some("unscannable")), "{problem}");
    info["scan_result"]["reason"].as_str().unwrap().to_owned()
}

/// Writes the files that cannot be scanned.
fn limits() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let written = Command::new("python3").arg("evasion/limits.py").arg(directory.path()).status();
    assert!(written.unwrap().success());
    directory
}

#[test]
fn the_documentation_lists_each_reason() {
    let documentation = include_str!("../docs/semantics.md");
    for reason in Unscannable::ALL {
        let row = format!("| `{}` | {} |", reason.code(), reason.sentence());
        assert!(documentation.contains(&row), "{row}");
    }
    for reason in ScanError::ALL {
        assert!(documentation.contains(&format!("\n| `{}` | ", reason.code())), "{}", reason.code());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_says_why() {
    let directory = limits();
    let env = [("ALLOWED_EXTENSIONS", "*"), ("MAX_FILE_SIZE", "2000000")];
    let service = Service::start_with(&env, |_| {}).await;
    let mut n_files = BTreeMap::new();
    let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    for path in files.filter(|path| path.is_file()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let expected = name.split('.').next().unwrap().to_owned();
        let reason = reason_of(&service, &name, &std::fs::read(&path).unwrap()).await;
        assert_eq!(reason, expected, "{name}");
        *n_files.entry(expected).or_insert(0) += 1;
    }
    println!("{n_files:?}");
    assert_eq!(n_files.len(), 7, "{n_files:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_that_names_no_malware_is_not_infected() {
    let directory = limits();
    let service = Service::start().await;
    let dictionary = std::fs::read(directory.path().join("findings/dictionary.csv.xz")).unwrap();
    // Either the gate or the engine may report it first.
    let reason = reason_of(&service, "a.csv.xz", &dictionary).await;
    assert!(matches!(reason.as_str(), "expands_too_much" | "malformed"), "{reason}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_takes_too_long_is_given_up() {
    let directory = limits();
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let slow = std::fs::read(directory.path().join("slow/scan_timeout.zip")).unwrap();
    assert!(slow.len() < 1_000_000, "a small file that the engine would scan for half a minute");
    assert_eq!(reason_of(&service, "slow.zip", &slow).await, "scan_timeout");
    service.stop().await;
}
