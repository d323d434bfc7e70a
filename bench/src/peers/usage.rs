//! Measures the processor time and the memory of processes with all their descendants.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::cpu;

/// The processor time of `roots` and their descendants so far, those included that have ended.
pub(crate) fn processor_time(roots: &[u32]) -> Duration {
    family(roots).into_iter().filter_map(|pid| cpu::of_family(pid).ok()).sum()
}

/// The memory of `roots` and their descendants in kB; what several share counts once.
fn memory_kb(roots: &[u32]) -> u64 {
    let share = |pid: u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    family(roots).into_iter().filter_map(share).sum()
}

/// `roots` and their descendants.
pub(crate) fn family(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut members, mut open) = (vec![], roots.to_vec());
    while let Some(pid) = open.pop() {
        members.push(pid);
        open.extend(children.get(&pid).into_iter().flatten());
    }
    members
}

/// Looks at the memory of processes until it is asked for the most that it saw.
pub(crate) struct MemoryWatch {
    most_kb: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

pub(crate) fn watch(roots: Vec<u32>) -> MemoryWatch {
    let (most_kb, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watch = MemoryWatch { most_kb: Arc::clone(&most_kb), is_over: Arc::clone(&is_over) };
    std::thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            most_kb.fetch_max(memory_kb(&roots), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    watch
}

impl MemoryWatch {
    pub(crate) fn most_mb(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.most_kb.load(Ordering::Relaxed) / 1000
    }
}
