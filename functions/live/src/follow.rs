//! Follows the changes of an owner's files, or of one file. A stream's position refers to the ledger, so
//! that every process can resume it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use aws::{Ledger, StoreError};
use axum::response::sse::Event;
use domain::history::EventKind;
use domain::id::{FileId, OwnerId};
use domain::record::{Record, State};
use domain::timestamp::Timestamp;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::estimate::Estimator;
use crate::position::Position;
use crate::{LiveOptions, OVERLAP, message, overlapped};

/// Returns whether a file has its verdict and is not being rescanned, so that no change is expected soon.
pub(crate) fn is_quiet(record: &Record) -> bool {
    let is_rescanning = record.post_verdict().is_some_and(|post_verdict| post_verdict.rescan.is_on());
    record.status().is_terminal() && !is_rescanning
}

/// Reads changed records from the ledger repeatedly, and sends their new entries.
#[derive(Debug)]
pub(crate) struct Follower {
    ledger: Ledger,
    scope: Scope,
    /// Older entries are not sent.
    since: Timestamp,
    /// For each file that changed recently, the last entry and the last change that were sent.
    sent: HashMap<FileId, Sent>,
    /// Files without a verdict, as they were last read.
    waiting: HashMap<FileId, Record>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    seq: u32,
    changed_at: Timestamp,
}

#[derive(Clone, Debug)]
enum Scope {
    Owner(OwnerId),
    File(FileId),
}

/// The client has closed the stream.
struct Ended;

const PAGE: i32 = 100;

impl Follower {
    pub(crate) fn of_owner(ledger: Ledger, owner: OwnerId, position: Position) -> Self {
        Self::new(ledger, Scope::Owner(owner), position)
    }

    pub(crate) fn of_file(ledger: Ledger, file: FileId, position: Position) -> Self {
        Self::new(ledger, Scope::File(file), position)
    }

    fn new(ledger: Ledger, scope: Scope, position: Position) -> Self {
        // The client has seen this file up to this entry. For other files, the time alone does not say what
        // the client has seen.
        let seen = position.file.map(|file| (file, Sent { seq: position.seq, changed_at: position.at }));
        let since = match scope {
            Scope::Owner(_) => overlapped(position.at),
            Scope::File(_) => Timestamp::from_millis(0),
        };
        Self { ledger, scope, since, sent: seen.into_iter().collect(), waiting: HashMap::new() }
    }

    /// Starts a task that follows the changes. The task ends with the stream.
    pub(crate) fn start(
        mut self,
        settings: LiveOptions,
        estimator: Arc<Estimator>,
    ) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            if let Err(error) = self.follow(settings, &estimator, &sender).await {
                tracing::warn!(error = aws::log::chain(&error), "a stream ended early");
            }
        });
        unfold(receiver, async |mut receiver| Some((Ok(receiver.recv().await?), receiver)))
    }

    async fn follow(
        &mut self,
        settings: LiveOptions,
        estimator: &Estimator,
        sender: &mpsc::Sender<Event>,
    ) -> Result<(), StoreError> {
        let deadline = Instant::now() + settings.longest_stream;
        let mut changes = match &self.scope {
            Scope::File(file) => self.ledger.watch_file(*file),
            Scope::Owner(_) => self.ledger.watch(),
        };
        // The headers are sent with the first bytes: this tells the client that it is connected.
        let hello = Event::default().comment("connected").retry(std::time::Duration::from_secs(1));
        if sender.send(hello).await.is_err() {
            return Ok(());
        }
        while Instant::now() < deadline {
            changes.forget();
            let (records, newest) = self.changed().await?;
            if self.send_events(records, sender).await.is_err() {
                return Ok(());
            }
            self.forget_before(newest);
            if self.is_over() || self.send_progress(estimator, sender).await.is_err() {
                return Ok(());
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep(settings.poll_interval) => {}
                () = sender.closed() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Records that may have changed since they were last read, and the newest time that the index has of an
    /// owner's. The records themselves may be ahead of it, by more than the overlap.
    async fn changed(&self) -> Result<(Vec<Record>, Option<Timestamp>), StoreError> {
        match &self.scope {
            Scope::File(file) => Ok((self.ledger.load(*file).await?.into_iter().collect(), None)),
            Scope::Owner(owner) => {
                let (mut records, mut newest, mut after) = (vec![], None, None);
                loop {
                    let page = self.ledger.changes(owner, self.since, after, PAGE).await?;
                    records.extend(page.records);
                    newest = newest.max(page.newest);
                    after = page.next;
                    if after.is_none() {
                        return Ok((records, newest));
                    }
                }
            }
        }
    }

    async fn send_events(&mut self, records: Vec<Record>, sender: &mpsc::Sender<Event>) -> Result<(), Ended> {
        for record in records {
            let file = record.file_id;
            let before = self.sent.get(&file).copied();
            let seen_seq = before.map_or(0, |sent| sent.seq);
            let mut n_sent = 0;
            let new = record.history.after(seen_seq).filter(|entry| entry.at >= self.since);
            for entry in new {
                let event = message::entry(&record, entry.seq, entry.kind, entry.at);
                sender.send(event).await.map_err(|_| Ended)?;
                n_sent += 1;
            }
            let has_changed = before.is_none_or(|sent| sent.changed_at < record.changed_at);
            if n_sent == 0 && has_changed {
                sender.send(message::updated(&record)).await.map_err(|_| Ended)?;
            }
            self.sent.insert(file, Sent { seq: record.history.last_seq(), changed_at: record.changed_at });
            if record.status().is_terminal() {
                self.waiting.remove(&file);
            } else {
                self.waiting.insert(file, record);
            }
        }
        Ok(())
    }

    /// Continues from the overlap before `newest`. What changed before that is not read again, so it need not
    /// be remembered.
    fn forget_before(&mut self, newest: Option<Timestamp>) {
        if let Some(newest) = newest {
            self.since = self.since.max(overlapped(newest));
        }
        let horizon = overlapped(self.since) - OVERLAP;
        self.sent.retain(|_, sent| sent.changed_at >= horizon);
    }

    async fn send_progress(&self, estimator: &Estimator, sender: &mpsc::Sender<Event>) -> Result<(), Ended> {
        let now = aws::clock::now();
        for record in self.waiting.values() {
            let started_at = scan_started_at(record);
            let estimated = estimator.until_verdict(record, started_at, now).await;
            let elapsed = now.since(started_at.unwrap_or(record.created_at));
            sender.send(message::progress(record, elapsed, estimated)).await.map_err(|_| Ended)?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        match self.scope {
            Scope::Owner(_) => false,
            Scope::File(file) => self.sent.contains_key(&file) && self.waiting.is_empty(),
        }
    }
}

fn scan_started_at(record: &Record) -> Option<Timestamp> {
    let is_scanning = matches!(record.state, State::Scanning { .. });
    let mut started =
        record.history.entries().iter().rev().filter(|entry| entry.kind == EventKind::ScanStarted);
    started.next().map(|entry| entry.at).filter(|_| is_scanning)
}
