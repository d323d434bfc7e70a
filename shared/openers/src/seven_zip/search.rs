//! Finds archives behind the start of a file, as 7-Zip does.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, BuildError, Input, packed};

use super::abi::format_flags;
use super::asking::{Asking, HEAD_BYTES};
use super::format::Format;
use super::library;

/// Where 7-Zip stops looking for signatures: kMaxCheckStartPosition.
const FARTHEST: u64 = 1 << 23;
/// How much is searched at a time.
const WINDOW_BYTES: usize = 1 << 18;
/// As much of a signature as is searched for.
const LONG: usize = 3;

/// The signatures that are looked for.
#[derive(Debug)]
pub(super) struct Search {
    /// Their first bytes, by how many: a search for two bytes stops more often, and few signatures are so
    /// short.
    prefixes: Vec<Prefixes>,
    /// Sorted by their first two bytes: no signature is shorter.
    signatures: Vec<Signature>,
}

#[derive(Debug)]
struct Signature {
    pair: [u8; 2],
    rest: Vec<u8>,
    /// Index of its format.
    format: usize,
}

/// Finds any of some short strings.
#[derive(Debug)]
enum Prefixes {
    /// With the processor's vector instructions.
    Packed(packed::Searcher),
    Plain(AhoCorasick),
}

impl Prefixes {
    fn of(signatures: &[Signature], n_bytes: usize) -> Result<Self, BuildError> {
        let prefixes = signatures.iter().filter_map(|signature| signature.prefix(n_bytes));
        let prefixes = prefixes.collect::<BTreeSet<_>>();
        match packed::Searcher::new(&prefixes) {
            Some(searcher) => Ok(Self::Packed(searcher)),
            None => AhoCorasick::new(&prefixes).map(Self::Plain),
        }
    }

    /// Where the first one from `from` on stands.
    fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        match self {
            Self::Packed(searcher) => {
                searcher.find_in(bytes, (from..bytes.len()).into()).map(|found| found.start())
            }
            Self::Plain(searcher) => {
                searcher.find(Input::new(bytes).range(from..)).map(|found| found.start())
            }
        }
    }
}

impl Search {
    pub(super) fn new(formats: &[Format]) -> Result<Self, BuildError> {
        let searched = formats.iter().filter(|format| format.is_searched_for());
        let mut signatures: Vec<_> = searched.flat_map(signatures).collect();
        signatures.sort_by_key(|signature| signature.pair);
        let prefixes = [2, LONG].map(|n_bytes| Prefixes::of(&signatures, n_bytes));
        Ok(Self { prefixes: prefixes.into_iter().collect::<Result<_, _>>()?, signatures })
    }

    /// Opens the first archive of each format in the file from `from` on.
    pub(super) fn run(&self, formats: &[Format], from: u64, asking: &mut Asking<'_>) {
        let window = Window { start: 0, bytes: Vec::new() };
        let mut place = Place { formats, window, is_found: vec![false; formats.len()], position: from };
        if from > 0 {
            place.ask_formats_without_signature(asking);
        }
        let end = asking.input().size_bytes().min(FARTHEST + 1);
        for start in (0..end).step_by(WINDOW_BYTES) {
            place.window = Window::at(start, asking);
            let n_places = usize::try_from(end - start).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            self.run_through(n_places, &mut place, asking);
            if asking.is_broken() {
                return;
            }
        }
    }

    /// Asks about every signature that begins at one of the first `n_places` of the window.
    fn run_through(&self, n_places: usize, place: &mut Place<'_>, asking: &mut Asking<'_>) {
        // Of each search, where it has come to.
        let find =
            |prefixes: &Prefixes, bytes: &[u8], from| prefixes.find(bytes, from).filter(|at| *at < n_places);
        let mut found =
            self.prefixes.iter().map(|prefixes| find(prefixes, &place.window.bytes, 0)).collect::<Vec<_>>();
        while let Some(at) = found.iter().copied().flatten().min() {
            let pair = [place.window.bytes[at], place.window.bytes[at + 1]];
            for signature in self.signatures_with(pair) {
                if place.window.bytes[at + signature.pair.len()..].starts_with(&signature.rest) {
                    place.ask(&place.formats[signature.format], place.window.start + at as u64, asking);
                }
            }
            for (found, prefixes) in
                found.iter_mut().zip(&self.prefixes).filter(|(found, _)| **found == Some(at))
            {
                *found = find(prefixes, &place.window.bytes, at + 1);
            }
        }
    }

