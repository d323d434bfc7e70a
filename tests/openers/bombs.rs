//! Archives that are made to take time, memory or disk space, or to access other files: each stays within the
//! limits and accesses no other file.
//!
//! `bombs.py` makes them with archivers, and `handmade_bombs.py` writes those that no program makes. The test
//! prints what each costs.

use std::path::Path;
use std::time::Duration;

use domain::verdict::Unscannable;

use super::watch::Watch;
use super::{MOST_MEMORY, hands_over, inspector_in_own_directory, python, sorted_entries};
use crate::support::inspecting::{cpu_limit, gate, inspect, reason};
use crate::support::{Service, is_soak, rounds};

/// The content of a file that links lead to.
const SECRET: &[u8] = b"what no uploader may see";

/// A file that no bomb may access.
struct Outside {
    directory: tempfile::TempDir,
}

impl Outside {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), SECRET).unwrap();
        std::fs::create_dir(directory.path().join("target")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn assert_untouched(&self, name: &str) {
        assert_eq!(sorted_entries(&self.directory.path().join("target")), <[&Path; 0]>::default(), "{name}");
        assert_eq!(std::fs::read(self.directory.path().join("secret")).unwrap(), SECRET, "{name}");
        assert_eq!(sorted_entries(self.directory.path()).len(), 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bomb_costs_more_than_the_limits_or_reaches_anything() {
    let (outside, made) = (Outside::new(), tempfile::tempdir().unwrap());
    let n_entries = rounds(100_000, 1_000_000).to_string();
    let arguments = [n_entries.as_str(), &outside.path("secret"), &outside.path("target")];
    python("openers/bombs.py", made.path(), &arguments);
    python("openers/handmade_bombs.py", made.path(), &[]);
    let (inspector, scratch) = inspector_in_own_directory().await;
    let watch = Watch::begin(scratch.path());
    // The member that passes the limit is written up to it.
    let most_scratch = gate().limits.max_total_bytes + gate().limits.max_member_bytes;
    println!("{:40} {:>10} {:>7} {:>5} {:>7}  verdict", "kind", "bytes", "CPU, s", "MiB", "scratch");
    let bombs = sorted_entries(made.path());
    assert!(bombs.len() > 50, "{}", bombs.len());
    let mut n_reasons = 0;
    for path in bombs {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        watch.take();
        let inspected = inspect(&inspector, &bytes).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let (seen, refusal) = (watch.take(), &inspected.inspection.refusal);
        println!(
            "{name:40} {:>10} {:>7.2} {:>5} {:>7}  {}",
            bytes.len(),
            inspected.cpu_time.as_secs_f64(),
            seen.memory_bytes >> 20,
            seen.scratch_bytes >> 20,
            refusal.as_ref().map_or_else(|| "passed".to_owned(), ToString::to_string)
        );
        assert!(inspected.cpu_time <= cpu_limit(bytes.len()) + Duration::from_secs(1), "{name}");
        assert!(seen.memory_bytes < MOST_MEMORY && seen.scratch_bytes <= most_scratch, "{name}: {seen:?}");
        assert_eq!(seen.n_processes, 0, "{name}");
        assert!(refusal.is_some() || name.starts_with("odd-"), "{name}");
        if let Some((_, expected)) = REASONS.iter().find(|(bomb, _)| *bomb == name) {
            assert_eq!(reason(&inspected), Some(*expected), "{name}");
            n_reasons += 1;
        }
        assert!(!hands_over(&inspected, SECRET), "{name}");
        outside.assert_untouched(&name);
    }
    assert_eq!(n_reasons, REASONS.len());
    assert_eq!(sorted_entries(scratch.path()), <[&Path; 0]>::default(), "a scratch file has a name");
    the_service_outlives(made.path()).await;
    outside.assert_untouched("through the service");
}

/// Each has a verdict in one attempt, and none is clean.
async fn the_service_outlives(made: &Path) {
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let is_tried = |name: &str| name.starts_with("large-") && (is_soak() || TRIED.contains(&name));
    let mut n_tried = 0;
    for path in sorted_entries(made) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        // Larger ones are refused before they are uploaded.
        if is_tried(name) && bytes.len() <= 100 << 20 {
            let file_id = service.upload(name, &bytes).await;
            let info = service.ends_as(&file_id, "unscannable").await;
            println!("through the service: {name}: {}", info["scan_result"]["reason"]);
            n_tried += 1;
        }
    }
    assert!(n_tried >= TRIED.len(), "{n_tried}");
    assert_eq!(service.get("/health").await.0, 200);
    service.stop().await;
}

/// Why some are refused: the reason must describe the file, and not depend on which limit is exceeded first.
const REASONS: [(&str, Unscannable); 6] = [
    ("large-gzip-quine", Unscannable::TooDeep),
    ("large-zip-quine", Unscannable::TooDeep),
    ("large-rar-5", Unscannable::TooLarge),
    ("large-rar-5-says-1-byte", Unscannable::Malformed),
    ("odd-rar-5-says-8-exabytes", Unscannable::UnsupportedContainer),
    ("odd-7z-a-million-entries", Unscannable::TooManyFiles),
];

/// One bomb of each kind.
const TRIED: [&str; 8] = [
    "large-zip-deflate-says-1-byte",
    "large-7z-LZMA2",
    "large-zip-of-zips",
    "large-squashfs-hole",
    "large-ext4-hole",
    "large-qcow2-disk",
    "large-tar-pax-hole",
    "large-cpio-entries",
];
