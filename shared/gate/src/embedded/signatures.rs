//! Finds the signatures of containers in other data.

use std::io;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::HEADER;
use crate::blob::{Blob, SEARCH_WINDOW, to_u64, to_usize};
use crate::format::{CABINET, COMPOUND, GZIP_DEFLATE, RAR, SEVEN_ZIP, XZ, ZIP_END, ZIP_LOCAL};
use crate::{lzop, survey};

/// What the armor of OpenPGP and CMS begins with, behind dashes.
pub(crate) const ARMOR: &[u8] = b"-BEGIN ";

const SIGNATURES: &[(&[u8], Signature)] = &[
    (ZIP_LOCAL, Signature::Zip),
    (ZIP_END, Signature::ZipEnd),
    (SEVEN_ZIP, Signature::SevenZip),
    (CABINET, Signature::Cabinet),
    (XZ, Signature::Xz),
    (GZIP_DEFLATE, Signature::Gzip),
    (b"BZh", Signature::Bzip2),
    (b"ustar", Signature::Tar),
    (RAR, Signature::Rar),
    (b"\x60\xea", Signature::Arj),
    (b"MSWIM\0\0\0", Signature::Wim),
    (b"07070", Signature::Cpio),
    (b"\xc7\x71", Signature::Cpio),
    (b"\x71\xc7", Signature::Cpio),
    (b"!<arch>\n", Signature::Ar),
    (b"-lh", Signature::Lha),
    (b"-lz", Signature::Lha),
    (b"-pm", Signature::Lha),
    (b"\x01CD001\x01\0", Signature::Iso),
    (b"\xca\xfe\xba\xbe\0\0\0", Signature::MachO),
    (b"\xca\xfe\xba\xbf\0\0\0", Signature::MachO),
    (COMPOUND, Signature::Compound),
    (b"\x28\xb5\x2f\xfd", Signature::Zstd),
    (b"\x04\x22\x4d\x18", Signature::Lz4),
    (b"\x02\x21\x4c\x18", Signature::Lz4),
    (b"LZIP", Signature::Lzip),
    (b"\x1f\x9d", Signature::Compress),
    (lzop::MAGIC, Signature::Lzop),
    // What the usual options write.
    (b"\x5d\0\0", Signature::Lzma),
    (ARMOR, Signature::Armor),
    (b"BEGIN PGP ", Signature::Armor),
    (b"ta:", Signature::Address),
    (b"tA:", Signature::Address),
    (b"Ta:", Signature::Address),
    (b"TA:", Signature::Address),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signature {
    Zip,
    ZipEnd,
    SevenZip,
    Cabinet,
    Xz,
    Gzip,
    Bzip2,
    Tar,
    Rar,
    Arj,
    Wim,
    Cpio,
    Ar,
    Lha,
    Iso,
    MachO,
    Compound,
    Zstd,
    Lz4,
    Lzip,
    Compress,
    Lzop,
    Lzma,
    /// Several blocks make one message, so the first one stands for all.
    Armor,
    /// A `data:` URL, by its end: in any case, the whole word would be sixteen.
    Address,
}

/// The first signatures of a blob, in order: at most [`Signatures::MOST`] are kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    found: Vec<(u64, Signature)>,
    /// Where the search has come to.
    end: u64,
}

impl Signatures {
    pub(super) const MOST: usize = 4096;

    /// Adds those of the window that starts at `at`, the next one of the search.
    pub(crate) fn add_window(&mut self, at: u64, window: &[u8]) {
        let mut from = to_usize(self.end.saturating_sub(at));
        while self.found.len() < Self::MOST {
            let next = next_signature(window, from).filter(|(start, _)| *start < SEARCH_WINDOW);
            let Some((start, signature)) = next else {
                self.end = at + to_u64(SEARCH_WINDOW);
                return;
            };
            self.found.push((at + to_u64(start), signature));
            // From the next byte on: one signature can begin within another, as in `07070701`.
            from = start + 1;
            self.end = at + to_u64(from);
        }
    }

