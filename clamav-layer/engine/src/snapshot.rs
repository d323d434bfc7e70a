//! The snapshot format: the memory of an engine that has loaded its definitions, and the conditions of its
//! use.
//!
//! ```text
//! "AIRSNAP1" | length of the contents, u64 LE | their SHA-256 | contents, JSON | frames, tier by tier
//! ```
//!
//! Each frame is compressed by itself and has its SHA-256 in the contents. The first tiers have the pages
//! that a scan touches first, so an engine can start while the rest of a snapshot is being downloaded.

pub(crate) mod build;
pub(crate) mod image;
pub(crate) mod relocations;
pub(crate) mod restore;
pub(crate) mod source;
pub(crate) mod training;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::arena::{Extent, Module, PAGE};
use crate::conf::Load;
use crate::snapshot::source::Source;

/// Magic, length and digest.
const HEAD_BYTES: usize = 48;
const MAGIC: &[u8; 8] = b"AIRSNAP1";
/// Contents have a few hundred kilobytes; longer ones are refused.
const MAX_CONTENTS: u64 = 64 << 20;
/// Bytes of a frame, unpacked: small enough that one fault is handled quickly.
pub(crate) const FRAME_BYTES: usize = 512 << 10;

/// The table of contents of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// As `VERSION` says it.
    pub(crate) engine_version: String,
    pub(crate) load: Load,
    /// The definitions that were loaded; see [`database_digests`].
    pub(crate) database: Vec<(String, String)>,
    pub(crate) n_signatures: u32,
    /// Version and date of the official daily database, if there is one, as `VERSION` says them.
    pub(crate) daily: Option<(u32, String)>,
    /// The engine's answer about the test file.
    pub(crate) canary: String,
    pub(crate) arena: Extent,
    pub(crate) engine_address: u64,
    /// Libraries that it points into, with their addresses at the time of the snapshot, to which its pointers
    /// refer.
    pub(crate) modules: Vec<Module>,
    pub(crate) frames: Vec<Frame>,
}

/// Some pages of the arena.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) tier: u8,
    pub(crate) offset: u64,
    /// Its length in the file.
    pub(crate) length: usize,
    pub(crate) sha256: String,
    /// Unpacked; the same as `length` if it is not compressed.
    pub(crate) raw_length: usize,
    pub(crate) is_compressed: bool,
    /// First page and number of pages, in the order of the frame's bytes.
    pub(crate) runs: Vec<(u32, u32)>,
    /// Offsets in the unpacked frame of words that point into a module, and which.
    pub(crate) relocations: Vec<(u32, u8)>,
}

impl Frame {
    pub(crate) fn n_pages(&self) -> usize {
        self.runs.iter().map(|(_, n)| *n as usize).sum()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads and checks the contents, which must have `digest` if one is given. Frames are checked when they are
/// used.
pub(crate) fn read_contents(source: &Source, digest: Option<&str>) -> anyhow::Result<Contents> {
    let mut head = [0; HEAD_BYTES];
    source.read_exact_at(&mut head, 0).context("the snapshot is truncated")?;
    ensure!(&head[..8] == MAGIC, "this is not a snapshot");
    let length = u64::from_le_bytes(head[8..16].try_into()?);
    ensure!(length <= MAX_CONTENTS, "the snapshot's contents are damaged");
    let mut text = vec![0; usize::try_from(length)?];
    source.read_exact_at(&mut text, HEAD_BYTES as u64).context("the snapshot is truncated")?;
    ensure!(Sha256::digest(&text).as_slice() == &head[16..], "the snapshot's contents are damaged");
    ensure!(
        digest.is_none_or(|digest| digest == hex(&head[16..])),
        "the snapshot's contents have another digest than the given one"
    );
    let contents: Contents = serde_json::from_slice(&text)?;
    check_layout(&contents, source.size())?;
    Ok(contents)
}

/// Checks that each page is in one frame at most, and nothing is outside of the file or the arena. A digest
/// proves who wrote it, not that it is sound.
fn check_layout(contents: &Contents, file_size: u64) -> anyhow::Result<()> {
    ensure!(contents.arena.is_sound(), "the arena's place is wrong");
    let mut is_placed = vec![false; contents.arena.n_pages()];
    for frame in &contents.frames {
        let end = frame.offset.checked_add(frame.length as u64);
        ensure!(end.is_some_and(|end| end <= file_size), "the snapshot is truncated");
        ensure!(
            frame.raw_length <= FRAME_BYTES && frame.raw_length == frame.n_pages() * PAGE,
            "a frame's size is wrong"
        );
        ensure!(frame.length <= zstd::zstd_safe::compress_bound(FRAME_BYTES), "a frame's size is wrong");
        for (first, n) in &frame.runs {
            let pages = is_placed.get_mut(*first as usize..(*first as usize).saturating_add(*n as usize));
            for page in pages.context("a page is outside of the arena")? {
                ensure!(!std::mem::replace(page, true), "a page is there twice");
            }
        }
        for (offset, module) in &frame.relocations {
            let is_inside =
                *offset as usize + 8 <= frame.raw_length && (*module as usize) < contents.modules.len();
            ensure!(is_inside, "a relocation is outside of its frame");
        }
    }
    Ok(())
}

/// The bytes that are read at each end of a file.
const END_BYTES: u64 = 64 << 10;

/// Identifies the definitions in a directory: names, and digests of size, beginning and end, in order of the
/// names. This distinguishes sets and does not prove that they are whole: the snapshot's own memory is used,
/// every byte of which has its digest.
pub(crate) fn database_digests(directory: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut digests = vec![];
    for entry in std::fs::read_dir(directory).with_context(|| format!("`{}`", directory.display()))? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let Ok(name) = entry.file_name().into_string() else { bail!("a file's name is not UTF-8") };
        let mut file = std::fs::File::open(entry.path())?;
        let size = file.metadata()?.len();
        let mut ends = size.to_le_bytes().to_vec();
        (&file).take(END_BYTES).read_to_end(&mut ends)?;
        file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES)))?;
        (&file).take(END_BYTES).read_to_end(&mut ends)?;
        digests.push((name, sha256(&ends)));
    }
    digests.sort();
    Ok(digests)
}
