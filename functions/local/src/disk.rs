//! What happens when the disk fills up? Scans wait, uploads are refused, health says so; all of it ends by itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::{Disk, DiskSpace};
use clamd::EngineLimits;
use domain::machine::MachinePolicy;
use standin::room::Room;

/// The data directory's disk. Some of it is kept free, so that a scan of any file that was accepted has room.
pub(crate) fn room(data_dir: &Path, limits: EngineLimits) -> Room {
    Room::new(data_dir.to_owned(), limits.scan_room())
}

/// What the API asks before it accepts an upload, and for `/health`.
pub(crate) fn for_api(room: Room, keeps_objects: bool) -> Disk {
    Disk(Arc::new(move || DiskSpace {
        free_bytes: room.free_bytes().unwrap_or(0),
        needed_bytes: room.kept_free_bytes(),
        keeps_objects,
    }))
}

/// Whether scans may begin. Tells the log when that changes.
pub(crate) fn gatekeeper(room: Room) -> impl Fn() -> bool + Send + Sync + 'static {
    let had_enough = AtomicBool::new(true);
    move || {
        let has_room = room.has(0);
        let (free_bytes, needed_bytes) = (room.free_bytes().unwrap_or(0), room.kept_free_bytes());
        match (had_enough.swap(has_room, Ordering::Relaxed), has_room) {
            (true, false) => tracing::warn!(free_bytes, needed_bytes, "too little disk space: scans wait"),
            (false, true) => tracing::warn!(free_bytes, needed_bytes, "enough disk space: scans go on"),
            _ => {}
        }
        has_room
    }
}

/// How the sweep waits. Each time it looks after a file that waits, it sends a message; on a full disk it looks seldom.
pub(crate) fn sweep_policy(machine: MachinePolicy, room: &Room) -> MachinePolicy {
    const WHILE_FULL: Duration = Duration::from_hours(1);
    if room.has(0) {
        machine
    } else {
        MachinePolicy { sweep_retry: machine.sweep_retry.max(WHILE_FULL), ..machine }
    }
}
