//! Reads a blob once for the searches that each look for a few bytes anywhere in it.
//!
//! A search by itself reads the whole file, and most find nothing. Here each looks at the same window while
//! it is in the processor's cache.

mod words;

use std::io;

use memchr::memmem;

use crate::blob::{Blob, to_u64};
use crate::embedded::{self, Signatures};
use crate::{mail, tar};

pub(crate) use words::{Word, prepare};

/// What stands where in a blob.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    seen: words::Seen,
    /// Of a character set with states, between the characters of a text.
    pub(crate) has_shifts: bool,
    /// The first block, but for the very first, that is the header of a tar without `ustar`.
    pub(crate) tar_block_at: Option<u64>,
    /// The first such header that is not that of a block.
    pub(crate) tar_header_at: Option<u64>,
    pub(crate) signatures: Signatures,
    /// The first armor, in a container: in other data it is one of the signatures.
    pub(crate) armor_at: Option<u64>,
}

impl Survey {
    /// For data that may hide containers.
    pub(crate) fn of(blob: &Blob) -> io::Result<Self> {
        let mut survey = Self::default();
        let mut windows = blob.windows(0, embedded::HEADER);
        while let Some((at, window)) = windows.next_window()? {
            survey.look_for_words(window);
            survey.tar_block_at = survey.tar_block_at.or_else(|| tar::block_without_magic(at, window));
            survey.tar_header_at = survey.tar_header_at.or_else(|| tar::anywhere::first_header(at, window));
            survey.signatures.add_window(at, window);
        }
        Ok(survey)
    }

    /// For containers.
    pub(crate) fn of_container(blob: &Blob) -> io::Result<Self> {
        let mut survey = Self::default();
        let mut windows = blob.windows(0, embedded::HEADER);
        while let Some((at, window)) = windows.next_window()? {
            survey.look_for_words(window);
            survey.armor_at =
                survey.armor_at.or_else(|| Some(at + to_u64(memmem::find(window, embedded::ARMOR)?)));
        }
        Ok(survey)
    }

    fn look_for_words(&mut self, window: &[u8]) {
        self.seen.add_all(window);
        self.has_shifts = self.has_shifts || mail::holds_shift(window);
    }

    pub(crate) fn has(&self, word: Word) -> bool {
        self.seen.has(word)
    }

    /// Returns whether there is what a reader of PDF needs. Poppler reads files without `%PDF-`, and saves
    /// signatures, which are strings, from files without streams; these need a trailer.
    pub(crate) fn may_be_pdf(&self) -> bool {
        self.has(Word::Object) && (self.has(Word::Stream) || self.has(Word::Trailer))
    }
}
