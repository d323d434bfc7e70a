//! Comes to what a file is, to one filter or format and to all of them.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use gate::{Blob, Opened};

use super::complaint::Complaint;
use super::decoders::{Decoder, Mark};
use super::members::Found;
use super::reader::Reader;

/// Of a file that could not be opened.
pub(super) fn unopened(decoder: Decoder, complaint: Complaint, blob: &Blob) -> Opened {
    match complaint {
        Complaint::Damaged if !is_sure(decoder, blob) => Opened::NotMine,
        _ => complaint.opened(),
    }
}

/// Of a file that was opened, and read as far as it goes.
pub(super) fn opened(decoder: Decoder, reader: &Reader<'_>, found: Found, blob: &Blob) -> Opened {
    if reader.is_unreadable() {
        return Opened::Damaged;
    }
    let names_are_encrypted = reader.has_encrypted_members() && found.n_encrypted == 0;
    match found.complaint {
        _ if names_are_encrypted => Opened::Encrypted,
        Some(complaint) if found.n_headers == 0 => unopened(decoder, complaint, blob),
        Some(complaint) => complaint.opened(),
        None if found.n_headers == 0 && !is_sure(decoder, blob) => Opened::NotMine,
        None => Opened::Whole,
    }
}

/// Whether the claim is more than a guess.
fn is_sure(decoder: Decoder, blob: &Blob) -> bool {
    match decoder.mark {
        Mark::Weak => false,
        Mark::At(offset, bytes) => has(blob, offset, bytes).unwrap_or(true),
        Mark::Strong => true,
    }
}

fn has(blob: &Blob, offset: u64, bytes: &[u8]) -> io::Result<bool> {
    let mut reader = blob.reader();
    reader.seek(SeekFrom::Start(offset))?;
    let mut there = Vec::new();
    reader.take(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).read_to_end(&mut there)?;
    Ok(there == bytes)
}

/// The one of the two that says less about the file.
pub(super) fn worse(one: Opened, other: Opened) -> Opened {
    let rank = |opened| match opened {
        Opened::NotMine => 0,
        Opened::Whole => 1,
        Opened::Damaged => 2,
        Opened::TooMuchMemory => 3,
        Opened::Unsupported => 4,
        Opened::Encrypted => 5,
    };
    if rank(other) > rank(one) { other } else { one }
}
