//! Signed or compressed data in a wrapper (CMS, RFC 5652 and RFC 3274: `smime.p7m`): mail programs and openssl show what is in it.

use flate2::bufread::ZlibDecoder;

use crate::blob::{Blob, BlobWriter, to_u64};
use crate::walk::{Damage, Walk, Walked};

/// The object identifiers of signed, digested, authenticated and compressed data: their content type stands before the content.
const WRAPPERS: [&[u8]; 4] = [
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x05",
    b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x02",
    COMPRESSED,
];
const COMPRESSED: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const IN_PIECES: u8 = 0x24;
const EXPLICIT_0: u8 = 0xa0;
const END: u8 = 0x00;
const IS_CONSTRUCTED: u8 = 0x20;

/// The head of a value in BER (X.690): its tag, and how many bytes follow, unless its end is marked.
struct Head {
    tag: u8,
    size: u64,
    content_at: u64,
}

/// Hands over the content of whatever is wrapped, if the blob begins with a wrapper.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const NEAR: usize = 64;
    let start = blob.bytes_at(0, NEAR)?;
    let holds = |identifier: &[u8]| memchr::memmem::find(&start, identifier).is_some();
    if start.first() != Some(&SEQUENCE) || !WRAPPERS.into_iter().any(holds) {
        return Ok(());
    }
    for content in contents(walk, blob)? {
        if holds(COMPRESSED) {
            let mut writer = walk.new_member()?;
            walk.fill(&mut writer, &mut ZlibDecoder::new(content.reader()), Damage::CutOff)?;
            walk.reading_of(writer.finish(), depth)?;
        }
        walk.reading_of(content, depth)?;
    }
    Ok(())
}

/// Every string of octets that is tagged `[0]`, as contents are, whole or in pieces. Sizes that go beyond their wrapper do not matter: readers
/// are not strict about them either.
fn contents(walk: &mut Walk<'_>, blob: &Blob) -> Walked<Vec<Blob>> {
    const MAX_VALUES: usize = 1_000_000;
    let (mut contents, mut pieces): (Vec<Blob>, Option<BlobWriter>) = (Vec::new(), None);
    let (mut at, mut is_behind_tag) = (0, false);
    for _ in 0..MAX_VALUES {
        let Some(head) = head(blob, at)? else { break };
        let is_piece = pieces.is_some() && matches!(head.tag, OCTETS | IN_PIECES | END);
        if !is_piece && let Some(writer) = pieces.take() {
            contents.push(writer.finish());
        }
        match (head.tag, &mut pieces) {
            (OCTETS, Some(writer)) => {
                walk.fill(writer, &mut blob.slice(head.content_at, head.size).reader(), Damage::Refused)?;
            }
            (OCTETS, None) if is_behind_tag => contents.push(blob.slice(head.content_at, head.size)),
            (IN_PIECES, None) if is_behind_tag => pieces = Some(walk.writer()),
            _ => {}
        }
        is_behind_tag = head.tag == EXPLICIT_0;
        let is_entered = head.tag & IS_CONSTRUCTED != 0;
        at = head.content_at.saturating_add(if is_entered { 0 } else { head.size });
    }
    contents.extend(pieces.map(BlobWriter::finish));
    Ok(contents)
}

fn head(blob: &Blob, at: u64) -> Walked<Option<Head>> {
    let bytes = blob.bytes_at(at, 10)?;
    let [tag, length, rest @ ..] = bytes.as_slice() else { return Ok(None) };
    let n_more = match length {
        0x81..=0x88 => usize::from(length - 0x80),
        _ => 0,
    };
    let size = match length {
        0..=0x7f => u64::from(*length),
        _ => rest.iter().take(n_more).fold(0, |size, byte| size << 8 | u64::from(*byte)),
    };
    Ok(Some(Head { tag: *tag, size, content_at: at + 2 + to_u64(n_more) }))
}
