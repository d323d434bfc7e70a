//! Finds zips that lie in pieces among other data: in the sectors of a compound file, in the pages of a
//! database.
//!
//! They are whole in a stream or a table, which is where their readers find them. A reader that is given the
//! file itself gets what happens to lie whole: what the directory points at, and what stands behind a local
//! header.

use std::collections::BTreeSet;

use crate::blob::{Blob, to_u64};
use crate::encrypted;
use crate::fields::Fields as _;
use crate::format::ZIP_LOCAL;
use crate::walk::{Damage, Reach, Walk, Walked};

use super::directory::{Directory, Listed};
use super::{require_method, unpack};

const LOCAL_BYTES: usize = 30;
/// How much of a directory that leads astray counts as one signature followed in vain.
const MEMBERS_PER_ATTEMPT: u64 = 16;
const BYTES_PER_ATTEMPT: u64 = 64 * 1024;

/// Returns whether a part of the directory is lost, or a member's header is not where the directory has it.
pub(super) fn is_in_pieces(blob: &Blob, directory: &Directory) -> Walked<bool> {
    if directory.damage.is_some() {
        return Ok(true);
    }
    for listed in &directory.entries {
        if !bytes_of_header(blob, directory.starts_at, listed)?.1.starts_with(ZIP_LOCAL) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Hands over what the directory gives, as far as it unpacks. What stands behind other headers is the
/// caller's to search for.
pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, directory: &Directory, depth: u32) -> Walked {
    let directory_bytes = directory.ends_at.saturating_sub(directory.begins_at);
    walk.count_attempts(1 + directory_bytes / BYTES_PER_ATTEMPT)?;
    walk.expect(to_u64(directory.entries.len()), 0)?;
    walk.count_attempts(to_u64(directory.entries.len()) / MEMBERS_PER_ATTEMPT)?;
    for listed in &directory.entries {
        // unzip counts from the file's start where it finds nothing.
        for starts_at in BTreeSet::from([directory.starts_at, 0]) {
            let (at, header) = bytes_of_header(blob, starts_at, listed)?;
            let names_bytes = u64::from(header.u16_le(26)) + u64::from(header.u16_le(28));
            let rest = blob.tail(at + to_u64(LOCAL_BYTES) + names_bytes);
            if header.starts_with(ZIP_LOCAL) {
                hand(walk, &rest, listed, &header, depth)?;
            } else if require_method(walk, listed.flags, listed.method).is_ok() {
                // Programs that go by the directory do not all look for a header's signature.
                hand_reading(walk, &rest, listed, listed.method, listed.packed_bytes, depth)?;
            }
        }
    }
    Ok(())
}

/// Where the directory has a header, and what stands there: nothing if that is outside.
fn bytes_of_header(blob: &Blob, starts_at: i128, listed: &Listed) -> Walked<(u64, Vec<u8>)> {
    let at = u64::try_from(starts_at + i128::from(listed.offset)).unwrap_or(u64::MAX).min(blob.size_bytes());
    Ok((at, blob.bytes_at(at, LOCAL_BYTES)?))
}

/// Unpacks a member by the directory, by its header, and by a method of the one and a size of the other.
fn hand(walk: &mut Walk<'_>, rest: &Blob, listed: &Listed, header: &[u8], depth: u32) -> Walked {
    for method in BTreeSet::from([listed.method, header.u16_le(8)]) {
        require_method(walk, listed.flags, method)?;
        for packed_bytes in BTreeSet::from([listed.packed_bytes, u64::from(header.u32_le(18))]) {
            hand_reading(walk, rest, listed, method, packed_bytes, depth)?;
        }
    }
    Ok(())
}

fn hand_reading(
    walk: &mut Walk<'_>,
    rest: &Blob,
    listed: &Listed,
    method: u16,
    packed_bytes: u64,
    depth: u32,
) -> Walked {
    let member = unpack(walk, &rest.slice(0, packed_bytes), method, Damage::CutOff)?;
    encrypted::refuse_protected_document(&listed.name, &member.blob)?;
    walk.visit(member.blob, depth, Reach::Handed)
}
