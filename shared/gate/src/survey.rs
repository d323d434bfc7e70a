//! Reads a blob once for the searches that each look for a few bytes anywhere in it.
//!
//! A search by itself reads the whole file, and most find nothing. Here each looks at the same window while
//! it is in the processor's cache.

use std::io;

use memchr::memmem;

use crate::blob::{Blob, to_u64};
use crate::embedded::{self, Signatures};
use crate::{mail, markup, rtf, stored, tar};

/// What stands where in a blob.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for itself")]
pub(crate) struct Survey {
    pub(crate) has_rtf: bool,
    has_object: bool,
    has_stream: bool,
    has_trailer: bool,
    /// In any case: uuencode and yEnc have it in front of data.
    pub(crate) has_begin: bool,
    /// Of a character set with states, between the characters of a text.
    pub(crate) has_shifts: bool,
    /// What YAML and notebooks have in front of base64.
    pub(crate) has_tag_of_binary: bool,
    /// What parsers of HTML read as those of XML do: CDATA, drawings and formulas.
    pub(crate) has_foreign_markup: bool,
    /// A script of PHP may be an archive.
    pub(crate) has_end_of_php: bool,
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
        let holds = |word| memmem::find(window, word).is_some();
        self.has_rtf = self.has_rtf || holds(rtf::START);
        self.has_object = self.has_object || holds(b"obj");
        self.has_stream = self.has_stream || holds(b"stream");
        self.has_trailer = self.has_trailer || holds(b"trailer");
        self.has_end_of_php = self.has_end_of_php || holds(stored::phar::END_OF_PHP);
        self.has_begin = self.has_begin || mail::holds(window, b"begin");
        self.has_shifts = self.has_shifts || mail::holds_shift(window);
        self.has_tag_of_binary = self.has_tag_of_binary || holds(b"!binary") || holds(b":binary");
        self.has_tag_of_binary = self.has_tag_of_binary || holds(b"\"image/");
        self.has_foreign_markup = self.has_foreign_markup
            || holds(markup::CDATA)
            || markup::FOREIGN.iter().any(|tag| mail::holds(window, tag));
    }

    /// Returns whether there is what a reader of PDF needs. Poppler reads files without `%PDF-`, and saves
    /// signatures, which are strings, from files without streams; these need a trailer.
    pub(crate) fn may_be_pdf(&self) -> bool {
        self.has_object && (self.has_stream || self.has_trailer)
    }
}
