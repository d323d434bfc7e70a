//! Looks at a file or a member: walks it strictly where the gate knows its format, asks every opener, and
//! searches for what hides in it.

use crate::ask::{self, Asked};
use crate::blob::Blob;
use crate::capability::Method;
use crate::format::{Format, SEVEN_ZIP_OPENS, is_text, sniff};
use crate::margins::Accounted;
use crate::ole::active_mime;
use crate::opener::{Kind, Program};
use crate::refusal::Refusal;
use crate::survey::Survey;
use crate::walk::{Reach, Stop, Walk, Walked, refuse};
use crate::{
    ar, arc, cabinet, classic_mac, cms, compound, compressed_rtf, cpio, disks, embedded, empty_streams,
    hangul, http, iso, lbr, lz4_frames, lzma_alone, lzop, mail, margins, markup, media, openpgp, pdf, rare,
    rtf, seven_zip, shar, stored, stream, tar, tnef, tolerant, unopened, warc, zip, zisofs, zstd_frames,
};
use domain::verdict::Unscannable;

impl Walk<'_> {
    /// Looks at a file or a member, `depth` containers down.
    pub(crate) fn look(&mut self, blob: &Blob, depth: u32) -> Walked {
        let outer = self.accounted.replace(Accounted::of(blob));
        let looked = self.look_at(blob, depth);
        self.accounted = outer;
        looked
    }

    fn look_at(&mut self, blob: &Blob, depth: u32) -> Walked {
        let format = sniff(blob)?;
        let is_in_chunks = std::mem::take(&mut self.is_in_chunks);
        // Containers are found in other data as well: what is too deep to hold one is not looked at, whatever
        // it is.
        let max_depth = self.gate.limits.max_depth;
        if depth > max_depth || (format.is_container() && depth == max_depth) {
            return refuse(Unscannable::TooDeep, "containers nested too deeply");
        }
        // Whatever a blob is besides: readers of messages do not care, and a tar may begin with a name that
        // is none.
        openpgp::walk(self, blob, depth)?;
        cms::walk(self, blob, depth)?;
        let counted = self.counted;
        let asked = match self.walk_strictly(format, blob, depth) {
            Ok(()) => {
                let walked = if is_in_chunks { Some(Kind::Http) } else { format.kind() };
                self.ask_about(format, walked, blob, depth)?
            }
            Err(Stop::Locked(refusal)) => {
                self.counted = counted;
                ask::open_with_password(self, blob, refusal, depth)?
            }
            Err(Stop::Refused(refusal)) if format.has_second_opinion() && may_be_overruled(&refusal) => {
                self.counted = counted;
                ask::second_opinion(self, blob, format, refusal, depth)?;
                Asked::Given
            }
            Err(stop) => return Err(stop),
        };
        self.search(format, asked, blob, depth)
    }

    /// Searches for what hides in a blob.
    fn search(&mut self, format: Format, asked: Asked, blob: &Blob, depth: u32) -> Walked {
        // arc(1) does not care what the data is that an archive stands in.
        arc::search(self, blob, depth)?;
        disks::refuse_unopened(format, asked, blob)?;
        if format == Format::Zip {
            embedded::walk_armor(self, blob, depth)?;
            return margins::walk(self, format, blob, depth);
        }
        let may_hide = match format {
            // It only looked like one.
            Format::Foreign(_) => asked == Asked::NotAnArchive,
            format => format.may_hide_containers(),
        };
        if may_hide && !format.may_hide_containers() {
            embedded::walk_armor(self, blob, depth)?;
        }
        let opened = match format {
            Format::Foreign(foreign) if asked == Asked::Given => Some(foreign),
            _ => None,
        };
        let survey =
            if may_hide || opened.is_some() { Survey::of(blob)? } else { Survey::of_container(blob)? };
        if let Some(armor_at) = survey.armor_at {
            openpgp::walk_armor(self, blob, armor_at, depth)?;
        }
        rtf::walk(self, blob, &survey, depth)?;
        compressed_rtf::walk(self, blob, depth)?;
        active_mime::walk(self, blob, depth)?;
        tnef::walk(self, blob, depth)?;
        unopened::refuse_unopened(blob)?;
        if !self.has_one_of(SEVEN_ZIP_OPENS) {
            unopened::refuse_without_seven_zip(blob)?;
        }
        hangul::walk(self, blob, depth)?;
        media::walk(self, blob, depth)?;
        rare::walk(self, blob, depth)?;
        classic_mac::walk(self, blob, depth)?;
        lbr::walk(self, blob, depth)?;
        zisofs::walk(self, blob, depth)?;
        stored::walk(self, blob, &survey, depth)?;
        zstd_frames::walk(self, blob, depth)?;
        lz4_frames::walk(self, blob, depth)?;
        empty_streams::walk(self, blob, depth)?;
        cpio::walk(self, blob, depth)?;
        arc::walk(self, blob, depth)?;
        // GNU tar goes from block to block, on disks as well.
        if matches!(format, Format::Foreign(foreign) if foreign.name == "disk image") {
            tar::walk_blocks(self, blob, depth)?;
        }
        // Programs that read these look for them in anything. Of containers that are walked, the members are
        // looked at by themselves.
        let is_whole = may_hide
            || matches!(format, Format::Ambiguous | Format::Lzop | Format::Warc | Format::Foreign(_));
        if is_whole {
            pdf::walk(self, blob, &survey, depth)?;
        }
        // Many such containers store their members as they are: a text in one would be cut by the next.
        let is_of_members = opened.is_some_and(|foreign| !COMPRESSED.contains(&foreign.name));
        let is_mail = match format {
            // Without such fields, readers of mail get the body as it is.
            Format::Http | Format::Warc => http::has_fields_of_mail(blob)?,
            _ => is_whole && !is_of_members,
        };
        if is_mail {
            mail::walk(self, blob, &survey, depth)?;
            markup::walk(self, blob, &survey, depth)?;
        } else if !is_of_members {
            margins::walk(self, format, blob, depth)?;
        }
        let rests = embedded::walk_zip_at_end(self, blob, depth)?;
        match rests.as_slice() {
            _ if opened.is_some() => embedded::walk_among_members(self, blob, survey, depth),
            _ if !may_hide => Ok(()),
            [whole] if whole.size_bytes() == blob.size_bytes() => {
                embedded::walk_surveyed(self, blob, survey, depth)
            }
            rests => rests.iter().try_for_each(|rest| embedded::walk(self, rest, depth)),
        }
    }

    /// Reads the one structure that all readers of a kind of container agree on, or refuses it.
    fn walk_strictly(&mut self, format: Format, blob: &Blob, depth: u32) -> Walked {
        match format {
            Format::Zip => zip::walk(self, blob, depth),
            Format::Gzip => stream::walk_gzip(self, blob, depth),
            Format::Bzip2 => stream::walk_bzip2(self, blob, depth),
            Format::Xz => stream::walk_xz(self, blob, depth),
            Format::Tar => tar::walk(self, blob, depth),
            // The engine gives up on some chains of filters without a word.
            Format::SevenZip => seven_zip::walk(self, blob, depth, Reach::Handed),
            Format::Cabinet => cabinet::walk(self, blob, depth, Reach::Followed),
            Format::Iso => iso::walk(self, blob, depth),
            Format::Ar => ar::walk(self, blob, depth),
            Format::Lzop => lzop::walk(self, blob, depth),
            Format::Warc => warc::walk(self, blob, depth),
            Format::Http => http::walk(self, blob, depth),
            Format::Compound => compound::walk(self, blob, depth),
            Format::Mail => self.require(Method::Mail),
            Format::Other => {
                lzma_alone::walk(self, blob, depth)?;
                shar::walk(self, blob, depth)
            }
            Format::Pdf | Format::Ambiguous | Format::Foreign(_) => Ok(()),
        }
    }

    /// Asks the openers. What a signature says is an archive is refused unless one opens it, or it is plain
    /// text, or no reader of that kind takes it for one.
    fn ask_about(&mut self, format: Format, walked: Option<Kind>, blob: &Blob, depth: u32) -> Walked<Asked> {
        let asked = ask::ask(self, blob, walked, depth)?;
        if asked == Asked::Given || is_text(blob)? {
            return Ok(asked);
        }
        match format {
            Format::Ambiguous => refuse(Unscannable::UnsupportedContainer, "two formats in one file"),
            Format::Foreign(foreign)
                if !self.has_one_of(foreign.opened_by) || tolerant::reads(foreign, blob)? =>
            {
                refuse(Unscannable::UnsupportedContainer, foreign.name)
            }
            _ => Ok(asked),
        }
    }

    pub(crate) fn has_one_of(&self, programs: &[Program]) -> bool {
        self.openers.iter().any(|opener| programs.contains(&opener.program()))
    }
}

/// Kinds whose members are compressed, by name: what is a text in such a file is no part of one.
const COMPRESSED: [&str; 4] = ["RAR", "zstd", "zstd or lz4, skippable frame", "lz4"];

/// Returns whether a reader that knows more than the gate may overrule the refusal.
fn may_be_overruled(refusal: &Refusal) -> bool {
    matches!(refusal.reason, Unscannable::Malformed | Unscannable::UnsupportedContainer)
}
