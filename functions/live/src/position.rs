//! Where a stream of events stands, as clients send it back in `Last-Event-ID`.

use std::fmt;

use domain::id::FileId;
use domain::record::Record;
use domain::timestamp::Timestamp;

/// The last event that a client has seen: `{milliseconds}-{file_id}-{seq}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    pub(crate) at: Timestamp,
    pub(crate) file: Option<FileId>,
    pub(crate) seq: u32,
}

impl Position {
    /// The position of a client that connects without one. Because of the overlap, the client also receives
    /// what happened while it connected.
    pub(crate) fn just_before(now: Timestamp) -> Self {
        Self { at: now, file: None, seq: 0 }
    }

    pub(crate) fn beginning(file: FileId) -> Self {
        Self { at: Timestamp::from_millis(0), file: Some(file), seq: 0 }
    }

    pub(crate) fn at_entry(file: FileId, seq: u32, at: Timestamp) -> Self {
        Self { at, file: Some(file), seq }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (millis, rest) = text.split_once('-')?;
        let (file, seq) = rest.rsplit_once('-')?;
        let file = FileId::parse(file).ok()?;
        Some(Self::at_entry(file, seq.parse().ok()?, Timestamp::from_millis(millis.parse().ok()?)))
    }

    /// Returns whether the client has seen all changes of this file.
    pub(crate) fn has_seen(&self, record: &Record) -> bool {
        self.file == Some(record.file_id)
            && self.seq >= record.history.last_seq()
            && self.at >= record.changed_at
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            Some(file) => write!(f, "{}-{file}-{}", self.at.as_millis(), self.seq),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        let file = FileId::parse("123e4567-e89b-42d3-a456-426614174000").unwrap();
        let position = Position::at_entry(file, 7, Timestamp::from_millis(1_700_000_000_123));
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for bad in ["", "1", "1-2-3", "x-123e4567-e89b-42d3-a456-426614174000-1"] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
