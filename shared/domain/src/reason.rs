//! The reasons for which a file is `unscannable` or in `error`, each with a code for programs and a sentence
//! for people.

use serde::{Deserialize, Serialize};

/// Why a file could not be checked as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unscannable {
    /// Storage keeps a `Content-Encoding` with the bytes; a client would decode them and save different
    /// bytes.
    ContentEncoding,
    Empty,
    Encrypted,
    ExpandsTooMuch,
    /// Unpacking the file crashed the inspector. This proves nothing about the file.
    InspectionFailed,
    Malformed,
    ScanTimeout,
    StaleDefinitions,
    TooDeep,
    TooLarge,
    TooManyFiles,
    UnsupportedContainer,
}

impl Unscannable {
    pub const ALL: [Self; 12] = [
        Self::ContentEncoding,
        Self::Empty,
        Self::Encrypted,
        Self::ExpandsTooMuch,
        Self::InspectionFailed,
        Self::Malformed,
        Self::ScanTimeout,
        Self::StaleDefinitions,
        Self::TooDeep,
        Self::TooLarge,
        Self::TooManyFiles,
        Self::UnsupportedContainer,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::ContentEncoding => "content_encoding",
            Self::Empty => "empty",
            Self::Encrypted => "encrypted",
            Self::ExpandsTooMuch => "expands_too_much",
            Self::InspectionFailed => "inspection_failed",
            Self::Malformed => "malformed",
            Self::ScanTimeout => "scan_timeout",
            Self::StaleDefinitions => "stale_definitions",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooManyFiles => "too_many_files",
            Self::UnsupportedContainer => "unsupported_container",
        }
    }

    /// A sentence for the person who uploaded the file.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ContentEncoding => {
                "We could not check this file because it was stored with a content encoding \
                 (gzip, for example). Please upload it again without the header `Content-Encoding`."
            }
            Self::Empty => "We could not check this file because it is empty.",
            Self::Encrypted => {
                "We could not check this file because it is password-protected. \
                 Remove the password and upload it again."
            }
            Self::ExpandsTooMuch => "We could not check this file because it unpacks to too much data.",
            Self::InspectionFailed => {
                "We could not check this file because our scanner failed while it looked inside."
            }
            Self::Malformed => "We could not check this file because it is damaged or not in a valid format.",
            Self::ScanTimeout => "We could not check this file because checking it takes too long.",
            Self::StaleDefinitions => {
                "We could not check this file because our virus definitions are out of date."
            }
            Self::TooDeep => "We could not check this file because it contains archives nested too deeply.",
            Self::TooLarge => "We could not check this file because it, or something in it, is too large.",
            Self::TooManyFiles => "We could not check this file because it contains too many files.",
            Self::UnsupportedContainer => {
                "We could not check this file because it is, or contains, \
                 a kind of archive that we cannot open."
            }
        }
    }
}

/// Why checking failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanError {
    /// The uploaded bytes differ from what was announced: another size, or another SHA-256.
    ContentMismatch,
    /// The engine died, hung, reported an internal error, or missed the canary, and so did the retries.
    EngineTrouble,
    /// The stored bytes could not be read.
    StorageTrouble,
}

impl ScanError {
    pub const ALL: [Self; 3] = [Self::ContentMismatch, Self::EngineTrouble, Self::StorageTrouble];

    pub const fn code(self) -> &'static str {
        match self {
            Self::ContentMismatch => "content_mismatch",
            Self::EngineTrouble => "engine_trouble",
            Self::StorageTrouble => "storage_trouble",
        }
    }

    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ContentMismatch => "The uploaded file's size or checksum differs from what was announced.",
            Self::EngineTrouble => {
                "We could not check this file because the virus scanner failed. Please upload it again."
            }
            Self::StorageTrouble => {
                "We could not check this file because it could not be read. Please upload it again."
            }
        }
    }
}
