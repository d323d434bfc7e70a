//! Asks every opener about a blob, takes the members that each gives, and decides what follows if one cannot
//! give everything.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;

use domain::verdict::{Decryption, Unscannable};
use sha2::{Digest as _, Sha256};

use crate::blob::{Blob, BlobWriter, to_u64};
use crate::embedded;
use crate::format::Format;
use crate::opener::{Kind, MemberEnd, MemberSink, Opened};
use crate::refusal::Refusal;
use crate::walk::{Stop, Walk, Walked, malformed, refuse};

/// What the openers made of one blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// No opener takes it for an archive.
    NotAnArchive,
    /// At least one does, and everything that it holds has been looked at.
    Given,
}

/// What one opener made of one blob.
#[derive(Debug)]
struct Claim {
    opened: Opened,
    ends: Vec<MemberEnd>,
    /// The digest of every member that is not empty.
    digests: BTreeSet<[u8; 32]>,
    /// The members that were not given before.
    members: Vec<Member>,
}

impl Claim {
    fn is_whole(&self) -> bool {
        self.opened == Opened::Whole && self.ends.iter().all(|end| *end == MemberEnd::Whole)
    }
}

#[derive(Debug)]
struct Member {
    blob: Blob,
    digest: [u8; 32],
}

/// Asks about `blob`, which the gate has `walked` itself as one kind of container or not at all, and looks
/// into every member.
///
/// What an opener recognises and cannot give is refused, after its members were looked at: the engine may
/// know one of them as malware.
pub(crate) fn ask(walk: &mut Walk<'_>, blob: &Blob, walked: Option<Kind>, depth: u32) -> Walked<Asked> {
    let claims = claims(walk, blob, walked, depth)?;
    if claims.is_empty() {
        return Ok(Asked::NotAnArchive);
    }
    let is_whole = walked.is_some_and(Kind::is_unknown_to_seven_zip) || claims.iter().any(Claim::is_whole);
    let refusal = refusal_of(&claims, is_whole);
    visit_all(walk, claims, depth)?;
    refusal.map(|()| Asked::Given)
}

