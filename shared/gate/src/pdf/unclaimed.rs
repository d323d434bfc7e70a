//! Finds the streams that no `obj` begins, and where streams end.

use std::collections::HashSet;
use std::io;

use domain::verdict::Unscannable;
use memchr::memmem;

use crate::blob::{to_u64, to_usize};
use crate::walk::{Walked, refuse};

use super::index::{Index, Stream, WINDOW};

impl Index {
    pub(super) fn add_ends(&mut self, stream_words: &[u64]) -> io::Result<()> {
        for word in stream_words {
            if let Some(start) = word.checked_sub(3)
                && self.texts[0].bytes_at(start, 3)? == b"end"
            {
                self.stream_ends.push(start);
            }
        }
        Ok(())
    }

    /// Streams whose `obj` is missing or misspelt: some readers only skip that word.
    pub(super) fn add_unclaimed(&mut self, stream_words: &[u64]) -> Walked {
        let claimed = self.streams.iter().map(|stream| stream.dictionary.1).collect::<HashSet<_>>();
        for word in stream_words.iter().filter(|word| !claimed.contains(word)) {
            if let Some(start) = self.unclaimed_dictionary(*word)? {
                self.other_numbers.push(Stream { id: None, dictionary: (start, *word) });
            }
        }
        Ok(())
    }

    /// Where the dictionary before an unclaimed `stream` begins, behind the last word that ends something.
    fn unclaimed_dictionary(&mut self, word: u64) -> Walked<Option<u64>> {
        for longest in [4096, to_u64(WINDOW)] {
            let start = word.saturating_sub(longest);
            let before = self.texts[0].bytes_at(start, to_usize(word - start))?;
            let text = before.trim_ascii_end();
            if !text.ends_with(b">>") {
                return Ok(None);
            }
            let from = memmem::rfind(text, b"end").or((start == 0).then_some(0));
            if let Some(from) = from {
                let has_key = |key: &[u8]| memmem::find(&text[from..], key).is_some();
                return Ok((has_key(b"/Length") || has_key(b"/Filter")).then(|| start + to_u64(from)));
            }
            self.count_read(longest)?;
        }
        refuse(Unscannable::Malformed, "a PDF with a stream whose dictionary is too long")
    }
}
