//! Walks through a file: every container and every member, within one budget.

mod limits;
mod visit;

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read};

use domain::password::Password;
use domain::verdict::{Decryption, Unscannable};

use crate::Gate;
use crate::blob::{Blob, BlobWriter, StorageTrouble, to_u64};
use crate::mail::Partial;
use crate::margins::Accounted;
use crate::opener::Opener;
use crate::refusal::Refusal;
use crate::scratch::Scratch;
use crate::unopened;

pub(crate) use limits::Counted;
use limits::Work;
use visit::digest;

/// Why a walk ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(Refusal),
    /// A refusal that openers cannot overrule, because other programs are known to differ.
    Disputed(Refusal),
    /// The container is sound except for encrypted members, and there is a password for the openers to try.
    Locked(Refusal),
    /// The file system failed. Says nothing about the bytes.
    Trouble(io::Error),
}

impl Stop {
    /// Turns [`Stop::Locked`] into a refusal, where no password is tried.
    pub(crate) fn without_password(self) -> Self {
        match self {
            Self::Locked(refusal) => Self::Refused(refusal),
            stop => stop,
        }
    }
}

pub(crate) type Walked<T = ()> = Result<T, Stop>;

pub(crate) fn refuse<T>(reason: Unscannable, seen: &'static str) -> Walked<T> {
    Err(Stop::Refused(Refusal { reason, seen: seen.into() }))
}

pub(crate) fn malformed<T>(seen: &'static str) -> Walked<T> {
    refuse(Unscannable::Malformed, seen)
}

pub(crate) fn disputed<T>(seen: &'static str) -> Walked<T> {
    Err(Stop::Disputed(Refusal { reason: Unscannable::Malformed, seen: seen.into() }))
}

/// Refuses an encrypted container, unless there is a password to try on it.
pub(crate) fn locked<T>(walk: &Walk<'_>, seen: &'static str) -> Walked<T> {
    let refusal = Refusal { reason: Unscannable::Encrypted, seen: seen.into() };
    Err(if walk.password.is_some() { Stop::Locked(refusal) } else { Stop::Refused(refusal) })
}

/// Direct reads of a blob fail only if the file system does.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Trouble(error)
    }
}

/// Whether the engine finds a container's members by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// The engine finds them: the container has the plain form that it reads.
    Followed,
    /// The engine may not find them: it is given each member as a stream of its own.
    Handed,
}

/// Which members the engine is given by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// Those that it does not find by itself.
    Needed,
    Every,
}

/// What becomes of a member whose decompressor reports damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Damage {
    Refused,
    /// The bytes before the damage are judged, because tools extract them. For containers in the middle of
    /// other data.
    CutOff,
}

pub(crate) struct Walk<'a> {
    pub(crate) gate: &'a Gate,
    scratch: Scratch,
    pub(crate) counted: Counted,
    work: Work,
    /// What of the blob that is being looked at is accounted for.
    pub(crate) accounted: Option<Accounted>,
    /// The member was found by so little evidence that it may be none. No others like it are searched for
    /// within it.
    pub(crate) is_in_doubtful_member: bool,
    /// The depth of the body of a message without MIME that is being looked at: bodies in it were found
    /// already.
    pub(crate) plain_body_depth: Option<u32>,
    /// Pieces of messages that stand in the mails that are being looked at.
    pub(crate) pieces: BTreeSet<Partial>,
    /// The blob to look at next is a body in chunks, as it was sent.
    pub(crate) is_in_chunks: bool,
    /// Most members are small: clearing a buffer for each would cost more than filling it.
    copy_buffer: Vec<u8>,
    /// Members that the engine finds by itself and takes for broken programs, though they are texts.
    pub(crate) n_texts_like_programs: u64,
    pub(crate) given: Given,
    handed: Vec<Blob>,
    /// Digests of what the engine is given, so that it is given equal members once: a document with a
    /// thousand formulas has a thousand equal streams that say "formula".
    handed_digests: HashSet<[u8; 32]>,
    /// Digests of those among them that are texts like programs or hold one.
    text_digests: HashSet<[u8; 32]>,
    pub(crate) openers: Vec<Box<dyn Opener>>,
    /// The uploader's password for what is encrypted.
    pub(crate) password: Option<Password>,
    /// How what is encrypted was decrypted so far.
    pub(crate) decryption: Decryption,
    /// Something encrypted was left to the engine.
    pub(crate) has_left_encrypted: bool,
}

