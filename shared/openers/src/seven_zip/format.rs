//! Classifies 7-Zip's formats for the gate.

use super::abi::{Guid, IsStart, format_flags};
use gate::{Kind, MemberEnd, Opened};

/// What a format's archives are to a recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Its members are files that a recipient gets.
    Container,
    /// A text that is asked about by its name alone: see [`is_base64`].
    Base64,
    /// A container that nothing marks. At the start of every file the gate tries it itself, and takes less
    /// memory than 7-Zip would for bytes that only may be one.
    FoundByGate,
    /// A program: the engine reads it as one. An archive may stand behind it.
    Program,
    /// Nothing that is not in the file as it is.
    NoContainer,
}

/// How the library's complaints about an archive are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Weight {
    Full,
    /// The archive may be none: of damage, only what is written counts.
    Guess,
    /// Debian leaves RAR's decoders out. libarchive opens these, wherever they stand: what is not unpacked
    /// here is damage, which it may get over.
    NoDecoder,
}

impl Weight {
    pub(super) fn end(self, end: MemberEnd) -> MemberEnd {
        match (self, end) {
            (Self::Guess, MemberEnd::Damaged) => MemberEnd::Whole,
            (Self::NoDecoder, MemberEnd::Unsupported) => MemberEnd::Damaged,
            _ => end,
        }
    }

    pub(super) fn opened(self, opened: Opened) -> Opened {
        match (self, opened) {
            (Self::Guess, Opened::Damaged) => Opened::Whole,
            (Self::NoDecoder, Opened::Unsupported) => Opened::Damaged,
            _ => opened,
        }
    }
}

/// A format of the library.
#[derive(Clone, Debug)]
pub(super) struct Format {
    pub(super) index: usize,
    pub(super) class_id: Guid,
    pub(super) flags: u32,
    /// Any of these, at `signature_offset`.
    pub(super) signatures: Vec<Vec<u8>>,
    pub(super) signature_offset: usize,
    /// Tells from the first bytes.
    pub(super) is_start: Option<IsStart>,
    pub(super) role: Role,
    pub(super) kind: Option<Kind>,
    pub(super) weight: Weight,
}

impl Format {
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Returns whether 7-Zip looks for it behind the start of a file.
    pub(super) fn is_searched_for(&self) -> bool {
        matches!(self.role, Role::Container | Role::FoundByGate) && !self.has(format_flags::BY_EXTENSION_ONLY)
    }
}

/// The formats of 7-Zip 26.02 that are no containers; every other is one, also those of later versions.
pub(super) fn role(name: &str) -> Role {
    match name {
        // Their sections; the engine reads programs itself. Not `Mub`, several Mach-O programs in one file,
        // which may be anything.
        "ELF" | "MachO" | "PE" | "TE" => Role::Program,
        // COFF: parts of a program, for linkers. FLV: a film, whose sound and pictures are its items. Hash: a
        // list of checksums, with the names of other files. Split: the first of several files; alone, its
        // item is the file itself.
        "COFF" | "FLV" | "Hash" | "Split" => Role::NoContainer,
        "lzma" | "lzma86" => Role::FoundByGate,
        "Base64" => Role::Base64,
        _ => Role::Container,
    }
}

/// The decoder that a format cannot be unpacked without, if versions of the library lack it.
pub(super) fn decoder(name: &str) -> Option<&'static str> {
    match name {
        "Rar" => Some("Rar3"),
        "Rar5" => Some("Rar5"),
        _ => None,
    }
}

/// The kind that the gate walks itself.
pub(super) fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "7z" => Kind::SevenZip,
        "Ar" => Kind::Ar,
        "Cab" => Kind::Cabinet,
        "Compound" => Kind::Compound,
        "Iso" => Kind::Iso,
        "bzip2" => Kind::Bzip2,
        "gzip" => Kind::Gzip,
        "tar" => Kind::Tar,
        "xz" => Kind::Xz,
        "zip" => Kind::Zip,
        _ => return None,
    })
}

/// Returns whether a text that begins so may be base64 as a whole: at least 64 of its characters, and nothing
/// else but space.
///
/// 7-Zip decides by the name. Without the limit every word would be an archive.
pub(super) fn is_base64(head: &[u8]) -> bool {
    const FEWEST: usize = 64;
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_other = |byte: &u8| matches!(byte, b'=' | b'\t' | b'\n' | b'\r' | b' ');
    head.iter().all(|byte| is_letter(&byte) || is_other(byte))
        && head.iter().filter(is_letter).count() >= FEWEST
}
