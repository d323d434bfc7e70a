//! Announces which records this process changes, to requests that wait for one.

use domain::id::FileId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Ledger;

/// How many changes a slow receiver may be behind before it has to read its records again in any case.
const MAX_BEHIND: usize = 256;

/// The changes that this process makes from the call of [`Ledger::watch`] or [`Ledger::watch_file`] on. It
/// does not see other processes' changes: poll as well.
#[derive(Debug)]
pub struct RecordWatch {
    receiver: Receiver<FileId>,
    /// `None` for all records.
    file: Option<FileId>,
}

impl Ledger {
    /// Follows the changes of all records.
    pub fn watch(&self) -> RecordWatch {
        RecordWatch { receiver: self.changes.subscribe(), file: None }
    }

    /// Follows the changes of one record.
    pub fn watch_file(&self, file: FileId) -> RecordWatch {
        RecordWatch { receiver: self.changes.subscribe(), file: Some(file) }
    }

    pub(super) fn announce(&self, file: FileId) {
        // An error means that no request waits.
        let _ = self.changes.send(file);
    }

    pub(super) fn announcer() -> tokio::sync::broadcast::Sender<FileId> {
        tokio::sync::broadcast::Sender::new(MAX_BEHIND)
    }
}

impl RecordWatch {
    /// Waits for the next change. Cancel safe: a change that was not returned is returned by the next call.
    pub async fn changed(&mut self) {
        loop {
            match self.receiver.recv().await {
                Ok(changed) if self.file.is_some_and(|file| file != changed) => {}
                // Too far behind: one of the missed changes may be of this record.
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                // The ledger is gone: nothing changes any longer.
                Err(RecvError::Closed) => std::future::pending().await,
            }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const FILE: FileId = FileId::from_digest([1; 16]);
    const OTHER: FileId = FileId::from_digest([2; 16]);

    /// Whether a change can be received. No other task runs in the meantime.
    async fn is_woken(changes: &mut RecordWatch) -> bool {
        timeout(Duration::ZERO, changes.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_request_is_woken_by_its_own_file_or_when_it_may_have_missed_it() {
        let sender = Ledger::announcer();
        let mut one = RecordWatch { receiver: sender.subscribe(), file: Some(FILE) };
        let mut all = RecordWatch { receiver: sender.subscribe(), file: None };
        sender.send(OTHER).unwrap();
        assert_eq!((is_woken(&mut one).await, is_woken(&mut all).await), (false, true));
        sender.send(FILE).unwrap();
        assert_eq!((is_woken(&mut one).await, is_woken(&mut all).await), (true, true));
        assert!(!is_woken(&mut one).await, "once for each change");
        sender.send(FILE).unwrap();
        one.forget();
        assert!(!is_woken(&mut one).await);
        for _ in 0..=MAX_BEHIND {
            sender.send(OTHER).unwrap();
        }
        assert!(is_woken(&mut one).await, "too far behind");
        drop(sender);
        one.forget();
        assert!(!is_woken(&mut one).await, "no ledger, no change");
    }
}
