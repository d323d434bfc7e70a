//! Compound files: old Office documents, MSI, Outlook messages ([MS-CFB]). Their streams are handed over one by one.
//!
//! Writers fill unused fields as they like, and readers mind few of them. So the tables are read tolerantly here, and where readers find different
//! bytes for a stream, each of them gets them: by the header's limit for short streams or by the usual one, by sizes of 32 bits or of 64. Streams
//! that no storage lists are handed over as well.

mod directory;
mod header;
mod sectors;

use std::collections::BTreeSet;
use std::io::{self, Read as _};

use crate::blob::{Blob, to_usize};
use crate::capability::Method;
use crate::walk::{Damage, Reach, Stop, Walk, Walked, is_storage_trouble, malformed};
use crate::{encrypted, ole};

use directory::Entry;
use header::Header;
use sectors::{Chain, ChainEnd, Sectors};

/// What shorter streams have in common: they stand in the mini stream.
const USUAL_CUTOFF_BYTES: u64 = 4096;

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Compound)?;
    let Some(header) = Header::read(blob)? else {
        return malformed("compound file: sectors of an impossible size");
    };
    let file = sectors::of_file(blob, &header)?;
    let mut directory = Chain::to_its_end(blob, &file, header.directory_at);
    let Some(root) = next_entry(&mut directory)? else {
        return malformed("compound file: no directory");
    };
    let mini = sectors::of_mini_stream(blob, &file, &header, root.starts_at)?;
    let (mut is_damaged, mut refusal) = (false, None);
    while let Some(entry) = next_entry(&mut directory)? {
        if entry.is_stream() {
            let (is_whole, allowed) = hand_stream(walk, blob, &header, [&file, &mini], &entry, depth)?;
            is_damaged |= !is_whole && entry.is_known_kind();
            refusal = refusal.or(allowed.err());
        }
    }
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    if is_damaged || directory.end() == ChainEnd::Lost {
        return malformed("compound file: sectors that lead nowhere");
    }
    Ok(())
}

/// Hands over each reading of a stream. Returns whether one of them comes to a proper end, and why the document is to be refused once everything
/// is handed over: the engine may know another stream as malware.
fn hand_stream(
    walk: &mut Walk<'_>,
    blob: &Blob,
    header: &Header,
    [file, mini]: [&Sectors; 2],
    entry: &Entry,
    depth: u32,
) -> Walked<(bool, Walked)> {
    let (mut is_whole, mut allowed) = (false, Ok(()));
    for (is_mini, size_bytes) in readings(entry.size_bytes, header.cutoff_bytes) {
        let sectors = if is_mini { mini } else { file };
        let mut chain = Chain::new(blob, sectors, entry.starts_at, size_bytes);
        let mut writer = walk.new_member()?;
        walk.fill(&mut writer, &mut chain, Damage::Refused)?;
        is_whole |= chain.end() != ChainEnd::Lost;
        let content = writer.finish();
        let head = content.bytes_at(0, HEAD_BYTES)?;
        for name in &entry.names {
            allowed = allowed.and_then(|()| encrypted::refuse_protected_stream(name, &head));
        }
        walk.visit(content.clone(), depth, Reach::Handed)?;
        if entry.names.iter().any(|name| is_package(name)) {
            ole::hand_package(walk, &content, depth)?;
        }
    }
    Ok((is_whole, allowed))
}

/// Enough for what says that a document is encrypted.
const HEAD_BYTES: usize = 64 * 1024;

/// Whether a stream is in the mini stream, and its size. Files of version 3 may have anything in the upper half of a size.
fn readings(size_bytes: u64, cutoff_bytes: u64) -> BTreeSet<(bool, u64)> {
    let sizes = [size_bytes & u64::from(u32::MAX), size_bytes];
    let cutoffs = [cutoff_bytes, USUAL_CUTOFF_BYTES];
    sizes.into_iter().flat_map(|size| cutoffs.map(|cutoff| (size < cutoff, size))).collect()
}

/// Whether readers take a stream for a package. They go by its name, in whatever case.
fn is_package(name: &str) -> bool {
    name.eq_ignore_ascii_case("\u{1}Ole10Native")
}

fn next_entry(directory: &mut Chain<'_>) -> Walked<Option<Entry>> {
    let mut bytes = Vec::new();
    directory.by_ref().take(directory::ENTRY_BYTES).read_to_end(&mut bytes).or_else(trouble)?;
    Ok((bytes.len() == to_usize(directory::ENTRY_BYTES)).then(|| Entry::parse(&bytes)))
}

fn trouble<T>(error: io::Error) -> Walked<T> {
    if is_storage_trouble(&error) { Err(Stop::Trouble(error)) } else { malformed("compound file: damaged") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_by_every_size_and_limit() {
        let all = |size, cutoff| readings(size, cutoff).into_iter().collect::<Vec<_>>();
        assert_eq!(all(100, 4096), [(true, 100)]);
        assert_eq!(all(4096, 4096), [(false, 4096)]);
        assert_eq!(all(100, 0), [(false, 100), (true, 100)]);
        assert_eq!(all(5000, 65536), [(false, 5000), (true, 5000)]);
        assert_eq!(all((7 << 32) + 100, 4096), [(false, (7 << 32) + 100), (true, 100)]);
    }

    #[test]
    fn a_package_is_known_by_its_name() {
        assert!(is_package("\u{1}Ole10Native") && is_package("\u{1}OLE10NATIVE"));
        assert!(!is_package("Ole10Native") && !is_package("\u{1}Ole10Native2"));
    }
}
