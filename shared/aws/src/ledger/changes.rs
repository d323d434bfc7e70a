//! Announces the records that this process changes, to requests that wait for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::id::FileId;
use domain::record::Record;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};

use super::Ledger;

/// How many changes a slow receiver may be behind before it has to read its records again in any case.
const MAX_BEHIND: usize = 256;
/// The same for the changes of one record, which has few.
const MAX_BEHIND_OF_ONE: usize = 8;

/// Tells receivers which records change. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Announcer(Arc<Channels>);

#[derive(Debug)]
struct Channels {
    all: Sender<Arc<Record>>,
    /// Of the files that a request waits for: it is woken by its own file alone.
    by_file: Mutex<HashMap<FileId, Sender<Arc<Record>>>>,
}

/// The changes that this process makes from the call of [`Ledger::watch`] or [`Ledger::watch_file`] on. It
/// does not see other processes' changes: poll as well.
#[derive(Debug)]
pub struct RecordWatch {
    receiver: Receiver<Arc<Record>>,
    /// The channel that ends with its last receiver; `None` for all records.
    file: Option<(Announcer, FileId)>,
}

impl Ledger {
    /// Follows the changes of all records.
    pub fn watch(&self) -> RecordWatch {
        self.announcer.watch()
    }

    /// Follows the changes of one record.
    pub fn watch_file(&self, file: FileId) -> RecordWatch {
        self.announcer.watch_file(file)
    }

    /// Announces a record as it was committed.
    pub(super) fn announce(&self, committed: &Record) {
        self.announcer.announce(committed);
    }
}

impl Announcer {
    pub(super) fn new() -> Self {
        Self(Arc::new(Channels { all: Sender::new(MAX_BEHIND), by_file: Mutex::default() }))
    }

    fn by_file(&self) -> MutexGuard<'_, HashMap<FileId, Sender<Arc<Record>>>> {
        self.0.by_file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> RecordWatch {
        RecordWatch { receiver: self.0.all.subscribe(), file: None }
    }

    fn watch_file(&self, file: FileId) -> RecordWatch {
        let mut by_file = self.by_file();
        let channel = by_file.entry(file).or_insert_with(|| Sender::new(MAX_BEHIND_OF_ONE));
        RecordWatch { receiver: channel.subscribe(), file: Some((self.clone(), file)) }
    }

    fn announce(&self, committed: &Record) {
        let channel = self.by_file().get(&committed.file_id).cloned();
        let committed = || Arc::new(committed.clone());
        // An error means that no request waits.
        if let Some(channel) = channel {
            let _ = channel.send(committed());
        }
        if self.0.all.receiver_count() > 0 {
            let _ = self.0.all.send(committed());
        }
    }
}

impl RecordWatch {
    /// Waits for the next change, and returns the record as it was committed, except for its download count;
    /// `None` if this receiver was too far behind, so that the change must be read. Changes of one record may
    /// come in another order than they were committed in: compare revisions.
    ///
    /// Cancel safe: a change that was not returned is returned by the next call.
    pub async fn changed(&mut self) -> Option<Arc<Record>> {
        match self.receiver.recv().await {
            Ok(changed) => Some(changed),
            Err(RecvError::Lagged(_)) => None,
            // The ledger is gone: nothing changes any longer.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Returns whether there are changes that were neither returned nor forgotten.
    pub fn has_any(&self) -> bool {
        !self.receiver.is_empty()
    }

    /// Forgets the changes so far, before the records are read.
    pub fn forget(&mut self) {
        self.receiver = self.receiver.resubscribe();
    }
}

impl Drop for RecordWatch {
    fn drop(&mut self) {
        let Some((announcer, file)) = &self.file else { return };
        let mut by_file = announcer.by_file();
        // This receiver still counts.
        if by_file.get(file).is_some_and(|channel| channel.receiver_count() <= 1) {
            by_file.remove(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::id::OwnerId;
    use domain::record::UploadMethod;
    use domain::timestamp::Timestamp;
    use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
    use tokio::time::timeout;

    use super::*;

    const FILE: FileId = FileId::from_digest([1; 16]);
    const OTHER: FileId = FileId::from_digest([2; 16]);

    fn record(file: FileId) -> Record {
        let policy = UploadPolicy {
            max_file_size: 100,
            allowed_extensions: AllowedExtensions::All,
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: UploadPolicy::UPLOAD_TTL,
        };
        let request = UploadRequest { filename: "a.txt", ..UploadRequest::default() };
        let (upload, now) = (accept(&request, &policy).unwrap(), Timestamp::from_millis(0));
        let first_sweep_in = Duration::from_mins(1);
        let (owner, method) = (OwnerId::local(), UploadMethod::Put);
        Record::new(file, owner, upload, method, &policy, first_sweep_in, now)
    }

    /// Whether a change can be received. No other task runs in the meantime.
    async fn is_woken(changes: &mut RecordWatch) -> bool {
        timeout(Duration::ZERO, changes.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_request_is_woken_by_its_own_file_or_when_it_may_have_missed_it() {
        let announcer = Announcer::new();
        let (mut one, mut all) = (announcer.watch_file(FILE), announcer.watch());
        announcer.announce(&record(OTHER));
        assert_eq!((is_woken(&mut one).await, is_woken(&mut all).await), (false, true));
        announcer.announce(&record(FILE));
        assert_eq!(one.changed().await, Some(Arc::new(record(FILE))), "the record itself");
        assert_eq!((is_woken(&mut one).await, is_woken(&mut all).await), (false, true), "once for each");
        announcer.announce(&record(FILE));
        one.forget();
        assert!(!is_woken(&mut one).await);
        for _ in 0..=MAX_BEHIND {
            announcer.announce(&record(FILE));
        }
        for behind in [&mut one, &mut all] {
            assert_eq!(timeout(Duration::ZERO, behind.changed()).await, Ok(None), "too far behind: read it");
        }
    }

    #[test]
    fn a_files_channel_ends_with_its_last_request() {
        let announcer = Announcer::new();
        let (first, second) = (announcer.watch_file(FILE), announcer.watch_file(FILE));
        let other = announcer.watch_file(OTHER);
        drop(first);
        assert_eq!(announcer.by_file().len(), 2);
        announcer.announce(&record(FILE));
        assert!(second.has_any() && !other.has_any());
        drop((second, other));
        assert_eq!(announcer.by_file().len(), 0);
    }
}
