//! What is done with a file or a member: walked strictly where the gate knows its kind, shown to every opener, searched for what hides in it.

use std::ops::Range;

use crate::ask::{self, Asked};
use crate::blob::Blob;
use crate::capability::Method;
use crate::format::{Format, is_text, sniff};
use crate::opener::Program;
use crate::refusal::Refusal;
use crate::walk::{Reach, Stop, Walk, Walked, refuse};
use crate::{
    ar, cabinet, cms, compound, embedded, encrypted, iso, lzma_alone, mail, openpgp, seven_zip, stream, tar,
    zip,
};
use domain::verdict::Unscannable;

impl Walk<'_> {
    /// Looks at a file or a member, `depth` containers down.
    pub(crate) fn look(&mut self, blob: &Blob, depth: u32) -> Walked {
        let format = sniff(blob)?;
        // Containers are found in other data as well: what is too deep to hold one is not looked at, whatever it is.
        let max_depth = self.gate.limits.max_depth;
        if depth > max_depth || (format.is_container() && depth == max_depth) {
            return refuse(Unscannable::TooDeep, "containers nested too deeply");
        }
        let outer = std::mem::replace(&mut self.is_in_parts, false);
        let looked = self.look_at(format, blob, depth);
        self.is_in_parts = outer;
        looked
    }

    fn look_at(&mut self, format: Format, blob: &Blob, depth: u32) -> Walked {
        // Whatever a blob is besides: readers of messages do not care, and a tar may begin with a name that
        // is none.
        let message = openpgp::walk(self, blob, depth)?;
        let wrapper = cms::walk(self, blob, depth)?;
        let in_parts = message.or(wrapper);
        let counted = self.counted;
        let asked = match self.walk_strictly(format, blob, depth) {
            Ok(()) => {
                self.is_in_parts = in_parts.is_some();
                let asked = self.ask_about(format, blob, depth);
                self.unless_in_parts(asked)?.unwrap_or(Asked::NotAnArchive)
            }
            Err(Stop::Refused(refusal)) if format.has_second_opinion() && may_be_overruled(&refusal) => {
                self.counted = counted;
                ask::second_opinion(self, blob, format, refusal, depth)?;
                Asked::Given
            }
            Err(stop) => return Err(stop),
        };
        self.search(format, asked, blob, depth)?;
        // What stands around the parts is searched as strictly as anything.
        if let Some(Range { start, end }) = in_parts.filter(|_| self.is_in_parts) {
            self.is_in_parts = false;
            for around in [blob.slice(0, start), blob.tail(end)] {
                self.search(format, asked, &around, depth)?;
            }
        }
        Ok(())
    }

    /// Searches for what hides in a blob.
    fn search(&mut self, format: Format, asked: Asked, blob: &Blob, depth: u32) -> Walked {
        if !format.may_hide_containers() {
            embedded::walk_armor(self, blob, depth)?;
        }
        if format == Format::Zip {
            return Ok(());
        }
        let may_hide = match format {
            // It only looked like one.
            Format::Foreign(_) => asked == Asked::NotAnArchive,
            format => format.may_hide_containers(),
        };
        if may_hide {
            mail::walk(self, blob, depth)?;
        }
        for rest in embedded::walk_zip_at_end(self, blob, depth)? {
            if may_hide {
                embedded::walk(self, &rest, depth)?;
            }
        }
        Ok(())
    }

    /// Reads the one structure that all readers of a kind of container agree on, or refuses it.
    fn walk_strictly(&mut self, format: Format, blob: &Blob, depth: u32) -> Walked {
        match format {
            Format::Zip => zip::walk(self, blob, depth),
            Format::Gzip => stream::walk_gzip(self, blob, depth),
            Format::Bzip2 => stream::walk_bzip2(self, blob, depth),
            Format::Xz => stream::walk_xz(self, blob, depth),
            Format::Tar => tar::walk(self, blob, depth),
            Format::SevenZip => seven_zip::walk(self, blob, depth, Reach::Followed),
            Format::Cabinet => cabinet::walk(self, blob, depth, Reach::Followed),
            Format::Iso => iso::walk(self, blob, depth),
            Format::Ar => ar::walk(self, blob, depth),
            Format::Compound => compound::walk(self, blob, depth),
            Format::Mail => self.require(Method::Mail),
            Format::Pdf => encrypted::refuse_encrypted_pdf(blob),
            Format::Other => lzma_alone::walk(self, blob, depth),
            Format::Ambiguous | Format::Foreign(_) => Ok(()),
        }
    }

    /// Asks the openers. What only a signature says is an archive is refused, unless an opener knows better, or it is plain text.
    fn ask_about(&mut self, format: Format, blob: &Blob, depth: u32) -> Walked<Asked> {
        let asked = ask::ask(self, blob, format.kind(), depth)?;
        if asked == Asked::Given || is_text(blob)? {
            return Ok(asked);
        }
        match format {
            Format::Ambiguous => refuse(Unscannable::UnsupportedContainer, "two formats at once"),
            Format::Foreign(foreign) if !self.has_one_of(foreign.opened_by) => {
                refuse(Unscannable::UnsupportedContainer, foreign.name)
            }
            _ => Ok(asked),
        }
    }

    /// Takes damage for none where the beginning of a part may be the damage. `None` stands for it.
    pub(crate) fn unless_in_parts<T>(&self, walked: Walked<T>) -> Walked<Option<T>> {
        match walked {
            Err(Stop::Refused(refusal)) if self.is_in_parts && refusal.reason == Unscannable::Malformed => {
                Ok(None)
            }
            walked => walked.map(Some),
        }
    }

    fn has_one_of(&self, programs: &[Program]) -> bool {
        self.openers.iter().any(|opener| programs.contains(&opener.program()))
    }
}

/// What a reader that knows more than the gate may get over.
fn may_be_overruled(refusal: &Refusal) -> bool {
    matches!(refusal.reason, Unscannable::Malformed | Unscannable::UnsupportedContainer)
}
