//! Looks into members that are unpacked, and gives the engine those that it needs.

use std::io::{self, BufRead as _};

use sha2::{Digest as _, Sha256};

use super::{Given, Reach, Walk, Walked};
use crate::blob::Blob;
use crate::format::{begins_as_program, is_text_like_program};

/// What a member is to an engine that takes every text that begins with `MZ` for a broken program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    TextLikeProgram,
    HoldsTextLikeProgram,
    Other,
}

impl Walk<'_> {
    /// Looks into a member that is unpacked, and gives it to the engine where that is needed.
    pub(crate) fn visit(&mut self, blob: Blob, depth: u32, reach: Reach) -> Walked {
        match reach {
            Reach::Followed => self.visit_followed(blob, depth),
            Reach::Handed if blob.size_bytes() == 0 => Ok(()),
            Reach::Handed => {
                let digest = digest(&blob)?;
                self.visit_digested(blob, digest, depth)
            }
        }
    }

    /// Looks into a member that the engine finds by itself, and gives it to the engine if that is given every
    /// member.
    fn visit_followed(&mut self, blob: Blob, depth: u32) -> Walked {
        let kind = self.look_as(&blob, depth)?;
        if self.given == Given::Needed || blob.size_bytes() == 0 {
            return Ok(());
        }
        if kind == Kind::Other && !self.handed_digests.insert(digest(&blob)?) {
            return Ok(());
        }
        self.give_as(kind, blob)
    }

    /// Looks into a member and gives it to the engine, unless that was done for one with the same `digest`.
    pub(crate) fn visit_digested(&mut self, blob: Blob, digest: [u8; 32], depth: u32) -> Walked {
        if self.knows(&digest) {
            return Ok(());
        }
        self.handed_digests.insert(digest);
        match self.look_as(&blob, depth) {
            Ok(kind) => {
                if kind != Kind::Other {
                    self.text_digests.insert(digest);
                }
                // The engine finds what is in a container in its own ways too, macros for example, and this
                // one it does not reach through the whole: it is given even if it then counts as broken.
                match kind {
                    Kind::HoldsTextLikeProgram => self.give(blob),
                    Kind::TextLikeProgram | Kind::Other => self.give_as(kind, blob),
                }
            }
            Err(stop) => {
                // If it is found again, it must not count as one that passed.
                self.handed_digests.remove(&digest);
                Err(stop)
            }
        }
    }

    fn look_as(&mut self, blob: &Blob, depth: u32) -> Walked<Kind> {
        let is_text_like_program = is_text_like_program(blob)?;
        self.n_texts_like_programs += u64::from(is_text_like_program);
        let n_texts_before = self.n_texts_like_programs;
        self.look(blob, depth + 1)?;
        let holds_text = self.n_texts_like_programs > n_texts_before;
        Ok(match (is_text_like_program, holds_text) {
            (true, _) => Kind::TextLikeProgram,
            (false, true) if !begins_as_program(blob)? => Kind::HoldsTextLikeProgram,
            (false, _) => Kind::Other,
        })
    }

    /// If the engine is given every member, it is given a text that it takes for a program as text, and a
    /// container with such a text only by its members.
    fn give_as(&mut self, kind: Kind, blob: Blob) -> Walked {
        match (self.given, kind) {
            (Given::Every, Kind::TextLikeProgram) => Ok(self.give_as_text(&blob)?),
            (Given::Every, Kind::HoldsTextLikeProgram) => Ok(()),
            (Given::Every, Kind::Other) | (Given::Needed, _) => self.give(blob),
        }
    }

    /// Gives the engine a member that is not looked into, or only in part.
    pub(crate) fn give(&mut self, blob: Blob) -> Walked {
        self.handed.push(blob.kept_in(&self.scratch)?);
        Ok(())
    }

    /// Gives the engine a text so that it takes it for nothing else, whatever it begins with: behind a line
    /// break.
    pub(crate) fn give_as_text(&mut self, text: &Blob) -> io::Result<()> {
        let mut writer = self.writer();
        writer.write(b"\n")?;
        writer.write_blob(text)?;
        self.handed.push(writer.finish().kept_in(&self.scratch)?);
        Ok(())
    }

    /// Gives the engine a member, unless it is empty or given already.
    pub(crate) fn give_once(&mut self, blob: Blob) -> Walked {
        if blob.size_bytes() == 0 || self.knows(&digest(&blob)?) { Ok(()) } else { self.give(blob) }
    }

    /// Returns whether the engine is given these bytes already. If they hold a text like a program, so does
    /// whatever they are found in now.
    pub(crate) fn knows(&mut self, digest: &[u8; 32]) -> bool {
        self.n_texts_like_programs += u64::from(self.text_digests.contains(digest));
        self.handed_digests.contains(digest)
    }

    pub(crate) fn n_handed(&self) -> usize {
        self.handed.len()
    }
}

/// SHA-256: an attacker cannot make other bytes that pass for bytes that were given already.
pub(super) fn digest(blob: &Blob) -> io::Result<[u8; 32]> {
    let (mut hasher, mut reader) = (Sha256::new(), blob.reader());
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hasher.finalize().into());
        }
        hasher.update(bytes);
        let n_bytes = bytes.len();
        reader.consume(n_bytes);
    }
}
