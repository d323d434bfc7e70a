//! What has happened to a file, and who is still to be told?
//!
//! The journal is part of the record, so that an entry exists exactly if its change was committed. An entry holds its
//! notice until somebody has published it: the outbox. Its number never changes, so that telling twice can be noticed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{FileId, InvalidId, Version};
use crate::record::{Record, Status};
use crate::timestamp::Timestamp;
use crate::verdict::Judgement;

/// The last changes of a file, oldest first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    entries: Vec<Entry>,
    /// How many entries there have ever been.
    n_written: u32,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub seq: u32,
    pub at: Timestamp,
    pub kind: Kind,
    /// The file's status from then on.
    pub status: Status,
    /// What is to be told about it; `None` once that is done, or when nobody wants to know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notice: Option<Notice>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    ScanStarted,
    ScanCompleted,
    VerdictChanged,
    Deleted,
    Expired,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::ScanStarted, Self::ScanCompleted, Self::VerdictChanged, Self::Deleted, Self::Expired];

    /// The event type that subscribers see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScanStarted => "file.scan.started",
            Self::ScanCompleted => "file.scan.completed",
            Self::VerdictChanged => "file.scan.verdict_changed",
            Self::Deleted => "file.deleted",
            Self::Expired => "file.expired",
        }
    }
}

/// What an event says about its moment, kept because the record may have moved on when it is told.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Notice {
    pub version: Option<Version>,
    pub judgement: Option<Judgement>,
    /// The status that was replaced.
    pub before: Status,
}

/// The stable name of one event: the same for every delivery of it, and never used for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    pub file: FileId,
    pub seq: u32,
}

impl EventId {
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let parts = text.strip_prefix("evt_").and_then(|rest| rest.split_once('_'));
        let (file, seq) = parts.ok_or(InvalidId("event id"))?;
        Ok(Self { file: FileId::parse(file)?, seq: seq.parse().map_err(|_| InvalidId("event id"))? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}_{}", self.file, self.seq)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Journal {
    /// How many entries stay after they have been told: enough for a client that was away for a while.
    pub const N_KEPT: usize = 16;

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries after `seq`. Older ones than are kept are not among them.
    pub fn after(&self, seq: u32) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.seq > seq)
    }

    /// The number of the last entry; zero when there was none.
    pub fn last_seq(&self) -> u32 {
        self.n_written
    }

    /// The entries that are still to be told, oldest first.
    pub fn outbox(&self) -> impl Iterator<Item = (&Entry, &Notice)> {
        self.entries.iter().filter_map(|entry| Some((entry, entry.notice.as_ref()?)))
    }

    pub fn has_outbox(&self) -> bool {
        self.outbox().next().is_some()
    }

    pub(crate) fn write(&mut self, kind: Kind, status: Status, notice: Option<Notice>, at: Timestamp) {
        self.n_written += 1;
        self.entries.push(Entry { seq: self.n_written, at, kind, status, notice });
        self.forget();
    }

    /// Everything up to `seq` has been told.
    pub(crate) fn mark_published(&mut self, seq: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.seq <= seq) {
            entry.notice = None;
        }
        self.forget();
    }

    /// What is still to be told is never forgotten.
    fn forget(&mut self) {
        let surplus = self.entries.len().saturating_sub(Self::N_KEPT);
        let n_told = self.entries.iter().take_while(|entry| entry.notice.is_none()).count();
        self.entries.drain(..surplus.min(n_told));
    }
}

/// What the step from `before` to `after` means to somebody outside, if anything.
pub(crate) fn kind_of(before: &Record, after: &Record) -> Option<Kind> {
    use Status as S;
    let (was, is) = (before.status(), after.status());
    match (was, is) {
        (S::Deleted, S::Deleted)
        | (S::Expired, S::Expired)
        | (S::Scanning, S::Scanning)
        | (_, S::Pending) => None,
        (_, S::Deleted) => Some(Kind::Deleted),
        (_, S::Expired) => Some(Kind::Expired),
        (_, S::Scanning) => Some(Kind::ScanStarted),
        (S::Pending | S::Scanning, _) => Some(Kind::ScanCompleted),
        _ if was != is => Some(Kind::VerdictChanged),
        // Judged before and after, with the same verdict: only somebody who asked wants to know.
        _ if before.judgement() != after.judgement() && before.rescan_was_asked_for() => {
            Some(Kind::ScanCompleted)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn notice() -> Notice {
        Notice { version: None, judgement: None, before: Status::Pending }
    }

    #[test]
    fn what_is_not_told_is_never_forgotten() {
        let mut journal = Journal::default();
        for _ in 0..40 {
            journal.write(Kind::ScanStarted, Status::Scanning, Some(notice()), NOW);
        }
        assert_eq!((journal.entries().len(), journal.outbox().count(), journal.last_seq()), (40, 40, 40));
        journal.mark_published(30);
        assert_eq!((journal.entries().len(), journal.outbox().count()), (16, 10));
        assert_eq!(journal.after(38).map(|entry| entry.seq).collect::<Vec<_>>(), [39, 40]);
        journal.mark_published(40);
        assert!(!journal.has_outbox());
        journal.write(Kind::Deleted, Status::Deleted, None, NOW);
        assert_eq!((journal.last_seq(), journal.entries().len()), (41, 16));
    }

    #[test]
    fn an_event_id_reads_back() {
        let id = EventId { file: FileId::from_random(Uuid::from_u128(7)), seq: 12 };
        assert_eq!(EventId::parse(&id.to_string()), Ok(id));
        for bad in ["", "evt_", "evt_x_1", "evt_00000000-0000-0000-0000-000000000007_x"] {
            assert!(EventId::parse(bad).is_err(), "{bad}");
        }
    }
}
