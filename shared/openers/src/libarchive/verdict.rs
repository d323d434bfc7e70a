//! Decides what a file is, by the answer of one filter or format and by those of all.

use gate::{Blob, Opened};

use super::bytes::bytes_at;
use super::complaint::Complaint;
use super::decoders::{Decoder, Mark, START_BYTES};
use super::members::Found;
use super::rar5;
use super::reader::Reader;

/// Decides about a file that could not be opened.
pub(super) fn unopened(decoder: Decoder, complaint: Complaint, blob: &Blob) -> Opened {
    match complaint {
        Complaint::Damaged if !is_sure(decoder, blob) => Opened::NotMine,
        _ => complaint.opened(),
    }
}

/// Decides about a file that was opened and read as far as possible.
pub(super) fn opened(decoder: Decoder, reader: &Reader<'_>, found: Found, blob: &Blob) -> Opened {
    if reader.is_unreadable() {
        return Opened::Unread;
    }
    let names_are_encrypted = reader.has_encrypted_members() && found.n_encrypted == 0;
    let is_encrypted_unseen = decoder.name == "rar5" && rar5::has_encrypted_members(blob).unwrap_or(true);
    match found.complaint {
        _ if names_are_encrypted || is_encrypted_unseen => Opened::Encrypted,
        Some(complaint) if found.n_headers == 0 => unopened(decoder, complaint, blob),
        Some(complaint) => complaint.opened(),
        None if found.n_headers == 0 && !is_sure(decoder, blob) => Opened::NotMine,
        None => Opened::Whole,
    }
}

/// Returns whether the claim is more than a guess. A claim on a file that cannot be read again counts as one.
fn is_sure(decoder: Decoder, blob: &Blob) -> bool {
    let rests_on = match decoder.mark {
        Mark::Weak => Ok(false),
        Mark::At(offset, bytes) => {
            bytes_at(blob, offset, u64::try_from(bytes.len()).unwrap_or(u64::MAX)).map(|there| there == bytes)
        }
        Mark::Start(is_start) => bytes_at(blob, 0, START_BYTES).map(|start| is_start(&start)),
        Mark::Strong => Ok(true),
    };
    rests_on.unwrap_or(true)
}

/// Returns the one of the two that says less about the file.
pub(super) fn worse(one: Opened, other: Opened) -> Opened {
    let rank = |opened| match opened {
        Opened::NotMine => 0,
        Opened::Whole => 1,
        Opened::Damaged => 2,
        Opened::TooMuchMemory => 3,
        Opened::Unsupported => 4,
        Opened::Encrypted => 5,
        Opened::Unread => 6,
    };
    if rank(other) > rank(one) { other } else { one }
}