    /// The next signature from `from` on, and where it stands. Places must not run backwards.
    pub(super) fn next(&mut self, blob: &Blob, from: u64) -> io::Result<Option<(u64, Signature)>> {
        loop {
            let n_passed = self.found.partition_point(|(at, _)| *at < from);
            if let Some(found) = self.found.get(n_passed) {
                return Ok(Some(*found));
            }
            if self.end >= blob.size_bytes() {
                return Ok(None);
            }
            self.search_on(blob, from)?;
        }
    }

    fn search_on(&mut self, blob: &Blob, from: u64) -> io::Result<()> {
        self.found.clear();
        self.end = self.end.max(from);
        let mut windows = blob.windows(self.end, HEADER);
        while self.found.len() < Self::MOST
            && let Some((at, window)) = windows.next_window()?
        {
            self.add_window(at, window);
        }
        Ok(())
    }
}

/// What stands behind signatures: read once where several are close together.
#[derive(Debug)]
pub(super) struct Heads<'a> {
    blob: &'a Blob,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> Heads<'a> {
    pub(super) fn new(blob: &'a Blob) -> Self {
        Self { blob, window: Vec::new(), window_at: 0 }
    }

    /// [`HEADER`] bytes from `at` on; fewer only where the blob ends. Places must not run backwards.
    pub(super) fn head(&mut self, at: u64) -> io::Result<&[u8]> {
        let n_passed = to_usize(at - self.window_at);
        if n_passed + HEADER > self.window.len() {
            self.window = self.blob.bytes_at(at, 2 * HEADER)?;
            self.window_at = at;
        }
        let start = to_usize(at - self.window_at);
        Ok(&self.window[start..self.window.len().min(start + HEADER)])
    }
}

fn next_signature(window: &[u8], from: usize) -> Option<(usize, Signature)> {
    let hit = SEARCHER.find(Input::new(window).span(from.min(window.len())..window.len()))?;
    Some((hit.start(), SIGNATURES[hit.pattern().as_usize()].1))
}

#[expect(clippy::expect_used, reason = "it fails for more patterns than memory holds, or never")]
static SEARCHER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let signatures = SIGNATURES.iter().map(|(signature, _)| signature);
    let searcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(signatures);
    searcher.expect("a handful of short patterns")
});

/// Builds what every search for signatures needs, which otherwise the first one does: for a process that is
/// copied for each file.
pub fn prepare() {
    LazyLock::force(&SEARCHER);
    survey::prepare();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::Survey;

    #[test]
    fn as_many_signatures_are_found_as_there_are() {
        for (n_expected, n_between) in [(0, 0), (Signatures::MOST - 1, 3), (Signatures::MOST * 2 + 1, 60)] {
            let blob = Blob::from_bytes([b"07070", &vec![b' '; n_between][..]].concat().repeat(n_expected));
            let mut signatures = Survey::of(&blob).unwrap().signatures;
            let (mut places, mut from) = (vec![], 0);
            while let Some((at, signature)) = signatures.next(&blob, from).unwrap() {
                assert_eq!(signature, Signature::Cpio);
                places.push(at);
                from = at + 1;
            }
            let n_step = to_u64(5 + n_between);
            assert_eq!(places, (0..to_u64(n_expected)).map(|index| index * n_step).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_passed_is_not_found() {
        let blob = Blob::from_bytes(b"BZh ustar 07070701".to_vec());
        let mut signatures = Survey::of(&blob).unwrap().signatures;
        assert_eq!(signatures.next(&blob, 1).unwrap(), Some((4, Signature::Tar)));
        assert_eq!(signatures.next(&blob, 10).unwrap(), Some((10, Signature::Cpio)));
        assert_eq!(signatures.next(&blob, 11).unwrap(), Some((12, Signature::Cpio)));
        assert_eq!(signatures.next(&blob, 13).unwrap(), None);
    }
}