const BYTE_BY_BYTE: u64 = 64 * 1024;
const COPY_BYTES: usize = 64 * 1024;

impl<'a> Walk<'a> {
    pub(crate) fn new(gate: &'a Gate, scratch: Scratch, openers: Vec<Box<dyn Opener>>) -> Self {
        Self {
            gate,
            scratch,
            counted: Counted::default(),
            work: Work::default(),
            accounted: None,
            is_in_doubtful_member: false,
            plain_body_depth: None,
            pieces: BTreeSet::new(),
            is_in_chunks: false,
            copy_buffer: Vec::new(),
            n_texts_like_programs: 0,
            given: Given::Needed,
            handed: Vec::new(),
            handed_digests: HashSet::new(),
            text_digests: HashSet::new(),
            openers,
            password: None,
            decryption: Decryption::None,
            has_left_encrypted: false,
        }
    }

    /// Returns the passwords to try on a document: the uploader's, and those of `known`, which programs try
    /// by themselves.
    pub(crate) fn passwords<'p>(&'p self, known: &'p [&'p str]) -> impl Iterator<Item = &'p str> {
        self.password.iter().map(Password::exposed).chain(known.iter().copied())
    }

    pub(crate) fn into_handed(self) -> Vec<Blob> {
        self.handed
    }

    /// Unpacks one member, looks into it, and gives it to the engine where that is needed.
    pub(crate) fn member(&mut self, source: &mut dyn Read, depth: u32, reach: Reach) -> Walked {
        let mut writer = self.new_member()?;
        self.fill(&mut writer, source, Damage::Refused)?;
        self.visit(writer.finish(), depth, reach)
    }

    /// Does the same for a stored member, without copying it.
    pub(crate) fn stored_member(&mut self, blob: Blob, depth: u32, reach: Reach) -> Walked {
        self.count_member()?;
        self.count_bytes(blob.size_bytes(), blob.size_bytes())?;
        self.account(&blob);
        self.visit(blob, depth, reach)
    }

    /// Unpacks one reader's reading of bytes that others may read differently. Empty and known results count
    /// against no limit.
    pub(crate) fn reading(&mut self, source: &mut dyn Read, depth: u32) -> Walked<Blob> {
        let mut writer = self.new_member()?;
        self.fill(&mut writer, source, Damage::Refused)?;
        self.visit_reading(writer.finish(), depth)
    }

    /// Does the same for data that may be damaged, up to the damage. `source` is called for each attempt.
    /// Returns whether the data was whole.
    pub(crate) fn reading_cut_off<R: Read>(
        &mut self,
        source: impl Fn() -> io::Result<R>,
        depth: u32,
    ) -> Walked<(Blob, bool)> {
        let mut writer = self.new_member()?;
        let is_whole = self.fill_whole(&mut writer, &mut source()?)?;
        if !is_whole {
            writer = self.writer();
            self.fill(&mut writer, &mut source()?, Damage::CutOff)?;
        }
        let blob = self.visit_reading(writer.finish(), depth)?;
        Ok((blob, is_whole))
    }

    /// Does the same for stored data.
    pub(crate) fn reading_of(&mut self, blob: Blob, depth: u32) -> Walked<Blob> {
        self.count_member()?;
        self.count_bytes(blob.size_bytes(), blob.size_bytes())?;
        self.account(&blob);
        self.visit_reading(blob, depth)
    }

    /// Does the same for a body in chunks that was looked into with its chunks joined: damage that openers
    /// find in it does not count.
    pub(crate) fn reading_of_chunks(&mut self, blob: Blob, depth: u32) -> Walked<Blob> {
        self.is_in_chunks = true;
        let read = self.reading_of(blob, depth);
        self.is_in_chunks = false;
        read
    }

    /// Does the same for a member that is unpacked and counted already.
    pub(crate) fn visit_reading(&mut self, blob: Blob, depth: u32) -> Walked<Blob> {
        let digest = digest(&blob)?;
        if blob.size_bytes() == 0 || self.knows(&digest) {
            self.uncount_member(blob.size_bytes());
        } else {
            self.visit_digested(blob.clone(), digest, depth)?;
        }
        Ok(blob)
    }

    /// Does the same for text that only looks like encoded data: source code and office documents are full of
    /// pieces of files. Nothing is refused for such a piece, unless it begins as an archive that is not
    /// opened; the engine is given what cannot be looked into.
    pub(crate) fn reading_of_guess(&mut self, source: &mut dyn Read, depth: u32) -> Walked<Blob> {
        let mut writer = self.new_member()?;
        self.fill(&mut writer, source, Damage::Refused)?;
        let blob = writer.finish();
        match self.visit_reading(blob.clone(), depth) {
            Err(Stop::Refused(refusal) | Stop::Disputed(refusal)) if self.leaves_to_engine(&refusal) => {
                unopened::refuse_surely_unopened(&blob)?;
                self.give(blob.clone()).map(|()| blob)
            }
            visited => visited,
        }
    }

    /// Returns whether the engine is given what is most likely no file, instead of its being refused. If it
    /// is encrypted, a finding of the engine that something is encrypted counts again, whatever else was
    /// decrypted.
    pub(crate) fn leaves_to_engine(&mut self, refusal: &Refusal) -> bool {
        self.has_left_encrypted |= refusal.reason == Unscannable::Encrypted;
        refusal.may_ask_engine()
    }

    pub(crate) fn new_member(&mut self) -> Walked<BlobWriter> {
        self.count_member()?;
        Ok(self.writer())
    }

    /// Returns a writer for data that may turn out not to be a member.
    pub(crate) fn writer(&self) -> BlobWriter {
        BlobWriter::new(&self.scratch)
    }

    /// Returns the same bytes, moved to the scratch file if they are in memory.
    pub(crate) fn kept(&self, blob: Blob) -> io::Result<Blob> {
        blob.kept_in(&self.scratch)
    }

    /// Unpacks `source` to its end into `writer`, counting every byte.
    pub(crate) fn fill(&mut self, writer: &mut BlobWriter, source: &mut dyn Read, damage: Damage) -> Walked {
        let mut buffer = std::mem::take(&mut self.copy_buffer);
        buffer.resize(COPY_BYTES, 0);
        let filled = self.fill_through(&mut buffer, writer, source, damage);
        self.copy_buffer = buffer;
        filled
    }

    fn fill_through(
        &mut self,
        buffer: &mut [u8],
        writer: &mut BlobWriter,
        source: &mut dyn Read,
        damage: Damage,
    ) -> Walked {
        loop {
            // A decompressor that reports damage drops what it wrote into the buffer before. Tools that
            // ignore damage keep it.
            let n_wanted = match damage {
                Damage::Refused => COPY_BYTES,
                Damage::CutOff if writer.size_bytes() < BYTE_BY_BYTE => 1,
                Damage::CutOff => 256,
            };
            let n_bytes = match source.read(&mut buffer[..n_wanted]) {
                Ok(0) => return Ok(()),
                Ok(n_bytes) => n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_storage_trouble(&error) => return Err(Stop::Trouble(error)),
                Err(_) if damage == Damage::CutOff => return Ok(()),
                Err(_) => return malformed("a member cannot be unpacked"),
            };
            self.count_bytes(to_u64(n_bytes), writer.size_bytes() + to_u64(n_bytes))?;
            writer.write(&buffer[..n_bytes])?;
        }
    }

    /// Unpacks data that may be damaged with large buffers. Returns `false`, and counts nothing, if it is
    /// damaged.
    pub(crate) fn fill_whole(&mut self, writer: &mut BlobWriter, source: &mut dyn Read) -> Walked<bool> {
        let n_bytes = self.counted.n_bytes;
        match self.fill(writer, source, Damage::Refused) {
            Ok(()) => Ok(true),
            Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::Malformed => {
                self.counted.n_bytes = n_bytes;
                Ok(false)
            }
            Err(stop) => Err(stop),
        }
    }
}

pub(crate) fn is_storage_trouble(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<StorageTrouble>()).is_some()
}

#[cfg(test)]
mod tests;
