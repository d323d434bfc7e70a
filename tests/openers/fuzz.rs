//! Archives that were changed at random may crash the worker, whose file is then refused; the worker never
//! hangs, and the next file has a worker of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::verdict::Unscannable;

use super::mutations::{Random, mutated};
use super::watch::Watch;
use super::{MOST_MEMORY, Seed, hands_over, holds, inspector_in_own_directory, is_never_clean, seeds};
use crate::support::inspecting::{cpu_limit, inspect, reason};
use crate::support::{eicar, is_soak, rounds};

/// Only small disk images are changed.
const LARGEST: usize = 4_300_000;

/// The result of the whole run.
#[derive(Debug, Default)]
struct Tally {
    n_files: usize,
    ends: BTreeMap<String, usize>,
    /// What ended workers early: the file's name, and what was seen.
    failures: BTreeMap<String, usize>,
    most_cpu: (Duration, String),
    most_memory: (u64, String),
    most_scratch: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_archive_that_was_changed_at_random_does_more_than_end_its_worker() {
    let (inspector, scratch) = inspector_in_own_directory().await;
    let (watch, mut tally) = (Watch::begin(scratch.path()), Tally::default());
    let largest = if is_soak() { usize::MAX } else { LARGEST };
    let seeds: Vec<Seed> = seeds().into_iter().filter(|seed| seed.bytes.len() <= largest).collect();
    let began = Instant::now();
    let mut random = Random::new(1);
    for round in 0..rounds(5, 60) {
        for seed in &seeds {
            let other = &seeds[random.below(seeds.len())];
            let bytes = mutated(&seed.bytes, &other.bytes, &mut random);
            let name = format!("{} of round {round}", seed.name);
            let limit = cpu_limit(bytes.len());
            let began = Instant::now();
            let inspected =
                inspect(&inspector, &bytes).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let seen = watch.take();
            assert!(inspected.cpu_time <= limit + Duration::from_secs(1), "{name}: {:?}", inspected.cpu_time);
            // Includes waiting for a processor.
            assert!(began.elapsed() < limit * 4 + Duration::from_secs(30), "{name}: {:?}", began.elapsed());
            assert!(seen.memory_bytes < MOST_MEMORY, "{name}: {seen:?}");
            assert_eq!(seen.n_processes, 0, "{name}");
            let crashed = reason(&inspected) == Some(Unscannable::InspectionFailed);
            if crashed {
                let next = inspect(&inspector, b"nothing special").await.unwrap();
                assert_eq!(reason(&next), None, "after {name}");
            }
            tally.count(name, &bytes, &inspected, seen);
        }
    }
    println!("{} seeds, {:?}: {tally:#?}", seeds.len(), began.elapsed());
    assert!(tally.n_files >= 500, "{}", tally.n_files);
}

impl Tally {
    fn count(
        &mut self,
        name: String,
        bytes: &[u8],
        inspected: &inspector::Inspected,
        seen: super::watch::Seen,
    ) {
        self.n_files += 1;
        let end = match &inspected.inspection.refusal {
            Some(refusal) => refusal.reason.code().to_owned(),
            None if hands_over(inspected, &eicar()) || holds(bytes, &eicar()) => {
                "the test file is seen".to_owned()
            }
            None => "passed, without the test file".to_owned(),
        };
        *self.ends.entry(end).or_default() += 1;
        if let Some(refusal) = &inspected.inspection.refusal
            && matches!(refusal.reason, Unscannable::InspectionFailed | Unscannable::ScanTimeout)
        {
            *self.failures.entry(format!("{name}: {}", refusal.seen)).or_default() += 1;
        }
        self.most_scratch = self.most_scratch.max(seen.scratch_bytes);
        if inspected.cpu_time > self.most_cpu.0 {
            self.most_cpu = (inspected.cpu_time, name.clone());
        }
        if seen.memory_bytes > self.most_memory.0 {
            self.most_memory = (seen.memory_bytes, name);
        }
    }
}

/// The seeds are valid: the gate sees the content of one of each kind.
#[tokio::test(flavor = "multi_thread")]
async fn every_seed_is_opened() {
    let (inspector, _scratch) = inspector_in_own_directory().await;
    let (mut opened, mut refused) = (BTreeSet::new(), BTreeMap::new());
    for seed in seeds() {
        let inspected = inspect(&inspector, &seed.bytes).await.unwrap();
        match inspected.inspection.refusal.clone() {
            // Content that is stored uncompressed is visible to the engine in the file itself.
            None if hands_over(&inspected, &eicar()) || holds(&seed.bytes, &eicar()) => {
                opened.insert(seed.name);
            }
            refusal => {
                let is_clean = !is_never_clean(&inspected, &seed.bytes);
                refused.insert(seed.name, (is_clean, inspected.inspection.handed.len(), refusal));
            }
        }
    }
    println!("{} opened: {opened:?}\nnot: {refused:#?}", opened.len());
    assert!(opened.len() >= 25);
}
