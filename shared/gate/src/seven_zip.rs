//! Walks 7z: one header, guarded by checksums, accounts for every byte (7-Zip's `7zFormat.txt`).

use std::io;

use domain::verdict::Unscannable;
use sevenz_rust2::{Archive, ArchiveReader, EncoderMethod, Error, Password};

use crate::blob::{Blob, to_u64, to_usize};
use crate::capability::Method;
use crate::embedded;
use crate::fields::Fields as _;
use crate::format::SEVEN_ZIP;
use crate::stream::MAX_DICTIONARY_KIB;
use crate::walk::{Reach, Stop, Walk, Walked, locked, malformed, refuse};

const START_HEADER_BYTES: u64 = 32;

/// How long the archive that begins here says that it is; `None` unless its start header's checksum is right.
pub(crate) fn announced_size(start: &[u8]) -> Option<u64> {
    let is_start = start.starts_with(SEVEN_ZIP)
        && start.at(12, 20).len() == 20
        && crc32fast::hash(start.at(12, 20)) == start.u32_le(8);
    let size = START_HEADER_BYTES.checked_add(start.u64_le(12))?.checked_add(start.u64_le(20))?;
    is_start.then_some(size)
}

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32, reach: Reach) -> Walked {
    let start = blob.bytes_at(0, to_usize(START_HEADER_BYTES))?;
    if announced_size(&start) != Some(blob.size_bytes()) {
        return malformed("7z: cut, or data behind its end");
    }
    let no_password = Password::empty();
    let memory_limit_kib = usize::try_from(MAX_DICTIONARY_KIB).unwrap_or(0);
    let archive = Archive::read_with_memory_limit(&mut blob.reader(), &no_password, memory_limit_kib)
        .map_err(|error| stop_of(walk, error))?;
    let packed = archive.pack_sizes().iter().fold(0u64, |sum, size| sum.saturating_add(*size));
    let is_covered = archive.pack_pos() == 0 && packed <= start.u64_le(12);
    if !is_covered {
        return malformed("7z: bytes that belong to no member");
    }
    // The rest of them are the header, packed; its size is not to be had here, so whatever else may be there
    // is looked for.
    walk.account(&blob.slice(START_HEADER_BYTES, packed));
    let behind = blob.slice(START_HEADER_BYTES + packed, start.u64_le(12) - packed);
    embedded::walk(walk, &behind, depth)?;
    let mut reach = reach;
    for block in &archive.blocks {
        for coder in &block.coders {
            reach = require_coder(walk, coder.encoder_method_id(), reach)?;
        }
        // The engine follows a few ways of chaining coders, and says nothing of the others.
        if block.coders.len() > 1 {
            reach = Reach::Handed;
        }
    }
    let declared = archive.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size));
    walk.expect(to_u64(archive.files.len()), declared)?;
    for file in &archive.files {
        walk.expect_member(file.size)?;
    }
    let mut reader = ArchiveReader::new_with_memory_limit(blob.reader(), no_password, memory_limit_kib)
        .map_err(|error| stop_of(walk, error))?;
    reader.set_thread_count(1);
    let mut stop = None;
    let unpacked = reader.for_each_entries(|file, source| {
        if !file.has_stream {
            return Ok(true);
        }
        walk.member(source, depth, reach).map(|()| true).map_err(|found| {
            stop = Some(found);
            Error::from(io::Error::from(io::ErrorKind::Interrupted))
        })
    });
    match (stop, unpacked) {
        (Some(stop), _) => Err(stop),
        (None, Err(error)) => Err(stop_of(walk, error)),
        (None, Ok(())) => Ok(()),
    }
}

/// What the engine's decoder reads; a filter that it has not been seen to undo makes the members be handed to
/// it.
fn require_coder(walk: &Walk<'_>, id: &[u8], reach: Reach) -> Walked<Reach> {
    let followed = |method| walk.require(method).map(|()| reach);
    match id {
        EncoderMethod::ID_COPY => followed(Method::SevenZipCopy),
        EncoderMethod::ID_LZMA => followed(Method::SevenZipLzma),
        EncoderMethod::ID_LZMA2 => followed(Method::SevenZipLzma2),
        EncoderMethod::ID_PPMD => followed(Method::SevenZipPpmd),
        EncoderMethod::ID_BCJ_X86 => followed(Method::SevenZipBcj),
        EncoderMethod::ID_BCJ2 => followed(Method::SevenZipBcj2),
        EncoderMethod::ID_AES256_SHA256 => locked(walk, "7z: encrypted"),
        EncoderMethod::ID_DELTA
        | EncoderMethod::ID_BCJ_ARM
        | EncoderMethod::ID_BCJ_ARM64
        | EncoderMethod::ID_BCJ_ARM_THUMB
        | EncoderMethod::ID_BCJ_PPC
        | EncoderMethod::ID_BCJ_IA64
        | EncoderMethod::ID_BCJ_SPARC => Ok(Reach::Handed),
        _ => refuse(Unscannable::UnsupportedContainer, "7z: a method that the engine cannot unpack"),
    }
}

fn stop_of(walk: &Walk<'_>, error: Error) -> Stop {
    match refusal_of(error) {
        Stop::Refused(refusal) if refusal.reason == Unscannable::Encrypted && walk.password.is_some() => {
            Stop::Locked(refusal)
        }
        stop => stop,
    }
}

fn refusal_of(error: Error) -> Stop {
    let refusal = match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => {
            refuse::<()>(Unscannable::Encrypted, "7z: encrypted")
        }
        Error::UnsupportedCompressionMethod(method) if method.contains("AES") => {
            refuse(Unscannable::Encrypted, "7z: encrypted")
        }
        Error::UnsupportedCompressionMethod(_) => {
            refuse(Unscannable::UnsupportedContainer, "7z: a method that the engine cannot unpack")
        }
        Error::MaxMemLimited { .. } => {
            refuse(Unscannable::UnsupportedContainer, "7z: needs more memory than the limit")
        }
        Error::Io(error, _) if crate::walk::is_storage_trouble(&error) => return Stop::Trouble(error),
        _ => malformed("7z: damaged"),
    };
    refusal.err().unwrap_or_else(|| Stop::Trouble(io::ErrorKind::Other.into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn reason(error: Error) -> Option<Unscannable> {
        match refusal_of(error) {
            Stop::Refused(refusal) | Stop::Disputed(refusal) | Stop::Locked(refusal) => Some(refusal.reason),
            Stop::Trouble(_) => None,
        }
    }

    #[test]
    fn the_reader_s_errors_have_their_reasons() {
        let unsupported = |method: &str| Error::UnsupportedCompressionMethod(method.to_owned());
        assert_eq!(reason(Error::PasswordRequired), Some(Unscannable::Encrypted));
        assert_eq!(reason(unsupported("AES256SHA256")), Some(Unscannable::Encrypted));
        assert_eq!(reason(unsupported("ZSTD")), Some(Unscannable::UnsupportedContainer));
        assert_eq!(reason(Error::NextHeaderCrcMismatch), Some(Unscannable::Malformed));
        let damaged = io::Error::from(io::ErrorKind::InvalidData);
        assert_eq!(reason(Error::Io(damaged, "".into())), Some(Unscannable::Malformed));
        // The blob's file was truncated: a fault of the disk, which says nothing about the bytes.
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let blob = Blob::in_file(Arc::new(file.try_clone().unwrap()), 0, 10).unwrap();
        file.set_len(0).unwrap();
        let trouble = io::copy(&mut blob.reader(), &mut io::sink()).unwrap_err();
        assert_eq!(reason(Error::Io(trouble, "".into())), None);
    }
}
