//! Inflates the objects in bundles and packs of git, and applies their deltas (gitformat-bundle,
//! gitformat-pack). One whose base is in no object before it is refused.

use std::collections::HashMap;
use std::io::BufRead as _;

use domain::verdict::Unscannable;
use sha1::{Digest as _, Sha1};

use crate::blob::{Blob, BlobWriter, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Damage, Walk, Walked, malformed, refuse};

pub(super) const BUNDLES: [&[u8]; 2] = [b"# v2 git bundle\n", b"# v3 git bundle\n"];
pub(super) const PACK: &[u8] = b"PACK\0\0\0";

const BY_OFFSET: u8 = 6;
const BY_NAME: u8 = 7;

/// Lines up to an empty one, and a pack.
pub(super) fn walk_bundle(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    match blob.find(0, b"\n\nPACK")? {
        Some(at) => self::walk(walk, &blob.tail(at + 2), depth),
        None => malformed("git: a bundle without a pack"),
    }
}

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const HEADER: u64 = 12;
    let n_objects = u64::from(blob.bytes_at(8, 4)?.u32_be(0));
    walk.expect(n_objects, 0)?;
    let (mut at, mut objects) = (HEADER, Objects::default());
    for _ in 0..n_objects {
        at += walk_object(walk, blob, at, &mut objects, depth)?;
    }
    Ok(())
}

/// What deltas may be based on.
#[derive(Default)]
struct Objects {
    by_offset: HashMap<u64, (u8, Blob)>,
    /// The place of each.
    by_name: HashMap<[u8; 20], u64>,
}

impl Objects {
    fn add(&mut self, at: u64, kind: u8, content: Blob) -> Walked {
        let mut hasher = Sha1::new();
        let kind_name = ["", "commit", "tree", "blob", "tag"].get(usize::from(kind)).copied();
        hasher.update(format!("{} {}\0", kind_name.unwrap_or_default(), content.size_bytes()));
        let mut reader = content.reader();
        loop {
            let bytes = reader.fill_buf()?;
            let n_bytes = bytes.len();
            if n_bytes == 0 {
                break;
            }
            hasher.update(bytes);
            reader.consume(n_bytes);
        }
        self.by_name.insert(hasher.finalize().into(), at);
        self.by_offset.insert(at, (kind, content));
        Ok(())
    }

    fn base_of(&self, kind: u8, at: u64, reference: &[u8]) -> Option<&(u8, Blob)> {
        let base_at = if kind == BY_NAME {
            *self.by_name.get(<&[u8; 20]>::try_from(reference).ok()?)?
        } else {
            at.checked_sub(distance(reference))?
        };
        self.by_offset.get(&base_at)
    }
}

/// A kind and a size in seven bits of each byte, four in the first one; for a delta its base; then zlib.
/// Returns how many bytes it takes.
fn walk_object(walk: &mut Walk<'_>, blob: &Blob, at: u64, objects: &mut Objects, depth: u32) -> Walked<u64> {
    const KINDS: std::ops::RangeInclusive<u8> = 1..=4;
    const LONGEST_HEADER: usize = 32;
    let start = blob.bytes_at(at, LONGEST_HEADER)?;
    let kind = start.u8_at(0) >> 4 & 0x7;
    let n_size = n_continued(&start);
    let reference = match kind {
        BY_OFFSET => start.at(n_size, n_continued(&start[n_size.min(start.len())..])),
        BY_NAME => start.at(n_size, 20),
        _ => &[],
    };
    let is_delta = !reference.is_empty();
    if !KINDS.contains(&kind) && !is_delta {
        return malformed("git: an object that is none");
    }
    let n_header = to_u64(n_size + reference.len());
    let packed = blob.tail(at + n_header);
    let (mut reader, mut writer) = (packed.reader(), walk.new_member()?);
    walk.fill(&mut writer, &mut flate2::bufread::ZlibDecoder::new(&mut reader), Damage::Refused)?;
    let inflated = walk.kept(writer.finish())?;
    let (kind, content) = if is_delta {
        let Some((kind, base)) = objects.base_of(kind, at, reference) else {
            return refuse(Unscannable::UnsupportedContainer, "git: a delta whose base is elsewhere");
        };
        let mut writer = walk.new_member()?;
        apply(walk, base, &inflated, &mut writer)?;
        (*kind, walk.kept(writer.finish())?)
    } else {
        (kind, inflated)
    };
    walk.count_pointed(content.size_bytes())?;
    walk.visit_reading(content.clone(), depth)?;
    objects.add(at, kind, content)?;
    Ok(n_header + reader.position())
}

/// Sizes of the base and of the result; then instructions: copy from the base, or insert what follows.
fn apply(walk: &mut Walk<'_>, base: &Blob, delta: &Blob, writer: &mut BlobWriter) -> Walked {
    const LONGEST: u64 = 16 * 1024 * 1024;
    if delta.size_bytes() > LONGEST {
        return refuse(Unscannable::TooLarge, "git: a delta that is larger than the limit");
    }
    let bytes = delta.bytes_at(0, to_usize(delta.size_bytes()))?;
    let mut at = n_continued(&bytes);
    at += n_continued(&bytes[at.min(bytes.len())..]);
    while let Some(instruction) = bytes.get(at) {
        at += 1;
        let piece = if instruction & 0x80 == 0 {
            let n_bytes = usize::from(*instruction);
            at += n_bytes;
            Blob::from_bytes(bytes.at(at - n_bytes, n_bytes).to_vec())
        } else {
            // A bit for each byte that is there, four of the offset and three of the size.
            let mut number = 0_u64;
            for bit in (0..7).filter(|bit| instruction & 1 << bit != 0) {
                number |= u64::from(bytes.u8_at(at)) << (8 * bit);
                at += 1;
            }
            let n_bytes = number >> 32;
            base.slice(number & u64::from(u32::MAX), if n_bytes == 0 { 0x10000 } else { n_bytes })
        };
        walk.fill(writer, &mut piece.reader(), Damage::Refused)?;
    }
    Ok(())
}

/// How many bytes a number has: all but the last have the top bit.
fn n_continued(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1
}

/// How far in front a base is. Each byte counts from where fewer bytes end.
fn distance(bytes: &[u8]) -> u64 {
    let number = bytes.iter().fold(None, |number, byte| {
        let above = number.map_or(0, |number: u64| number.wrapping_add(1));
        Some(above << 7 | u64::from(byte & 0x7f))
    });
    number.unwrap_or_default()
}
