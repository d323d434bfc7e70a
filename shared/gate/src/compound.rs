//! Walks compound files: old Office documents, MSI, Outlook messages ([MS-CFB]). The engine is given their
//! streams one by one.
//!
//! Writers fill unused fields as they like, and readers mind few of them. So the tables are read tolerantly
//! here, and where readers find different bytes for a stream, each of them gets them: by the header's limit
//! for short streams or by the usual one, by sizes of 32 bits or of 64. Streams that no storage lists are
//! handed over as well.

mod copy;
mod directory;
pub(crate) mod embedded;
mod header;
mod presentation;
mod sectors;

use std::collections::BTreeSet;
use std::io::{self, Read as _};

use crate::blob::{Blob, to_usize};
use crate::capability::Method;
use crate::walk::{Damage, Reach, Stop, Walk, Walked, is_storage_trouble, malformed};
use crate::{hangul, mail, office, ole};

use header::Header;
use sectors::{Chain, ChainEnd, Sectors};

pub(crate) use directory::Entry;

/// What shorter streams have in common: they stand in the mini stream.
const USUAL_CUTOFF_BYTES: u64 = 4096;

/// A compound file whose tables are read.
pub(crate) struct File<'a> {
    blob: &'a Blob,
    header: Header,
    sectors: Sectors,
    mini_sectors: Sectors,
}

/// Where a reader finds a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    is_mini: bool,
    starts_at: u32,
    size_bytes: u64,
}

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Compound)?;
    let Some(header) = Header::read(blob)? else {
        return malformed("compound file: sectors of an impossible size");
    };
    let sectors = sectors::of_file(blob, &header)?;
    let mut directory = Chain::to_its_end(blob, &sectors, header.directory_at);
    let Some(root) = next_entry(&mut directory)? else {
        return malformed("compound file: no directory");
    };
    let mini_sectors = sectors::of_mini_stream(blob, &sectors, &header, root.starts_at)?;
    let directory_at = header.directory_at;
    let file = File { blob, header, sectors, mini_sectors };
    // From the start: the tables are moved.
    let mut directory = Chain::to_its_end(blob, &file.sectors, directory_at);
    next_entry(&mut directory)?;
    let (mut is_damaged, mut is_hangul, mut streams) = (false, false, Vec::new());
    while let Some(entry) = next_entry(&mut directory)? {
        if entry.is_stream() {
            let stream = hand_stream(walk, &file, &entry, depth)?;
            is_damaged |= !stream.is_whole && entry.is_known_kind();
            is_hangul |= stream.is_header_of_hangul;
            streams.push(entry);
        }
    }
    if is_hangul {
        hangul::inflate_streams(walk, &file, &streams, depth)?;
    }
    streams.retain(office::is_of_interest);
    // Once everything is handed over: the engine may know another stream as malware.
    office::open(walk, &file, &streams, depth)?;
    if is_damaged || directory.end() == ChainEnd::Lost {
        return malformed("compound file: sectors that lead nowhere");
    }
    Ok(())
}

#[derive(Default)]
struct Stream {
    /// One of its readings comes to a proper end.
    is_whole: bool,
    is_header_of_hangul: bool,
}

/// Hands over each reading of a stream.
fn hand_stream(walk: &mut Walk<'_>, file: &File<'_>, entry: &Entry, depth: u32) -> Walked<Stream> {
    let mut stream = Stream::default();
    for extent in file.readings(entry) {
        let mut chain = file.chain(extent);
        let mut writer = walk.new_member()?;
        walk.fill(&mut writer, &mut chain, Damage::Refused)?;
        stream.is_whole |= chain.end() != ChainEnd::Lost;
        let content = writer.finish();
        walk.visit(content.clone(), depth, Reach::Handed)?;
        if entry.names().any(is_package) {
            ole::hand_package(walk, &content, depth)?;
        }
        if entry.names().any(presentation::is_document) {
            presentation::hand_objects(walk, &content, depth)?;
        }
        if entry.names().any(is_wide_body) {
            mail::hand_converted(walk, &content, b"utf-16le", depth)?;
        }
        stream.is_header_of_hangul |= hangul::is_header(entry, &content)?;
        if entry.names().any(is_narrow_body) {
            // Code page 65000, which its bytes do not show.
            mail::hand_converted(walk, &content, b"utf-7", depth)?;
        }
    }
    Ok(stream)
}

impl File<'_> {
    /// Every way in which readers find a stream.
    pub(crate) fn readings(&self, entry: &Entry) -> Vec<Extent> {
        let readings = readings(entry.size_bytes, self.header.cutoff_bytes).into_iter();
        let starts_at = entry.starts_at;
        readings.map(|(is_mini, size_bytes)| Extent { is_mini, starts_at, size_bytes }).collect()
    }

    fn chain(&self, extent: Extent) -> Chain<'_> {
        let sectors = if extent.is_mini { &self.mini_sectors } else { &self.sectors };
        Chain::new(self.blob, sectors, extent.starts_at, extent.size_bytes)
    }

    /// A stream that is handed over, and counted, already.
    pub(crate) fn content(&self, walk: &Walk<'_>, extent: Extent) -> io::Result<Blob> {
        let (mut chain, mut writer) = (self.chain(extent), walk.writer());
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            match chain.read(&mut buffer)? {
                0 => return Ok(writer.finish()),
                n_bytes => writer.write(&buffer[..n_bytes])?,
            }
        }
    }
}

const COPY_BYTES: usize = 64 * 1024;

/// Returns whether a stream is in the mini stream, and its size. Files of version 3 may have anything in the
/// upper half of a size.
fn readings(size_bytes: u64, cutoff_bytes: u64) -> BTreeSet<(bool, u64)> {
    let sizes = [size_bytes & u64::from(u32::MAX), size_bytes];
    let cutoffs = [cutoff_bytes, USUAL_CUTOFF_BYTES];
    sizes.into_iter().flat_map(|size| cutoffs.map(|cutoff| (size < cutoff, size))).collect()
}

/// Returns whether readers take a stream for a package. They go by its name, in whatever case.
fn is_package(name: &str) -> bool {
    name.eq_ignore_ascii_case("\u{1}Ole10Native")
}

/// Returns whether a stream is the body of a message, plain or HTML, in UTF-16 ([MS-OXMSG] 2.1.3). Converted
/// to a mail it is UTF-8, and readers of mail decode what is encoded in it.
fn is_wide_body(name: &str) -> bool {
    ["__substg1.0_1000001F", "__substg1.0_1013001F"].iter().any(|body| name.eq_ignore_ascii_case(body))
}

/// Returns whether a stream is a body in bytes, plain or HTML.
fn is_narrow_body(name: &str) -> bool {
    ["__substg1.0_1000001E", "__substg1.0_1013001E", "__substg1.0_10130102"]
        .iter()
        .any(|body| name.eq_ignore_ascii_case(body))
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

    #[test]
    fn a_message_has_its_body_in_a_stream_of_a_known_name() {
        assert!(is_wide_body("__substg1.0_1000001F") && is_wide_body("__substg1.0_1013001f"));
        assert!(!is_wide_body("__substg1.0_1000001E") && !is_wide_body("__substg1.0_0037001F"));
    }
}
