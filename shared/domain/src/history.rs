//! The history of a file's changes, and the outbox of its unpublished events.
//!
//! The history is part of the record, so that an entry exists if and only if its change was committed. An
//! entry holds its payload until it is published: the outbox. Its number never changes, so that subscribers
//! can deduplicate.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{FileId, IdError, Version};
use crate::status::Status;
use crate::timestamp::Timestamp;
use crate::verdict::Judgement;

/// The last changes of a file, oldest first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct History {
    entries: Vec<HistoryEntry>,
    /// How many entries were ever written.
    n_written: u32,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// From 1, without gaps.
    pub seq: u32,
    pub at: Timestamp,
    pub kind: EventKind,
    /// The file's status from then on.
    pub status: Status,
    /// The payload to publish; `None` once it is published, or if there are no subscribers.
    #[serde(rename = "notice", skip_serializing_if = "Option::is_none", default)]
    pub payload: Option<OutboxPayload>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    ScanStarted,
    ScanCompleted,
    VerdictChanged,
    Deleted,
    Expired,
}

impl EventKind {
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

/// The state that an event reports, kept because the record may change before it is published.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct OutboxPayload {
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
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let parts = text.strip_prefix("evt_").and_then(|rest| rest.split_once('_'));
        let (file, seq) = parts.ok_or(IdError("event id"))?;
        Ok(Self { file: FileId::parse(file)?, seq: seq.parse().map_err(|_| IdError("event id"))? })
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

impl History {
    /// How many published entries are kept, for clients that were disconnected for a while.
    pub const N_KEPT: usize = 16;

    pub fn entries(&self) -> &[HistoryEntry] {
        &self.entries
    }

    /// The kept entries after `seq`.
    pub fn after(&self, seq: u32) -> impl Iterator<Item = &HistoryEntry> {
        self.entries.iter().filter(move |entry| entry.seq > seq)
    }

    /// The number of the last entry; zero if there is none.
    pub fn last_seq(&self) -> u32 {
        self.n_written
    }

    /// The entries that are not published yet, oldest first.
    pub fn outbox(&self) -> impl Iterator<Item = (&HistoryEntry, &OutboxPayload)> {
        self.entries.iter().filter_map(|entry| Some((entry, entry.payload.as_ref()?)))
    }

    pub fn has_outbox(&self) -> bool {
        self.outbox().next().is_some()
    }

    pub(crate) fn write(
        &mut self,
        kind: EventKind,
        status: Status,
        payload: Option<OutboxPayload>,
        at: Timestamp,
    ) {
        self.n_written += 1;
        self.entries.push(HistoryEntry { seq: self.n_written, at, kind, status, payload });
        self.forget();
    }

    /// Marks the entries up to `seq` as published.
    pub(crate) fn mark_published(&mut self, seq: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.seq <= seq) {
            entry.payload = None;
        }
        self.forget();
    }

    /// Drops the oldest published entries. Unpublished entries are kept.
    fn forget(&mut self) {
        let surplus = self.entries.len().saturating_sub(Self::N_KEPT);
        let n_published = self.entries.iter().take_while(|entry| entry.payload.is_none()).count();
        self.entries.drain(..surplus.min(n_published));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn payload() -> OutboxPayload {
        OutboxPayload { version: None, judgement: None, before: Status::Pending }
    }

    #[test]
    fn what_is_not_published_stays() {
        let mut history = History::default();
        for _ in 0..40 {
            history.write(EventKind::ScanStarted, Status::Scanning, Some(payload()), NOW);
        }
        assert_eq!((history.entries().len(), history.outbox().count(), history.last_seq()), (40, 40, 40));
        history.mark_published(30);
        assert_eq!((history.entries().len(), history.outbox().count()), (16, 10));
        assert_eq!(history.after(38).map(|entry| entry.seq).collect::<Vec<_>>(), [39, 40]);
        history.mark_published(40);
        assert!(!history.has_outbox());
        history.write(EventKind::Deleted, Status::Deleted, None, NOW);
        assert_eq!((history.last_seq(), history.entries().len()), (41, 16));
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
