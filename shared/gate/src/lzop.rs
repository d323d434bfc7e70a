//! Unpacks lzop: members one behind another, each a header and blocks of LZO1X. Neither the engine nor an
//! opener unpacks them; lzop(1) does, and so do tar, bsdtar and file managers, which run it.

mod block;
mod header;

use domain::verdict::Unscannable;

use self::block::Blocks;
use self::header::Header;
use crate::blob::{Blob, BlobWriter, to_u64};
use crate::walk::{Reach, Stop, Walk, Walked, refuse};

pub(crate) const MAGIC: &[u8] = b"\x89LZO\0\r\n\x1a\n";

/// Hands what the members unpack to, together and one by one: `lzop -dc` writes one stream, `lzop -x` a file
/// for each.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let unpacked = unpack(walk, blob, Filters::Undone, depth)?;
    unpacked.hand(walk, depth)?;
    unpacked.end?;
    if unpacked.has_filter {
        unpack(walk, blob, Filters::Ignored, depth)?.hand(walk, depth)?;
    }
    // lzop warns about what stands there, and has written everything else.
    walk.reading_of(unpacked.rest, depth).map(drop)
}

/// Hands what unpacks in the middle of other data. Programs that read lzop hold its signature alone.
pub(crate) fn walk_embedded(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    for filters in [Filters::Undone, Filters::Ignored] {
        let unpacked = unpack(walk, blob, filters, depth)?;
        unpacked.hand(walk, depth)?;
        if unpacked.data.size_bytes() > 0 {
            unpacked.end?;
        }
        if !unpacked.has_filter {
            break;
        }
    }
    Ok(())
}

/// What a reader makes of filters. libarchive ignores them where it has a decoder of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Filters {
    Undone,
    Ignored,
}

struct Unpacked {
    data: Blob,
    /// Where the data of each member ends.
    ends: Vec<u64>,
    has_filter: bool,
    rest: Blob,
    /// Whether that is all. If not, what came out before the damage is there.
    end: Walked,
}

impl Unpacked {
    fn hand(&self, walk: &mut Walk<'_>, depth: u32) -> Walked {
        walk.visit(self.data.clone(), depth, Reach::Handed)?;
        let mut start = 0;
        for end in &self.ends {
            walk.reading_of(self.data.slice(start, end - start), depth)?;
            start = *end;
        }
        Ok(())
    }
}

fn unpack(walk: &mut Walk<'_>, blob: &Blob, filters: Filters, depth: u32) -> Walked<Unpacked> {
    let mut writer = walk.new_member()?;
    let (mut at, mut ends, mut has_filter, mut end) = (0, vec![], false, Ok(()));
    while end.is_ok() && blob.bytes_at(at, MAGIC.len())? == MAGIC {
        walk.expect(to_u64(ends.len()) + 1, 0)?;
        let member = blob.tail(at);
        end = match Header::read(&member).and_then(|header| {
            has_filter |= header.filter > 0;
            // Readers of text and of PDF do not care where they find it.
            walk.reading_of(header.extra_field.clone(), depth)?;
            at += unpack_member(walk, &member, &header, filters, &mut writer)?;
            Ok(())
        }) {
            Err(Stop::Refused(refusal)) if refusal.may_ask_engine() => Err(Stop::Refused(refusal)),
            unpacked => Ok(unpacked?),
        };
        ends.push(writer.size_bytes());
    }
    Ok(Unpacked { data: writer.finish(), ends, has_filter, rest: blob.tail(at), end })
}

/// Returns how many bytes the member takes.
fn unpack_member(
    walk: &mut Walk<'_>,
    member: &Blob,
    header: &Header,
    filters: Filters,
    writer: &mut BlobWriter,
) -> Walked<u64> {
    if !matches!(header.method, 1..=3) || header.filter > header::MAX_FILTER {
        return refuse(Unscannable::UnsupportedContainer, "lzop: a method or a filter that is not known");
    }
    let mut blocks = Blocks::new(member, header, filters);
    while let Some(block) = blocks.next_block()? {
        let n_bytes = to_u64(block.len());
        walk.count_bytes(n_bytes, writer.size_bytes() + n_bytes)?;
        writer.write(block)?;
    }
    // What a wrong checksum stands over is handed as well: lzop writes it if it is told to.
    blocks.end()
}

#[cfg(test)]
mod tests;
