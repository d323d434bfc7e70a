//! Inspects the structure of a file before the engine scans it: unpacks every container, and refuses what the
//! engine would not see as a whole.
//!
//! ClamAV 1.4 answers `OK` for much that it never unpacked, even with every alert on: concatenated and hidden
//! zips, headers that disagree, second streams, unknown methods and formats, members cut at a limit. The gate
//! walks every container that it knows, down to the innermost, and comes to one of three conclusions about
//! each:
//!
//! - the engine **follows** it: every byte is accounted for, in the one way that all readers agree on;
//! - it is sound, but the engine may not follow it (a zip behind a program, ZIP64, a second gzip stream): its
//!   members are **handed** to the engine, each as a stream of its own;
//! - it is **refused**: the scan would not cover the whole of it.
//!
//! Invariant: a container that the gate cannot walk to its end is refused, never passed.
//! Invariant: memory is bounded by constants; bytes, members and depth by [`Limits`], across the whole file.
//!
//! The decompressors are maintained crates. The structure around compressed data is read here, because those
//! crates hide the differences that matter.

mod ar;
mod arc;
mod ask;
mod blob;
mod cabinet;
mod capability;
mod ciphers;
mod classic_mac;
mod cms;
mod compound;
mod compressed_rtf;
mod cpio;
mod disks;
mod embedded;
mod empty_streams;
mod encrypted;
mod fields;
mod format;
mod hangul;
mod http;
mod inflate;
mod iso;
mod lbr;
mod look;
mod lz4_frames;
mod lzma_alone;
mod lzop;
mod mail;
mod margins;
mod markup;
mod media;
mod mszip;
mod office;
mod ole;
mod opener;
mod openpgp;
mod pdf;
mod rare;
mod refusal;
mod rtf;
mod scratch;
mod seven_zip;
mod shar;
mod stored;
mod stream;
mod survey;
mod tar;
mod text_encoding;
mod tnef;
mod tolerant;
mod unopened;
mod walk;
mod warc;
mod zip;
mod zisofs;
mod zstd_frames;

use std::fs::File;
use std::io;

pub use domain::password::Password;
pub use domain::verdict::Decryption;
use serde::{Deserialize, Serialize};

pub use blob::{Blob, BlobReader, Place, PlaceIn};
pub use capability::{Capabilities, Method, Sample};
pub use embedded::prepare;
pub use opener::{Kind, MemberEnd, MemberSink, Opened, Opener, Program};
pub use refusal::Refusal;

use scratch::Scratch;
use walk::{Given, Stop, Walk};

/// What the engine is allowed to unpack; the gate refuses what would go beyond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of one member. The engine cuts larger ones without a word.
    pub max_member_bytes: u64,
    /// Bytes that all members of one file unpack to, at all depths.
    pub max_total_bytes: u64,
    /// Members of one file, at all depths.
    pub max_members: u64,
    /// Containers within containers.
    pub max_depth: u32,
}

/// The gate for one engine: its limits, and what it was seen to open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gate {
    pub limits: Limits,
    pub capabilities: Capabilities,
}

/// What the gate makes of one file.
#[derive(Debug)]
pub struct Inspection {
    pub refusal: Option<Refusal>,
    /// Members that the engine must be given by themselves: without them its answer covers only a part.
    pub handed: Vec<Blob>,
    /// The file is a text that begins with `MZ`, as programs for Windows do, or has such a member. The engine
    /// reports a broken program, so it is also given that text as text, and every other member by itself:
    /// nothing hides behind that finding about the whole.
    pub is_text_like_program: bool,
    /// How what is encrypted was decrypted.
    pub decryption: Decryption,
}

impl Gate {
    /// Inspects `file` from its start. Members that are too large for memory, and those that the engine is
    /// given, are kept in `scratch`, an empty file. `password` opens what is encrypted. The `openers` are
    /// asked about the file and about every member. Returns an error only if one of the two files cannot be
    /// read or written; every sequence of bytes has an [`Inspection`].
    ///
    /// The bytes are hostile: a service calls this in a process of its own, which may crash or be killed
    /// (`shared/inspector`).
    pub fn inspect(
        &self,
        file: &File,
        scratch: File,
        mut openers: Vec<Box<dyn Opener>>,
        password: Option<Password>,
    ) -> io::Result<Inspection> {
        let blob = Blob::from_file(file.try_clone()?)?;
        if let Some(password) = &password {
            for opener in &mut openers {
                opener.use_password(password.clone());
            }
        }
        let mut walk = Walk::new(self, Scratch::new(scratch.try_clone()?), openers);
        walk.password.clone_from(&password);
        let is_text_like_program = format::is_text_like_program(&blob)?;
        let mut looked = walk.look(&blob, 0);
        // Such a finding about a member could be about any other member as well, so each is scanned by
        // itself.
        let has_text_like_program =
            looked.is_ok() && walk.n_texts_like_programs > 0 && !format::begins_as_program(&blob)?;
        if has_text_like_program {
            let openers = std::mem::take(&mut walk.openers);
            drop(walk);
            walk = Walk::new(self, Scratch::new(scratch), openers);
            walk.password = password;
            walk.given = Given::Every;
            looked = walk.look(&blob, 0);
        }
        if is_text_like_program {
            walk.give_as_text(&blob)?;
        }
        let refusal = match looked {
            Ok(()) => None,
            Err(Stop::Refused(refusal) | Stop::Disputed(refusal) | Stop::Locked(refusal)) => Some(refusal),
            Err(Stop::Trouble(error)) => return Err(error),
        };
        // A partial decryption does not count.
        let is_whole = refusal.is_none() && !walk.has_left_encrypted;
        let decryption = if is_whole { walk.decryption } else { Decryption::None };
        let is_text_like_program = is_text_like_program || has_text_like_program;
        Ok(Inspection { refusal, handed: walk.into_handed(), is_text_like_program, decryption })
    }
}
