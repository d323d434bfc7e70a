//! Is there room for another upload? Where objects are kept on this machine's disk, an upload is refused before there is none.
//!
//! Room is what is free, less what scans need, less what was promised to uploads that have not arrived. Promises are in memory: after a restart
//! storage itself refuses what does not fit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::Ledger;
use domain::id::FileId;
use domain::record::State;
use domain::timestamp::Timestamp;
use web::ApiError;

/// Asks the disk, where there is one that can fill up.
#[derive(Clone)]
pub struct Disk(pub Arc<dyn Fn() -> DiskSpace + Send + Sync>);

/// What a [`Disk`] says, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    pub free_bytes: u64,
    /// What scans may need.
    pub needed_bytes: u64,
    /// Whether uploaded objects are kept there, too.
    pub keeps_objects: bool,
}

/// A disk, and the promises that were made of it.
#[derive(Clone, Debug)]
pub struct Room {
    disk: Disk,
    promises: Arc<Mutex<BTreeMap<FileId, Promise>>>,
}

#[derive(Clone, Copy, Debug)]
struct Promise {
    n_bytes: u64,
    until: Timestamp,
    /// When it was last looked whether its upload has arrived.
    looked_at: Timestamp,
}

/// How many promises are looked at before an upload is refused: each is a read of the ledger. Others' turn comes with the next upload.
const MAX_LOOKS: usize = 200;

/// Room for one upload. Dropped, it is free again.
#[derive(Debug)]
#[must_use]
pub(crate) struct Promised(Option<(Room, FileId)>);

impl Promised {
    /// The upload has begun: the promise holds until it arrives or its time is over.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        if let Some((room, file)) = self.0.take() {
            room.promises().remove(&file);
        }
    }
}

impl Room {
    pub fn new(disk: Disk) -> Self {
        Self { disk, promises: Arc::default() }
    }

    pub(crate) fn space(&self) -> DiskSpace {
        (self.disk.0)()
    }

    /// Promises room for `n_bytes` to `file` for `ttl`, or refuses. Uploads that have arrived meanwhile are on the disk, and need no promise.
    pub(crate) async fn promise(
        &self,
        ledger: &Ledger,
        file: FileId,
        n_bytes: u64,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Promised, ApiError> {
        let promise = Promise { n_bytes, until: now + ttl, looked_at: now };
        if !self.try_promise(file, promise, now) {
            self.forget_arrived(ledger, now).await?;
            if !self.try_promise(file, promise, now) {
                return Err(ApiError::StorageFull);
            }
        }
        Ok(Promised(Some((self.clone(), file))))
    }

    fn try_promise(&self, file: FileId, promise: Promise, now: Timestamp) -> bool {
        let mut promises = self.promises();
        promises.retain(|_, promise| promise.until > now);
        let DiskSpace { free_bytes, needed_bytes, keeps_objects } = self.space();
        let n_promised: u64 = promises.values().map(|promise| promise.n_bytes).sum();
        let wanted_bytes = n_promised.saturating_add(promise.n_bytes).saturating_add(needed_bytes);
        if keeps_objects && wanted_bytes > free_bytes {
            return false;
        }
        promises.insert(file, promise);
        true
    }

    /// Only when room is short: those that were not looked at for longest.
    async fn forget_arrived(&self, ledger: &Ledger, now: Timestamp) -> Result<(), ApiError> {
        for file in self.oldest(now) {
            let record = ledger.load(file).await?;
            // One without a record is about to get it, or streams through this process.
            if record.is_some_and(|record| !matches!(record.state, State::Awaiting)) {
                self.promises().remove(&file);
            }
        }
        Ok(())
    }

    fn oldest(&self, now: Timestamp) -> Vec<FileId> {
        let mut promises = self.promises();
        let mut by_look: Vec<_> = promises.iter().map(|(file, promise)| (promise.looked_at, *file)).collect();
        by_look.sort_unstable();
        by_look.truncate(MAX_LOOKS);
        let chosen: Vec<FileId> = by_look.into_iter().map(|(_, file)| file).collect();
        for file in &chosen {
            if let Some(promise) = promises.get_mut(file) {
                promise.looked_at = now;
            }
        }
        chosen
    }

    fn promises(&self) -> MutexGuard<'_, BTreeMap<FileId, Promise>> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn room(keeps_objects: bool) -> Room {
        let space = DiskSpace { free_bytes: 1000, needed_bytes: 400, keeps_objects };
        Room::new(Disk(Arc::new(move || space)))
    }

    fn file(n: u128) -> FileId {
        FileId::from_random(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn promises_are_kept_until_their_time_is_over() {
        let (room, minute) = (room(true), Duration::from_mins(1));
        let promise = |n_bytes| Promise { n_bytes, until: NOW + minute, looked_at: NOW };
        assert!(!room.try_promise(file(1), promise(601), NOW), "scans need the rest");
        assert!(room.try_promise(file(1), promise(400), NOW));
        assert!(!room.try_promise(file(2), promise(201), NOW));
        assert!(room.try_promise(file(2), promise(200), NOW));
        drop(Promised(Some((room.clone(), file(1)))));
        assert!(room.try_promise(file(3), promise(400), NOW), "the first was given back");
        Promised(Some((room.clone(), file(3)))).keep();
        assert!(!room.try_promise(file(4), promise(1), NOW), "that one was not");
        let later = Promise { n_bytes: 600, until: NOW + 2 * minute, looked_at: NOW };
        assert!(room.try_promise(file(5), later, NOW + minute), "those are over");
        assert!(!room.try_promise(file(6), promise(u64::MAX), NOW));
    }

    #[test]
    fn each_promise_is_looked_at_in_turn() {
        let room = room(true);
        for n in 0..300 {
            let promise = Promise { n_bytes: 1, until: NOW + Duration::from_hours(1), looked_at: NOW };
            assert!(room.try_promise(file(n), promise, NOW));
        }
        let first = room.oldest(NOW + Duration::from_secs(1));
        let second = room.oldest(NOW + Duration::from_secs(2));
        let looked_at: std::collections::BTreeSet<_> = first.iter().chain(&second).collect();
        assert_eq!((first.len(), second.len(), looked_at.len()), (200, 200, 300));
    }

    #[test]
    fn a_bucket_elsewhere_has_room() {
        let promise = Promise { n_bytes: u64::MAX, until: NOW + Duration::from_mins(1), looked_at: NOW };
        assert!(room(false).try_promise(file(1), promise, NOW));
    }
}
