//! Finds archives behind the start of a file, as 7-Zip does.

use super::abi::format_flags;
use super::asking::{Asking, HEAD_BYTES};
use super::format::Format;
use super::library;

/// Where 7-Zip stops looking for signatures: kMaxCheckStartPosition.
const FARTHEST: u64 = 1 << 23;

/// The signatures that are looked for, by their first two bytes: no signature is shorter, and few places in a file begin as one does.
#[derive(Debug)]
pub(super) struct Search {
    /// A bit for each pair of bytes.
    pairs: Vec<u64>,
    /// Sorted by their pairs.
    signatures: Vec<Signature>,
}

#[derive(Debug)]
struct Signature {
    pair: u16,
    rest: Vec<u8>,
    /// Index of its format.
    format: usize,
}

impl Search {
    pub(super) fn new(formats: &[Format]) -> Self {
        let searched = formats.iter().filter(|format| format.is_searched_for());
        let mut signatures: Vec<_> = searched.flat_map(signatures).collect();
        signatures.sort_by_key(|signature| signature.pair);
        let mut pairs = vec![0; 1 << 10];
        for signature in &signatures {
            pairs[usize::from(signature.pair >> 6)] |= 1 << (signature.pair & 63);
        }
        Self { pairs, signatures }
    }

    /// Opens the first archive of each format in the file from `from` on.
    pub(super) fn run(&self, formats: &[Format], from: u64, asking: &mut Asking<'_>) {
        let bytes = asking.input().bytes_at(0, FARTHEST + HEAD_BYTES as u64);
        let mut place =
            Place { formats, bytes: &bytes, is_found: vec![false; formats.len()], position: from };
        if from > 0 {
            place.ask_formats_without_signature(asking);
        }
        let farthest = bytes.len().min(usize::try_from(FARTHEST).unwrap_or(usize::MAX) + 2);
        for (at, pair) in bytes[..farthest].array_windows().enumerate() {
            let pair = u16::from_ne_bytes(*pair);
            if self.pairs[usize::from(pair >> 6)] & (1 << (pair & 63)) == 0 {
                continue;
            }
            for signature in self.signatures_with(pair) {
                if bytes[at + 2..].starts_with(&signature.rest) {
                    place.ask(&formats[signature.format], at as u64, asking);
                }
            }
            if asking.is_broken() {
                return;
            }
        }
    }

    fn signatures_with(&self, pair: u16) -> impl Iterator<Item = &Signature> {
        let first = self.signatures.partition_point(|signature| signature.pair < pair);
        self.signatures[first..].iter().take_while(move |signature| signature.pair == pair)
    }
}

fn signatures(format: &Format) -> impl Iterator<Item = Signature> {
    format.signatures.iter().filter_map(|signature| {
        let (pair, rest) = signature.split_first_chunk()?;
        Some(Signature { pair: u16::from_ne_bytes(*pair), rest: rest.to_vec(), format: format.index })
    })
}

/// Where the search has come to.
struct Place<'a> {
    formats: &'a [Format],
    bytes: &'a [u8],
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
        if self.is_found[format.index]
            || asking.is_broken()
            || !self.may_start(format, start, asking.input().size_bytes())
        {
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
        library::may_start(function, &rest[..rest.len().min(HEAD_BYTES)], size_bytes - start)
    }
}
