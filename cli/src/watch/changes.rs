//! Waits for changes below the watched directory, as the kernel reports them (inotify).
//!
//! It only tells when to look again: what changed is found by looking. Where the kernel reports nothing, on a
//! network file system or above its limit of watches, the periodic look remains.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::sync::Notify;

/// Watches on directories.
#[derive(Debug)]
pub(super) struct Changes {
    /// `None` if the kernel gives out no more.
    watches: Option<Arc<OwnedFd>>,
    changed: Arc<Notify>,
}

/// Events are read only to forget them; one has at most a name of 255 bytes.
const EVENT_BYTES: usize = 4096;

impl Changes {
    pub(super) fn new() -> Self {
        let (watches, changed) = (inotify::init(CreateFlags::CLOEXEC).ok().map(Arc::new), Arc::default());
        if let Some(watches) = watches.clone() {
            let changed = Arc::clone(&changed);
            // Ends with the process. A read that waits for events cannot be interrupted.
            std::thread::spawn(move || announce(&watches, &changed));
        }
        Self { watches, changed }
    }

    /// Also watches this directory. Idempotent.
    pub(super) fn add(&mut self, directory: &Path) {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        if let Some(watches) = &self.watches {
            // Above the limit of watches, the periodic look finds the changes.
            let _ = inotify::add_watch(watches, directory, flags);
        }
    }

    /// Waits for a change since the last call. Cancel safe.
    pub(super) async fn changed(&mut self) {
        self.changed.notified().await;
    }
}

/// Blocking. Ends only if the kernel reports no more.
fn announce(watches: &OwnedFd, changed: &Notify) {
    let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
    let mut events = Reader::new(watches, &mut buffer);
    loop {
        match events.next() {
            Ok(_) => changed.notify_one(),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
