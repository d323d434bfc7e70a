//! Finds archives behind the start of a file, as 7-Zip does.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use super::abi::{format_flags, is_start};
use super::asking::Asking;
use super::format::Format;
use super::library;

/// Where 7-Zip stops looking for signatures: kMaxCheckStartPosition.
const FARTHEST: u64 = 1 << 23;
/// What a format may look at to tell whether it is asked. The farthest signature stands at 32769.
const LOOK_BYTES: usize = 1 << 16;

/// All signatures, in one automaton.
#[derive(Debug)]
pub(super) struct Search {
    automaton: Option<AhoCorasick>,
    /// The format of each signature.
    owners: Vec<usize>,
}

impl Search {
    pub(super) fn new(formats: &[Format]) -> Self {
        let searched = formats.iter().filter(|format| format.is_searched_for());
        let signatures = searched.flat_map(|format| format.signatures.iter().map(|signature| (format.index, signature)));
        let (owners, signatures): (Vec<_>, Vec<_>) = signatures.unzip();
        let mut builder = AhoCorasickBuilder::new();
        builder.match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
        Self { automaton: builder.build(signatures).ok(), owners }
    }

    /// Opens the first archive of each format in the file from `from` on.
    pub(super) fn run(&self, formats: &[Format], from: u64, asking: &mut Asking<'_>) {
        let Some(automaton) = &self.automaton else { return };
        let Ok(bytes) = asking.input().bytes_at(0, FARTHEST + (LOOK_BYTES as u64)) else { return };
        let mut place = Place { formats, bytes: &bytes, is_found: vec![false; formats.len()], position: from };
        if from > 0 {
            place.ask_formats_without_signature(asking);
        }
        for found in automaton.find_overlapping_iter(&bytes) {
            if asking.is_broken() {
                return;
            }
            let format = &formats[self.owners[found.pattern().as_usize()]];
            place.ask(format, found.start() as u64, asking);
        }
    }
}

struct Place<'a> {
    formats: &'a [Format],
    bytes: &'a [u8],
    is_found: Vec<bool>,
    /// What stands before is opened already.
    position: u64,
}

impl Place<'_> {
    /// The format's signature stands at `signature`.
    fn ask(&mut self, format: &Format, signature: u64, asking: &mut Asking<'_>) {
        let start = signature.checked_sub(format.signature_offset).filter(|start| *start > 0);
        let is_ahead = signature >= self.position && signature <= FARTHEST;
        if let Some(start) = start
            && is_ahead
            && !self.is_found[format.index]
        {
            self.open(format, start, asking);
        }
    }

    /// Formats without a signature, and those that stand without it as well, are asked where another archive ends.
    fn ask_formats_without_signature(&mut self, asking: &mut Asking<'_>) {
        let formats = self.formats.iter().filter(|format| format.is_searched_for());
        for format in formats.filter(|format| format.has(format_flags::START_OPEN)) {
            if !self.is_found[format.index] && !asking.is_broken() && self.open(format, self.position, asking) {
                return;
            }
        }
    }

    fn open(&mut self, format: &Format, start: u64, asking: &mut Asking<'_>) -> bool {
        if !self.may_start(format, start, asking.input().size_bytes()) {
            return false;
        }
        let Some(end) = asking.ask_about(format, start) else { return false };
        self.is_found[format.index] = true;
        self.position = end.max(start + 1);
        self.ask_formats_without_signature(asking);
        true
    }

    fn may_start(&self, format: &Format, start: u64, size_bytes: u64) -> bool {
        let Some(rest) = usize::try_from(start).ok().and_then(|start| self.bytes.get(start..)) else {
            return false;
        };
        let Some(function) = format.is_start else { return true };
        let look = &rest[..rest.len().min(LOOK_BYTES)];
        let is_all = start + (look.len() as u64) >= size_bytes;
        match library::answer(function, look) {
            is_start::NO => false,
            is_start::NEEDS_MORE => !is_all,
            _ => true,
        }
    }
}
