//! The process in which the openers work is the one that is confined, all of its threads; and they run no
//! program.

use std::collections::BTreeSet;
use std::path::Path;

use domain::verdict::Unscannable;

use super::faults::{long, worker_with_opener_at_work};
use super::watch::Watch;
use super::{inspector_in_own_directory, sorted_entries};
use crate::support::inspecting::{cpu_limit, file_of, gate, inspect, reason};

/// What the kernel reports about a thread.
fn status_of(thread: &Path, field: &str) -> String {
    let status = std::fs::read_to_string(thread.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap_or_default().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_thread_is_confined_while_an_opener_works() {
    const FILTER: &str = "2";
    let (inspector, scratch) = inspector_in_own_directory().await;
    let bytes = long().into_iter().next().unwrap().bytes;
    let n_bytes = bytes.len();
    let asked = tokio::spawn(async move {
        inspector.inspect(&gate(), &file_of(&bytes), None, cpu_limit(n_bytes)).await.unwrap()
    });
    let worker = worker_with_opener_at_work(scratch.path()).await;
    let process = Path::new("/proc").join(worker.to_string());
    let threads = sorted_entries(&process.join("task"));
    // The waiting main thread and the working one: no opener has started another.
    assert_eq!(threads.len(), 2, "{threads:?}");
    for thread in &threads {
        assert_eq!(status_of(thread, "Seccomp"), FILTER);
        assert_eq!(status_of(thread, "NoNewPrivs"), "1");
    }
    let limits = std::fs::read_to_string(process.join("limits")).unwrap_or_default();
    for line in ["Max cpu time", "Max file size", "Max address space"] {
        let limit = limits.lines().find(|limit| limit.starts_with(line)).unwrap();
        assert!(!limit.contains("unlimited"), "{limit}");
    }
    // If this is readable: both libraries are loaded in the confined process, and only the socket, two files
    // and stderr are open.
    if let Ok(maps) = std::fs::read_to_string(process.join("maps")) {
        assert!(maps.contains("7z.so") && maps.contains("libarchive.so"), "{maps}");
        let open =
            sorted_entries(&process.join("fd")).into_iter().map(|path| std::fs::read_link(path).unwrap());
        let kinds =
            open.map(|link| link.to_string_lossy().split(['[', '(']).next().unwrap().trim().to_owned());
        let kinds = kinds.map(|kind| if kind.starts_with("/tmp") { "file".to_owned() } else { kind });
        println!("open: {:?}", kinds.collect::<BTreeSet<_>>());
    }
    asked.abort();
}

/// libarchive would start `lrzip` and `grzip`, and other builds of it `zstd`, `lz4` and more. The gate
/// unpacks lzop itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_needs_a_program_is_refused_and_no_program_is_started() {
    let (inspector, scratch) = inspector_in_own_directory().await;
    let watch = Watch::begin(scratch.path());
    let lrzip = [b"LRZI\0\x08\0\0\0\0".as_slice(), &vec![7; 3_000_000]].concat();
    let grzip = [b"GRZipII\0\x02\x04:)".as_slice(), &vec![7; 3_000_000]].concat();
    for (name, bytes) in [("lrzip", lrzip), ("grzip", grzip)] {
        let inspected = inspect(&inspector, &bytes).await.unwrap();
        assert_eq!(reason(&inspected), Some(Unscannable::UnsupportedContainer), "{name}");
        assert_eq!(watch.take().n_processes, 0, "{name}");
    }
}
