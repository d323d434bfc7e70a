//! Reads a blob byte by byte from any place, through a window that grows: most objects are short, and some
//! are not.

use std::io;

use crate::blob::{Blob, to_u64};

const FIRST_WINDOW: usize = 512;
const LARGEST_WINDOW: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    blob: &'a Blob,
    window: Vec<u8>,
    window_start: u64,
    at: usize,
    next_window: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(blob: &'a Blob, position: u64) -> Self {
        Self { blob, window: Vec::new(), window_start: position, at: 0, next_window: FIRST_WINDOW }
    }

    pub(super) fn position(&self) -> u64 {
        self.window_start + to_u64(self.at)
    }

    /// The next byte, which stays where it is; `None` at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        self.peek_at(0)
    }

    /// The byte `ahead` of the next one.
    pub(super) fn peek_at(&mut self, ahead: usize) -> io::Result<Option<u8>> {
        if self.at + ahead >= self.window.len() {
            self.window_start = self.position();
            self.window = self.blob.bytes_at(self.window_start, self.next_window)?;
            self.at = 0;
            self.next_window = (self.next_window * 2).min(LARGEST_WINDOW);
        }
        Ok(self.window.get(self.at + ahead).copied())
    }

    pub(super) fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    pub(super) fn skip(&mut self, n_bytes: usize) {
        self.at += n_bytes;
    }

    /// Skips what `is_skipped` says.
    pub(super) fn skip_while(&mut self, is_skipped: impl Fn(u8) -> bool) -> io::Result<()> {
        while self.peek()?.is_some_and(&is_skipped) {
            self.at += 1;
        }
        Ok(())
    }
}