/// Asks about a stream in other data, which may be cut, or followed by data that it does not end before: what
/// comes out before the damage counts. What an opener takes for one and cannot unpack is none.
pub(crate) fn ask_in_other_data(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<Asked> {
    let claims = claims(walk, blob, None, depth)?;
    if claims.is_empty() {
        return Ok(Asked::NotAnArchive);
    }
    let is_whole = true;
    let refusal = refusal_of(&claims, is_whole);
    visit_all(walk, claims, depth)?;
    match refusal {
        Err(Stop::Refused(refusal)) if refusal.reason == Unscannable::UnsupportedContainer => {
            Ok(Asked::NotAnArchive)
        }
        refusal => refusal.map(|()| Asked::Given),
    }
}

/// Asks about a container that the gate itself found malformed, or could not unpack. It passes if one opener
/// gets everything out of it and no other opener gets anything else. A zip must also have no member that only
/// readers find that go by the headers in front of the data.
pub(crate) fn second_opinion(
    walk: &mut Walk<'_>,
    blob: &Blob,
    format: Format,
    refusal: Refusal,
    depth: u32,
) -> Walked {
    let claims = claims(walk, blob, None, depth)?;
    if claims.is_empty() {
        return Err(Stop::Refused(refusal));
    }
    let is_sound = claims.iter().any(|whole| {
        whole.is_whole() && claims.iter().all(|claim| gives_no_more(claim, whole, format, &refusal))
    });
    let refusal = match refusal_of(&claims, claims.iter().any(Claim::is_whole)) {
        // It says more than that the gate could not read the container.
        Err(Stop::Refused(better)) if better.reason != Unscannable::Malformed => better,
        Err(Stop::Trouble(error)) => return Err(Stop::Trouble(error)),
        _ => refusal,
    };
    visit_all(walk, claims, depth)?;
    let n_given = walk.n_handed();
    match format {
        Format::Zip => embedded::walk_zip_members(walk, blob, depth)?,
        // Readers ignore what stands behind a stream, but a person can cut it off and open it.
        Format::Gzip | Format::Bzip2 | Format::Xz => embedded::walk(walk, blob, depth)?,
        _ => {}
    }
    let hides_more = format == Format::Zip && walk.n_handed() > n_given;
    if is_sound && !hides_more { Ok(()) } else { Err(Stop::Refused(refusal)) }
}

/// Asks about a container that the gate walked, and in which only encrypted members are left. One opener must
/// give everything with the uploader's password. That another opener cannot is ignored, and only here: the
/// gate has seen that there is one container and nothing beside it.
pub(crate) fn open_with_password(
    walk: &mut Walk<'_>,
    blob: &Blob,
    refusal: Refusal,
    depth: u32,
) -> Walked<Asked> {
    let mut claims = claims(walk, blob, None, depth)?;
    let is_whole = claims.iter().any(Claim::is_whole);
    for claim in claims.iter_mut().filter(|_| is_whole) {
        claim.ends.retain(|end| *end != MemberEnd::Encrypted);
        if claim.opened == Opened::Encrypted {
            claim.opened = Opened::Whole;
        }
    }
    let refused = refusal_of(&claims, is_whole);
    visit_all(walk, claims, depth)?;
    if is_whole { refused.map(|()| Asked::Given) } else { Err(Stop::Refused(refusal)) }
}

/// Returns whether this opener gives nothing that the other one, which gives everything, does not give.
fn gives_no_more(claim: &Claim, whole: &Claim, format: Format, refusal: &Refusal) -> bool {
    // Structure and members are known then, and only how some are packed is not.
    let is_sound = refusal.reason == Unscannable::UnsupportedContainer;
    let may_be_unsupported = is_sound && claim.ends.len() <= whole.ends.len();
    let is_usual = matches!(claim.opened, Opened::Whole | Opened::Damaged)
        || may_be_unsupported && claim.opened == Opened::Unsupported;
    let has_usual_members = claim.ends.iter().all(|end| {
        matches!(end, MemberEnd::Whole | MemberEnd::Damaged)
            || may_be_unsupported && *end == MemberEnd::Unsupported
    });
    // Readers of tars write sparse files and the like as they stand or as they are meant: either is given.
    let may_differ = is_sound && format == Format::Tar && claim.is_whole();
    is_usual && has_usual_members && (may_differ || claim.digests.is_subset(&whole.digests))
}

fn claims(walk: &mut Walk<'_>, blob: &Blob, walked: Option<Kind>, depth: u32) -> Walked<Vec<Claim>> {
    let mut openers = std::mem::take(&mut walk.openers);
    let claims = openers.iter_mut().map(|opener| {
        let mut taking = Taking::new(walk);
        let opened = opener.open(blob, walked, &mut taking);
        taking.into_claim(opened)
    });
    let claims = claims.collect::<Walked<Vec<_>>>();
    if openers.iter().any(|opener| opener.needed_password()) {
        walk.decryption = Decryption::Password;
    }
    walk.openers = openers;
    let mut claims = claims?;
    claims.retain(|claim| claim.opened != Opened::NotMine);
    if !claims.is_empty() && depth >= walk.gate.limits.max_depth {
        return refuse(Unscannable::TooDeep, "containers nested too deeply");
    }
    Ok(claims)
}

fn visit_all(walk: &mut Walk<'_>, claims: Vec<Claim>, depth: u32) -> Walked {
    for member in claims.into_iter().flat_map(|claim| claim.members) {
        walk.visit_digested(member.blob, member.digest, depth)?;
    }
    Ok(())
}

/// Damage counts only if neither an opener nor the gate gets everything in spite of it: an opener that
/// repairs gives what a recipient would get. Everything else counts, whatever another opener says: users of
/// the program may get what its opener could not give.
fn refusal_of(claims: &[Claim], is_whole: bool) -> Walked {
    let any = |opened, end: Option<MemberEnd>| {
        claims.iter().any(|claim| claim.opened == opened || end.is_some_and(|end| claim.ends.contains(&end)))
    };
    if any(Opened::Unread, None) {
        return Err(Stop::Trouble(io::Error::other("an opener could not read the file")));
    }
    if any(Opened::Encrypted, Some(MemberEnd::Encrypted)) {
        return refuse(Unscannable::Encrypted, "an archive with a password");
    }
    if any(Opened::Unsupported, Some(MemberEnd::Unsupported)) {
        return refuse(Unscannable::UnsupportedContainer, "an archive that an opener cannot unpack");
    }
    if any(Opened::TooMuchMemory, Some(MemberEnd::TooMuchMemory)) {
        return refuse(Unscannable::ExpandsTooMuch, "an archive that needs more memory than the limit");
    }
    if claims.iter().any(|claim| claim.ends.contains(&MemberEnd::Ambiguous)) {
        return malformed("an archive of which programs write different bytes");
    }
    if is_whole { Ok(()) } else { malformed("an archive that every opener finds damaged") }
}

/// Keeps members within the walk's limits.
struct Taking<'w, 'a> {
    walk: &'w mut Walk<'a>,
    ends: Vec<MemberEnd>,
    digests: BTreeSet<[u8; 32]>,
    members: Vec<Member>,
    current: Option<(BlobWriter, Sha256)>,
    stop: Option<Stop>,
}

impl<'w, 'a> Taking<'w, 'a> {
    fn new(walk: &'w mut Walk<'a>) -> Self {
        Self { walk, ends: vec![], digests: BTreeSet::new(), members: vec![], current: None, stop: None }
    }

    fn into_claim(self, opened: Opened) -> Walked<Claim> {
        let Self { ends, digests, members, stop, .. } = self;
        stop.map_or(Ok(Claim { opened, ends, digests, members }), Err)
    }

    fn begin_member(&mut self) -> Walked {
        self.current = Some((self.walk.new_member()?, Sha256::new()));
        Ok(())
    }

    fn write_member(&mut self, bytes: &[u8]) -> Walked {
        let (writer, hasher) = self.current.as_mut().ok_or_else(out_of_order)?;
        self.walk.count_bytes(to_u64(bytes.len()), writer.size_bytes() + to_u64(bytes.len()))?;
        hasher.update(bytes);
        writer.write(bytes)?;
        Ok(())
    }

    /// A member that is empty, or was given before, counts against no limit.
    fn end_member(&mut self, end: MemberEnd) -> Walked {
        let (writer, hasher) = self.current.take().ok_or_else(out_of_order)?;
        self.ends.push(end);
        let (blob, digest) = (writer.finish(), hasher.finalize().into());
        let is_empty = blob.size_bytes() == 0;
        let is_new = !is_empty && self.digests.insert(digest) && !self.walk.knows(&digest);
        if is_new {
            self.members.push(Member { blob, digest });
        } else {
            self.walk.uncount_member(blob.size_bytes());
        }
        Ok(())
    }

    fn or_stop(&mut self, done: Walked) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(stop) => {
                self.stop.get_or_insert(stop);
                ControlFlow::Break(())
            }
        }
    }
}

impl MemberSink for Taking<'_, '_> {
    fn begin(&mut self) -> ControlFlow<()> {
        let begun = self.begin_member();
        self.or_stop(begun)
    }

    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let written = self.write_member(bytes);
        self.or_stop(written)
    }

    fn end(&mut self, end: MemberEnd) -> ControlFlow<()> {
        let ended = self.end_member(end);
        self.or_stop(ended)
    }
}

/// An opener that does not keep to [`MemberSink`]'s order.
fn out_of_order() -> Stop {
    Stop::Trouble(io::Error::other("an opener gave bytes outside a member"))
}