    fn signatures_with(&self, pair: [u8; 2]) -> impl Iterator<Item = &Signature> {
        let first = self.signatures.partition_point(|signature| signature.pair < pair);
        self.signatures[first..].iter().take_while(move |signature| signature.pair == pair)
    }
}

impl Signature {
    /// Its first bytes, for the search for as many: a shorter signature is searched for as a whole.
    fn prefix(&self, n_bytes: usize) -> Option<Vec<u8>> {
        let n_prefix = (self.pair.len() + self.rest.len()).min(LONG);
        (n_prefix == n_bytes).then(|| self.pair.iter().chain(&self.rest).take(n_bytes).copied().collect())
    }
}

fn signatures(format: &Format) -> impl Iterator<Item = Signature> {
    format.signatures.iter().filter_map(|signature| {
        let (pair, rest) = signature.split_first_chunk()?;
        Some(Signature { pair: *pair, rest: rest.to_vec(), format: format.index })
    })
}

/// Bytes of the file, as many as a search step needs.
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// One whose places have what it takes to tell a format behind each.
    fn at(start: u64, asking: &Asking<'_>) -> Self {
        Self { start, bytes: asking.input().bytes_at(start, (WINDOW_BYTES + HEAD_BYTES) as u64) }
    }

    /// The first bytes of what begins at `start`.
    fn head(&self, start: u64, asking: &Asking<'_>) -> Cow<'_, [u8]> {
        let within = start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        match within.and_then(|from| self.bytes.get(from..from + HEAD_BYTES)) {
            Some(head) => Cow::Borrowed(head),
            None => Cow::Owned(asking.input().bytes_at(start, HEAD_BYTES as u64)),
        }
    }
}

/// Where the search has come to.
struct Place<'a> {
    formats: &'a [Format],
    window: Window,
    is_found: Vec<bool>,
    /// What stands before is opened already.
    position: u64,
}

impl Place<'_> {
    /// A signature of the format stands at `signature`.
    fn ask(&mut self, format: &Format, signature: u64, asking: &mut Asking<'_>) {
        // All formats were asked about the start.
        let start = signature.checked_sub(format.signature_offset as u64).filter(|start| *start > 0);
        if let Some(start) = start
            && signature >= self.position
        {
            self.open(format, start, asking);
        }
    }

    /// Some formats are asked where another archive ends, whether their signature stands there or not.
    fn ask_formats_without_signature(&mut self, asking: &mut Asking<'_>) {
        let formats = self.formats.iter().filter(|format| format.is_searched_for());
        for format in formats.filter(|format| format.has(format_flags::START_OPEN)) {
            if self.open(format, self.position, asking) {
                return;
            }
        }
    }

    fn open(&mut self, format: &Format, start: u64, asking: &mut Asking<'_>) -> bool {
        if self.is_found[format.index] || asking.is_broken() || !self.may_start(format, start, asking) {
            return false;
        }
        let Some(end) = asking.ask_about(format, start) else { return false };
        self.is_found[format.index] = true;
        self.position = end.max(start + 1);
        self.ask_formats_without_signature(asking);
        true
    }

    fn may_start(&self, format: &Format, start: u64, asking: &Asking<'_>) -> bool {
        let size_bytes = asking.input().size_bytes();
        if start >= size_bytes {
            return false;
        }
        let Some(function) = format.is_start else { return true };
        library::may_start(function, &self.window.head(start, asking), size_bytes - start)
    }
}
