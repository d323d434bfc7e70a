//! Documents that are ordinary but for their size: each passes, and costs in proportion.
//!
//! `large.py` makes them. The test prints what each costs.

use super::watch::Watch;
use super::{MOST_MEMORY, inspector_in_own_directory, python, sorted_entries};
use crate::support::inspecting::{cpu_limit, inspect};
use crate::support::rounds;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_passes_and_costs_in_proportion() {
    let made = tempfile::tempdir().unwrap();
    // 200 MB hold 100,000 objects, or 10,000 messages.
    let n_megabytes = rounds(4, 200).to_string();
    python("openers/large.py", made.path(), &[n_megabytes.as_str()]);
    let (inspector, scratch) = inspector_in_own_directory().await;
    let watch = Watch::begin(scratch.path());
    println!("{:20} {:>10} {:>7} {:>5} {:>7} {:>7}", "kind", "bytes", "CPU, s", "MiB", "scratch", "handed");
    let documents = sorted_entries(made.path());
    assert_eq!(documents.len(), 6);
    for path in documents {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        watch.take();
        let inspected = inspect(&inspector, &bytes).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let seen = watch.take();
        println!(
            "{name:20} {:>10} {:>7.2} {:>5} {:>7} {:>7}",
            bytes.len(),
            inspected.cpu_time.as_secs_f64(),
            seen.memory_bytes >> 20,
            seen.scratch_bytes >> 20,
            inspected.inspection.handed.len()
        );
        assert!(inspected.inspection.refusal.is_none(), "{name}: {:?}", inspected.inspection.refusal);
        assert!(inspected.cpu_time < cpu_limit(bytes.len()), "{name}");
        assert!(seen.memory_bytes < MOST_MEMORY, "{name}: {seen:?}");
    }
}
