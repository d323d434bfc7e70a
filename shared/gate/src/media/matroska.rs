//! Hands the attachments of Matroska (RFC 9559, 5.1.6).
//!
//! They are found by their mark: players skip what is damaged in front of them.

use super::hand;
use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const ATTACHMENTS: &[u8] = b"\x19\x41\xa4\x69";
const ATTACHED_FILE: &[u8] = b"\x61\xa7";
const FILE_DATA: &[u8] = b"\x46\x5c";

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut from = 0;
    while let Some(at) = blob.find(from, ATTACHMENTS)? {
        from = at + 1;
        walk.count_attempt()?;
        let Some(attachments) = Element::read(&blob.tail(at))? else { continue };
        for file in attachments.children(ATTACHED_FILE)? {
            walk.count_attempt()?;
            for data in file.children(FILE_DATA)? {
                hand(walk, &data.content, depth)?;
            }
        }
    }
    Ok(())
}

struct Element {
    content: Blob,
    n_bytes: u64,
}

impl Element {
    fn read(blob: &Blob) -> std::io::Result<Option<Self>> {
        let start = blob.bytes_at(0, 12)?;
        let n_id = length(start.u8_at(0));
        let Some(n_size) = Some(length(start.at(n_id, 1).u8_at(0))).filter(|n| *n <= 8 && n_id <= 4) else {
            return Ok(None);
        };
        let number = start.at(n_id, n_size);
        let first = number.u8_at(0) & u8::try_from(0xff_u32 >> n_size).unwrap_or(0);
        let size = number.iter().skip(1).fold(u64::from(first), |sum, byte| sum << 8 | u64::from(*byte));
        let head = crate::blob::to_u64(n_id + n_size);
        // Cut at the end, and also where the size is unknown.
        let content = blob.slice(head, size);
        Ok((!number.is_empty()).then_some(Self { n_bytes: head + size, content }))
    }

    fn children(&self, id: &[u8]) -> std::io::Result<Vec<Self>> {
        const MOST: usize = 10_000;
        let (mut children, mut at) = (Vec::new(), 0);
        while children.len() < MOST
            && let Some(child) = Self::read(&self.content.tail(at))?
        {
            let is_it = self.content.bytes_at(at, id.len())? == id;
            at += child.n_bytes;
            children.extend(Some(child).filter(|_| is_it));
        }
        Ok(children)
    }
}

/// How many bytes a number has: one more than the zeros that its first byte begins with.
fn length(first: u8) -> usize {
    usize::try_from(first.leading_zeros()).unwrap_or(8) + 1
}
