//! A full disk: scans wait, uploads are refused and `/health` reports it, until there is space again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api::{Disk, DiskSpace};
use clamd::EngineLimits;
use domain::machine::MachinePolicy;
use standin::room::Room;

/// The data directory's disk. Some of it is kept free, so that any accepted file can be scanned.
pub(crate) fn room(data_dir: &Path, limits: EngineLimits) -> Room {
    Room::new(data_dir.to_owned(), limits.scan_room())
}

/// The free space, as the API checks it before an upload and reports it in `/health`.
pub(crate) fn for_api(room: Room, keeps_objects: bool) -> Disk {
    Disk(Arc::new(move || DiskSpace {
        free_bytes: room.free_bytes().unwrap_or(0),
        needed_bytes: room.kept_free_bytes(),
        keeps_objects,
    }))
}

/// Counts the scans that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunningScans(Arc<AtomicU64>);

/// A scan that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct RunningScan(Arc<AtomicU64>);

impl RunningScans {
    pub(crate) fn begin(&self) -> RunningScan {
        self.0.fetch_add(1, Ordering::Relaxed);
        RunningScan(Arc::clone(&self.0))
    }
}

impl Drop for RunningScan {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns whether another scan may start: there is room for it beside those that run. Logs when there is
/// too little for any, and when that ends.
pub(crate) fn gatekeeper(room: Room, running: RunningScans) -> impl Fn() -> bool + Send + Sync + 'static {
    let had_enough = AtomicBool::new(true);
    move || {
        let has_room = room.has(0);
        let (free_bytes, needed_bytes) = (room.free_bytes().unwrap_or(0), room.kept_free_bytes());
        match (had_enough.swap(has_room, Ordering::Relaxed), has_room) {
            (true, false) => tracing::warn!(free_bytes, needed_bytes, "too little disk space: scans wait"),
            (false, true) => tracing::warn!(free_bytes, needed_bytes, "enough disk space: scans resume"),
            _ => {}
        }
        let n_running = running.0.load(Ordering::Relaxed);
        has_room && (n_running == 0 || room.has(room.kept_free_bytes().saturating_mul(n_running)))
    }
}

/// The sweep's policy. Each sweep over a waiting file queues a message, so on a full disk the interval is
/// longer.
pub(crate) fn sweep_policy(machine: MachinePolicy, room: &Room) -> MachinePolicy {
    const WHILE_FULL: Duration = Duration::from_hours(1);
    if room.has(0) {
        machine
    } else {
        MachinePolicy { sweep_retry: machine.sweep_retry.max(WHILE_FULL), ..machine }
    }
}
