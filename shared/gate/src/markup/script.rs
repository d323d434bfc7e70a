//! Tells whether a script or a style sheet that stands in markup may hold data: a parser changes it before it
//! runs, so what the data is written as in the file is not what the script says.

use std::io;

use super::{Part, Sink};
use crate::blob::BlobWriter;
use crate::text_encoding::is_of_literal;

/// The fewest digits in a row.
const LEAST: u64 = 64;

/// Looks for digits in a row, part by part.
#[derive(Debug, Default)]
pub(super) struct Script {
    n_in_row: u64,
    n_most: u64,
    has_quote: bool,
    /// Whether the parser changes anything.
    pub(super) is_changed: bool,
}

impl Script {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.n_in_row = if is_of_literal(*byte) { self.n_in_row + 1 } else { 0 };
            self.n_most = self.n_most.max(self.n_in_row);
            self.has_quote |= matches!(byte, b'"' | b'\'' | b'`');
        }
    }

    /// Scripts have data in literals, style sheets in addresses.
    pub(super) fn may_hold_data(&self) -> bool {
        self.n_most >= LEAST && self.has_quote
    }
}

impl Sink for Script {
    fn take(&mut self, part: &Part<'_>) {
        match part {
            Part::Text(text) => Script::take(self, text),
            Part::Character(byte) => {
                self.is_changed = true;
                Script::take(self, &[*byte]);
            }
            Part::Joint => self.is_changed = true,
        }
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// Writes a text as it is.
pub(super) struct Resolved {
    pub(super) writer: BlobWriter,
    pub(super) written: io::Result<()>,
}

impl Sink for Resolved {
    fn take(&mut self, part: &Part<'_>) {
        if self.written.is_ok() {
            self.written = match part {
                Part::Text(text) => self.writer.write(text),
                Part::Character(byte) => self.writer.write(&[*byte]),
                Part::Joint => Ok(()),
            };
        }
    }

    fn is_full(&self) -> bool {
        self.written.is_err()
    }
}
