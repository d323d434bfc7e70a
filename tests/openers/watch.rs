//! Measures what a worker uses while it has a file: memory, space in the scratch file, threads, processes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::process::inspecting;

/// Often enough to observe every worker; the kernel itself records the peak of its memory.
const EVERY: Duration = Duration::from_millis(2);

/// The peaks that were observed.
#[derive(Debug, Default)]
struct Peak {
    memory_bytes: AtomicU64,
    scratch_bytes: AtomicU64,
    n_processes: AtomicU64,
}

/// Looks at every inspection below this process, and at the scratch file in one directory.
#[derive(Debug)]
pub(super) struct Watch {
    peak: Arc<Peak>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The peaks since they were last taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Resident.
    pub(super) memory_bytes: u64,
    /// On the disk, holes not included.
    pub(super) scratch_bytes: u64,
    /// That a worker started.
    pub(super) n_processes: u64,
}

impl Watch {
    pub(super) fn begin(scratch_directory: &Path) -> Self {
        let (peak, is_over) = (Arc::new(Peak::default()), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (peak, is_over, directory) =
                (Arc::clone(&peak), Arc::clone(&is_over), scratch_directory.to_owned());
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    look(&peak, &directory);
                    std::thread::sleep(EVERY);
                }
            }
        });
        Self { peak, is_over, thread: Some(thread) }
    }

    pub(super) fn take(&self) -> Seen {
        let take = |value: &AtomicU64| value.swap(0, Ordering::Relaxed);
        Seen {
            memory_bytes: take(&self.peak.memory_bytes),
            scratch_bytes: take(&self.peak.scratch_bytes),
            n_processes: take(&self.peak.n_processes),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(peak: &Peak, scratch_directory: &Path) {
    for worker in inspecting() {
        peak.memory_bytes.fetch_max(peak_memory(worker), Ordering::Relaxed);
        peak.n_processes.fetch_max(n_processes(worker), Ordering::Relaxed);
    }
    peak.scratch_bytes.fetch_max(scratch_bytes(scratch_directory), Ordering::Relaxed);
}

fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The children of all its threads.
fn n_processes(pid: u32) -> u64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    children.map(|list| list.split_whitespace().count() as u64).sum()
}

/// The file has no name, and this process has it open.
pub(super) fn scratch_bytes(directory: &Path) -> u64 {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let in_directory =
        |path: &PathBuf| std::fs::read_link(path).is_ok_and(|link| link.starts_with(directory));
    let files = descriptors.filter_map(|entry| Some(entry.ok()?.path())).filter(in_directory);
    files.filter_map(|path| Some(std::fs::metadata(path).ok()?.blocks() * 512)).sum()
}
